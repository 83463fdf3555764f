/*
 * JSON into a caller's buffer, as a stream: no tree, no spaces, no newline.
 * Commas are placed by the writer. When the buffer is full nothing more is
 * stored and json_finish() says so.
 *
 *   json_init(&j, buf, sizeof(buf));
 *   json_object(&j);
 *   json_key(&j, "pages"), json_u64(&j, 512);
 *   json_key(&j, "samples"), json_array(&j), json_u64(&j, 1), json_array_end(&j);
 *   json_object_end(&j);
 *   if (json_finish(&j) < 0) ...
 */
#pragma once

#include <kernel/types.h>

struct json {
	char *buf;
	size_t size;
	size_t len; /* bytes written; without the terminator */
	bool comma; /* a value stands before this place in the same array or object */
	bool overflow; /* something did not fit */
};

void json_init(struct json *j, char *buf, size_t size);
void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
void json_key(struct json *j, const char *key);
void json_string(struct json *j, const char *s); /* NULL gives null */
void json_u64(struct json *j, u64 value);
void json_hex(struct json *j, u64 value); /* "0x1000", a string: addresses need all 64 bits */
void json_fixed(struct json *j, s64 value, unsigned digits); /* value / 10^digits */
void json_bool(struct json *j, bool value);
void json_null(struct json *j);
/* Terminates the text. Its length, or -ERANGE if it did not fit. */
long json_finish(struct json *j);
