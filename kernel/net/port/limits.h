/* The C library's header, for lwIP, which makes SSIZE_MAX itself together with its type. */
#pragma once

#define INT_MAX __INT_MAX__
