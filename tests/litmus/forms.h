/* Short forms of litmus declarations. */
#pragma once

#include "litmus.h"

#define OLD 0 /* what x shows by its old entry */

/* One thread, one register. The verdict is forbidden unless another one follows. */
#define SINGLE(name_, program_, x_, thread_, asked_)                                               \
	.name = name_, .program = program_, .x = LITMUS_##x_, .thread = {thread_}, .plant = 1,     \
	.regs = {"p0:r"}, .asked = {{1, asked_}}
#define FORBIDDEN(name_, program_, twin_, weaker_, x_, thread_, asked_)                            \
	{                                                                                          \
		SINGLE(name_, program_, x_, thread_, asked_), .twin = twin_, .weaker = weaker_     \
	}
#define ALLOWED(name_, program_, hidden_, x_, thread_, asked_)                                     \
	{                                                                                          \
		SINGLE(name_, program_, x_, thread_, asked_), .verdict = LITMUS_ALLOWED,           \
							      .hidden = hidden_                    \
	}
#define BROKEN(name_, program_, x_, thread_, asked_)                                               \
	{                                                                                          \
		SINGLE(name_, program_, x_, thread_, asked_), .verdict = LITMUS_BROKEN             \
	}

/* Message passing: the flag seen, and x as if pte(x) had not been written. */
#define MP(name_, program_, x_, writer, reader, asked_)                                            \
	.name = name_, .program = program_, .x = LITMUS_##x_, .thread = {writer, reader},          \
	.plant = 2, .slow_flag = true, .regs = {"p1:f", "p1:r"}, .asked = {{1, 1}, {2, asked_}}
#define MP_FORBIDDEN(name, program, twin_, weaker_, ...)                                           \
	{                                                                                          \
		MP(name, program, __VA_ARGS__), .twin = twin_, .weaker = weaker_                   \
	}
#define MP_ALLOWED(name, program, hidden_, ...)                                                    \
	{                                                                                          \
		MP(name, program, __VA_ARGS__), .verdict = LITMUS_ALLOWED, .hidden = hidden_       \
	}
#define MP_BROKEN(name, program, ...)                                                              \
	{                                                                                          \
		MP(name, program, __VA_ARGS__), .verdict = LITMUS_BROKEN                           \
	}
