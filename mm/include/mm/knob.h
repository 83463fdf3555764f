/* Knobs: the independent choices about flushing, as variables and as a table for people. */
#pragma once

#include <kernel/types.h>

struct knobs {
	u32 batch; /* 4 KiB entries per shootdown in migration */
	u32 batch_2m; /* 2 MiB entries per shootdown */
	u32 batch_alone; /* bool: batch also what no other CPU has loaded */
	u32 batch_flush; /* enum batch_flush */
	u32 defer; /* index in deferrals[] */
	u32 defer_for; /* enum defer_for */
	u32 defer_skip; /* bool: a payment leaves out CPUs that have flushed meanwhile */
	u32 defer_age; /* microseconds; 0: no bound */
	u32 defer_pages; /* 4 KiB frames held back; 0: no bound */
	u32 transport; /* enum tlb_transport */
	u32 range; /* up to so many pages are flushed one by one; more: all of the context */
	u32 pad; /* ns of work added per migrated page */
	u32 hint; /* enum hint_order */
	u32 numa_split; /* enum numa_split */
	u32 scan_size; /* 4 KiB pages per window */
	u32 scan_min, scan_max; /* microseconds per pass */
	u32 scan_load; /* percent of its CPU's time that the scan may take */
	u32 model; /* enum rule_model */
	u32 spurious; /* enum spurious_when */
	u32 upgrade; /* enum upgrade_by */
	u32 protect_flush; /* enum protect_flush */
	u32 watermark_gap; /* frames that reclaim of its own gets beyond the low watermark; 0: there is none */
	u32 reclaim_batch; /* pages per shootdown in reclaim */
	u32 store_ns; /* ns that an access to a store takes */
	u32 notify; /* enum notify_when */
	u32 pinned; /* enum pinned_pages */
	u32 dirty_pages; /* of a file, that may be dirty before who writes more writes back; 0: any number */
};

/* Whose rules say which change of an entry needs which flush: <mm/rules.h>. */
enum rule_model { RULES_NATIVE, RULES_ARM64, RULES_X86 };

/* When the rules' fix-up runs after a fault that changed nothing. */
enum spurious_when {
	SPURIOUS_ALWAYS, /* as Linux before 5.9 */
	SPURIOUS_RFC, /* first faults; a retried one leaves accessed and dirty alone, too */
	SPURIOUS_SKIP, /* first faults (Linux since 5.9) */
	SPURIOUS_NEVER,
	SPURIOUS_LOCAL, /* always, but on this CPU only */
};

/* Who flushes when a fault gives an entry of the same frame more access. */
enum upgrade_by {
	UPGRADE_ALL, /* every CPU, where the rules ask for it */
	UPGRADE_LOCAL, /* this one; others when they fault: the fix-up */
};

enum protect_flush {
	PROTECT_FLUSH_ALWAYS, /* every entry of the range that is present, changed or not */
	PROTECT_FLUSH_FILTER, /* those that lost something, or gained what faults do not repair */
};

/* When those who subscribe to a space are told of a NUMA scan, and of what: <mm/change.h>. */
enum notify_when {
	NOTIFY_START, /* of each range, before any entry is looked at: all of it is zapped */
	NOTIFY_PROTECT, /* the same, but they zap what becomes a hint entry, when it does */
	NOTIFY_LATE, /* when the first entry is about to change, and then run by run: those that do */
};

/* What a NUMA scan does with pinned pages, which cannot move. */
enum pinned_pages {
	PINNED_MARK, /* hint entries, as any other */
	PINNED_SKIP, /* leaves them alone */
	PINNED_SKIP_COW, /* leaves those alone that may be copied on write and have more than one reference */
};

enum batch_flush {
	BATCH_FLUSH_RANGE, /* what was taken down: page by page, up to `range` pages */
	BATCH_FLUSH_ALL, /* everything of each context, however little was taken down */
};

