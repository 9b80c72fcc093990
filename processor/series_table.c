/* series_table.c - see series_table.h.
 *
 * The fingerprint is the identity, and ingest's word for it is taken: recomputing it would cost more than all the rest of a
 * sample. Only kind and site are compared: a wrong kind would break "a distribution's buckets add up to its count".
 *
 * A table of its own instead of common/map: slots that are nothing but pointers take a third of the memory, and the key stands in the series, which
 * is needed next anyway. Deletion shifts later entries of the run back, as map.c does. */
#include "processor/series_table.h"

#include <stdlib.h>

#include "common/memory.h"

enum { SLOTS_MIN = 16, SHRINK_BELOW = 8 /* of the slots: an eighth full */ };

static size_t home_of(const struct series_table *t, const uint8_t *fingerprint)
{
	return map_home(fingerprint, t->secret, t->nr_slots);
}

/* The slot of a fingerprint, or the free one where it would go. There always is a free slot. */
static struct series **slot_of(const struct series_table *t, const uint8_t *fingerprint)
{
	size_t i = home_of(t, fingerprint);

	while (t->slots[i] && memcmp(t->slots[i]->fingerprint, fingerprint, SERIES_FINGERPRINT_BYTES) != 0)
		i = (i + 1) & (t->nr_slots - 1);
	return &t->slots[i];
}

static int resize(struct series_table *t, size_t nr_slots)
{
	struct series **old = t->slots, **slots = calloc(nr_slots, sizeof(*slots));
	size_t nr_old = t->nr_slots;

	if (!slots)
		return -1;
	if (!t->secret)
		t->secret = map_secret();
	t->slots = slots;
	t->nr_slots = nr_slots;
	for (size_t i = 0; i < nr_old; i++)
		if (old[i])
			*slot_of(t, old[i]->fingerprint) = old[i];
	free(old);
	return 0;
}

int series_table_reserve(struct series_table *t, size_t n)
{
	size_t nr_slots = t->nr_slots ? t->nr_slots : SLOTS_MIN;

	if (n > SIZE_MAX / 4 / sizeof(*t->slots))
		return -1;
	while (nr_slots / 4 * 3 < n)
		nr_slots *= 2;
	return nr_slots == t->nr_slots ? 0 : resize(t, nr_slots);
}

static size_t size_of(size_t tags_len)
{
	return sizeof(struct series) + tags_len * sizeof(struct name *);
}

size_t series_bytes(const struct series *s)
{
	return memory_rounded(size_of(s->tags_len));
}

/* Gives back what a series, whole or half made, holds, and frees it. */
static void series_free(struct series_table *t, struct series *s)
{
	if (s->site)
		names_drop(&t->names, s->site);
	if (s->name)
		names_drop(&t->names, s->name);
	for (size_t i = 0; i < s->tags_len; i++)
		names_drop(&t->names, s->tags[i]);
	free(s);
}

static struct series *series_new(struct series_table *t, const struct series_id *id, const uint8_t *fingerprint)
{
	struct series *s = malloc(size_of(id->tags_len));

	if (!s)
		return NULL;
	*s = (struct series){.kind = id->kind};
	memcpy(s->fingerprint, fingerprint, SERIES_FINGERPRINT_BYTES);
	s->site = names_take_str(&t->names, id->site);
	s->name = s->site ? names_take_str(&t->names, id->name) : NULL;
	if (!s->name) {
		series_free(t, s);
		return NULL;
	}
	for (; s->tags_len < id->tags_len; s->tags_len++) {
		s->tags[s->tags_len] = names_take_tag(&t->names, &id->tags[s->tags_len]);
		if (!s->tags[s->tags_len]) {
			series_free(t, s);
			return NULL;
		}
	}
	return s;
}

void series_table_fini(struct series_table *t)
{
	struct series *s;
	size_t at = 0;

	while ((s = series_table_next(t, &at)) != NULL)
		series_free(t, s);
	free(t->slots);
	names_fini(&t->names);
	series_caps_fini(&t->caps);
	*t = (struct series_table)SERIES_TABLE_INIT;
}

