/* settle.c - see settle.h.
 *
 * Everything here is done by sorting: entries of all events of a kind, so that those which count together stand side by side. A run of entries with the same
 * key and minute becomes one summary, or is what the slowest are picked from. Nothing depends on more than the payload's content and
 * order, so that a retry derives the same. What is kept is picked by minute as well: the slowest of a minute are then among those that its payloads keep. */
#include "ingest/settle.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hist.h"
#include "common/series.h"
#include "ingest/group.h"
#include "ingest/scrub.h"

enum { OWN_TAGS_MAX = 4, GROUP_HEX_BYTES = 32 };

/* An event by what it counts with. */
struct entry {
	uint8_t key[SERIES_FINGERPRINT_BYTES]; /* of the derived series, or the group */
	int64_t minute_ms;
	size_t event; /* its place in the payload */
};

struct settler {
	struct payload *payload;
	struct str site;
	struct entry *entries; /* room for one an event */
	size_t len;
};

/* The series that are derived, those of one kind of events side by side. */
static const struct derived {
	enum payload_event_kind from;
	enum series_kind kind;
	struct str name;
} derived[] = {
	{PAYLOAD_ERROR, SERIES_KIND_COUNTER, {"error.count", 11}},
	{PAYLOAD_TRANSACTION, SERIES_KIND_DISTRIBUTION, {"transaction.duration", 20}},
	{PAYLOAD_TRANSACTION, SERIES_KIND_COUNTER, {"transaction.count", 17}},
};

/* Tags of a derived series, while it is named. */
struct label {
	struct tag tags[SERIES_TAGS_MAX];
	size_t len;
	char group_hex[GROUP_HEX_BYTES + 1];
};

static const struct event *event_of(const struct settler *st, size_t i)
{
	return &st->payload->events[st->entries[i].event].event;
}

static int64_t minute_of(int64_t t_ms)
{
	int64_t into = t_ms % CLOCK_MINUTE_MS;

	return t_ms - (into < 0 ? into + CLOCK_MINUTE_MS : into);
}

/* What the payload says for all of its events; scrubbed and cut as what an event says itself. */
static int make_good(const struct payload *p, struct str *text)
{
	return scrub_beginning(p->scrub, NULL, p->arena, text, SERIES_STRING_MAX) < 0 ? -1 : 0;
}

static int complete(struct settler *st)
{
	struct payload *p = st->payload;
	struct str host = p->host, environment = p->environment, revision = p->revision;

	if (make_good(p, &host) < 0 || make_good(p, &environment) < 0 || make_good(p, &revision) < 0)
		return -1;
	for (size_t i = 0; i < p->events_len; i++) {
		struct event *v = &p->events[i].event;

		v->host = v->host.len ? v->host : host;
		v->environment = v->environment.len ? v->environment : environment;
		v->revision = v->revision.len ? v->revision : revision;
		group_name(&p->events[i], st->site);
	}
	return 0;
}

/* Empty values are left out: they would only make two series of one. */
static void add_tag(struct label *l, struct str key, struct str value)
{
	if (value.len && l->len < SERIES_TAGS_MAX)
		l->tags[l->len++] = (struct tag){key, str_cut_utf8(value, SERIES_STRING_MAX)};
}

static bool is_own(struct str key)
{
	return str_eq(key, STR("action")) || str_eq(key, STR("class")) || str_eq(key, STR("group")) || str_eq(key, STR("namespace"));
}

/* Our own tags by their keys, then the event's other ones, which give way where they are called the same. */
static void name_series(struct label *l, const struct payload_event *e)
{
	const struct event *v = &e->event;

	l->len = 0;
	add_tag(l, STR("action"), v->action);
	if (e->kind == PAYLOAD_ERROR) {
		add_tag(l, STR("class"), v->error.class);
		add_tag(l, STR("group"), str_from(str_hex(v->group, sizeof(v->group), l->group_hex)));
	}
	add_tag(l, STR("namespace"), v->namespace);
	for (size_t i = 0; i < e->series_tags_len; i++)
		if (!is_own(e->series_tags[i].key))
			add_tag(l, e->series_tags[i].key, e->series_tags[i].value);
	series_sort_tags(l->tags, l->len);
}