enum defer_for {
	DEFER_FOR_ALL, /* every move */
	DEFER_FOR_TIERING, /* only between a node with CPUs and one without */
};

enum hint_order {
	HINT_EARLY, /* make the page accessible, then move it */
	HINT_LATE, /* keep the hint entry until the page has moved or stays */
};

enum numa_split {
	SPLIT_OFF, /* 2 MiB pages are moved whole, or stay */
	SPLIT_SHARED, /* 2 MiB pages that two nodes use in turns are split into small ones */
};
extern struct knobs knobs;

enum {
	KNOBS_MAX = 64, /* more: panic at start-up */
	KNOB_NAME_LEN = 20, /* with the final NUL; a longer name: panic at start-up */
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
	bool unbounded; /* a number, and 0 is written and read as "inf" */
	const char *(*refuse)(
		u32 value); /* returns why this machine cannot have the value, or NULL. May be NULL */
	const char *decided_in;
	/* The rest belongs to mm/knob.c. */
	struct knob_layers now, next, saved; /* next: as now unless staged */
	bool staged;
};

/* What mm does when knobs change. Called in task context, no locks held. */
struct knob_hooks {
	/* Why the values that are about to be put in force do not go together, or NULL; see knob_next(). */
	const char *(*refuse)(void);
	void (*settle)(void); /* before values change: pay what is owed */
	void (*changed)(void); /* put the values in force */
};
extern struct knob_hooks knob_hooks;

/* Register n knobs, which the caller keeps. Start-up only. Panics if a name is taken or there is no room. */
void knob_add(struct knob *knobs_of, unsigned n);
/* Give every knob its default, then the value from the boot line (knob.NAME=), if there is one. Start-up only. */
void knob_set_defaults(void);

/* How many knobs there are. */
unsigned knob_count(void);
/* The i-th knob, i below knob_count(), in the order in which they were added. */
struct knob *knob_at(unsigned i);
/* The knob of this name, NULL: there is none. */
struct knob *knob_find(const char *name);
/*
 * Set a knob from text: knob_set("batch", "512", "set", ...). All debts are settled
 * first. source: kept, says where the value is from. 0, or the reason in err: -ENOENT
 * (no such knob), -EINVAL (no such choice), -ERANGE, -ENOTSUP (this machine cannot).
 * Task context, no locks; nobody migrates.
 */
int knob_set(const char *name, const char *value, const char *source, char *err, size_t size);
/* Who chose the value in force: "default", "boot line", "set", or the name of a scheme. */
const char *knob_source(const struct knob *k);

/*
 * Several changes as one, all or none: stage each, then commit or discard. What is
 * staged is checked at once: 0, or an error of knob_set() with the reason in err.
 */
int knob_stage(const char *name, const char *value, const char *source, char *err, size_t size);
/* The same for a scheme, which is the source of the value. */
int knob_stage_scheme(const char *name, const char *value, const char *scheme, char *err,
		      size_t size);
/* Stage for every knob its own value, without what a scheme has laid over it. */
void knobs_stage_own(void);
/* Stage every knob's default. */
void knobs_stage_defaults(void);
/*
 * Put in force what is staged, if anything is. Settles all debts first; the rules of knob_set(). 0, or
 * -ENOTSUP with the reason in err: values do not go together, and nothing is staged any more.
 */
int knobs_commit(char *err, size_t size);
/* What the knob with this variable is about to be: as staged, or as it is. */
u32 knob_next(const u32 *value);
/* Forget what is staged. */
void knobs_discard(void);

/* The value in force as text, as knob_set() reads it. */
void knob_format(const struct knob *k, char *buf, size_t size);
/* The same of any value that the knob may have. */
void knob_format_value(const struct knob *k, u32 value, char *buf, size_t size);
/* Remember the values and sources of all knobs. One level: the next call overwrites it. */
void knobs_save(void);
/* Set all knobs to what the last knobs_save() remembered. Settles all debts first; the rules of knob_set(). */
void knobs_restore(void);
