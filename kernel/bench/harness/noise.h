/* What firmware and power management did during a run. */
#pragma once

#include "bench.h"

/* Around a run; where the machine tells nothing of it, no CPU is asked. */
void noise_begin(void);
void noise_end(struct bench_noise *noise);
