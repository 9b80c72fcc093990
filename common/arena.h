/* arena.h - memory that is freed all at once.
 *
 * What is decoded from one message or one payload lives exactly as long as its handling. An arena hands out bytes by moving
 * a pointer through blocks, and arena_clear() makes all of them free again while keeping the first block, so that a steady
 * stream of messages allocates nothing. A limit makes hostile input an error instead of a memory problem.
 * Not thread-safe: one owner. */
#ifndef MILLRACE_ARENA_H
#define MILLRACE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"

struct arena_block;

struct arena {
	struct arena_block *head; /* the block being filled; older ones behind it */
	size_t used_bytes;        /* handed out since the last clear, padding included */
	size_t limit_bytes;       /* no more than this may be handed out; 0 is no limit */
	size_t held_bytes;        /* allocated for all of that, kept blocks included */
	bool starved;             /* since the last clear, memory was short: not everything that failed did by the limit */
};

#define ARENA_INIT {0}

/* size bytes, zeroed, aligned for any type; NULL when memory or the limit is short. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size_bytes);

/* The same without zeroes, for what is overwritten as a whole at once. */
void *arena_alloc_raw(struct arena *a, size_t size_bytes);

/* An array of n elements of size bytes, zeroed; NULL also when the product overflows. */
void *arena_calloc(struct arena *a, size_t n, size_t size_bytes);

/* A copy of s in the arena, NUL-terminated behind its len; p is NULL when memory is short. */
struct str arena_str(struct arena *a, struct str s);

/* All that was handed out is free again; the largest block stays for reuse. */
void arena_clear(struct arena *a);

/* Frees everything; the arena is as after ARENA_INIT, its limit kept. */
void arena_fini(struct arena *a);

#endif
