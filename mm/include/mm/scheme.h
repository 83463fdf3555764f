/*
 * Deferral schemes and knobs.
 *
 * A scheme decides when a flush is paid and for whom it may wait; mm/tlb.c does
 * the flushing, mm/migrate.c the moving, so that a scheme cannot free early.
 * Hooks are named after the event at which a debt may be made or must be paid;
 * unset hooks become no-ops at registration.
 */
#pragma once

#include <mm/page.h>
#include <mm/tlb.h>

struct tlb_scheme {
	const char *name; /* value of the knob `defer` */
	const char *summary; /* one line */
	const char *unsafe; /* not NULL: what breaks; printed with every result */
	/* Why this machine or these knobs cannot; NULL = can. */
	const char *(*refuse)(void);
	void (*enable)(void);
	/*
	 * One entry of a page under migration was taken down. True: its flush
	 * may wait, and frame_held() will be called with the source, unless the page
	 * turns out to be pinned: it is mapped again where it was then. What the
	 * scheme must know of the entry later, it notes here; a note of a page that
	 * stayed must do no harm. Under the PTL.
	 */
	bool (*may_defer)(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old);
	/* The source of a moved page whose flush waits. The scheme owns the frame until it pays. */
	void (*frame_held)(struct page *src);
	/*
	 * Held frames may serve as destinations before they are paid for. Only
	 * pages of areas that nobody may write get one (I5), and whatever is freed
	 * without deferral waits until everything is paid: it may have been lent.
	 */
	bool lends;
	/* A destination on this node is wanted: a held frame that may be used without payment, or NULL. */
	struct page *(*frame_wanted)(u32 node, unsigned order);
	/* A read-only entry is about to become writable; returns with the page's debt paid. */
	void (*write_upgrade)(struct page *page);
	/* The range is about to change for this reason; returns with its debts paid. */
	void (*range_change)(struct tlb_context *ctx, vaddr_t start, vaddr_t end);
	/* Pay everything: nothing stale, nothing held afterwards. */
	void (*settle)(void);
	/* 4 KiB frames held back now. */
	u64 (*held)(void);
};

extern const struct tlb_scheme *scheme; /* the one in force; never NULL */
extern const struct tlb_scheme *const tlb_schemes[]; /* NULL at the end; mm/schemes/schemes.c */
/* Put tlb_schemes[index] in force, with unset hooks replaced by no-ops. Nothing may be owed. */
void scheme_use(u32 index);

/* ---- knobs ---- */
struct knobs {
	u32 batch; /* 4 KiB entries per shootdown in migration */
	u32 batch_2m; /* 2 MiB entries per shootdown */
	u32 defer; /* index in tlb_schemes[] */
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

/* ---- named combinations ---- */
struct scheme_def {
	const char *name, *summary;
	const char *settings; /* "batch=512 defer=none" */
	const char *not_modelled; /* for like-linux-*: what differs from that kernel; NULL else */
};
extern const struct scheme_def scheme_defs[];
extern const unsigned scheme_def_count;
/* "batch+late-map": check and apply on top of the knobs as set; the reason of a refusal goes to err. */
int scheme_apply(const char *names, char *err, size_t size);
/* Knobs as before the last scheme_apply(); settles. */
void scheme_restore(void);
/* Pay all debts now, counted apart from the measured part. */
void scheme_settle(void);
