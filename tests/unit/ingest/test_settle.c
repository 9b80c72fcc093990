/* test_settle.c - what follows from events, against a recount that walks over all events for each number. */
#include <math.h>

#include "common/hist.h"
#include "common/series.h"
#include "ingest/group.h"
#include "ingest/scrub.h"
#include "ingest/settle.h"
#include "tests/unit/ingest/events.h"

enum { ROUNDS = UNIT_ROUNDS(60), EVENTS_MAX = 150, MINUTE_MS = 60000 };

static const struct str site = {"shop", 4};
static const struct tag resource[] = {{{"action", 6}, {"not this one", 12}}, {{"service.name", 12}, {"till", 4}}};

/* Few names, so that they meet; durations are quarters, so that sums are exact in any order. */
static struct payload_event random_event(struct unit_random *r, struct arena *a)
{
	static const char *const actions[] = {"a#one", "a#two", ""};
	static const char *const namespaces[] = {"web", "background", ""};
	static const char *const classes[] = {"IOError", "KeyError"};
	enum payload_event_kind kind = unit_random_below(r, 5) ? unit_random_below(r, 2) ? PAYLOAD_ERROR : PAYLOAD_TRANSACTION : PAYLOAD_MARKER;
	struct payload_event e = good_event(a, kind);

	e.event.action = str_from(actions[unit_random_below(r, kind == PAYLOAD_TRANSACTION ? 2 : 3)]);
	e.event.namespace = str_from(namespaces[unit_random_below(r, 3)]);
	e.event.error.class = str_from(classes[unit_random_below(r, 2)]);
	e.event.t = NOW_MS - NOW_MS % MINUTE_MS - (int64_t)unit_random_below(r, 3) * MINUTE_MS + (unit_random_below(r, 4) ? (int64_t)unit_random_below(r, 3) : MINUTE_MS - 1);
	e.event.transaction.duration_ms = unit_random_below(r, 10) ? (double)unit_random_below(r, 4000) / 4 : 0;
	e.event.transaction.failed = unit_random_below(r, 3) == 0;
	if (unit_random_below(r, 2)) {
		e.series_tags = resource;
		e.series_tags_len = NR(resource);
	}
	return e;
}

/* A payload, and its events as they were before they are settled, but with their groups. */
struct settled {
	struct arena arena;
	struct payload payload;
	struct payload_event was[EVENTS_MAX];
	size_t was_len;
};

static void begin(struct settled *s)
{
	empty_payload(&s->payload, &s->arena);
	s->was_len = 0;
}

static void add(struct settled *s, struct payload_event e)
{
	ck_assert_int_eq(event_add(&s->payload, &e), 0);
	ck_assert(s->payload.rejected == 0 && s->was_len < EVENTS_MAX);
	s->was[s->was_len] = e;
	group_name(&s->was[s->was_len++], site);
}

static void settle(struct settled *s)
{
	uint64_t received = s->payload.received;

	ck_assert_int_eq(settle_events(&s->payload, site), 0);
	ck_assert(s->payload.received == received && s->payload.accepted == received); /* consequences are no samples of the sender's */
}

/* The tag's value, "" without it. */
static struct str tag_of(const struct series_ref *r, const char *key)
{
	for (size_t i = 0; i < r->tags_len; i++)
		if (str_eq(r->tags[i].key, str_from(key)))
			return r->tags[i].value;
	return STR("");
}

static bool counts_in(const struct series_ref *r, const struct payload_event *e)
{
	bool is_error = str_eq(r->name, STR("error.count"));
	char hex[33];

	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", e->event.group[i]);
	if (e->kind != (is_error ? PAYLOAD_ERROR : PAYLOAD_TRANSACTION))
		return false;
	if (is_error && (!str_eq(tag_of(r, "group"), str_from(hex)) || !str_eq(tag_of(r, "class"), e->event.error.class)))
		return false;
	return str_eq(tag_of(r, "action"), e->event.action) && str_eq(tag_of(r, "namespace"), e->event.namespace) &&
	       str_eq(tag_of(r, "service.name"), e->series_tags_len ? STR("till") : STR(""));
}

