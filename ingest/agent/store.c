/* store.c - see store.h.
 *
 * Two ways lead to a series. The short one, for a line that is written as it was before: a hash of its bytes, one cache line of aliases.
 * The long one makes the label and looks its fingerprint up; it alone makes series, so whatever way a series is written, there is one of
 * it.
 *
 * Invariants:
 *  I1  Every series but the overflow ones is in by_id and in all; aliases lead to such series only, as whoever frees one sweeps
 * first.  I2  Cells of a series stand newest slot first, none twice; each has taken a sample, as one that could not is taken out again at
 * once.  I3  bytes is what series, cells, their heaps and the tables take. New series are made below three quarters of the budget, so that
 *      what is left is for the cells of those that are there: a series that was admitted is not starved by ones that came later. */
#include "ingest/agent/store.h"

#include <math.h>
#include <stdlib.h>
#define XXH_INLINE_ALL /* no call for a short string */
#include <xxhash.h>

#include "common/map.h"
#include "common/memory.h"
#include "ingest/agent/aliases.h"
#include "ingest/agent/cell.h"
#include "ingest/agent/label.h"

#define NEVER INT64_MIN

enum { ALIASES_A_SERIES = 2, ALIASES_SHARE = 16 };

struct series {
	struct cell *cells;
	double value;     /* of a gauge, for signed additions */
	int64_t told_ms;  /* the end of the last cut that found something, or of the first one */
	uint8_t id[MAP_KEY_BYTES];
	uint8_t kind;     /* enum store_kind, not STORE_GAUGE_ADD */
	bool added;       /* value is the work of signed additions */
	bool gone;        /* about to be freed */
	uint8_t tags_len;
	uint16_t bytes;   /* of text */
	char text[];      /* name, then keys and values, each behind its length in one byte */
};

struct store {
	int64_t series_max;
	size_t memory_max, bytes;
	uint64_t secret;
	struct aliases aliases;
	struct map by_id; /* owns the series */
	struct series **all;
	size_t all_cap;
	struct series *overflow[NR_STORE_KINDS]; /* NULL for STORE_GAUGE_ADD */
	struct tag *tags;
	size_t tags_len;
	char *tag_bytes;
	struct store_figures figures;
	struct label label; /* of the line that is looked up */
	struct dense dense; /* of the point that is handed out */
};

int64_t store_slot(int64_t t_ms)
{
	int64_t into = t_ms % STORE_SLOT_MS;

	return t_ms - (into < 0 ? into + STORE_SLOT_MS : into);
}

static enum store_kind kind_of_series(enum store_kind kind)
{
	return kind == STORE_GAUGE_ADD ? STORE_GAUGE : kind;
}

static size_t series_bytes(const struct series *sr)
{
	return memory_rounded(sizeof(*sr) + sr->bytes);
}

/* What is not a series' own, nor a cell's. */
static size_t table_bytes(const struct store *s)
{
	return aliases_bytes(&s->aliases) + map_bytes(&s->by_id) + s->all_cap * sizeof(s->all[0]);
}

static size_t used_bytes(const struct store *s)
{
	return s->bytes + table_bytes(s);
}

static char *put_text(char *to, struct str s)
{
	*to = (char)(uint8_t)s.len;
	memcpy(to + 1, s.p, s.len);
	return to + 1 + s.len;
}

static struct str get_text(const char **from)
{
	struct str s = {*from + 1, (uint8_t)**from};

	*from += 1 + s.len;
	return s;
}

/* A series of that name, in no table. NULL when memory is short. */
static struct series *make_series(enum store_kind kind, const struct label *l)
{
	size_t bytes = 1 + l->name.len;
	struct series *sr;
	char *to;

	for (size_t i = 0; i < l->tags_len; i++)
		bytes += 2 + l->tags[i].key.len + l->tags[i].value.len;
	sr = malloc(sizeof(*sr) + bytes);
	if (!sr)
		return NULL;
	*sr = (struct series){.told_ms = NEVER, .kind = (uint8_t)kind, .tags_len = (uint8_t)l->tags_len, .bytes = (uint16_t)bytes};
	to = put_text(sr->text, l->name);
	for (size_t i = 0; i < l->tags_len; i++)
		to = put_text(put_text(to, l->tags[i].key), l->tags[i].value);
	return sr;
}