static int by_key_and_minute(const struct entry *x, const struct entry *y)
{
	int order = memcmp(x->key, y->key, sizeof(x->key));

	return order ? order : (x->minute_ms > y->minute_ms) - (x->minute_ms < y->minute_ms);
}

static int by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = by_key_and_minute(x, y);

	return order ? order : (x->event > y->event) - (x->event < y->event);
}

/* Where the run that begins at i ends. */
static size_t run_end(const struct settler *st, size_t i)
{
	size_t end = i + 1;

	while (end < st->len && by_key_and_minute(&st->entries[end], &st->entries[i]) == 0)
		end++;
	return end;
}

/* The tags are the key: name and kind are the same for all that are collected together. */
static void key_of_series(const struct payload_event *e, uint8_t key[SERIES_FINGERPRINT_BYTES])
{
	struct label l;
	struct series_id id = {.site = STR(""), .name = STR(""), .tags = l.tags};

	name_series(&l, e);
	id.tags_len = l.len;
	series_fingerprint(&id, key);
}

static void key_of_group(const struct payload_event *e, uint8_t key[SERIES_FINGERPRINT_BYTES])
{
	memcpy(key, e->event.group, SERIES_FINGERPRINT_BYTES);
}

/* Entries of all events of a kind, in runs. */
static void collect(struct settler *st, enum payload_event_kind kind, void (*key_of)(const struct payload_event *, uint8_t[SERIES_FINGERPRINT_BYTES]))
{
	const struct payload *p = st->payload;

	st->len = 0;
	for (size_t i = 0; i < p->events_len; i++) {
		struct entry *e = &st->entries[st->len];

		if (p->events[i].kind != kind)
			continue;
		key_of(&p->events[i], e->key);
		e->minute_ms = minute_of(p->events[i].event.t);
		e->event = i;
		st->len++;
	}
	if (st->len)
		qsort(st->entries, st->len, sizeof(*st->entries), by_place);
}

static int add_series(struct settler *st, const struct derived *d, const struct payload_event *e)
{
	struct arena *arena = st->payload->arena;
	struct series_ref *s = payload_add_series(st->payload);
	struct tag *tags;
	struct label l;

	name_series(&l, e);
	tags = arena_calloc(arena, l.len, sizeof(*tags));
	if (!s || !tags)
		return -1;
	for (size_t i = 0; i < l.len; i++) {
		tags[i] = l.tags[i];
		if (tags[i].value.p == l.group_hex)
			tags[i].value = arena_str(arena, l.tags[i].value);
		if (!tags[i].value.p)
			return -1;
	}
	*s = (struct series_ref){.kind = d->kind, .temporality = TEMPORALITY_DELTA, .name = d->name, .tags = tags, .tags_len = l.len};
	return 0;
}

/* The buckets of a run's durations, none of which is negative. That they are no more than a histogram may have, event.c has seen to. */
static int fill_histogram(const struct settler *st, size_t from, size_t to, struct summary_sample *s)
{
	struct histogram *h = &s->histogram;
	int32_t low = INT32_MAX, high = INT32_MIN;

	s->has_histogram = true;
	h->scale = HIST_SCALE;
	for (size_t i = from; i < to; i++) {
		double ms = event_of(st, i)->transaction.duration_ms;
		int32_t at = ms > 0 ? hist_index(ms) : 0;

		h->zero += ms == 0;
		low = ms > 0 && at < low ? at : low;
		high = ms > 0 && at > high ? at : high;
	}
	if (low > high)
		return 0;
	h->offset = low;
	h->counts_len = (size_t)(high - low) + 1;
	h->counts = arena_calloc(st->payload->arena, h->counts_len, sizeof(*h->counts));
	for (size_t i = from; i < to && h->counts; i++)
		if (event_of(st, i)->transaction.duration_ms > 0)
			h->counts[hist_index(event_of(st, i)->transaction.duration_ms) - low]++;
	return h->counts ? 0 : -1;
}

