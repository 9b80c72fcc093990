/* closures.c - see closures.h.
 *
 * Invariants:
 *  I1  A span is [from, to) of one source: an id of the topic, or an id that one ingest lists. Of a source one span at most can still grow: its latest.
 *  I2  The end of a span is what is known so far: a control's expiry until it is cleared, CLOSURES_TAIL_MS after the last heartbeat that lists it until one does not.
 *      So nothing needs a clock, and an ingest that dies closed does not close for ever.
 *  I3  Rows may come twice: the second says nothing new.
 *
 * A clear by an ingest's admin port of what the topic has set is not looked for: the topic still says it. */
#include "processor/closures.h"

#include <stdlib.h>

#include "common/arena.h"
#include "common/control.h"
#include "common/map.h"

#define TIME_MAX_MS (INT64_C(1) << 53)

enum { ROW_LIMIT_BYTES = 1 << 20 };

struct span {
	uint8_t source[MAP_KEY_BYTES];   /* of the id, and of the heartbeat's key (I1) */
	uint8_t instance[MAP_KEY_BYTES]; /* of the heartbeat's key; zeros: the topic's */
	char site[CONTROL_SITE_MAX + 1]; /* "": all */
	int64_t from_ms, to_ms;
	bool grows;                      /* (I1) */
};

struct closures {
	const char *cell;
	struct span *spans;
	size_t nr, cap;
	struct arena scratch;
};

struct closures *closures_new(const char *cell)
{
	struct closures *c = calloc(1, sizeof(*c));

	if (c) {
		c->cell = cell;
		c->scratch.limit_bytes = ROW_LIMIT_BYTES;
	}
	return c;
}

void closures_free(struct closures *c)
{
	if (!c)
		return;
	arena_fini(&c->scratch);
	free(c->spans);
	free(c);
}

/* Takes "/FIELD=NAME" off the front; *name is empty when it is not there. */
static void take_scope(struct str *id, const char *field, struct str *name)
{
	*name = STR("");
	if (!str_take(id, field))
		return;
	name->p = id->p;
	while (name->len < id->len && id->p[name->len] != '/')
		name->len++;
	id->p += name->len;
	id->len -= name->len;
}

/* Does an id close ingest for sites of this cell, and for which? *site is empty for all. */
static bool closes(const struct closures *c, struct str id, struct str *site)
{
	struct str cell;

	if (!str_take(&id, "ingest/close"))
		return false;
	take_scope(&id, "/cell=", &cell);
	take_scope(&id, "/site=", site);
	return id.len == 0 && site->len <= CONTROL_SITE_MAX && (!cell.len || str_eq(cell, str_from(c->cell)));
}

static struct span *find(struct closures *c, const uint8_t source[MAP_KEY_BYTES])
{
	for (size_t i = 0; i < c->nr; i++)
		if (c->spans[i].grows && memcmp(c->spans[i].source, source, MAP_KEY_BYTES) == 0)
			return &c->spans[i];
	return NULL;
}

/* Room for one more: a free one, or that of the span which ended first. NULL when memory is short. */
static struct span *make_room(struct closures *c)
{
	struct span *first = c->spans;

	if (c->nr < CLOSURES_MAX) {
		size_t cap = c->cap ? 2 * c->cap : 16;
		struct span *spans = c->nr < c->cap ? c->spans : realloc(c->spans, cap * sizeof(*spans));

		if (!spans)
			return NULL;
		c->cap = c->nr < c->cap ? c->cap : cap;
		c->spans = spans;
		return &c->spans[c->nr++];
	}
	for (size_t i = 1; i < c->nr; i++)
		if (c->spans[i].to_ms < first->to_ms)
			first = &c->spans[i];
	return first;
}

/* A source says that it closes from at_ms until to_ms, as far as it knows. What was said before holds until then (I3). */
static int say_closed(struct closures *c, const struct span *said, struct err *err)
{
	struct span *s = find(c, said->source);

	if (s && said->from_ms <= s->to_ms) {
		if (said->from_ms < s->from_ms)
			s->from_ms = said->from_ms;
		s->to_ms = said->to_ms;
		return 0;
	}
	if (s)
		s->grows = false;
	s = make_room(c);
	if (!s)
		return err_nomem(err, "a closure");
	*s = *said;
	return 0;
}

static void say_open(struct span *s, int64_t at_ms)
{
	s->grows = false;
	if (at_ms < s->to_ms)
		s->to_ms = at_ms;
}

