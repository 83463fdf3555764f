SRCS += $(addprefix mm/, \
	area.c asid.c aspace.c buddy.c change.c clean.c collect.c context.c copies.c cow.c debt.c deferral.c demote.c dirty.c dup.c early.c fault.c fault_absent.c fault_populate.c fault_present.c file.c file_drop.c file_fault.c gather.c hint.c kmap.c kmem.c knob.c knobs.c \
	migrate.c migrate_change.c migrate_shared.c migrate_stats.c migrate_wait.c mm.c nested.c numa.c object.c oracle.c oracle_alias.c oracle_log.c oracle_many.c page_array.c page_lock.c pgwalk.c pin.c placement.c \
	pmm.c pmm_nodes.c pmm_slow.c range.c reclaim.c reclaim_context.c rmap.c rmap_edit.c rules.c scan.c scan_spare.c scheme.c schemes.c softmmu.c split.c stats.c store.c store_memory.c store_pattern.c tlb_bcast.c tlb_ipi.c tlb_stage2.c)
# Where generations are narrow.
SRCS += $(if $(filter-out 64,$(GENERATION_BITS)),mm/generation.c)
# Anonymous pages that leave memory.
SRCS += $(addprefix mm/, object_anon.c reclaim_anon.c reclaim_part.c store_swap.c swap.c swap_slot.c)
# A deferral is one file: what lies there is built.
SRCS += $(wildcard mm/defer/*.c)
