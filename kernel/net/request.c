/* The head of an HTTP request (RFC 9112), cut into what is asked of it. Pure; the text is anybody's. */
#include "request.h"
#include <kernel/string.h>

enum {
	HEADERS_MAX = 32,
	BAD = 400,
	TOO_MANY = 431,
	NOT_DONE = 501,
	OLD = 505,
};

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* Does s begin with a text of small letters, however it is written? */
static bool begins(const char *s, const char *with)
{
	for (; *with; s++, with++)
		if (lower(*s) != *with)
			return false;
	return true;
}

static bool contains(const char *s, const char *what)
{
	for (; *s; s++)
		if (begins(s, what))
			return true;
	return false;
}

/* The end of the line at s becomes a terminator; where the next one begins, NULL: it holds what no line may. */
static char *cut_line(char *s)
{
	for (; *s != '\r'; s++)
		if ((u8)*s < ' ' && *s != '\t')
			return NULL;
	if (s[1] != '\n')
		return NULL;
	*s = '\0';
	return s + 2;
}

static unsigned parse_first_line(char *s, struct http_request *r)
{
	static const char *const methods[] = {"GET ", "HEAD ", "POST "};
	unsigned m = 0;

	while (m < ARRAY_SIZE(methods) && strncmp(s, methods[m], strlen(methods[m])))
		m++;
	r->method = (enum http_method)m;
	while (is_token(*s))
		s++;
	if (*s++ != ' ' || *s != '/')
		return BAD;
	r->path = s;
	while ((u8)*s > ' ')
		s++;
	if (*s != ' ')
		return BAD;
	*s++ = '\0';
	if (strchr(r->path, '?'))
		*strchr(r->path, '?') = '\0';
	if (strncmp(s, "HTTP/", 5))
		return BAD;
	if (strcmp(s + 5, "1.1") && strcmp(s + 5, "1.0"))
		return OLD;
	r->keep = s[7] == '1';
	return 0;
}

/* Digits alone, and not so many that they could overflow. */
static bool parse_length(const char *s, u64 *length)
{
	size_t digits = 0;

	*length = 0;
	for (; s[digits] >= '0' && s[digits] <= '9' && digits < 18; digits++)
		*length = *length * 10 + (u64)(s[digits] - '0');
	return digits && !s[digits];
}

static bool take_authorization(const char *value, struct http_request *r)
{
	if (!begins(value, "bearer ") || r->bearer[0])
		return false;
	value += 7;
	if (strlen(value) > NET_TOKEN_MAX)
		return true; /* a wrong one, as good as none */
	strlcpy(r->bearer, value, sizeof(r->bearer));
	return true;
}

static unsigned take_header(const char *name, const char *value, struct http_request *r)
{
	u64 length;

	if (!strcmp(name, "host")) {
		r->has_host = true;
	} else if (!strcmp(name, "connection")) {
		if (contains(value, "close"))
			r->keep = false;
	} else if (!strcmp(name, "accept")) {
		r->openmetrics |= contains(value, "application/openmetrics-text");
	} else if (!strcmp(name, "authorization")) {
		return take_authorization(value, r) ? 0 : BAD;
	} else if (!strcmp(name, "transfer-encoding")) {
		return NOT_DONE;
	} else if (!strcmp(name, "content-length")) {
		if (!parse_length(value, &length) || (r->length && r->length != length))
			return BAD;
		r->length = length;
	}
	return 0;
}

static unsigned parse_header(char *s, struct http_request *r)
{
	char *name = s, *end;

	for (; is_token(*s); s++)
		*s = lower(*s);
	if (s == name || *s != ':') /* also a line that goes on with the one before: RFC 9112 5.2 */
		return BAD;
	*s++ = '\0';
	while (*s == ' ' || *s == '\t')
		s++;
	end = s + strlen(s);
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return take_header(name, s, r);
}

size_t http_head_len(const char *text, size_t len)
{
	for (size_t i = 0; i + 4 <= len; i++)
		if (!memcmp(text + i, "\r\n\r\n", 4))
			return i + 4;
	return 0;
}

unsigned http_parse(char *head, struct http_request *r)
{
	char *line = head, *next = cut_line(head);
	unsigned wrong;

	memset(r, 0, sizeof(*r));
	wrong = next ? parse_first_line(line, r) : BAD;
	for (unsigned n = 0; !wrong; n++) {
		line = next;
		next = cut_line(line);
		if (!next)
			return BAD;
		if (!*line)
			return r->has_host || !r->keep ? 0 : BAD;
		wrong = n == HEADERS_MAX ? TOO_MANY : parse_header(line, r);
	}
	return wrong;
}

static const char *skip_blanks(const char *s)
{
	while (*s == ' ' || *s == '\t' || *s == '\r' || *s == '\n')
		s++;
	return s;
}

/* A string that starts at *s, to out; *s comes behind it. No escapes but of quote, backslash and slash. */
static bool take_string(const char **s, char *out, size_t size)
{
	const char *at = *s;
	size_t n = 0;

	if (*at++ != '"')
		return false;
	for (; *at != '"'; at++) {
		if (*at == '\\' && !strchr("\"\\/", *++at))
			return false;
		if ((u8)*at < ' ' || n + 1 >= size)
			return false;
		out[n++] = *at;
	}
	out[n] = '\0';
	*s = at + 1;
	return true;
}

bool http_parse_command(const char *body, char *line, size_t size)
{
	char key[8];
	const char *s = skip_blanks(body);

	if (*s++ != '{')
		return false;
	s = skip_blanks(s);
	if (!take_string(&s, key, sizeof(key)) || strcmp(key, "cmd"))
		return false;
	s = skip_blanks(s);
	if (*s++ != ':')
		return false;
	s = skip_blanks(s);
	if (!take_string(&s, line, size) || !*line)
		return false;
	s = skip_blanks(s);
	return *s == '}' && !*skip_blanks(s + 1);
}