/* The count of a bucket, by the definition of its bounds. */
static int64_t recount_bucket(const struct settled *s, const struct series_ref *r, int64_t minute, int64_t index)
{
	int64_t n = 0;

	for (size_t i = 0; i < s->was_len; i++) {
		double v = s->was[i].event.transaction.duration_ms;

		if (s->was[i].event.t / MINUTE_MS == minute && counts_in(r, &s->was[i]) && v > 0)
			n += (int64_t)ceill(log2l(v) * 32) - 1 == index;
	}
	return n;
}

static void check_histogram(const struct settled *s, const struct series_ref *r, const struct summary_sample *m, int64_t zeroes)
{
	const struct histogram *h = &m->histogram;
	const struct hist_dense dense = {.scale = h->scale, .zero = (uint64_t)h->zero, .offset = h->offset, .counts = h->counts, .counts_len = h->counts_len};
	uint64_t total;

	ck_assert(m->has_histogram && h->scale == 5 && h->zero == zeroes && h->neg_counts_len == 0);
	ck_assert(hist_check_dense(&dense, &total, NULL) == 0 && total == (uint64_t)m->count);
	for (size_t i = 0; i < h->counts_len; i++)
		ck_assert_int_eq(h->counts[i], recount_bucket(s, r, m->t / MINUTE_MS, h->offset + (int64_t)i));
}

/* Gives the number of events that the summary stands for. */
static int64_t check_summary(const struct settled *s, const struct summary_sample *m)
{
	const struct series_ref *r = &s->payload.series[m->series];
	bool durations = r->kind == SERIES_KIND_DISTRIBUTION;
	int64_t n = 0, errors = 0, last_t = 0, zeroes = 0;
	double sum = 0, min = INFINITY, max = 0, last = 0;

	for (size_t i = 0; i < s->was_len; i++) {
		const struct event *v = &s->was[i].event;
		double number = durations ? v->transaction.duration_ms : 1;

		if (v->t / MINUTE_MS != m->t / MINUTE_MS || !counts_in(r, &s->was[i]))
			continue;
		n++;
		sum += number;
		min = fmin(min, number);
		max = fmax(max, number);
		zeroes += number == 0;
		errors += s->was[i].kind == PAYLOAD_TRANSACTION && v->transaction.failed;
		last = v->t >= last_t ? number : last;
		last_t = v->t >= last_t ? v->t : last_t;
	}
	ck_assert(n == m->count && sum == m->sum && min == m->min && max == m->max && last == m->last && errors == m->errors);
	ck_assert(m->t == last_t && m->last_at == last_t && m->has_min && m->has_max && m->has_last && !m->approximate && m->start == 0);
	if (durations)
		check_histogram(s, r, m, zeroes);
	else
		ck_assert(!m->has_histogram);
	return n;
}

static void check_series(const struct settled *s)
{
	for (size_t i = 0; i < s->payload.series_len; i++) {
		const struct series_ref *r = &s->payload.series[i];

		ck_assert(r->temporality == TEMPORALITY_DELTA && r->tags_len <= SERIES_TAGS_MAX);
		for (size_t j = 0; j < r->tags_len; j++) {
			ck_assert(r->tags[j].value.len > 0 && r->tags[j].value.len <= SERIES_STRING_MAX);
			ck_assert(j == 0 || str_cmp(r->tags[j - 1].key, r->tags[j].key) < 0);
		}
	}
}

