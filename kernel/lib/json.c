/* JSON writer into a caller's buffer. */
#include <kernel/error.h>
#include <kernel/fixed.h>
#include <kernel/json.h>
#include <kernel/printf.h>
#include <kernel/string.h>

static void put(struct json *j, const char *s, size_t len)
{
	/* One byte stays free for the terminator; after the first piece that does not fit nothing does. */
	if (j->overflow || len >= j->size - j->len) {
		j->overflow = true;
		return;
	}
	memcpy(j->buf + j->len, s, len);
	j->len += len;
}

/* A value, a key or an opening bracket begins: the comma before it, if one is due. */
static void begin(struct json *j)
{
	if (j->comma)
		put(j, ",", 1);
	j->comma = true;
}

void json_init(struct json *j, char *buf, size_t size)
{
	*j = (struct json){.buf = buf, .size = size};
}

static void open_bracket(struct json *j, const char *bracket)
{
	begin(j);
	put(j, bracket, 1);
	j->comma = false;
}

static void close_bracket(struct json *j, const char *bracket)
{
	put(j, bracket, 1);
	j->comma = true;
}

void json_object(struct json *j)
{
	open_bracket(j, "{");
}

void json_object_end(struct json *j)
{
	close_bracket(j, "}");
}

void json_array(struct json *j)
{
	open_bracket(j, "[");
}

void json_array_end(struct json *j)
{
	close_bracket(j, "]");
}

static void put_escaped(struct json *j, char c)
{
	static const char letters[] = "\"\"\\\\\nn\rr\tt\bb\ff"; /* pairs: character, its letter */
	char buf[8];

	for (const char *p = letters; *p; p += 2) {
		if (*p == c) {
			put(j, (char[]){'\\', p[1]}, 2);
			return;
		}
	}
	put(j, buf, (size_t)ksnprintf(buf, sizeof(buf), "\\u%04x", (u8)c));
}

static bool needs_escape(char c)
{
	return (u8)c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

static void put_quoted(struct json *j, const char *s)
{
	put(j, "\"", 1);
	while (*s) {
		const char *plain = s;

		while (*s && !needs_escape(*s))
			s++;
		put(j, plain, (size_t)(s - plain));
		if (*s)
			put_escaped(j, *s++);
	}
	put(j, "\"", 1);
}

void json_key(struct json *j, const char *key)
{
	begin(j);
	put_quoted(j, key);
	put(j, ":", 1);
	j->comma = false;
}

static void put_token(struct json *j, const char *s)
{
	begin(j);
	put(j, s, strlen(s));
}

void json_string(struct json *j, const char *s)
{
	if (!s) {
		json_null(j);
		return;
	}
	begin(j);
	put_quoted(j, s);
}

void json_u64(struct json *j, u64 value)
{
	char buf[24];

	ksnprintf(buf, sizeof(buf), "%lu", value);
	put_token(j, buf);
}

void json_hex(struct json *j, u64 value)
{
	char buf[24];

	ksnprintf(buf, sizeof(buf), "\"0x%lx\"", value);
	put_token(j, buf);
}

void json_fixed(struct json *j, s64 value, unsigned digits)
{
	char buf[32];

	fixed_format(buf, sizeof(buf), value, digits);
	put_token(j, buf);
}

void json_bool(struct json *j, bool value)
{
	put_token(j, value ? "true" : "false");
}

void json_null(struct json *j)
{
	put_token(j, "null");
}

long json_finish(struct json *j)
{
	if (!j->size)
		return -ERANGE;
	j->buf[j->len] = '\0';
	return j->overflow ? -ERANGE : (long)j->len;
}
