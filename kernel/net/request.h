/* The head of an HTTP request. Pure. */
#pragma once

#include "net.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OTHER };

struct http_request {
	enum http_method method;
	const char *path; /* without what follows a question mark */
	char bearer[NET_TOKEN_MAX + 1]; /* of Authorization, padded with zeros */
	u64 length; /* of the body that is said to follow */
	bool keep; /* the connection, for more */
	bool openmetrics; /* that dialect is accepted */
	bool has_host;
};

/* Bytes up to the empty line, which is included, of len that are there; 0: it has not come yet. */
size_t http_head_len(const char *text, size_t len);
/*
 * Parse a head that ends with an empty line, in place: *r points into it. 0, or the status of an answer that says what is
 * wrong: 400, 431, 501 or 505.
 */
unsigned http_parse(char *head, struct http_request *r);
/*
 * The line of {"cmd":"line"}, the only object that is known; no control characters. False: it is something else, empty, or
 * the line does not fit.
 */
bool http_parse_command(const char *body, char *line, size_t size);
