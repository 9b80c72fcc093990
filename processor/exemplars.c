/* exemplars.c - see exemplars.h.
 *
 * All groups of all minutes are in one map and one list: there are few minutes at a time when all is well, and what looks at all groups, a closing, does so
 * once a minute. An event is encoded only once it is known that it is kept: of most groups only three are. */
#include "processor/exemplars.h"

#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"

enum {
	GROUP_BYTES_MIN = 21,    /* the least that one takes in a snapshot, so that a count is believed no further than that */
	SPECIMEN_BYTES_MIN = 18,
};

/* What a group is found by. */
struct place {
	int64_t minute_ms;
	enum exemplar_kind kind;
	uint8_t group[EXEMPLAR_FINGERPRINT_BYTES];
	struct str site;
	uint8_t site_key[MAP_KEY_BYTES], key[MAP_KEY_BYTES];
};

static void place_hash(struct place *at)
{
	uint8_t bytes[sizeof(at->minute_ms) + 1 + EXEMPLAR_FINGERPRINT_BYTES + MAP_KEY_BYTES], *to = bytes;

	map_key_of(at->site, at->site_key);
	memcpy(to, &at->minute_ms, sizeof(at->minute_ms));
	to += sizeof(at->minute_ms);
	*to++ = (uint8_t)at->kind;
	memcpy(to, at->group, sizeof(at->group));
	to += sizeof(at->group);
	memcpy(to, at->site_key, sizeof(at->site_key));
	map_key_of((struct str){(const char *)bytes, sizeof(bytes)}, at->key);
}

static bool is_by_site(enum exemplar_kind kind)
{
	return kind == EXEMPLAR_MARKER || kind == EXEMPLAR_CHECK_IN;
}

static uint32_t kept_max(enum exemplar_kind kind)
{
	if (is_by_site(kind))
		return EXEMPLARS_SITE_MAX;
	return kind == EXEMPLAR_ERROR ? EXEMPLARS_ERRORS_MAX : EXEMPLARS_TRANSACTIONS_MAX;
}

enum exemplar_kind exemplar_kind_of(const struct event *event)
{
	if (event->has_error)
		return EXEMPLAR_ERROR;
	if (event->has_transaction)
		return EXEMPLAR_TRANSACTION;
	return event->has_marker ? EXEMPLAR_MARKER : EXEMPLAR_CHECK_IN;
}

static size_t site_bytes(const struct exemplar_site *site)
{
	return memory_rounded(sizeof(*site) + site->id.len);
}

/* The site of that place, made when it is new. NULL when memory is short. */
static struct exemplar_site *take_site(struct exemplars *e, const struct place *at)
{
	struct exemplar_site *site = map_get(&e->sites, at->site_key);

	if (site)
		return site;
	site = malloc(sizeof(*site) + at->site.len);
	if (!site || map_put(&e->sites, at->site_key, site) < 0) {
		free(site);
		return NULL;
	}
	*site = (struct exemplar_site){.id = {(const char *)(site + 1), at->site.len}};
	if (at->site.len)
		memcpy(site + 1, at->site.p, at->site.len);
	e->group_bytes += site_bytes(site);
	return site;
}

/* It leaves with its last group. */
static void drop_site(struct exemplars *e, struct exemplar_site *site)
{
	uint8_t key[MAP_KEY_BYTES];

	if (site->nr_groups[0] || site->nr_groups[1])
		return;
	map_key_of(site->id, key);
	map_remove(&e->sites, key);
	e->group_bytes -= site_bytes(site);
	free(site);
}

/* An empty group at the end of the list. NULL when memory is short. */
static struct exemplar_group *group_new(struct exemplars *e, const struct place *at)
{
	struct exemplar_site *site = take_site(e, at);
	struct exemplar_group *g = site ? malloc(sizeof(*g)) : NULL;

	if (!g || map_put(&e->groups, at->key, g) < 0) {
		free(g);
		if (site)
			drop_site(e, site);
		return NULL;
	}
	*g = (struct exemplar_group){.minute_ms = at->minute_ms, .kind = (uint8_t)at->kind, .site = site};
	memcpy(g->group, at->group, sizeof(g->group));
	site->nr_groups[is_by_site(at->kind)]++;
	*(e->last ? &e->last->next : &e->first) = g;
	e->last = g;
	e->group_bytes += memory_rounded(sizeof(*g));
	return g;
}

