/* The C library's header, for lwIP: the functions are those of kernel/lib. */
#pragma once

#include <kernel/string.h>
