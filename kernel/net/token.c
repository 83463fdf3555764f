/* The token that a client must send before anything else. Pure. */
#include "net.h"

bool net_token_is(const char token[NET_TOKEN_MAX + 1], const char sent[NET_TOKEN_MAX + 1])
{
	unsigned wrong = 0;

	for (unsigned i = 0; i <= NET_TOKEN_MAX; i++)
		wrong |= (unsigned)(token[i] ^ sent[i]);
	return !wrong;
}
