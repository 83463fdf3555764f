/* Starts the real memory manager on the modelled machine, and stands in for mm/kmap.c. */
#include <fake/machine.h>
#include <fake/start.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <mm/kmap.h>
#include <mm/mm.h>
#include <mm/oracle.h>
#include <mm/page.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* Declared by hand: the header's constants have the names of mm's. */
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long offset);
int mprotect(void *addr, size_t len, int prot);
enum { HOST_READ = 1, HOST_READ_WRITE = 3, HOST_PRIVATE_ANONYMOUS_FIXED = 0x2 | 0x20 | 0x100000 };

_Static_assert(sizeof(struct page) == FAKE_PAGE_STRUCT, "the stride of the page array");

bool kmap_large;

/* One entry covers the page array: it is there. */
static pte_t kernel_root[PT_ENTRIES];

const pte_t *kmap_root(void)
{
	return kernel_root;
}

int kmap_map(vaddr_t va, paddr_t pa, u64 len, prot_t prot)
{
	(void)va, (void)pa, (void)len, (void)prot;
	return -ENOTSUP;
}

void fake_place(void *at, u64 len)
{
	if (mmap(at, ALIGN_UP(len, PAGE_SIZE), HOST_READ_WRITE, HOST_PRIVATE_ANONYMOUS_FIXED, -1,
		 0) != at) {
		printf("Bail out! no memory at %p\n", at);
		exit(1);
	}
}

void fake_protect(void *at, u64 len, bool readonly)
{
	if (mprotect(at, len, readonly ? HOST_READ : HOST_READ_WRITE)) {
		printf("Bail out! no protection at %p\n", at);
		exit(1);
	}
}

static bool (*store_expected)(const char *addr);
static struct sigaction before; /* whose faults the others are */

static void on_fault(int number, siginfo_t *info, void *context)
{
	if (!store_expected(info->si_addr))
		sigaction(number, &before, NULL); /* it comes again */
	(void)context;
}

void fake_catch_stores(bool (*expected)(const char *addr))
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	store_expected = expected;
	sigaction(SIGSEGV, &action, &before);
}

static void (*real_free)(void *p, size_t bytes);

/* Whoever frees may do anything to all of it: nobody else may still be using a part. */
static void observed_free(void *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8)
		fake_plain((char *)p + i, true);
	fake_locks_forget(p, bytes);
	real_free(p, bytes);
}

bool fake_oracle_keeps(const void *p, unsigned cpu)
{
	return (u64)p - (u64)cpu_ptr(cpu, oracle_aliases) < sizeof(struct oracle_aliases);
}

bool fake_oracle_shares(const void *p)
{
	return p == &oracle_any_alias;
}

void fake_start_mm(struct bootinfo *bi)
{
	kernel_root[PT_INDEX(VMEMMAP_BASE, PT_LEVELS - 1)] =
		pte_mk_leaf(0, PROT_READ | PROT_WRITE, PT_LEVELS - 1);
	mm_early_init(bi);
	mm_init(bi);
	mm_start();
	real_free = kmem.free;
	kmem.free = observed_free;
}
