/* series_table.c - see series_table.h.
 *
 * The fingerprint is the identity, and ingest's word for it is taken: recomputing it would cost more than all the rest of a
 * sample. Only the kind is compared, as a wrong one would break "a distribution's buckets add up to its count". */
#include "processor/series_table.h"

#include <stdlib.h>

void series_table_fini(struct series_table *t)
{
	const struct map_slot *slot;
	size_t at = 0;

	while ((slot = map_next(&t->by_fingerprint, &at)) != NULL)
		free(slot->value);
	map_fini(&t->by_fingerprint);
	t->bytes = 0;
}

static struct str copy_str(char **at, struct str s)
{
	struct str copy = {*at, s.len};

	if (s.len)
		memcpy(*at, s.p, s.len);
	*at += s.len;
	return copy;
}

/* What a series of this identity takes. */
static size_t id_bytes(const struct series_id *id)
{
	size_t size = sizeof(struct series) + id->tags_len * sizeof(struct tag) + id->site.len + id->name.len;

	for (size_t i = 0; i < id->tags_len; i++)
		size += id->tags[i].key.len + id->tags[i].value.len;
	return size;
}

size_t series_bytes(const struct series *s)
{
	return id_bytes(&s->id);
}

static struct series *series_copy(const struct series_id *id, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES])
{
	struct series *s = malloc(id_bytes(id));
	struct tag *tags;
	char *at;

	if (!s)
		return NULL;
	tags = (struct tag *)(s + 1); /* its alignment is not stricter than a series' */
	at = (char *)(tags + id->tags_len);
	memcpy(s->fingerprint, fingerprint, SERIES_FINGERPRINT_BYTES);
	s->id = (struct series_id){.kind = id->kind, .tags = tags, .tags_len = id->tags_len};
	s->id.site = copy_str(&at, id->site);
	s->id.name = copy_str(&at, id->name);
	for (size_t i = 0; i < id->tags_len; i++) {
		tags[i].key = copy_str(&at, id->tags[i].key);
		tags[i].value = copy_str(&at, id->tags[i].value);
	}
	s->refs = 0;
	s->number = 0;
	return s;
}

struct series *series_table_take(struct series_table *t, const struct series_id *id,
				 const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], struct err *err)
{
	struct series *s = map_get(&t->by_fingerprint, fingerprint);

	if (!s) {
		s = series_copy(id, fingerprint);
		if (!s || map_put(&t->by_fingerprint, fingerprint, s) < 0) {
			free(s);
			err_nomem(err, "a series");
			return NULL;
		}
		t->bytes += series_bytes(s);
	} else if (s->id.kind != id->kind || !str_eq(s->id.site, id->site)) {
		/* XXH3 is no cryptographic hash: whoever makes two series collide must not reach into another site's. */
		err_set(err, ERR_REJECT,
			"series " STR_FMT " of site " STR_FMT " (kind %d) has the fingerprint of one of site " STR_FMT " (kind %d)",
			STR_ARG(id->name), STR_ARG(id->site), id->kind, STR_ARG(s->id.site), s->id.kind);
		return NULL;
	}
	s->refs++;
	return s;
}

void series_table_drop(struct series_table *t, struct series *s)
{
	if (--s->refs)
		return;
	t->bytes -= series_bytes(s);
	map_remove(&t->by_fingerprint, s->fingerprint);
	free(s);
}

size_t series_table_bytes(const struct series_table *t)
{
	return t->bytes + map_bytes(&t->by_fingerprint);
}
