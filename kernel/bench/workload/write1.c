/* `write1` of will-it-scale: a file of the task's own is written page by page, without a mapping, again and again. */
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <mm/numa.h>
#include "scale.h"

/* What is written from. */
static int begin(struct scale_task *t)
{
	t->base = (vaddr_t)kmem.alloc(PAGE_SIZE, numa_node_of_cpu(t->cpu));
	return t->base ? 0 : -ENOMEM;
}

static int op(struct scale_task *t, u64 page)
{
	u64 *buffer = (u64 *)t->base;

	buffer[0] = scale_stamp(t, page);
	s64 done = file_write(t->file, page << PAGE_SHIFT, buffer, PAGE_SIZE);

	return done < 0 ? (int)done : done == (s64)PAGE_SIZE ? 0 : -EIO;
}

static int end(struct scale_task *t)
{
	int err = 0;

	for (u64 i = 0; i < t->pages && t->run->verify && !err; i++) {
		u64 word = 0;

		if (file_read(t->file, i << PAGE_SHIFT, &word, sizeof(word)) != sizeof(word))
			err = -EIO;
		scale_expect(t, i, word, scale_stamp(t, i));
	}
	kmem.free((void *)t->base, PAGE_SIZE);
	return err;
}

SCALE_TEST(write1, "will-it-scale: write a file page by page, without a mapping", "defer",
	   .pages = 256, .operation = "page of a file written", .store = scale_memory_store,
	   .fills_store = true, .begin = begin, .op = op, .end = end);
