/* Guests on arm64, as far as no CPU is needed: entries of stage 2, machines that cannot have it, and why a guest stops. */
#include <asm/hyp.h>
#include <asm/pgtable.h>
#include <asm/stage2.h>

#include "check.h"

#define EL2 2u
#define E2H (1UL << 34)

/* ID_AA64MMFR0_EL1: PARange, and TGran4_2. */
static u64 mmfr0(u64 range, u64 gran)
{
	return range | gran << 40;
}

TEST(machines_without_guests_say_why)
{
	static const struct {
		unsigned el;
		u64 hcr, mmfr0;
		const char *why; /* a word of it; NULL: it has guests */
	} table[] = {
		{EL2, 0, 5, NULL},
		{EL2, 1UL << 31, 2, NULL}, /* 40 bits: Cortex-A53 */
		{EL2, 0, 5 | 2UL << 40, NULL}, /* TGran4_2 of its own */
		{EL2, 0, 6 | 3UL << 40, NULL}, /* 52 bits */
		{1, 0, 5, "started this kernel at EL1"},
		{EL2, E2H, 5, "E2H"},
		{EL2, 0, 1, "40 bits"},
		{EL2, 0, 5 | 1UL << 40, "TGran4_2"},
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *why = stage2_refusal(table[i].el, table[i].hcr, table[i].mmfr0);

		CHECK_EQ(why != NULL, table[i].why != NULL);
		CHECK(!why || strstr(why, table[i].why));
	}
	CHECK(stage2_refusal(EL2, 0, mmfr0(5, 1)));
}

/* Arm ARM D8.3.2: MemAttr 0b1111, SH 0b11, AF, S2AP. */
TEST(entries_of_stage_2)
{
	CHECK_EQ(stage2_leaf(0x40001000, PROT_READ | PROT_WRITE, 0).v, 0x400017ffUL);
	CHECK_EQ(stage2_leaf(0x40001000, PROT_READ, 0).v, 0x4000177fUL);
	CHECK_EQ(stage2_leaf(0x40200000, PROT_READ | PROT_WRITE, 1).v, 0x402007fdUL);
	CHECK(!pte_is_table(stage2_leaf(0x40200000, PROT_READ, 1), 1));
}

enum { SYNC = GUEST_VECTOR_SYNC, UNKNOWN_EC = 0, WFI_EC = 1, SMC_EC = 0x17, BRK_EC = 0x3c };
enum { HVC_EC = 0x16, FETCH_EC = 0x20, DATA_EC = 0x24 };
enum { WNR = 1 << 6, S1PTW = 1 << 7, CM = 1 << 8 };
#define ESR(ec, iss) ((u64)(ec) << 26 | 1UL << 25 | (u64)(iss))

static struct guest_stop stop_of(u64 vector, u64 esr)
{
	struct guest_stop stop = {0};

	stage2_read_exit(vector, esr, 0x12345678, &stop);
	return stop;
}

TEST(stops_of_interrupts_and_calls)
{
	/* What ESR_EL2 says then is of some exception before. */
	CHECK_EQ(stop_of(GUEST_VECTOR_IRQ, ESR(HVC_EC, 0)).why, GUEST_INTERRUPT);
	CHECK_EQ(stop_of(SYNC, ESR(HVC_EC, GUEST_HVC_CALL)).why, GUEST_CALL);
	CHECK_EQ(stop_of(SYNC, ESR(HVC_EC, GUEST_HVC_VECTOR)).why, GUEST_BROKEN);
	CHECK_EQ(stop_of(SYNC, ESR(HVC_EC, 7)).why, GUEST_BROKEN);
	CHECK(stage2_exit_is_own(SYNC, ESR(HVC_EC, GUEST_HVC_VECTOR)));
	CHECK(!stage2_exit_is_own(SYNC, ESR(HVC_EC, GUEST_HVC_CALL)));
	CHECK(!stage2_exit_is_own(GUEST_VECTOR_SERROR, ESR(HVC_EC, GUEST_HVC_VECTOR)));
}

/* Levels 0 to 3 of each: the address is FAR_EL2, to the byte. */
TEST(stops_of_faults)
{
	for (unsigned status = 4; status < 16; status++) {
		struct guest_stop load = stop_of(SYNC, ESR(DATA_EC, status)),
				  store = stop_of(SYNC, ESR(DATA_EC, status | WNR)),
				  fetch = stop_of(SYNC, ESR(FETCH_EC, status));

		CHECK_EQ(load.why, GUEST_FAULT);
		CHECK_EQ(load.address, 0x12345678);
		CHECK(!load.write);
		CHECK_EQ(store.why, GUEST_FAULT);
		CHECK(store.write);
		CHECK_EQ(fetch.why, GUEST_FAULT);
		CHECK(!fetch.write);
	}
	/* Cache maintenance is told of as a store. */
	CHECK(!stop_of(SYNC, ESR(DATA_EC, 7 | WNR | CM)).write);
}

TEST(stops_of_what_no_guest_does)
{
	static const u64 synchronous[] = {
		ESR(UNKNOWN_EC, 0),	 ESR(WFI_EC, 0),      ESR(SMC_EC, 0),
		ESR(BRK_EC, 0),		 ESR(DATA_EC, 0), /* an address too long */
		ESR(DATA_EC, 0x10), /* an external abort: FAR_EL2 may mean nothing */
		ESR(DATA_EC, 0x21), /* alignment */
		ESR(DATA_EC, 0x30), /* TLB conflict */
		ESR(DATA_EC, 7 | S1PTW), ESR(FETCH_EC, 0x10),
	};

	for (unsigned i = 0; i < sizeof(synchronous) / sizeof(synchronous[0]); i++) {
		struct guest_stop stop = stop_of(SYNC, synchronous[i]);

		CHECK_EQ(stop.why, GUEST_BROKEN);
		CHECK_EQ(stop.code, synchronous[i]);
	}
	static const u64 vectors[] = {GUEST_VECTOR_FIQ, GUEST_VECTOR_SERROR, 12, 13, 15};

	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct guest_stop stop = stop_of(vectors[i], ESR(HVC_EC, 0));

		CHECK_EQ(stop.why, GUEST_BROKEN);
		CHECK_EQ(stop.code, vectors[i]);
	}
}
