/* memory.h - what the allocator takes for what it is asked.
 *
 * jemalloc rounds every request up to a size class: whoever counts memory against a budget counts in those, or is up to a quarter short.
 * The classes are reckoned here, not asked for, so that a sanitized build, which has another allocator, counts the same. All of it is
 * thread-safe. */
#ifndef MILLRACE_MEMORY_H
#define MILLRACE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of an allocation for which asked_bytes, of at most SIZE_MAX / 2, were asked. */
static inline size_t memory_rounded(size_t asked_bytes)
{
	size_t step = 16;

	if (asked_bytes <= 8)
		return 8;
	if (asked_bytes > 128) /* four classes from one power of two to the next */
		step = (size_t)1 << (61 - __builtin_clzll((unsigned long long)asked_bytes - 1));
	return (asked_bytes + step - 1) & ~(step - 1);
}

/* What the allocator says of the whole process. */
struct memory_figures {
	size_t allocated_bytes; /* handed out, in size classes; what threads keep at hand for themselves is counted with it */
	size_t resident_bytes;  /* pages that it holds and the kernel backs: allocated, its own, and what is freed and not yet given back */
};

/* Fills *out; takes some ten microseconds. False where the allocator cannot be asked, as under a sanitizer. */
bool memory_look(struct memory_figures *out);

#endif
