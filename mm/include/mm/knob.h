/* Knobs: the independent choices about flushing, as variables and as a table for people. */
#pragma once

#include <kernel/types.h>

struct knobs {
	u32 batch; /* 4 KiB entries per shootdown in migration */
	u32 batch_2m; /* 2 MiB entries per shootdown */
	u32 batch_alone; /* bool: batch also what no other CPU has loaded */
	u32 batch_flush; /* enum batch_flush */
	u32 defer; /* index in deferrals[] */
	u32 transport; /* enum tlb_transport */
	u32 range; /* pages flushed one by one before everything is */
	u32 pad; /* ns of bookkeeping added per migrated page */
	u32 hint; /* enum hint_order */
	u32 numa_split; /* enum numa_split */
	u32 scan_size, scan_min, scan_max; /* pages a window; microseconds a pass */
	u32 scan_load; /* percent of its CPU's time that the scan may take */
};

enum batch_flush {
	BATCH_FLUSH_RANGE, /* what was taken down, page by page up to `range` */
	BATCH_FLUSH_ALL, /* everything of each context, however little that was */
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

enum {
	KNOBS_MAX = 64, /* more: panic at start */
	KNOB_NAME_LEN = 20, /* longer names, too */
};

struct knob_setting {
	u32 value;
	const char *source; /* "default", "boot line", "set", scheme name */
};

/* A scheme's value lies over the knob's own, which comes back when the scheme goes. */
struct knob_layers {
	struct knob_setting own, scheme;
	bool laid; /* there is one of a scheme */
};

struct knob {
	const char *name, *unit, *summary;
	u32 *value;
	u32 min, max;
	u32 def; /* native default of this port */
	const char *const *choices; /* NULL = number */
	const char *(*refuse)(u32 value); /* why this machine cannot; NULL = can. May be NULL */
	const char *decided_in;
	/* The rest belongs to mm/knob.c. */
	struct knob_layers now, next, saved; /* next: as now unless staged */
	bool staged;
};

/* What a change brings about, set by who has knobs; task context, no locks. */
struct knob_hooks {
	void (*settle)(void); /* before values change: pay what is owed */
	void (*changed)(void); /* put the values in force */
};
extern struct knob_hooks knob_hooks;

/* At start: these are knobs from now on. Panics where a name is taken or there is no room. */
void knob_add(struct knob *knobs_of, unsigned n);
/* Every knob gets its default, then what the boot line says: knob.NAME=. */
void knob_set_defaults(void);

unsigned knob_count(void);
struct knob *knob_at(unsigned i);
struct knob *knob_find(const char *name); /* NULL: none */
/* "batch" "512": 0, or negative code with the reason in err. Settles first. */
int knob_set(const char *name, const char *value, const char *source, char *err, size_t size);
/* Who chose the value in force. */
const char *knob_source(const struct knob *k);

/*
 * Several changes as one, all or none: stage each, then commit or discard. What is staged is
 * checked at once: 0, or negative code with the reason in err.
 */
int knob_stage(const char *name, const char *value, const char *source, char *err, size_t size);
/* The same as part of a scheme, which is the source. */
int knob_stage_scheme(const char *name, const char *value, const char *scheme, char *err,
		      size_t size);
/* Without the values that a scheme has laid over the knobs' own. */
void knobs_stage_own(void);
/* Every knob's default. */
void knobs_stage_defaults(void);
/* Settles and puts in force what is staged, if anything is. */
void knobs_commit(void);
void knobs_discard(void);

void knob_format(const struct knob *k, char *buf, size_t size);
/* Another value of it, as knob_format() has the one in force. */
void knob_format_value(const struct knob *k, u32 value, char *buf, size_t size);
/* Remember all values and sources; one level deep. */
void knobs_save(void);
/* As they were at the last knobs_save(); settles first. */
void knobs_restore(void);
