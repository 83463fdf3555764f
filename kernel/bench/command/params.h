/* From the words of a command to a run that can be measured. */
#pragma once

struct bench;

/* "bench WORKLOAD [options]" into *b; RC_PASS, or RC_USAGE after printing why. */
unsigned params_parse(int argc, char **argv, struct bench **b);