/* Every event is in one summary of each of its series, and each summary is what its events come to. */
START_TEST(counts_are_those_of_a_recount)
{
	struct unit_random r = unit_random_new("counts_are_those_of_a_recount");
	size_t summaries = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct settled s;
		size_t n = 1 + unit_random_below(&r, EVENTS_MAX - 1);
		int64_t errors = 0, durations = 0, counts = 0, of[NR_PAYLOAD_EVENT_KINDS] = {0};

		begin(&s);
		for (size_t i = 0; i < n; i++)
			add(&s, random_event(&r, &s.arena));
		settle(&s);
		check_series(&s);
		for (size_t i = 0; i < s.payload.summaries_len; i++) {
			const struct series_ref *ref = &s.payload.series[s.payload.summaries[i].series];
			bool is_error = str_eq(ref->name, STR("error.count"));

			ck_assert(is_error || str_eq(ref->name, STR("transaction.count")) || str_eq(ref->name, STR("transaction.duration")));
			ck_assert((ref->kind == SERIES_KIND_DISTRIBUTION) == str_eq(ref->name, STR("transaction.duration")) && ref->kind != SERIES_KIND_GAUGE);
			*(is_error ? &errors : ref->kind == SERIES_KIND_COUNTER ? &counts : &durations) += check_summary(&s, &s.payload.summaries[i]);
		}
		for (size_t i = 0; i < s.was_len; i++)
			of[s.was[i].kind]++;
		ck_assert(errors == of[PAYLOAD_ERROR] && counts == of[PAYLOAD_TRANSACTION] && durations == counts && s.payload.values_len == 0);
		summaries += s.payload.summaries_len;
		arena_fini(&s.arena);
	}
	ck_assert_uint_gt(summaries, 10 * ROUNDS); /* the generator does spread */
}
END_TEST

/* How many of its action, namespace and minute come before it. */
static size_t rank(const struct settled *s, size_t at)
{
	const struct event *v = &s->was[at].event;
	size_t before = 0;

	for (size_t i = 0; i < s->was_len; i++) {
		const struct event *o = &s->was[i].event;
		double ms = o->transaction.duration_ms;

		if (s->was[i].kind == PAYLOAD_TRANSACTION && str_eq(o->action, v->action) && str_eq(o->namespace, v->namespace) &&
		    o->t / MINUTE_MS == v->t / MINUTE_MS)
			before += ms > v->transaction.duration_ms || (ms == v->transaction.duration_ms && i < at);
	}
	return before;
}

START_TEST(the_slowest_stay_in_their_order)
{
	struct unit_random r = unit_random_new("the_slowest_stay_in_their_order");
	size_t gone = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct settled s;
		size_t n = 1 + unit_random_below(&r, EVENTS_MAX - 1), at = 0;

		begin(&s);
		for (size_t i = 0; i < n; i++) {
			struct payload_event e = random_event(&r, &s.arena);

			e.index = (uint32_t)i;
			e.event.transaction.duration_ms = (double)unit_random_below(&r, 40); /* many are as slow as others */
			add(&s, e);
		}
		settle(&s);
		for (size_t i = 0; i < s.was_len; i++)
			if (s.was[i].kind != PAYLOAD_TRANSACTION || rank(&s, i) < 3) {
				ck_assert(at < s.payload.events_len && s.payload.events[at].index == i);
				ck_assert_mem_eq(s.payload.events[at].event.group, s.was[i].event.group, 16);
				at++;
			}
		ck_assert_uint_eq(at, s.payload.events_len);
		gone += n - at;
		arena_fini(&s.arena);
	}
	ck_assert_uint_gt(gone, 2 * ROUNDS);
}
END_TEST

START_TEST(what_is_said_for_all_fills_what_is_empty)
{
	struct err err = ERR_INIT;
	struct scrub *rules = scrub_new("", "", "", &err);
	struct settled s;
	struct payload_event e;

	begin(&s);
	s.payload.scrub = rules;
	e = good_event(&s.arena, PAYLOAD_MARKER);
	add(&s, e);
	e.event.host = STR("own");
	e.event.environment = STR("staging");
	e.event.revision = STR("v1");
	add(&s, e);
	s.payload.host = STR("web-1 password=canary");
	s.payload.environment = STR("production");
	s.payload.revision = long_text(&s.arena, "\xc3\xa9", 300);
	settle(&s);
	ck_assert(str_eq(s.payload.events[0].event.host, STR("web-1 password=" SCRUBBED)));
	ck_assert(str_eq(s.payload.events[0].event.environment, STR("production")) && s.payload.events[0].event.revision.len == 254);
	ck_assert(str_eq(s.payload.events[1].event.host, STR("own")) && str_eq(s.payload.events[1].event.environment, STR("staging")));
	ck_assert(str_eq(s.payload.events[1].event.revision, STR("v1")) && s.payload.series_len == 0);
	scrub_free(rules);
	arena_fini(&s.arena);
}
END_TEST

