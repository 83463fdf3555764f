/* Objects of anonymous memory. */
#include <mm/swap.h>

const struct object_ops object_anon_ops = {
	.name = "anonymous",
	.zeroes = true,
	.fill = swap_fill,
	.swaps = swap_slot_drop,
};

struct object *object_create(u64 page_count)
{
	return object_create_of(&object_anon_ops, NULL, page_count);
}
