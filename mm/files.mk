SRCS += mm/asid.c mm/aspace.c mm/collect.c mm/context.c mm/debt.c mm/early.c mm/fault.c mm/hint.c mm/scan.c mm/split.c mm/kmap.c mm/kmem.c mm/knob.c mm/migrate.c mm/migration.c mm/mm.c \
	mm/numa.c mm/object.c mm/oracle.c mm/oracle_alias.c mm/oracle_log.c mm/page.c mm/pgwalk.c mm/pmm.c mm/range.c mm/scheme.c \
	mm/stats.c mm/tlb.c mm/schemes/schemes.c mm/schemes/none.c mm/schemes/never.c \
	mm/schemes/skeleton.c