struct series *series_table_get(const struct series_table *t, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES])
{
	return t->slots ? *slot_of(t, fingerprint) : NULL;
}

void series_table_prefetch(const struct series_table *t, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES])
{
	if (t->slots)
		__builtin_prefetch(&t->slots[home_of(t, fingerprint)]);
}

static bool is_overflow(const struct series *s)
{
	const struct series_id id = {.name = name_str(s->name), .tags_len = s->tags_len};

	return series_caps_is_overflow(&id);
}

/* A new series, in the table. */
static struct series *add(struct series_table *t, const struct series_id *id, const uint8_t *fingerprint)
{
	struct series *s = series_table_reserve(t, t->len + 1) == 0 ? series_new(t, id, fingerprint) : NULL;

	if (!s)
		return NULL;
	if (series_caps_enter(&t->caps, id->site, is_overflow(s)) < 0) {
		series_free(t, s);
		return NULL;
	}
	*slot_of(t, fingerprint) = s;
	t->len++;
	t->bytes += series_bytes(s);
	return s;
}

int series_table_find(struct series_table *t, const struct series_id *id, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES],
		      struct series **out, struct err *err)
{
	struct series *s = series_table_get(t, fingerprint);
	struct str site;

	if (!s)
		return 0;
	site = name_str(s->site);
	/* XXH3 is no cryptographic hash: whoever makes two series collide must not reach into another site's. */
	if (s->kind != id->kind || !str_eq(site, id->site))
		return err_set(err, ERR_REJECT,
			       "series " STR_FMT " of site " STR_FMT " (kind %d) has the fingerprint of one of site " STR_FMT " (kind %d)",
			       STR_ARG(id->name), STR_ARG(id->site), id->kind, STR_ARG(site), s->kind);
	s->refs++;
	*out = s;
	return 1;
}

struct series *series_table_take(struct series_table *t, const struct series_id *id,
				 const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], struct err *err)
{
	struct series *s;
	int rc = series_table_find(t, id, fingerprint, &s, err);

	if (rc)
		return rc < 0 ? NULL : s;
	s = add(t, id, fingerprint);
	if (!s) {
		err_nomem(err, "a series");
		return NULL;
	}
	s->refs++;
	return s;
}

static void unlist(struct series_table *t, struct series *s)
{
	size_t mask = t->nr_slots - 1, at = (size_t)(slot_of(t, s->fingerprint) - t->slots);

	for (size_t i = (at + 1) & mask; t->slots[i]; i = (i + 1) & mask) {
		/* The entry at i may fill the hole unless its home lies behind the hole. */
		if (((i - home_of(t, t->slots[i]->fingerprint)) & mask) >= ((i - at) & mask)) {
			t->slots[at] = t->slots[i];
			at = i;
		}
	}
	t->slots[at] = NULL;
	t->len--;
	if (t->nr_slots > SLOTS_MIN && t->len < t->nr_slots / SHRINK_BELOW)
		resize(t, t->nr_slots / 4); /* it is only memory that is lost when this fails */
}

void series_table_drop(struct series_table *t, struct series *s)
{
	if (--s->refs)
		return;
	unlist(t, s);
	t->bytes -= series_bytes(s);
	t->left += s->listed;
	series_caps_leave(&t->caps, name_str(s->site), is_overflow(s));
	series_free(t, s);
}

struct series *series_table_next(const struct series_table *t, size_t *at)
{
	while (*at < t->nr_slots) {
		struct series *s = t->slots[(*at)++];

		if (s)
			return s;
	}
	return NULL;
}

struct series_id series_id_of(const struct series *s, struct tag tags[SERIES_TAGS_MAX])
{
	for (size_t i = 0; i < s->tags_len; i++)
		tags[i] = name_tag(s->tags[i]);
	return (struct series_id){.site = name_str(s->site), .kind = s->kind, .name = name_str(s->name), .tags = tags, .tags_len = s->tags_len};
}

size_t series_table_bytes(const struct series_table *t)
{
	return t->bytes + t->nr_slots * sizeof(*t->slots) + names_bytes(&t->names) + series_caps_bytes(&t->caps);
}
