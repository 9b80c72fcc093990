/* series_lists.c - see series_lists.h.
 *
 * A body begins with the number of series, and then the first one's fingerprint: where the list ends is not known without decoding, but which
 * list it may be is. Its length and hash tell whether it is. Two lists that begin with the same series take turns. */
#include "processor/series_lists.h"

#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#include "common/memory.h"

/* Beyond so many series in the lists for each in the table, they are mostly of agents that are gone, or never send the same twice. */
enum { SERIES_MAX_TIMES = 4, SERIES_MAX_PLUS = 1024, NR_MAX = 65536 };

static size_t list_bytes(size_t nr)
{
	return sizeof(struct series_list) + nr * sizeof(struct series *);
}

static void clear(struct series_lists *l)
{
	const struct map_slot *slot;
	size_t at = 0;

	while ((slot = map_next(&l->by_first, &at)) != NULL)
		free(slot->value);
	map_fini(&l->by_first);
	l->bytes = l->nr_series = 0;
}

void series_lists_fini(struct series_lists *l)
{
	clear(l);
}

/* The first series' fingerprint in a body, or NULL where none is. Of the count only its length matters: the hash is over all of it. */
static const uint8_t *first_of(struct str body)
{
	size_t i = 0;

	while (i < body.len && i < CODEC_VARINT_BYTES_MAX && (uint8_t)body.p[i] >= 0x80)
		i++;
	return body.len >= i + 1 + SERIES_FINGERPRINT_BYTES ? (const uint8_t *)body.p + i + 1 : NULL;
}

static XXH128_hash_t hash_of(const struct series_lists *l, const char *p, size_t len)
{
	return XXH3_128bits_withSeed(p, len, l->seed);
}

/* Forgets everything if a series has left meanwhile. */
static void follow(struct series_lists *l, const struct series_table *table)
{
	if (l->left != table->left && l->by_first.len)
		clear(l);
	l->left = table->left;
}

const struct series_list *series_lists_find(struct series_lists *l, const struct series_table *table, struct str body)
{
	const uint8_t *first = first_of(body);
	const struct series_list *list;
	XXH128_hash_t hash;

	follow(l, table);
	list = first ? map_get(&l->by_first, first) : NULL;
	if (!list || list->nr_bytes > body.len)
		return NULL;
	for (uint32_t i = 0; i < list->nr; i++)
		__builtin_prefetch(&list->series[i]->recent);
	hash = hash_of(l, body.p, list->nr_bytes);
	return hash.low64 == list->hash[0] && hash.high64 == list->hash[1] ? list : NULL;
}

static struct series_list *list_new(const struct series_lists *l, struct str bytes, struct series *const *series, size_t nr)
{
	struct series_list *list = malloc(list_bytes(nr));
	XXH128_hash_t hash = hash_of(l, bytes.p, bytes.len);

	if (!list)
		return NULL;
	*list = (struct series_list){.hash = {hash.low64, hash.high64}, .nr_bytes = (uint32_t)bytes.len, .nr = (uint32_t)nr};
	memcpy(list->series, series, nr * sizeof(struct series *));
	for (size_t i = 0; i < nr; i++)
		series[i]->listed = true;
	return list;
}

/* Takes the place of whoever began with the same series. */
static void replace(struct series_lists *l, const uint8_t *first, struct series_list *list)
{
	struct series_list *old = map_get(&l->by_first, first);

	if (map_put(&l->by_first, first, list) < 0) {
		free(list);
		return;
	}
	l->bytes += memory_rounded(list_bytes(list->nr));
	l->nr_series += list->nr;
	if (!old)
		return;
	l->bytes -= memory_rounded(list_bytes(old->nr));
	l->nr_series -= old->nr;
	free(old);
}

void series_lists_add(struct series_lists *l, const struct series_table *table, struct str bytes, struct series *const *series, size_t nr)
{
	const uint8_t *first = first_of(bytes);
	struct series_list *list;

	follow(l, table);
	if (!first || nr > NR_MAX || bytes.len > UINT32_MAX)
		return;
	if (!l->seed && getrandom(&l->seed, sizeof(l->seed), GRND_NONBLOCK) != sizeof(l->seed))
		l->seed = 0;
	if (!l->seed)
		return;
	if (l->nr_series + nr > table->len * SERIES_MAX_TIMES + SERIES_MAX_PLUS)
		clear(l);
	list = list_new(l, bytes, series, nr);
	if (list)
		replace(l, first, list);
}

size_t series_lists_bytes(const struct series_lists *l)
{
	return l->bytes + map_bytes(&l->by_first);
}