static void free_series(struct series *sr)
{
	while (sr && sr->cells) {
		struct cell *c = sr->cells;

		sr->cells = c->next;
		cell_fini(c, sr->kind);
		free(c);
	}
	free(sr);
}

/* Makes room for one more in `all`. */
static bool grow_all(struct store *s)
{
	size_t cap = s->all_cap ? s->all_cap * 2 : 64;
	struct series **all;

	if (s->by_id.len < s->all_cap)
		return true;
	all = realloc(s->all, cap * sizeof(*all));
	if (!all)
		return false;
	s->all = all;
	s->all_cap = cap;
	return true;
}

/* The series of s->label, new if there is room for it, else the overflow one of its kind. */
static struct series *admit(struct store *s, enum store_kind kind, const uint8_t id[MAP_KEY_BYTES])
{
	size_t at = s->by_id.len;
	struct series *sr;

	if ((int64_t)at >= s->series_max || used_bytes(s) >= s->memory_max - s->memory_max / 4 || !grow_all(s))
		return s->overflow[kind];
	sr = make_series(kind, &s->label);
	if (!sr || map_put(&s->by_id, id, sr) < 0) {
		free(sr);
		return s->overflow[kind];
	}
	memcpy(sr->id, id, sizeof(sr->id));
	s->all[at] = sr;
	s->bytes += series_bytes(sr);
	return sr;
}

/* The long way. */
static enum cause look_up(struct store *s, const struct store_sample *in, uint64_t hash, struct series **out)
{
	enum store_kind kind = kind_of_series(in->kind);
	enum cause why = label_make(&s->label, in->name, in->tags, s->tags, s->tags_len);
	uint8_t id[MAP_KEY_BYTES];

	if (why != CAUSE_NONE)
		return why;
	series_fingerprint(&(struct series_id){.kind = (uint8_t)kind, .site = STR(""), .name = s->label.name, .tags = s->label.tags,
					       .tags_len = s->label.tags_len}, id);
	*out = map_get(&s->by_id, id);
	if (!*out)
		*out = admit(s, kind, id);
	if (*out != s->overflow[kind])
		aliases_put(&s->aliases, hash, *out);
	return CAUSE_NONE;
}

static enum cause find(struct store *s, const struct store_sample *in, struct series **out)
{
	uint64_t hash = XXH3_64bits_withSeed(in->name.p, in->name.len, s->secret + (uint64_t)kind_of_series(in->kind));

	if (in->tags.len)
		hash = XXH3_64bits_withSeed(in->tags.p, in->tags.len, hash);
	*out = aliases_get(&s->aliases, hash);
	return *out ? CAUSE_NONE : look_up(s, in, hash, out);
}

/* The place in a series' cells where that of slot_ms is, or belongs; and how many are in front of it. */
static struct cell **seek(struct series *sr, int64_t slot_ms)
{
	struct cell **at = &sr->cells;

	while (*at && (*at)->slot_ms > slot_ms)
		at = &(*at)->next;
	return at;
}

static size_t count_cells(const struct series *sr)
{
	size_t n = 0;

	for (const struct cell *c = sr->cells; c; c = c->next)
		n++;
	return n;
}

/* Puts a new cell where seek() said. */
static enum cause open_cell(struct store *s, struct series *sr, struct cell **at, int64_t slot_ms)
{
	struct cell *c;

	if (count_cells(sr) >= STORE_OPEN_SLOTS_MAX)
		return CAUSE_TIME;
	if (used_bytes(s) >= s->memory_max)
		return CAUSE_MEMORY;
	c = calloc(1, sizeof(*c));
	if (!c)
		return CAUSE_MEMORY;
	c->slot_ms = slot_ms;
	c->next = *at;
	*at = c;
	s->bytes += memory_rounded(sizeof(*c));
	return CAUSE_NONE;
}

/* Takes the cell at *at out and frees it. */
static void close_cell(struct store *s, struct series *sr, struct cell **at)
{
	struct cell *c = *at;

	s->bytes -= memory_rounded(sizeof(*c)) + cell_heap_bytes(c, sr->kind);
	*at = c->next;
	cell_fini(c, sr->kind);
	free(c);
}