/* One more number. The last is that of the latest event; of two at once, the later in the payload. */
static void add_number(struct summary_sample *s, double v, int64_t t_ms)
{
	s->sum += v;
	s->min = s->count && s->min < v ? s->min : v;
	s->max = s->count && s->max > v ? s->max : v;
	if (!s->count || t_ms >= s->t) {
		s->last = v;
		s->t = s->last_at = t_ms;
	}
	s->count++;
}

static int add_summary(struct settler *st, const struct derived *d, size_t from, size_t to)
{
	bool durations = d->kind == SERIES_KIND_DISTRIBUTION;
	struct summary_sample s = {.has_min = true, .has_max = true, .has_last = true};

	for (size_t i = from; i < to; i++) {
		const struct event *v = event_of(st, i);

		add_number(&s, durations ? v->transaction.duration_ms : 1, v->t);
		s.errors += v->has_transaction && v->transaction.failed;
	}
	if (durations && fill_histogram(st, from, to, &s) < 0)
		return -1;
	return payload_derive_summary(st->payload, &s);
}

static int derive(struct settler *st, const struct derived *d)
{
	for (size_t i = 0, end; i < st->len; i = end) {
		const struct entry *e = &st->entries[i];

		end = run_end(st, i);
		if ((i == 0 || memcmp(e->key, e[-1].key, sizeof(e->key)) != 0) && add_series(st, d, &st->payload->events[e->event]) < 0)
			return -1;
		if (add_summary(st, d, i, end) < 0)
			return -1;
	}
	return 0;
}

static int derive_all(struct settler *st)
{
	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
		if (i == 0 || derived[i].from != derived[i - 1].from)
			collect(st, derived[i].from, key_of_series);
		if (derive(st, &derived[i]) < 0)
			return -1;
	}
	return 0;
}

/* Moves the slowest SETTLE_SLOWEST of a run to its front, the earlier in the payload first where two are as slow. */
static void pick_slowest(struct settler *st, size_t from, size_t to)
{
	for (size_t at = from; at < to && at < from + SETTLE_SLOWEST; at++) {
		size_t best = at;
		struct entry e;

		for (size_t i = at + 1; i < to; i++) {
			double ms = event_of(st, i)->transaction.duration_ms, most_ms = event_of(st, best)->transaction.duration_ms;

			if (ms > most_ms || (ms == most_ms && st->entries[i].event < st->entries[best].event))
				best = i;
		}
		e = st->entries[at];
		st->entries[at] = st->entries[best];
		st->entries[best] = e;
	}
}

/* All other events stay, and the order of all. */
static int keep_slowest(struct settler *st)
{
	struct payload *p = st->payload;
	bool *gone = arena_calloc(p->arena, p->events_len, sizeof(*gone));
	size_t kept = 0;

	if (!gone)
		return -1;
	collect(st, PAYLOAD_TRANSACTION, key_of_group);
	for (size_t i = 0, end; i < st->len; i = end) {
		end = run_end(st, i);
		pick_slowest(st, i, end);
		for (size_t j = i + SETTLE_SLOWEST; j < end; j++)
			gone[st->entries[j].event] = true;
	}
	for (size_t i = 0; i < p->events_len; i++)
		if (!gone[i])
			p->events[kept++] = p->events[i];
	p->events_len = kept;
	return 0;
}

int settle_events(struct payload *p, struct str site)
{
	struct settler st = {.payload = p, .site = site};

	if (p->events_len == 0)
		return 0;
	st.entries = arena_calloc(p->arena, p->events_len, sizeof(*st.entries));
	return !st.entries || complete(&st) < 0 || derive_all(&st) < 0 || keep_slowest(&st) < 0 ? -1 : 0;
}
