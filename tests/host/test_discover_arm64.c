/* boot/arm64/discover.c: which registers are mapped, with a mapper made up here that notes them. */
#include "check.h"

#include "../../boot/arm64/boot.h"
#include <boot/discover.h>
#include <kernel/string.h>
#include <kernel/uart.h>
#include <mm/kmap.h>

enum { CALLS = 16 };

static struct {
	paddr_t pa;
	u64 len;
} mapped[CALLS];
static unsigned calls;
static paddr_t refused; /* cannot be mapped */
static bool (*reach)(struct bootinfo *, const struct boot_console *);
static struct bootinfo bi;

void *kmap_device(paddr_t pa, u64 len)
{
	if (calls < CALLS) {
		mapped[calls].pa = pa;
		mapped[calls].len = len;
	}
	calls++;
	return pa == refused ? NULL : (void *)0x1000;
}

void consoles_open(struct bootinfo *of, bool (*by)(struct bootinfo *, const struct boot_console *))
{
	CHECK(of == &bi && !calls); /* first: what is said of the others can be seen then */
	reach = by;
}

static void begin(void)
{
	memset(&bi, 0, sizeof(bi));
	calls = 0;
	refused = 0;
}

static bool is_mapped(paddr_t pa, u64 len)
{
	for (unsigned i = 0; i < calls && i < CALLS; i++)
		if (mapped[i].pa == pa && mapped[i].len == len)
			return true;
	return false;
}

/* GIC architecture, IHI 0069: 64 KiB for the distributor, two frames of 64 KiB for each redistributor; IHI 0048: 8 KiB. */
TEST(registers_of_gicv3)
{
	begin();
	bi.arm64.gic_version = 3;
	bi.arm64.gicd_base = 0x8000000;
	bi.arm64.gicc_base = 0x8010000;
	bi.arm64.gicr_count = 2;
	bi.arm64.gicr[0].base = 0x80a0000;
	bi.arm64.gicr[0].len = 0x40000;
	bi.arm64.gicr[1].base = 0x9000000;
	bi.arm64.gicr[1].len = 0x60000;
	bi.arm64.gicr[2].base = 0xa000000;
	bi.cpu_count = 3;
	bi.cpus[0].gicr_base = 0xb000000;
	bi.cpus[2].gicr_base = 0xb800000; /* of CPU 1 none is named */
	bi.cpus[3].gicr_base = 0xc000000;
	boot_discover(&bi);
	CHECK_EQ(calls, 5);
	CHECK(is_mapped(0x8000000, 0x10000));
	CHECK(is_mapped(0x80a0000, 0x40000) && is_mapped(0x9000000, 0x60000));
	CHECK(is_mapped(0xb000000, 0x20000) && is_mapped(0xb800000, 0x20000));
	CHECK_EQ(bi.warning_count, 0);
}

TEST(registers_of_gicv2)
{
	begin();
	bi.arm64.gic_version = 2;
	bi.arm64.gicd_base = 0x8000000;
	bi.arm64.gicc_base = 0x8010000;
	bi.arm64.gicr_count = 1;
	bi.arm64.gicr[0].base = 0x80a0000;
	boot_discover(&bi);
	CHECK_EQ(calls, 2);
	CHECK(is_mapped(0x8000000, 0x10000) && is_mapped(0x8010000, 0x2000));
}

TEST(what_cannot_be_mapped_is_said)
{
	begin();
	bi.arm64.gic_version = 3;
	bi.arm64.gicd_base = refused = 0x1230000;
	bi.cpu_count = 1;
	bi.cpus[0].gicr_base = 0xb000000;
	boot_discover(&bi);
	CHECK_EQ(calls, 2);
	CHECK_EQ(bi.warning_count, 1);
	CHECK(strstr(bi.warnings[0], "GIC distributor at 0x1230000: cannot be mapped"));
}

TEST(consoles_are_used_only_where_they_are_mapped)
{
	struct boot_console c = {.type = BOOT_CONSOLE_PL011, .base = 0x9000000};

	begin();
	boot_discover(&bi);
	CHECK(reach(&bi, &c) && is_mapped(0x9000000, 0x1000));
	refused = c.base;
	CHECK(!reach(&bi, &c));
	calls = 0;
	c.base = 0;
	CHECK(!reach(&bi, &c) && !calls);
	c.type = BOOT_CONSOLE_SCREEN;
	bi.screen.base = 0x40000000;
	bi.screen.len = 0x300000;
	CHECK(reach(&bi, &c) && is_mapped(0x40000000, 0x300000));
	refused = 0x40000000;
	CHECK(!reach(&bi, &c));
}