static bool is_time(int64_t t_ms)
{
	return t_ms >= 0 && t_ms <= TIME_MAX_MS;
}

static int take_control(struct closures *c, const struct table_row *row, struct err *err)
{
	struct control control = {0};
	struct span said = {.grows = true};
	struct str site;

	if (control_decode(row->value, &c->scratch, &control, err) < 0)
		return -1;
	if (control.on != CONTROL_PROGRAM_INGEST || control.action != CONTROL_ACTION_CLOSE)
		return 0;
	if (control_check(&control, err) < 0)
		return -1;
	if (!str_eq(control.id, row->key) || !is_time(control.created_at))
		return err_set(err, ERR_REJECT, "control: it stands under another key, or its time is none");
	if (!closes(c, control.id, &site))
		return 0;
	map_key_of(control.id, said.source);
	memcpy(said.site, site.p, site.len);
	said.from_ms = control.created_at;
	said.to_ms = control.expires_at;
	return say_closed(c, &said, err);
}

int closures_take_control(void *ctx, const struct table_row *row, struct err *err)
{
	struct closures *c = ctx;
	uint8_t source[MAP_KEY_BYTES];
	struct span *s;

	arena_clear(&c->scratch);
	if (row->value.p)
		return take_control(c, row, err);
	map_key_of(row->key, source);
	s = find(c, source);
	if (s)
		say_open(s, row->timestamp_ms);
	return 0;
}

/* The source that one ingest's id is. */
static void source_of(struct str id, const uint8_t instance[MAP_KEY_BYTES], uint8_t out[MAP_KEY_BYTES])
{
	map_key_of(id, out);
	for (int i = 0; i < MAP_KEY_BYTES; i++)
		out[i] ^= instance[i];
}

static bool lists(const struct heartbeat *beat, const struct span *s)
{
	uint8_t source[MAP_KEY_BYTES];

	for (size_t i = 0; i < beat->controls_len; i++) {
		source_of(beat->controls[i], s->instance, source);
		if (memcmp(source, s->source, sizeof(source)) == 0)
			return true;
	}
	return false;
}

/* What one ingest has listed and does not any more, and what it lists. */
static int take_listed(struct closures *c, const struct heartbeat *beat, const uint8_t instance[MAP_KEY_BYTES], struct err *err)
{
	for (size_t i = 0; i < c->nr; i++)
		if (c->spans[i].grows && memcmp(c->spans[i].instance, instance, MAP_KEY_BYTES) == 0 && !lists(beat, &c->spans[i]))
			say_open(&c->spans[i], beat->sent_at);
	for (size_t i = 0; i < beat->controls_len; i++) {
		struct span said = {.from_ms = beat->sent_at, .to_ms = beat->sent_at + CLOSURES_TAIL_MS, .grows = true};
		struct str site;

		if (!closes(c, beat->controls[i], &site))
			continue;
		source_of(beat->controls[i], instance, said.source);
		memcpy(said.instance, instance, MAP_KEY_BYTES);
		memcpy(said.site, site.p, site.len);
		if (say_closed(c, &said, err) < 0)
			return -1;
	}
	return 0;
}

int closures_take_heartbeat(void *ctx, const struct table_row *row, struct err *err)
{
	struct closures *c = ctx;
	struct heartbeat beat = {0};
	uint8_t instance[MAP_KEY_BYTES];

	if (!row->value.p || row->key.len < 15 || memcmp(row->key.p, "millrace-ingest", 15) != 0)
		return 0;
	arena_clear(&c->scratch);
	if (heartbeat_decode(row->value, &c->scratch, &beat, err) < 0)
		return -1;
	if (!str_eq(beat.program, STR("millrace-ingest")) || !is_time(beat.sent_at))
		return err_set(err, ERR_REJECT, "heartbeat: it stands under another key, or its time is none");
	map_key_of(row->key, instance);
	return take_listed(c, &beat, instance, err);
}

bool closures_cover(const struct closures *c, struct str site, int64_t from_ms, int64_t to_ms)
{
	for (size_t i = 0; i < c->nr; i++) {
		const struct span *s = &c->spans[i];
		int64_t from = s->from_ms > from_ms ? s->from_ms : from_ms, to = s->to_ms < to_ms ? s->to_ms : to_ms;

		if (from < to && (!s->site[0] || str_eq(str_from(s->site), site)))
			return true;
	}
	return false;
}