/* Is it the group of that place? XXH3 is no cryptographic hash: whoever makes two collide must not have another site's events dropped unseen. */
static bool is_at(const struct exemplar_group *g, const struct place *at)
{
	return g->minute_ms == at->minute_ms && g->kind == at->kind && memcmp(g->group, at->group, sizeof(g->group)) == 0 && str_eq(g->site->id, at->site);
}

static void group_free(struct exemplars *e, struct exemplar_group *g)
{
	g->site->nr_groups[is_by_site((enum exemplar_kind)g->kind)]--;
	drop_site(e, g->site);
	while (g->first) {
		struct specimen *s = g->first;

		g->first = s->next;
		free(s);
	}
	free(g);
}

void exemplars_fini(struct exemplars *e)
{
	while (e->first) {
		struct exemplar_group *g = e->first;

		e->first = g->next;
		group_free(e, g);
	}
	map_fini(&e->groups);
	map_fini(&e->sites);
	*e = (struct exemplars){0};
}

size_t exemplars_bytes(const struct exemplars *e)
{
	return e->held_bytes + e->group_bytes + map_bytes(&e->groups) + map_bytes(&e->sites);
}

/* Hangs s, which is taken, behind the group's others. */
static void hold(struct exemplars *e, struct exemplar_group *g, struct specimen *s)
{
	struct specimen **end = &g->first;

	while (*end)
		end = &(*end)->next;
	s->next = NULL;
	*end = s;
	g->nr_held++;
	e->nr_held++;
	e->held_bytes += specimen_bytes(s);
}

/* The minute of a group is open: it will be due. */
static void note_open(struct exemplars *e, int64_t minute_ms)
{
	if (!e->oldest_ms || minute_ms < e->oldest_ms)
		e->oldest_ms = minute_ms;
}

/* May the place have a new group? */
static bool is_free(const struct exemplars *e, const struct place *at)
{
	const struct exemplar_site *site = map_get(&e->sites, at->site_key);

	return !site || (site->nr_groups[is_by_site(at->kind)] < EXEMPLARS_GROUPS_MAX && str_eq(site->id, at->site));
}

/* Is an event to be kept? g: what stands at its place; NULL when it is the first of its group. */
static bool is_wanted(const struct exemplars *e, const struct place *at, const struct exemplar_group *g, const struct event *event, bool late)
{
	if (!g)
		return is_free(e, at) && (!e->crowded || (is_by_site(at->kind) && !late));
	if (!is_at(g, at))
		return false;
	if (g->nr < kept_max(at->kind))
		return true;
	return at->kind == EXEMPLAR_TRANSACTION && event->transaction.duration_ms > g->slowest[EXEMPLARS_TRANSACTIONS_MAX - 1];
}

/* The fastest of the kept transactions gives way, the latest where several are as fast; unless a flush has moved it out. True when it was here. */
static bool displace(struct exemplars *e, struct exemplar_group *g)
{
	struct specimen **found = NULL, *s;

	g->nr--;
	for (struct specimen **at = &g->first; *at; at = &(*at)->next)
		if ((*at)->duration_ms == g->slowest[g->nr])
			found = at;
	if (!found)
		return false;
	s = *found;
	*found = s->next;
	g->nr_held--;
	e->nr_held--;
	e->held_bytes -= specimen_bytes(s);
	free(s);
	return true;
}

/* Enters how slow one more is, behind those that are as slow. */
static void rank(struct exemplar_group *g, double duration_ms)
{
	uint32_t i = g->nr;

	for (; i > 0 && g->slowest[i - 1] < duration_ms; i--)
		g->slowest[i] = g->slowest[i - 1];
	g->slowest[i] = duration_ms;
}

/* Takes s, which is wanted. */
static void keep(struct exemplars *e, struct exemplar_group *g, struct specimen *s, uint64_t *dropped)
{
	if (g->nr == kept_max((enum exemplar_kind)g->kind) && displace(e, g))
		dropped[g->kind]++;
	if (g->kind == EXEMPLAR_TRANSACTION)
		rank(g, s->duration_ms);
	g->nr++;
	hold(e, g, s);
}

