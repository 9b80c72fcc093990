/* memory.c - see memory.h.
 *
 * malloc_conf is read by jemalloc before main(); what the environment's MALLOC_CONF says comes after it. Why each setting:
 *  narenas        its default is four times the CPUs. Threads of ours and of the clients that allocate much are two or three, and each
 *                 arena keeps free pages and half-used slabs of its own, which on a large machine come to more than a small budget.
 *  tcache_max     a client has a thread for each broker, and each thread keeps some of every size class up to this at hand.
 *  dirty_decay_ms what is freed goes back to the kernel within a second instead of ten: a flush is of no use to a budget before. */
#include "common/memory.h"

/* The allocator's, where it is linked. */
int mallctl(const char *name, void *old, size_t *old_len, void *new, size_t new_len) __attribute__((weak));

extern const char *const malloc_conf;
const char *const malloc_conf = "narenas:2,tcache_max:4096,dirty_decay_ms:1000,muzzy_decay_ms:0";

bool memory_look(struct memory_figures *out)
{
	uint64_t epoch = 1; /* any value: the figures are those of the last such call */
	size_t epoch_len = sizeof(epoch), len = sizeof(size_t);

	if (!mallctl)
		return false;
	return mallctl("epoch", &epoch, &epoch_len, &epoch, sizeof(epoch)) == 0 &&
	       mallctl("stats.allocated", &out->allocated_bytes, &len, NULL, 0) == 0 &&
	       mallctl("stats.resident", &out->resident_bytes, &len, NULL, 0) == 0;
}
