/*
 * hw=: what the boot line takes from a CPU (-name) or gives it (+name): features by the name that the
 * log shows, errata by their vendor's number. One list may serve both architectures. Errata that are
 * in force go into the log and into every record.
 */
#pragma once

#include <kernel/types.h>

enum hw_asked { HW_AS_FOUND, HW_WITHOUT, HW_WITH };

/* What hw= says about a name; the last mention counts. Marks the items that have it as known. */
enum hw_asked hw_asked(const char *name);

/*
 * Log the items that nobody has asked about. found: what this CPU has, for the message. Names of
 * another port's features are no mistake. Call once all names were asked about.
 */
void hw_report_unknown(const char *found);

/* This CPU has the erratum, or hw=+id says so; does: what we do about it. Each id is noted once. */
void hw_note_erratum(const char *id, const char *does);

/* The ids noted so far, with a space between them; "" if there are none. */
const char *hw_errata(void);
