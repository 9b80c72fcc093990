/* arena.c - see arena.h.
 *
 * Blocks form a list, newest first; each new one doubles the size of the last up to BLOCK_MAX, or fits the request where
 * that is larger. arena_clear() keeps only the newest block: it is the largest, and after a few messages the only one. */
#include "common/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

enum { BLOCK_MIN = 4096, BLOCK_MAX = 1 << 20 }; /* with their heads: a size class is not missed by a head's length */

struct arena_block {
	struct arena_block *older;
	size_t size_bytes; /* of data */
	size_t used_bytes;
	alignas(max_align_t) uint8_t data[];
};

static struct arena_block *block_new(struct arena *a, size_t want_bytes)
{
	size_t size = a->head ? (a->head->size_bytes + sizeof(*a->head)) * 2 : BLOCK_MIN;
	struct arena_block *b;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	size -= sizeof(*b);
	if (size < want_bytes)
		size = want_bytes;
	if (size > SIZE_MAX / 2)
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (!b) {
		a->starved = true;
		return NULL;
	}
	b->older = a->head;
	b->size_bytes = size;
	b->used_bytes = 0;
	a->head = b;
	a->held_bytes += memory_rounded(sizeof(*b) + size);
	return b;
}

void *arena_alloc_raw(struct arena *a, size_t size_bytes)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *b = a->head;
	size_t size;
	void *p;

	if (size_bytes > SIZE_MAX - align)
		return NULL;
	size = (size_bytes + align - 1) / align * align;
	if (a->limit_bytes && (size > a->limit_bytes || a->used_bytes > a->limit_bytes - size))
		return NULL;
	if (!b || b->size_bytes - b->used_bytes < size) {
		b = block_new(a, size);
		if (!b)
			return NULL;
	}
	p = b->data + b->used_bytes;
	b->used_bytes += size;
	a->used_bytes += size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
	void *p = arena_alloc_raw(a, size_bytes);

	return p ? memset(p, 0, size_bytes) : NULL;
}

void *arena_calloc(struct arena *a, size_t n, size_t size_bytes)
{
	if (size_bytes && n > SIZE_MAX / size_bytes)
		return NULL;
	return arena_alloc(a, n * size_bytes);
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = s.len < SIZE_MAX ? arena_alloc_raw(a, s.len + 1) : NULL;

	if (!p)
		return (struct str){NULL, 0};
	if (s.len)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return (struct str){p, s.len};
}

static void free_from(struct arena_block *b)
{
	while (b) {
		struct arena_block *older = b->older;

		free(b);
		b = older;
	}
}

void arena_clear(struct arena *a)
{
	a->used_bytes = 0;
	a->starved = false;
	if (!a->head)
		return;
	free_from(a->head->older);
	a->head->older = NULL;
	a->head->used_bytes = 0;
	a->held_bytes = memory_rounded(sizeof(*a->head) + a->head->size_bytes);
}

void arena_fini(struct arena *a)
{
	free_from(a->head);
	a->head = NULL;
	a->used_bytes = 0;
	a->held_bytes = 0;
	a->starved = false;
}
