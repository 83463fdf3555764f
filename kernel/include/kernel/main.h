/* Where every way of booting ends. */
#pragma once

struct bootinfo;

/*
 * Called by boot/<arch> on the boot CPU, interrupts off, on the boot stack,
 * with the image, low memory and the UART mapped. bi stays in place for good.
 */
void kernel_main(struct bootinfo *bi) __attribute__((noreturn));

extern const struct bootinfo *kernel_bootinfo; /* what kernel_main() was given */
