/* The C library's header, for lwIP: what it uses of it. */
#pragma once

int atoi(const char *s);
