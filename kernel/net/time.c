/* The time of day by lwIP's SNTP client, for records. What is measured goes by the machine's own clock, which stays as it is. */
#include "peer.h"
#include <kernel/clock.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/service.h>
#include <kernel/string.h>
#include <lwip/apps/sntp.h>

enum { PORT = 123, US = 1000000, DAY = 86400, NS_PER_US = 1000 };

u16_t port_ntp = PORT;

/* All of it is the console CPU's. */
static struct peer peer;
static bool named, asked;
static bool known;
static u64 ahead; /* microseconds by which the time since 1970 is ahead of our clock */

static u64 clock_us(void)
{
	return clock_ns() / NS_PER_US;
}

/* Year, month and day of a day since 1970, in the Gregorian calendar; years begin in March, so that a leap day is the last one. */
static void civil(u64 day, unsigned *year, unsigned *month, unsigned *of_month)
{
	u64 era_day = (day + 719468) % 146097; /* days from 0000-03-01; of 400 years */
	u64 era = (day + 719468) / 146097;
	u64 of_era = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
	u64 of_year = era_day - (365 * of_era + of_era / 4 - of_era / 100);
	u64 m = (5 * of_year + 2) / 153;

	*of_month = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
	*month = (unsigned)(m < 10 ? m + 3 : m - 9);
	*year = (unsigned)(era * 400 + of_era + (*month <= 2));
}

void net_utc(u64 us, char text[NET_UTC_LEN])
{
	u64 s = us / US, of_day = s % DAY;
	unsigned year, month, day;

	civil(s / DAY, &year, &month, &day);
	ksnprintf(text, UTC_LEN, "%04u-%02u-%02uT%02lu:%02lu:%02lu.%03luZ", year, month, day,
		  of_day / 3600, of_day / 60 % 60, of_day % 60, us % US / 1000);
}

static bool utc(char text[UTC_LEN])
{
	if (known)
		net_utc(clock_us() + ahead, text);
	return known;
}

/* lwIP asks for what we have, to tell an answer to its question from another. */
void port_get_time(uint32_t *s, uint32_t *us)
{
	u64 now = clock_us() + ahead;

	*s = (uint32_t)(now / US);
	*us = (uint32_t)(now % US);
}

void port_set_time(uint32_t s, uint32_t us)
{
	char text[UTC_LEN];
	bool first = !known;

	ahead = s * (u64)US + us - clock_us();
	known = true;
	if (first && utc(text))
		printk("net: it is %s, says %s\n", text, peer.host);
}

void time_poll(void)
{
	if (!named || asked || !peer_is_ready(&peer))
		return;
	asked = true;
	sntp_setoperatingmode(SNTP_OPMODE_POLL);
	sntp_setserver(0, &peer.address);
	sntp_init();
}

BOOT_OPTION(net_ntp, "net.ntp", "HOST[:PORT]", "ask there what time it is; records say it");

void time_start(void)
{
	const char *text = option_get("net.ntp");

	named = text && peer_init(&peer, "net.ntp", text, strlen(text), PORT);
	if (!named)
		return;
	port_ntp = peer.port;
	service_utc = utc;
}
