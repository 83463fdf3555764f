/*
 * The threads that use a workload's pages while something is done to them:
 * they read and verify, or write, one page per operation, and count what they
 * felt. They report period by period: whoever arranges the work ends one where
 * something begins or ends that is to be seen by itself.
 */
#pragma once

#include <harness/region.h>
#include <kernel/samples.h>
#include "pattern.h"

struct context;
struct softmmu;
struct vcpus;
struct victims;

/* A read that returned what it must not. */
struct stale_read {
	u64 page, word, mix;
	u32 tag, published;
};

/* What a victim has seen since it started, and in the period that ended. */
struct victim_report {
	u64 ops, verified, in_window, stale; /* since the start */
	u64 longest_wait, waits; /* of the period: cycles from fault to resume; how many */
	u64 longest_gap; /* of the period: cycles from one operation to the next */
};

struct victim {
	struct victims *all;
	struct region *region;
	u64 first, wrap; /* its draws start at this page, and go on at 0 from `wrap` on */
	u64 writers, writer; /* it writes pages that are `writer` modulo `writers` */
	u64 own, own_pages; /* with shares: it writes these instead, and only reads others */
	u64 stripe;
	u32 write_below; /* of 2^31: random numbers that make an operation a write */
	unsigned id, cpu;
	struct context *ctx;
	struct pattern_walk walk;
	u64 last; /* cycles when the last operation ended */
	u64 longest_gap;
	u64 slice_left;
	struct victim_report now;
	struct stale_read first_stale;
	u32 histogram[2][HIST_BUCKETS]; /* [period % 2]: cycles per operation */

	/* Written by the victim at a new period; read by others once `seen` says so. */
	struct victim_report report;
	u32 seen __aligned(CACHE_LINE); /* last period met; release */
};

struct victims {
	struct pattern pattern;
	struct victim **victim;
	unsigned count;
	u64 slice;
	struct softmmu *
		guest; /* they run in it, and page numbers are its own; NULL: on addresses of their space */
	struct vcpus *vcpus; /* they are virtual CPUs of these; NULL: they are not */
	u32 stop __aligned(CACHE_LINE); /* set once; all end */
	u32 period; /* release; a new value asks every victim for a report */
};

struct victims_config {
	unsigned count, cpu_count;
	const u16 *cpu; /* [cpu_count]; thread i on cpu[i % cpu_count] */
	struct region *region; /* [regions]; thread i uses region[i % regions] */
	unsigned regions;
	enum pattern_kind pattern;
	u64 write_pct, slice, seed;
	struct softmmu *guest; /* of the only region; without slices; NULL: none */
	struct vcpus *vcpus; /* the same in hardware; their threads are as many as `count` */
	/*
	 * 0: each thread uses all of its region. Else a region is cut into one
	 * share of share_pages per thread, and thread k of a region uses the
	 * `sharers` shares that end with the k-th, which it alone writes. With a
	 * stripe, which divides share_pages, a share is no piece of its own: shares
	 * take turns after as many pages.
	 */
	u64 sharers, share_pages, stripe;
};

/* Which page of its region the page-th of all shares is, when `shares` of them take turns. */
static inline u64 striped_page(u64 page, u64 stripe, u64 shares, u64 share_pages)
{
	u64 share = page / share_pages, at = page % share_pages;

	return stripe ? (at / stripe * shares + share) * stripe + at % stripe : page;
}

struct bench;
/*
 * Start this run's threads, with its pattern and seed; no period has ended. share_pages as above,
 * with --share of them to a thread; 0: none. 0, or -ENOMEM with bench_fail().
 */
int victims_setup(struct bench *b, struct victims *v, struct region *region, unsigned regions,
		  u64 share_pages);
/* The same as virtual CPUs of a guest whose memory is the region. */
int victims_setup_guest(struct bench *b, struct victims *v, struct region *region,
			struct softmmu *guest, u64 share_pages);
/* The same in hardware (vcpu.h). Reports come a little late: victims_lag(). */
int victims_setup_vcpus(struct bench *b, struct victims *v, struct region *region,
			struct vcpus *vcpus, u64 share_pages);
/* So many operations may have been done that now.ops does not tell yet. */
u64 victims_lag(const struct victims *v);
/* End the period: when it returns, every victim[i]->report is of the period that ended. */
void victims_end_period(struct victims *v);
/* Let each of them run long enough to have its translations cached again, as before any round. */
void victims_settle_in(const struct victims *v);
void victims_stop(struct victims *v);

/* Add the latencies of the period that ended. */
void victims_add_latency(const struct victims *v, u64 *histogram);
/* Sums and maxima over all victims' reports. */
void victims_sum(const struct victims *v, struct victim_report *sum);