int exemplars_add(struct exemplars *e, struct str site, const struct event *event, const struct exemplars_now *now, uint64_t *dropped,
		  struct err *err)
{
	struct place at = {.minute_ms = event->t - event->t % CLOCK_MINUTE_MS, .kind = exemplar_kind_of(event), .site = site};
	bool late = at.minute_ms < now->closed_ms;
	struct exemplar_group *g;
	struct specimen *s;
	int rc = 1;

	if (!is_by_site(at.kind))
		memcpy(at.group, event->group, sizeof(at.group));
	place_hash(&at);
	g = map_get(&e->groups, at.key);
	if (is_wanted(e, &at, g, event, late))
		rc = specimen_new(site, at.minute_ms, event, at.kind, &s, err);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		dropped[at.kind]++;
		return late;
	}
	if (!g && !(g = group_new(e, &at))) {
		free(s);
		return err_nomem(err, "an exemplar's group");
	}
	keep(e, g, s, dropped);
	if (!late)
		note_open(e, at.minute_ms);
	else if (!e->late_ms)
		e->late_ms = now->watermark_ms > 0 ? now->watermark_ms : 1;
	return late;
}

void exemplars_crowd(struct exemplars *e, bool crowded)
{
	e->crowded = crowded;
}

size_t exemplars_due(const struct exemplars *e, int64_t closed_ms, int64_t watermark_ms)
{
	bool open = e->oldest_ms && e->oldest_ms < closed_ms, late = e->late_ms && watermark_ms - e->late_ms >= CLOCK_MINUTE_MS;

	if (!open && !late)
		return 0;
	return e->nr_held ? e->nr_held : 1;
}

/* Moves what the group holds to the end of out. */
static void let_go(struct exemplars *e, struct exemplar_group *g, bool flushed, struct specimens *out)
{
	while (g->first) {
		struct specimen *s = g->first;

		g->first = s->next;
		e->nr_held--;
		e->held_bytes -= specimen_bytes(s);
		s->flushed = flushed;
		specimens_append(out, s);
	}
	g->nr_held = 0;
}

/* Removes a group that holds nothing any more, and is not in the list. */
static void forget(struct exemplars *e, struct exemplar_group *g)
{
	struct place at = {.minute_ms = g->minute_ms, .kind = (enum exemplar_kind)g->kind, .site = g->site->id};

	memcpy(at.group, g->group, sizeof(at.group));
	place_hash(&at);
	map_remove(&e->groups, at.key);
	e->group_bytes -= memory_rounded(sizeof(*g));
	group_free(e, g);
}

void exemplars_close(struct exemplars *e, int64_t closed_ms, struct specimens *out)
{
	struct exemplar_group **at = &e->first;

	e->last = NULL;
	e->oldest_ms = e->late_ms = 0;
	while (*at) {
		struct exemplar_group *g = *at;

		if (g->minute_ms < closed_ms) {
			*at = g->next;
			let_go(e, g, false, out);
			forget(e, g);
			continue;
		}
		note_open(e, g->minute_ms);
		e->last = g;
		at = &g->next;
	}
	if (!e->groups.len) /* nothing may come for long, and then there are no closings either */
		map_fini(&e->groups);
	map_trim(&e->groups);
	map_trim(&e->sites);
}

void exemplars_flush(struct exemplars *e, struct specimens *out)
{
	for (struct exemplar_group *g = e->first; g; g = g->next)
		let_go(e, g, true, out);
}

static void encode_group(const struct exemplar_group *g, struct buf *out)
{
	bool slow = g->kind == EXEMPLAR_TRANSACTION;

	codec_write_int(out, g->kind);
	codec_write_long(out, g->minute_ms);
	codec_write_bytes(out, g->site->id);
	codec_write_fixed(out, g->group, sizeof(g->group));
	codec_write_long(out, g->nr);
	for (uint32_t i = 0; slow && i < g->nr; i++)
		codec_write_double(out, g->slowest[i]);
	codec_write_long(out, g->nr_held);
	for (const struct specimen *s = g->first; s; s = s->next) {
		if (slow)
			codec_write_double(out, s->duration_ms);
		codec_write_bytes(out, (struct str){(const char *)s->bytes, s->len});
	}
}

void exemplars_encode(const struct exemplars *e, struct buf *out)
{
	codec_write_long(out, e->late_ms);
	codec_write_long(out, (int64_t)e->groups.len);
	for (const struct exemplar_group *g = e->first; g; g = g->next)
		encode_group(g, out);
}

