# Sources of tests/unit/: SRCS += path.c, SRCS-x86_64 += path.S, SRCS-arm64 += path.S
SRCS += tests/unit/core_fixture.c tests/unit/core_test.c tests/unit/lock_test.c
SRCS += tests/unit/mm_fixture.c tests/unit/mm_writers.c tests/unit/pgtable_test.c tests/unit/pmm_test.c tests/unit/aspace_test.c tests/unit/object_test.c tests/unit/file_test.c tests/unit/dup_test.c tests/unit/reclaim_test.c tests/unit/swap_shared_test.c \
	tests/unit/migrate_test.c tests/unit/hint_test.c tests/unit/second_test.c tests/unit/guest_test.c tests/unit/count_guest.c tests/unit/device_test.c tests/unit/split_test.c tests/unit/trust_test.c tests/unit/times_test.c tests/unit/nomem_test.c tests/unit/pmbench_test.c
SRCS += tests/unit/defer_test.c tests/unit/owed_test.c tests/unit/pressure_test.c tests/unit/bench_fixture.c tests/unit/bench_test.c tests/unit/scale_test.c tests/unit/console_test.c
SRCS += tests/unit/litmus_test.c tests/unit/evidence_test.c
