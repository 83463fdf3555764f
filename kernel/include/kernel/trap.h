/* Exceptions, neutral part: who handles a page fault, and what happens when nobody does. */
#pragma once

#include <kernel/types.h>

struct trapframe;

/* Up-call from the port, interrupts off, on the stack of what was interrupted or a stack of its own. */
void trap_handle(struct trapframe *tf);

/*
 * mm registers this. True: the access can be repeated. Called with interrupts
 * as they were in the interrupted code; not called while a panic is printed.
 */
extern bool (*trap_page_fault_handler)(struct trapframe *tf);