static void decode_slowest(struct exemplar_group *g, struct codec_reader *r)
{
	for (uint32_t i = 0; i < g->nr; i++) {
		g->slowest[i] = codec_read_double(r);
		if (!isfinite(g->slowest[i]) || g->slowest[i] < 0 || (i && g->slowest[i] > g->slowest[i - 1]))
			codec_fault(r, "transactions that are not ordered");
	}
}

static bool is_ranked(const struct exemplar_group *g, double duration_ms)
{
	for (uint32_t i = 0; i < g->nr; i++)
		if (g->slowest[i] == duration_ms)
			return true;
	return false;
}

static int decode_specimen(struct exemplars *e, struct exemplar_group *g, struct codec_reader *r, struct err *err)
{
	double duration_ms = g->kind == EXEMPLAR_TRANSACTION ? codec_read_double(r) : 0;
	struct str bytes = codec_read_bytes(r);
	struct specimen *s;

	if (bytes.len <= EXEMPLAR_FINGERPRINT_BYTES || bytes.len > SPECIMEN_BYTES_MAX)
		codec_fault(r, "an exemplar that is none");
	if (g->kind == EXEMPLAR_TRANSACTION && !is_ranked(g, duration_ms))
		codec_fault(r, "a transaction that is not among the slowest");
	if (!codec_reader_ok(r))
		return -1;
	s = specimen_of(bytes, (enum exemplar_kind)g->kind);
	if (!s)
		return err_nomem(err, "an exemplar of a snapshot");
	s->duration_ms = duration_ms;
	hold(e, g, s);
	return 0;
}

static struct place decode_place(struct codec_reader *r)
{
	struct place at = {.kind = (enum exemplar_kind)codec_read_index(r, NR_EXEMPLAR_KINDS)};

	at.minute_ms = codec_read_long(r);
	at.site = codec_read_string(r);
	codec_read_fixed(r, at.group, sizeof(at.group));
	if (at.minute_ms < 0 || at.minute_ms > INT64_MAX / 2 || at.minute_ms % CLOCK_MINUTE_MS || at.site.len > EXEMPLARS_SITE_BYTES_MAX)
		codec_fault(r, "a group of no minute or site");
	return at;
}

static int decode_group(struct exemplars *e, struct codec_reader *r, int64_t closed_ms, struct err *err)
{
	struct place at = decode_place(r);
	int64_t nr = codec_read_long(r);
	struct exemplar_group *g;
	size_t nr_held;

	if (nr < 1 || nr > kept_max(at.kind))
		codec_fault(r, "a group of nothing, or too much");
	if (!codec_reader_ok(r))
		return -1;
	place_hash(&at);
	if (map_get(&e->groups, at.key) || !is_free(e, &at)) {
		codec_fault(r, "a group stands there twice, or one too many");
		return -1;
	}
	g = group_new(e, &at);
	if (!g)
		return err_nomem(err, "an exemplar's group of a snapshot");
	g->nr = (uint32_t)nr;
	if (g->kind == EXEMPLAR_TRANSACTION)
		decode_slowest(g, r);
	nr_held = codec_read_count(r, SPECIMEN_BYTES_MIN);
	if (nr_held > g->nr)
		codec_fault(r, "more exemplars than were kept");
	for (size_t i = 0; i < nr_held && codec_reader_ok(r); i++)
		if (decode_specimen(e, g, r, err) < 0)
			return -1;
	if (g->minute_ms >= closed_ms)
		note_open(e, g->minute_ms);
	return codec_reader_ok(r) ? 0 : -1;
}

int exemplars_decode(struct exemplars *e, struct codec_reader *r, int64_t closed_ms, struct err *err)
{
	int64_t late_ms = codec_read_long(r);
	size_t nr = codec_read_count(r, GROUP_BYTES_MIN);

	if (late_ms < 0 || late_ms > INT64_MAX / 2)
		codec_fault(r, "a time out of range");
	if (!codec_reader_ok(r))
		return -1;
	e->late_ms = late_ms;
	if (map_reserve(&e->groups, nr) < 0)
		return err_nomem(err, "the exemplars of a snapshot");
	for (size_t i = 0; i < nr; i++)
		if (decode_group(e, r, closed_ms, err) < 0)
			return -1;
	return 0;
}
