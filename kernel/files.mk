# Sources of kernel/: SRCS += path.c, SRCS-x86_64 += path.S, SRCS-arm64 += path.S
SRCS += kernel/lib/args.c kernel/lib/crc32.c kernel/lib/fixed.c kernel/lib/glob.c kernel/lib/json.c \
	kernel/lib/printf.c kernel/lib/rng.c kernel/lib/sort.c kernel/lib/string.c \
	kernel/lib/strutil.c
SRCS += kernel/core/alarm.c kernel/core/clock.c kernel/core/command.c kernel/core/console.c kernel/core/context.c \
	kernel/core/det.c kernel/core/input.c kernel/core/ksym.c kernel/core/ktest.c kernel/core/log.c kernel/core/main.c \
	kernel/core/option.c kernel/core/panic.c kernel/core/percpu.c kernel/core/printk.c \
	kernel/core/rwlock.c kernel/core/skew.c kernel/core/smp.c kernel/core/smp_call.c \
	kernel/core/spinlock.c kernel/core/trap.c kernel/core/wait.c kernel/core/watchdog.c
SRCS += kernel/drivers/consoles.c kernel/drivers/uart.c kernel/drivers/uart_16550.c kernel/drivers/uart_pl011.c
SRCS += kernel/shell/cmd_help.c kernel/shell/cmd_panic.c kernel/shell/cmd_system.c \
	kernel/shell/cmd_test.c kernel/shell/complete.c kernel/shell/lineedit.c kernel/shell/look_cpus.c \
	kernel/shell/shell.c
SRCS += kernel/bench/affinity.c kernel/bench/bench.c kernel/bench/books.c kernel/bench/cmd_bench.c \
	kernel/bench/eater.c kernel/bench/figures.c \
	kernel/bench/kept.c kernel/bench/numa_report.c kernel/bench/params.c kernel/bench/place.c \
	kernel/bench/pattern.c kernel/bench/record.c kernel/bench/record_parts.c \
	kernel/bench/region.c kernel/bench/run.c kernel/bench/samples.c kernel/bench/spinner.c \
	kernel/bench/table.c kernel/bench/table_migrate.c kernel/bench/trust.c \
	kernel/bench/victims.c kernel/bench/workload_floor.c kernel/bench/workload_mem.c \
	kernel/bench/workload_migrate.c kernel/bench/workload_numa.c kernel/bench/pmbench.c \
	kernel/bench/pmbench_maps.c kernel/bench/pmbench_record.c kernel/bench/workload_pmbench.c \
	kernel/bench/workload_tlb.c
SRCS += kernel/shell/cmd_knob.c kernel/shell/cmd_numa.c kernel/shell/look_mm.c
