# Sources of kernel/: SRCS += path.c, SRCS-x86_64 += path.S, SRCS-arm64 += path.S
SRCS += kernel/lib/args.c kernel/lib/crc32.c kernel/lib/fixed.c kernel/lib/glob.c kernel/lib/json.c \
	kernel/lib/printf.c kernel/lib/samples.c kernel/lib/sort.c kernel/lib/string.c \
	kernel/lib/strutil.c kernel/lib/utf8.c
SRCS += kernel/core/alarm.c kernel/core/clock.c kernel/core/command.c kernel/core/console.c kernel/core/context.c kernel/core/copy.c \
	kernel/core/det.c kernel/core/hw.c kernel/core/input.c kernel/core/ksym.c kernel/core/ktest.c kernel/core/log.c kernel/core/main.c \
	kernel/core/option.c kernel/core/panic.c kernel/core/percpu.c kernel/core/printk.c \
	kernel/core/rwlock.c kernel/core/skew.c kernel/core/smp.c kernel/core/smp_call.c \
	kernel/core/spinlock.c kernel/core/trap.c kernel/core/wait.c kernel/core/watchdog.c
SRCS += kernel/drivers/consoles.c kernel/drivers/edu.c kernel/drivers/iommu.c kernel/drivers/keyboard.c kernel/drivers/pci.c kernel/drivers/screen.c kernel/drivers/uart.c kernel/drivers/uart_16550.c kernel/drivers/uart_pl011.c
SRCS += kernel/shell/cmd_help.c kernel/shell/cmd_panic.c kernel/shell/cmd_system.c \
	kernel/shell/cmd_test.c kernel/shell/complete.c kernel/shell/help_boot.c kernel/shell/history.c kernel/shell/line.c \
	kernel/shell/lineedit.c kernel/shell/look_cpus.c kernel/shell/shell.c
SRCS += kernel/bench/harness/bench.c kernel/bench/harness/keep.c kernel/bench/harness/noise.c kernel/bench/harness/options.c \
	kernel/bench/harness/pace.c kernel/bench/harness/part.c kernel/bench/harness/pmu.c kernel/bench/harness/policy.c kernel/bench/harness/region.c \
	kernel/bench/harness/run.c kernel/bench/harness/series.c kernel/bench/harness/trust.c \
	kernel/bench/harness/variant.c kernel/bench/harness/workload.c
SRCS += kernel/bench/load/account.c kernel/bench/load/affinity.c kernel/bench/load/guest.c kernel/bench/load/machine.c kernel/bench/load/memhog.c \
	kernel/bench/load/options.c kernel/bench/load/pattern.c kernel/bench/load/spinner.c \
	kernel/bench/load/touch_guest.c kernel/bench/load/vcpu.c kernel/bench/load/victim_guest.c kernel/bench/load/victims.c
SRCS += kernel/bench/report/figures.c kernel/bench/report/lines.c kernel/bench/report/machine.c kernel/bench/report/record.c \
	kernel/bench/report/record_parts.c kernel/bench/report/table.c
SRCS += kernel/bench/workload/floor.c kernel/bench/workload/mem.c kernel/bench/workload/migrate.c \
	kernel/bench/workload/migrate_table.c kernel/bench/workload/numa.c \
	kernel/bench/workload/numa_report.c kernel/bench/workload/pmbench.c \
	kernel/bench/workload/pmbench_maps.c kernel/bench/workload/pmbench_record.c \
	kernel/bench/workload/pmbench_report.c kernel/bench/workload/pmbench_threads.c \
	kernel/bench/workload/tier.c kernel/bench/workload/tier_load.c kernel/bench/workload/tier_report.c \
	kernel/bench/workload/tlb.c kernel/bench/workload/tlb_others.c \
	kernel/bench/workload/tlb_parts.c kernel/bench/workload/nested.c kernel/bench/workload/nested_vm.c kernel/bench/workload/vm.c kernel/bench/workload/vm_dma.c kernel/bench/workload/vm_report.c
# Of will-it-scale: what the tests share, then a file for each.
SRCS += kernel/bench/workload/scale.c kernel/bench/workload/scale_report.c
SRCS += kernel/bench/workload/file_scan.c kernel/bench/workload/mprotect_loop.c kernel/bench/workload/swap_loop.c \
	kernel/bench/workload/page_fault1.c kernel/bench/workload/page_fault2.c kernel/bench/workload/page_fault3.c \
	kernel/bench/workload/tlb_flush1.c kernel/bench/workload/tlb_flush2.c kernel/bench/workload/tlb_flush3.c \
	kernel/bench/workload/write1.c
SRCS += kernel/bench/command/bench.c kernel/bench/command/cmd_bench.c kernel/bench/command/cmd_machine.c kernel/bench/command/params.c
SRCS += kernel/shell/cmd_knob.c kernel/shell/cmd_numa.c kernel/shell/look_mm.c
# The network, which the kernel does without (LWIP=no). It counts apart from the limits of the image.
NET_SRCS += kernel/drivers/net/virtio_mmio.c kernel/drivers/net/virtio_net.c \
	kernel/drivers/net/virtio_pci.c kernel/drivers/net/virtio_ring.c \
	kernel/drivers/net/e1000.c
NET_SRCS += kernel/net/address.c kernel/net/interface.c kernel/net/net.c kernel/net/port.c kernel/net/remote.c \
	kernel/net/access.c kernel/net/http.c kernel/net/jobs.c kernel/net/netlog.c kernel/net/pages.c kernel/net/pages_json.c kernel/net/peer.c \
	kernel/net/request.c kernel/net/serve.c kernel/net/stream.c kernel/net/time.c kernel/net/token.c kernel/net/upload.c