/* Tags beyond what a series has do not make it one that no processor takes. */
START_TEST(derived_series_have_good_tags)
{
	struct settled s;
	struct payload_event e;

	begin(&s);
	e = good_event(&s.arena, PAYLOAD_ERROR);
	e.series_tags = many_tags(&s.arena, 40, long_text(&s.arena, "\xe2\x82\xac", 300).p);
	e.series_tags_len = 40;
	add(&s, e);
	settle(&s);
	check_series(&s);
	ck_assert(s.payload.series_len == 1 && s.payload.series[0].tags_len == 32 && tag_of(&s.payload.series[0], "k001").len == 255);
	ck_assert(str_eq(tag_of(&s.payload.series[0], "class"), STR("IOError")) && tag_of(&s.payload.series[0], "group").len == 32);
	arena_fini(&s.arena);
}
END_TEST

/* The shortest and the longest that is taken, in one histogram; and what is too short for any clock is none. */
START_TEST(any_two_durations_fit_into_one_histogram)
{
	static const double durations[] = {1e-9, 9.99e11, 0, 1e-300};
	struct settled s;
	const struct histogram *h;

	begin(&s);
	for (size_t i = 0; i < NR(durations); i++) {
		struct payload_event e = good_event(&s.arena, PAYLOAD_TRANSACTION);

		e.event.transaction.duration_ms = durations[i];
		add(&s, e);
	}
	settle(&s);
	ck_assert(s.payload.summaries_len == 2 && s.payload.summaries[0].count == 4 && s.payload.summaries[0].min == 0);
	h = &s.payload.summaries[0].histogram;
	ck_assert(h->zero == 2 && h->counts_len <= HIST_COUNTS_MAX && h->counts[0] == 1 && h->counts[h->counts_len - 1] == 1);
	arena_fini(&s.arena);
}
END_TEST

/* Of many series, and of one whose buckets are what takes most. */
START_TEST(short_memory_is_told)
{
	struct unit_random r = unit_random_new("short_memory_is_told");
	bool ended = false;

	for (size_t more = 0; !ended; more += 16) {
		struct unit_random again = r;
		struct settled s;

		begin(&s);
		for (int i = 0; i < (_i ? 2 : 40); i++) {
			struct payload_event e = _i ? good_event(&s.arena, PAYLOAD_TRANSACTION) : random_event(&again, &s.arena);

			if (_i)
				e.event.transaction.duration_ms = i ? 1e6 : 1;
			add(&s, e);
		}
		s.arena.limit_bytes = s.arena.used_bytes + more;
		ended = settle_events(&s.payload, site) == 0;
		ck_assert(more > 0 || !ended);
		for (size_t i = 0; ended && i < s.payload.summaries_len; i++)
			check_summary(&s, &s.payload.summaries[i]); /* all of it is there */
		arena_fini(&s.arena);
	}
}
END_TEST

START_TEST(without_events_nothing_is_done)
{
	struct settled s;
	size_t used;

	begin(&s);
	used = s.arena.used_bytes;
	settle(&s);
	ck_assert(s.arena.used_bytes == used && s.payload.series_len == 0);
	arena_fini(&s.arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settle");
	TCase *tc = tcase_create("settle");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, counts_are_those_of_a_recount);
	tcase_add_test(tc, the_slowest_stay_in_their_order);
	tcase_add_test(tc, what_is_said_for_all_fills_what_is_empty);
	tcase_add_test(tc, derived_series_have_good_tags);
	tcase_add_test(tc, any_two_durations_fit_into_one_histogram);
	tcase_add_loop_test(tc, short_memory_is_told, 0, 2);
	tcase_add_test(tc, without_events_nothing_is_done);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