static enum cause add_to_slot(struct store *s, struct series *sr, const struct cell_sample *cs)
{
	int64_t slot_ms = store_slot(cs->t_ms);
	struct cell **at = seek(sr, slot_ms);
	bool opened = !*at || (*at)->slot_ms != slot_ms;
	enum cause why = opened ? open_cell(s, sr, at, slot_ms) : CAUSE_NONE;
	size_t heap_before;

	if (why != CAUSE_NONE)
		return why;
	heap_before = cell_heap_bytes(*at, sr->kind);
	why = cell_add(*at, cs);
	s->bytes += cell_heap_bytes(*at, sr->kind) - heap_before;
	if (why != CAUSE_NONE && opened)
		close_cell(s, sr, at); /* (I2) */
	return why;
}

/* What can be said of a sample by itself. */
static enum cause check(const struct store_sample *in)
{
	if (in->kind == STORE_SET)
		return in->member.len ? CAUSE_NONE : CAUSE_VALUE;
	if (!isfinite(in->value))
		return CAUSE_VALUE;
	return in->kind == STORE_COUNTER && in->value < 0 ? CAUSE_NEGATIVE : CAUSE_NONE;
}

enum cause store_add(struct store *s, const struct store_sample *in)
{
	enum cause why = check(in);
	struct series *sr;
	struct cell_sample cs = {.value = in->value, .weight = in->weight, .t_ms = in->t_ms};

	if (why != CAUSE_NONE)
		return why;
	why = find(s, in, &sr);
	if (why != CAUSE_NONE)
		return why;
	cs.kind = sr->kind;
	cs.may_grow = used_bytes(s) < s->memory_max;
	if (in->kind == STORE_SET)
		cs.member_hash = XXH3_64bits_withSeed(in->member.p, in->member.len, s->secret);
	if (in->kind == STORE_GAUGE_ADD)
		cs.value += sr->value;
	if (sr->kind == STORE_GAUGE)
		cs.weight = 1;
	why = add_to_slot(s, sr, &cs);
	if (why != CAUSE_NONE)
		return why;
	if (sr->kind == STORE_GAUGE) {
		sr->value = cs.value;
		sr->added = in->kind == STORE_GAUGE_ADD;
	}
	s->figures.samples++;
	s->figures.overflowed += sr == s->overflow[sr->kind];
	return CAUSE_NONE;
}

/* Hands over one cell. */
static void tell(struct store *s, struct store_metric *m, const struct series *sr, const struct cell *c, store_metric_fn each, void *ctx)
{
	cell_point(c, sr->kind, &s->dense, &m->point);
	s->figures.points++;
	s->figures.estimated_sets += sr->kind == STORE_SET && !members_exact(&c->of.members);
	each(ctx, m);
}

/* Cuts one series; how much of it there was. */
static size_t cut_series(struct store *s, struct series *sr, int64_t newest_ms, store_metric_fn each, void *ctx)
{
	struct cell **closed = seek(sr, newest_ms), *oldest_first = NULL;
	struct tag tags[SERIES_TAGS_MAX];
	struct store_metric m = {.kind = sr->kind == STORE_SET ? STORE_GAUGE : sr->kind, .tags = tags, .tags_len = sr->tags_len};
	const char *at = sr->text;
	size_t n = 0;

	if (!*closed)
		return 0;
	m.name = get_text(&at);
	for (size_t i = 0; i < sr->tags_len; i++) {
		tags[i].key = get_text(&at);
		tags[i].value = get_text(&at);
	}
	for (struct cell *c = *closed, *next; c; c = next) {
		next = c->next;
		c->next = oldest_first;
		oldest_first = c;
	}
	for (*closed = NULL; oldest_first; n++) {
		tell(s, &m, sr, oldest_first, each, ctx);
		close_cell(s, sr, &oldest_first);
	}
	return n;
}

/* Was nothing told of it for so long that it is dropped? */
static bool is_idle(const struct series *sr, int64_t now_ms)
{
	int64_t slots = sr->added ? STORE_IDLE_ADDED_SLOTS : STORE_IDLE_SLOTS;

	return !sr->cells && now_ms - sr->told_ms >= slots * STORE_SLOT_MS;
}

