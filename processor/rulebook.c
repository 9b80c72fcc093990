/* rulebook.c - the triggers as the table has them (rules.h).
 *
 * Invariants:
 *  I1  An entry is a row that trigger_check() has accepted, as bytes: rules decode them anew into memory of their own, so that a row may change under rules that
 *      are still held.
 *  I2  A row that changes nothing for this cell's sites makes no new rules: all series of all partitions would be matched again. */
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "processor/rules.h"
#include "processor/rules_index.h"

enum { ROW_LIMIT_BYTES = 4 << 20, EVENT_CHECK_IN = 3 /* in the name of a group: schemas/README.md, Groups */ };

struct entry {
	const struct site_place *place;
	size_t len;
	char bytes[];
};

struct rulebook {
	struct placements *placements;
	struct map by_id;      /* owns struct entry (I1) */
	struct rules *current; /* held; NULL before the first */
	uint64_t version;
	uint64_t homes;        /* of the placements then */
	bool changed;
	struct arena scratch;
};

struct rulebook *rulebook_new(struct placements *placements)
{
	struct rulebook *b = calloc(1, sizeof(*b));

	if (b) {
		b->placements = placements;
		b->scratch.limit_bytes = ROW_LIMIT_BYTES;
	}
	return b;
}

void rulebook_free(struct rulebook *b)
{
	const struct map_slot *slot;
	size_t at = 0;

	if (!b)
		return;
	while ((slot = map_next(&b->by_id, &at)) != NULL)
		free(slot->value);
	map_fini(&b->by_id);
	arena_fini(&b->scratch);
	rules_drop(b->current);
	free(b);
}

/* (I2) */
static void note_change(struct rulebook *b, const struct entry *e)
{
	b->changed |= e && site_place_is_home(e->place);
}

static int put_entry(struct rulebook *b, const uint8_t key[MAP_KEY_BYTES], struct str bytes, struct str site, struct err *err)
{
	struct entry *old = map_get(&b->by_id, key), *e;

	if (old && str_eq((struct str){old->bytes, old->len}, bytes))
		return 0;
	if (!old && b->by_id.len >= RULEBOOK_MAX)
		return err_set(err, ERR_REJECT, "trigger: there are %d, that is all there may be", RULEBOOK_MAX);
	e = malloc(sizeof(*e) + bytes.len);
	if (e)
		*e = (struct entry){.place = placements_get(b->placements, site), .len = bytes.len};
	if (!e || !e->place || map_put(&b->by_id, key, e) < 0) {
		free(e);
		return err_nomem(err, "a trigger");
	}
	memcpy(e->bytes, bytes.p, bytes.len);
	note_change(b, old);
	note_change(b, e);
	free(old);
	return 0;
}

int rulebook_take(void *ctx, const struct table_row *row, struct err *err)
{
	struct rulebook *b = ctx;
	struct trigger t = {0};
	uint8_t key[MAP_KEY_BYTES];

	map_key_of(row->key, key);
	if (!row->value.p) {
		struct entry *old = map_remove(&b->by_id, key);

		note_change(b, old);
		free(old);
		return 0;
	}
	arena_clear(&b->scratch);
	if (trigger_decode(row->value, &b->scratch, &t, err) < 0 || trigger_check(&t, err) < 0)
		return -1;
	if (!str_eq(row->key, t.id))
		return err_set(err, ERR_REJECT, "trigger " STR_FMT " stands under another key", STR_ARG(t.id));
	return put_entry(b, key, row->value, t.site, err);
}

bool rulebook_changed(const struct rulebook *b)
{
	return !b->current || b->changed || b->homes != b->placements->homes;
}

/* The group of a check-in's events, as ingest names it. */
static void name_group(const struct trigger *t, uint8_t out[SERIES_FINGERPRINT_BYTES])
{
	const struct str texts[] = {t->site, t->check_in.name};
	uint8_t flat[2 * (2 + SERIES_STRING_MAX) + 1];
	uint8_t *end = flat;
	XXH128_canonical_t canonical;

	for (int i = 0; i < 2; i++) {
		*end++ = (uint8_t)(texts[i].len & 0xff);
		*end++ = (uint8_t)(texts[i].len >> 8);
		memcpy(end, texts[i].p, texts[i].len);
		end += texts[i].len;
		if (i == 0)
			*end++ = EVENT_CHECK_IN;
	}
	XXH128_canonicalFromHash(&canonical, XXH3_128bits(flat, (size_t)(end - flat)));
	memcpy(out, canonical.digest, SERIES_FINGERPRINT_BYTES);
}

static int make_rule(const struct entry *e, struct arena *arena, struct rule *out, struct err *err)
{
	struct str bytes = arena_str(arena, (struct str){e->bytes, e->len});

	if (!bytes.p)
		return err_nomem(err, "a rule");
	if (trigger_decode(bytes, arena, &out->trigger, err) < 0)
		return -1;
	out->revision = trigger_revision(&out->trigger);
	out->place = e->place;
	if (out->trigger.has_check_in)
		name_group(&out->trigger, out->group);
	if (out->trigger.has_check_in && out->trigger.check_in.cron.len)
		return cron_parse(out->trigger.check_in.cron, &out->cron, err);
	return 0;
}

static int by_site_and_id(const void *a, const void *b)
{
	const struct trigger *x = &((const struct rule *)a)->trigger, *y = &((const struct rule *)b)->trigger;
	int order = str_cmp(x->site, y->site);

	return order ? order : str_cmp(x->id, y->id);
}

/* The rules of this cell's sites, sorted, and those about check-ins among them. */
static int fill(struct rulebook *b, struct rules *r, struct err *err)
{
	struct rule *rule = arena_calloc(&r->arena, b->by_id.len, sizeof(*rule));
	uint32_t *check_ins = arena_calloc(&r->arena, b->by_id.len, sizeof(*check_ins));
	const struct map_slot *slot;
	size_t at = 0;

	if (!rule || !check_ins)
		return err_nomem(err, "rules");
	while ((slot = map_next(&b->by_id, &at)) != NULL) {
		const struct entry *e = slot->value;

		if (site_place_is_home(e->place) && make_rule(e, &r->arena, &rule[r->nr++], err) < 0)
			return -1;
	}
	qsort(rule, r->nr, sizeof(*rule), by_site_and_id);
	for (size_t i = 0; i < r->nr; i++)
		if (rule[i].trigger.has_check_in)
			check_ins[r->nr_check_ins++] = (uint32_t)i;
	r->rule = rule;
	r->check_ins = check_ins;
	r->index = rules_index_new(rule, r->nr);
	return r->index ? 0 : err_nomem(err, "an index of rules");
}

struct rules *rulebook_rules(struct rulebook *b, struct err *err)
{
	struct rules *r;

	if (!rulebook_changed(b))
		return b->current;
	r = calloc(1, sizeof(*r));
	if (!r) {
		err_nomem(err, "rules");
		return NULL;
	}
	r->refs = 1;
	r->version = b->version + 1;
	if (fill(b, r, err) < 0) {
		rules_drop(r);
		return NULL;
	}
	b->version = r->version;
	b->homes = b->placements->homes;
	b->changed = false;
	rules_drop(b->current);
	b->current = r;
	return r;
}
