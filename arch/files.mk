# Sources of arch/: SRCS += path.c, SRCS-x86_64 += path.S, SRCS-arm64 += path.S
SRCS-x86_64 += \
	arch/x86_64/apic.c arch/x86_64/context.S arch/x86_64/context.c arch/x86_64/copy.S \
	arch/x86_64/copy.c arch/x86_64/cpuid.c arch/x86_64/errata.c arch/x86_64/exit.c arch/x86_64/features.c arch/x86_64/geometry.c \
	arch/x86_64/gdt.c arch/x86_64/init.c arch/x86_64/ipi.c arch/x86_64/litmus.c arch/x86_64/nmi.c arch/x86_64/noise.c arch/x86_64/pgtable.c arch/x86_64/pmu.c \
	arch/x86_64/probe.S arch/x86_64/smp.c arch/x86_64/svm.S arch/x86_64/svm.c arch/x86_64/svm_find.c arch/x86_64/timer.c arch/x86_64/tlb.c \
	arch/x86_64/trap.S arch/x86_64/trap.c arch/x86_64/tsc.c
SRCS-arm64 += \
	arch/arm64/context.S arch/arm64/context.c arch/arm64/copy.S arch/arm64/copy.c \
	arch/arm64/el2.S arch/arm64/errata.c arch/arm64/exit.c arch/arm64/features.c arch/arm64/geometry.c arch/arm64/gic.c arch/arm64/hypervisor.c arch/arm64/init.c arch/arm64/litmus.c arch/arm64/mmu.S \
	arch/arm64/noise.c arch/arm64/pgtable.c arch/arm64/pmu.c arch/arm64/probe.S arch/arm64/selftest.c arch/arm64/smp.c arch/arm64/stage2.c arch/arm64/timer.c arch/arm64/tlb.c \
	arch/arm64/trap.c arch/arm64/vectors.S
