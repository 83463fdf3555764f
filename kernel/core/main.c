/*
 * Start-up: wires the layers together, in the one order in which each finds
 * what it needs. The only file of kernel/core that knows mm, boot and the shell.
 */
#include <boot/discover.h>
#include <kernel/bench.h>
#include <kernel/bootinfo.h>
#include <kernel/clock.h>
#include <kernel/copy.h>
#include <kernel/det.h>
#include <kernel/iommu.h>
#include <kernel/main.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/printk.h>
#include <kernel/service.h>
#include <kernel/shell.h>
#include <kernel/smp.h>
#include <kernel/version.h>
#include <mm/kmap.h>
#include <mm/mm.h>
#include <mm/reclaim.h>
#include <arch/evidence.h>
#include <arch/platform.h>

/* The Makefile sets them for this file. */
const char tarry_version[] = TARRY_VERSION;
const char tarry_build[] = TARRY_BUILD;
const char tarry_arch[] = TARRY_ARCH;

const struct bootinfo *kernel_bootinfo;

/* Not by printk(): what waits for a boot looks for this text at the beginning of a line. */
static void print_first_line(const struct bootinfo *bi)
{
	kprintf("Tarry %s %s build %s loader %s\n", tarry_version, tarry_arch, tarry_build,
		bi->loader);
	if (!ORACLE_BUILT)
		kprintf("WITHOUT ORACLE (make ORACLE=no): nothing is checked, only for "
			"measuring\n");
	printk("boot line: %s\n", bi->cmdline);
}

static void print_warnings(const struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->warning_count; i++)
		printk("firmware: %s\n", bi->warnings[i]);
	if (bi->warning_dropped)
		printk("firmware: %u more warnings\n", bi->warning_dropped);
}

/* One CPU, no clock, no allocator: up to the memory manager. */
static void init_memory(struct bootinfo *bi)
{
	mm_early_init(bi);
	kmap_init(bi);
	boot_discover(bi);
	print_warnings(bi);
	mm_init(bi);
}

static void init_cpus(struct bootinfo *bi)
{
	arch_init(bi);
	clock_init();
	printk_clock_ready();
	smp_prepare(bi);
	percpu_init();
	irq_enable();
	smp_init();
	clock_report_skew();
}

bool net_on;
void (*service_settle)(void);
bool (*service_utc)(char text[UTC_LEN]);

static void start_services(void)
{
	for (const struct service *const *s = __start_services; s < __stop_services; s++)
		(*s)->start();
}

BOOT_OPTION(det, "det", "0|1", "the emulator counts instructions: yield where CPUs may meet");
BOOT_OPTION(det_seed, "det.seed", "N", "with det=1: which of these places are left out");

void kernel_main(struct bootinfo *bi)
{
	percpu_save_template();
	kernel_bootinfo = bi;
	arch_init_early(bi);
	option_hide(bi->cmdline, "net.token");
	print_first_line(bi);
	panic_init();
	det_init(option_u64("det", 0, 0, 1), option_u64("det.seed", 0, 0, UINT64_MAX));
	init_memory(bi);
	init_cpus(bi);
	mm_start();
	reclaim_start();
	copy_page_select();
	bench_init();
	iommu_init(bi, option_get("ip"));
	start_services();
	shell_main();
}
