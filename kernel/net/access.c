/* Who may do what over the network: the token of the boot line, and what is open without it. */
#include "net.h"
#include <kernel/option.h>
#include <kernel/string.h>

/* Padded with zeros; all zeros: there is none, and nobody has it. Written once, at the start. */
static char token[NET_TOKEN_MAX + 1];
static bool open_to_read;

BOOT_OPTION(net_token, "net.token", "TOKEN",
	    "16 to 64 characters; whoever has it may use the console and read over the network");
BOOT_OPTION(net_open, "net.open", "nothing|read",
	    "read: what can only be read is open without token");

const char *access_init(void)
{
	static const char *const choices[] = {"nothing", "read", NULL};
	const char *text = option_get("net.token");

	open_to_read = option_choice("net.open", choices, 0) == 1;
	if (!text)
		return "net.token= is missing";
	if (strlen(text) < NET_TOKEN_MIN || strlen(text) > NET_TOKEN_MAX)
		return "net.token= must have 16 to 64 characters";
	strlcpy(token, text, sizeof(token));
	return NULL;
}

bool access_by_token(const char sent[NET_TOKEN_MAX + 1])
{
	return net_token_is(token, sent) && token[0];
}

bool access_to_read(const char sent[NET_TOKEN_MAX + 1])
{
	return open_to_read || access_by_token(sent);
}

bool access_is_possible(void)
{
	return open_to_read || token[0];
}
