/* What ip= says: dhcp, or an address with the bits of its network and perhaps a gateway; and who is meant by others. Pure. */
#include "net.h"
#include <kernel/string.h>

enum { BITS_MAX = 30 }; /* with 31 there is no address for a gateway, with 32 nobody to talk to */

u32 net_mask(unsigned bits)
{
	return ~0U << (32 - bits);
}

/* A decimal number of at most three digits, none of them leading zeros. False: there is none. */
static bool take_number(const char **s, unsigned most, unsigned *value)
{
	const char *first = *s;

	*value = 0;
	while (**s >= '0' && **s <= '9' && *s - first < 3)
		*value = *value * 10 + (unsigned)(*(*s)++ - '0');
	return *s > first && *value <= most && (*first != '0' || *s == first + 1);
}

static bool take_address(const char **s, u32 *address)
{
	unsigned part;

	*address = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (i && *(*s)++ != '.')
			return false;
		if (!take_number(s, 255, &part))
			return false;
		*address = *address << 8 | part;
	}
	return true;
}

/* Can one machine have it? RFC 1122 3.2.1.3. */
static bool is_of_one(u32 address)
{
	unsigned first = address >> 24;

	return first && first != 127 && first < 224;
}

/* Neither the network itself nor all of its machines. */
static bool is_host(const struct net_config *c, u32 address)
{
	u32 host = address & ~net_mask(c->bits);

	return host && host != ~net_mask(c->bits);
}

/* What may follow the address: where it is wrong, or NULL; *s comes behind it. */
static const char *parse_gateway(const char **s, struct net_config *c)
{
	if (!take_address(s, &c->gateway) || (**s && strncmp(*s, ",dns=", 5)))
		return "gw= must be four numbers from 0 to 255 with points between them";
	if ((c->gateway ^ c->address) & net_mask(c->bits))
		return "gw= is not in the network of the address";
	if (!is_host(c, c->gateway) || c->gateway == c->address)
		return "gw= is no other machine's address";
	return NULL;
}

static const char *parse_more(const char *s, struct net_config *c)
{
	const char *wrong = NULL;

	if (!strncmp(s, ",gw=", 4)) {
		s += 4;
		wrong = parse_gateway(&s, c);
	}
	if (wrong || !*s)
		return wrong;
	if (strncmp(s, ",dns=", 5))
		return "only gw=ADDRESS and dns=ADDRESS may follow, behind commas";
	s += 5;
	if (!take_address(&s, &c->dns) || *s || !is_of_one(c->dns))
		return "dns= must be a machine's address";
	return NULL;
}

const char *net_parse_ip(const char *text, struct net_config *c)
{
	*c = (struct net_config){.dhcp = !strcmp(text, "dhcp")};
	if (c->dhcp)
		return NULL;
	if (!take_address(&text, &c->address))
		return "must be dhcp, or an address of four numbers from 0 to 255 as in "
		       "10.0.2.15/24,gw=10.0.2.2";
	if (*text != '/')
		return "the bits of the network are missing, as in 10.0.2.15/24";
	text++;
	if (!take_number(&text, BITS_MAX, &c->bits) || !c->bits)
		return "the bits of the network must be a number from 1 to 30";
	if (!is_of_one(c->address))
		return "no machine may have that address";
	if (!is_host(c, c->address))
		return "that is the address of the network or of all its machines";
	return parse_more(text, c);
}

static bool is_of_a_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '-';
}

const char *net_parse_host(const char *text, size_t len, char host[NET_HOST_MAX + 1], u16 *port)
{
	const char *end = text + len;
	size_t n = 0;
	u64 value = 0;

	for (; text < end && is_of_a_name(*text) && n < NET_HOST_MAX; text++)
		host[n++] = *text;
	host[n] = '\0';
	if (!n || (text < end && *text != ':'))
		return "must be a name or an address of at most 63 characters, and perhaps :PORT";
	if (text == end)
		return NULL;
	for (text++; text < end && *text >= '0' && *text <= '9' && value <= 0xffff; text++)
		value = value * 10 + (u64)(*text - '0');
	if (text < end || !value || value > 0xffff)
		return "the port must be a number from 1 to 65535";
	*port = (u16)value;
	return NULL;
}