static bool series_gone(const struct series *sr)
{
	return sr->gone;
}

/* Frees all that are marked as gone. */
static void drop_gone(struct store *s)
{
	aliases_sweep(&s->aliases, series_gone);
	for (size_t i = s->by_id.len; i--;) {
		struct series *sr = s->all[i], *last = s->all[s->by_id.len - 1];

		if (!sr->gone)
			continue;
		s->all[i] = last;
		map_remove(&s->by_id, sr->id);
		s->bytes -= series_bytes(sr);
		s->figures.idle_dropped++;
		free_series(sr);
	}
	map_trim(&s->by_id);
}

void store_cut(struct store *s, int64_t slot_end_ms, store_metric_fn each, void *ctx)
{
	int64_t newest_ms = slot_end_ms - STORE_SLOT_MS;
	bool at_end = slot_end_ms == INT64_MAX, any_gone = false;

	for (int kind = 0; kind < NR_STORE_KINDS; kind++)
		if (s->overflow[kind])
			cut_series(s, s->overflow[kind], newest_ms, each, ctx);
	for (size_t i = 0; i < s->by_id.len; i++) {
		struct series *sr = s->all[i];
		size_t told = cut_series(s, sr, newest_ms, each, ctx);

		if (at_end)
			continue;
		if (told || sr->told_ms == NEVER || sr->told_ms > slot_end_ms) /* the last when the clock was set back */
			sr->told_ms = slot_end_ms;
		sr->gone = is_idle(sr, slot_end_ms);
		any_gone |= sr->gone;
	}
	if (any_gone)
		drop_gone(s);
}

/* Copies the configured tags. */
static int copy_tags(struct store *s, const struct store_conf *conf)
{
	size_t bytes = 1;
	char *to;

	for (size_t i = 0; i < conf->tags_len; i++)
		bytes += conf->tags[i].key.len + conf->tags[i].value.len;
	s->tags = calloc(conf->tags_len + 1, sizeof(*s->tags));
	s->tag_bytes = to = malloc(bytes);
	if (!s->tags || !to)
		return -1;
	for (; s->tags_len < conf->tags_len; s->tags_len++) {
		struct tag from = conf->tags[s->tags_len], *tag = &s->tags[s->tags_len];

		memcpy(to, from.key.p, from.key.len);
		tag->key = (struct str){to, from.key.len};
		to += from.key.len;
		memcpy(to, from.value.p, from.value.len);
		tag->value = (struct str){to, from.value.len};
		to += from.value.len;
	}
	return 0;
}

static int make_overflow(struct store *s)
{
	label_make(&s->label, STR(STORE_OVERFLOW_NAME), STR(""), NULL, 0);
	for (int kind = 0; kind < NR_STORE_KINDS; kind++) {
		if (kind == STORE_GAUGE_ADD)
			continue;
		s->overflow[kind] = make_series((enum store_kind)kind, &s->label);
		if (!s->overflow[kind])
			return -1;
		s->bytes += series_bytes(s->overflow[kind]);
	}
	return 0;
}

struct store *store_new(const struct store_conf *conf, struct err *err)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s || copy_tags(s, conf) < 0 || make_overflow(s) < 0 ||
	    aliases_init(&s->aliases, (size_t)conf->series_max * ALIASES_A_SERIES, conf->memory_bytes / ALIASES_SHARE) < 0) {
		store_free(s);
		err_nomem(err, "the store of series");
		return NULL;
	}
	s->series_max = conf->series_max;
	s->memory_max = conf->memory_bytes;
	s->secret = map_secret();
	return s;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->by_id.len; i++)
		free_series(s->all[i]);
	for (int kind = 0; kind < NR_STORE_KINDS; kind++)
		free_series(s->overflow[kind]);
	map_fini(&s->by_id);
	aliases_fini(&s->aliases);
	free(s->all);
	free(s->tags);
	free(s->tag_bytes);
	free(s);
}

struct store_figures store_figures(const struct store *s)
{
	struct store_figures f = s->figures;

	f.series = s->by_id.len;
	f.memory_bytes = used_bytes(s);
	return f;
}
