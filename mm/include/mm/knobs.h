/* Start-up of the knobs that mm and its deferrals have. */
#pragma once

/* Every knob gets the port's native default, then what the boot line says: knob.NAME=. */
void knobs_init(void);
