/* Knobs: the independent choices about flushing, as variables and as a table for people. */
#pragma once

#include <kernel/types.h>

struct knobs {
	u32 batch; /* 4 KiB entries per shootdown in migration */
	u32 batch_2m; /* 2 MiB entries per shootdown */
	u32 defer; /* index in deferrals[] */
	u32 transport; /* enum tlb_transport */
	u32 range; /* pages flushed one by one before everything is */
	u32 pad; /* ns of bookkeeping added per migrated page */
	u32 hint; /* enum hint_order */
	u32 numa_split; /* enum numa_split */
	u32 scan_size, scan_min, scan_max; /* pages a window; microseconds a pass */
	u32 scan_load; /* percent of its CPU's time that the scan may take */
};

enum hint_order {
	HINT_EARLY, /* make the page accessible, then move it */
	HINT_LATE, /* keep the hint entry until the page has moved or stays */
};

enum numa_split {
	SPLIT_OFF, /* 2 MiB pages are moved whole, or stay */
	SPLIT_SHARED, /* those that two nodes use in turns become small ones */
};
extern struct knobs knobs;

struct knob {
	const char *name, *unit, *summary;
	u32 *value;
	u32 min, max;
	u32 def; /* native default of this port, set by knob_init() */
	const char *const *choices; /* NULL = number */
	const char *source; /* "default", "boot line", "set", scheme name */
	const char *decided_in;
};
extern struct knob knob_table[];
extern const unsigned knob_count;

void knobs_changed(void); /* put the values in force, after they were written as a whole */
void knob_init(void); /* defaults of the port, then boot options knob.NAME= */
/* "batch" "512": 0, or negative code with the reason in err. Settles first. */
int knob_set(const char *name, const char *value, const char *source, char *err, size_t size);
void knob_format(const struct knob *k, char *buf, size_t size);
