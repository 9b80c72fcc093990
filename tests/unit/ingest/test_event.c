/* test_event.c - which events are good, and what is kept of one: limits, characters, secrets, and the bound of all together. */
#include "ingest/scrub.h"
#include "tests/unit/ingest/events.h"

#define E_ACUTE "\xc3\xa9"
#define EURO "\xe2\x82\xac"
#define FACE "\xf0\x9f\x98\x80"

enum { ROUNDS = 300, PAST_MS = 48 * 3600 * 1000, FUTURE_MS = 10 * 60 * 1000 };

static void no_class(struct payload_event *e) { e->event.error.class = STR(""); }
static void no_action(struct payload_event *e) { e->event.action = STR(""); }
static void no_revision(struct payload_event *e) { e->event.marker.revision = STR(""); }
static void no_name(struct payload_event *e) { e->event.check_in.name = STR(""); }
static void no_kind(struct payload_event *e) { e->event.check_in.kind = (enum check_in_kind)-1; }
static void no_event(struct payload_event *e) { e->event.check_in.event = (enum check_in_event)(CHECK_IN_EVENT_BEAT + 1); }
static void nan_duration(struct payload_event *e) { e->event.transaction.duration_ms = __builtin_nan(""); }
static void endless(struct payload_event *e) { e->event.transaction.duration_ms = __builtin_inf(); }
static void negative(struct payload_event *e) { e->event.transaction.duration_ms = -0.001; }
static void thirty_years(struct payload_event *e) { e->event.transaction.duration_ms = 1e12; }
static void bad_queue(struct payload_event *e) { e->event.transaction.queue_ms = -1; }
static void old(struct payload_event *e) { e->event.t = NOW_MS - PAST_MS - 1; }
static void oldest(struct payload_event *e) { e->event.t = NOW_MS - PAST_MS; }
static void new(struct payload_event *e) { e->event.t = NOW_MS + FUTURE_MS + 1; }
static void newest(struct payload_event *e) { e->event.t = NOW_MS + FUTURE_MS; }
static void as_it_is(struct payload_event *e) { (void)e; }

static void old_and_bad(struct payload_event *e)
{
	old(e);
	no_class(e);
}

static const struct {
	enum payload_event_kind kind;
	void (*spoil)(struct payload_event *e);
	enum reason why; /* NR_REASONS: it is good */
} judged[] = {
	{PAYLOAD_ERROR, as_it_is, NR_REASONS},
	{PAYLOAD_TRANSACTION, as_it_is, NR_REASONS},
	{PAYLOAD_MARKER, as_it_is, NR_REASONS},
	{PAYLOAD_CHECK_IN, as_it_is, NR_REASONS},
	{PAYLOAD_ERROR, no_class, REASON_EVENT_FIELD_MISSING},
	{PAYLOAD_ERROR, no_action, NR_REASONS},
	{PAYLOAD_TRANSACTION, no_action, REASON_EVENT_FIELD_MISSING},
	{PAYLOAD_MARKER, no_revision, REASON_EVENT_FIELD_MISSING},
	{PAYLOAD_MARKER, no_class, NR_REASONS},
	{PAYLOAD_CHECK_IN, no_name, REASON_EVENT_FIELD_MISSING},
	{PAYLOAD_CHECK_IN, no_kind, REASON_EVENT_FIELD_MISSING},
	{PAYLOAD_CHECK_IN, no_event, REASON_EVENT_FIELD_MISSING},
	{PAYLOAD_TRANSACTION, nan_duration, REASON_DURATION_INVALID},
	{PAYLOAD_TRANSACTION, endless, REASON_DURATION_INVALID},
	{PAYLOAD_TRANSACTION, negative, REASON_DURATION_INVALID},
	{PAYLOAD_TRANSACTION, thirty_years, REASON_DURATION_INVALID},
	{PAYLOAD_TRANSACTION, bad_queue, REASON_DURATION_INVALID},
	{PAYLOAD_ERROR, negative, NR_REASONS},
	{PAYLOAD_ERROR, old, REASON_TIME_TOO_OLD},
	{PAYLOAD_MARKER, oldest, NR_REASONS},
	{PAYLOAD_CHECK_IN, new, REASON_TIME_TOO_NEW},
	{PAYLOAD_TRANSACTION, newest, NR_REASONS},
	{PAYLOAD_ERROR, old_and_bad, REASON_TIME_TOO_OLD},
};

START_TEST(bad_events_are_rejected_by_place_and_reason)
{
	struct arena a;
	struct payload p;
	struct payload_event e;
	bool good = judged[_i].why == NR_REASONS;

	empty_payload(&p, &a);
	e = good_event(&a, judged[_i].kind);
	e.index = 7;
	judged[_i].spoil(&e);
	ck_assert_int_eq(event_add(&p, &e), 0);
	ck_assert(p.received == 1 && p.accepted == good && p.rejected == !good && p.events_len == good);
	ck_assert(p.accepted_events[judged[_i].kind] == good);
	if (!good)
		ck_assert(p.rejections_len == 1 && p.rejections[0].reason == judged[_i].why && p.rejections[0].index == 7 &&
			  p.rejections[0].point == -1 && strcmp(p.rejections[0].list, e.list) == 0);
	else
		ck_assert(!p.events[0].event.shortened && p.events[0].event.has_error == (e.kind == PAYLOAD_ERROR) &&
			  p.events[0].event.has_transaction == (e.kind == PAYLOAD_TRANSACTION) &&
			  p.events[0].event.has_marker == (e.kind == PAYLOAD_MARKER) && p.events[0].event.has_check_in == (e.kind == PAYLOAD_CHECK_IN));
	arena_fini(&a);
}
END_TEST

/* A clock that is an hour behind: its times are judged as it would, and are ours from then on. */
START_TEST(times_are_shifted_to_our_clock)
{
	enum { SHIFT_MS = 3600000 };
	struct arena a;
	struct payload p;
	struct payload_event e;

	empty_payload(&p, &a);
	p.shift_ms = SHIFT_MS;
	for (int i = 0; i < 4; i++) {
		e = good_event(&a, PAYLOAD_ERROR);
		e.event.t = NOW_MS - SHIFT_MS + FUTURE_MS + (i == 1);
		e.has_t = i != 2;
		e.event.error.breadcrumbs[0].t = i == 3 ? 0 : NOW_MS - SHIFT_MS - 8;
		ck_assert_int_eq(event_add(&p, &e), 0);
	}
	ck_assert(p.events_len == 3 && p.rejected_by[REASON_TIME_TOO_NEW] == 1);
	ck_assert_int_eq(p.events[0].event.t, NOW_MS + FUTURE_MS);
	ck_assert_int_eq(p.events[0].event.error.breadcrumbs[0].t, NOW_MS - 8);
	ck_assert_int_eq(p.events[1].event.t, NOW_MS);
	ck_assert_int_eq(p.events[2].event.error.breadcrumbs[0].t, NOW_MS + FUTURE_MS); /* unknown: the error's own */
	arena_fini(&a);
}
END_TEST

/* Where a text may stand, and how long it may be. */
static const struct {
	enum payload_event_kind kind;
	size_t offset, max;
} texts[] = {
	{PAYLOAD_ERROR, offsetof(struct event, action), 255},
	{PAYLOAD_ERROR, offsetof(struct event, namespace), 255},
	{PAYLOAD_ERROR, offsetof(struct event, host), 255},
	{PAYLOAD_ERROR, offsetof(struct event, environment), 255},
	{PAYLOAD_ERROR, offsetof(struct event, revision), 255},
	{PAYLOAD_ERROR, offsetof(struct event, error.class), 255},
	{PAYLOAD_ERROR, offsetof(struct event, error.message), 8192},
	{PAYLOAD_TRANSACTION, offsetof(struct event, transaction.id), 255},
	{PAYLOAD_MARKER, offsetof(struct event, marker.revision), 255},
	{PAYLOAD_MARKER, offsetof(struct event, marker.user), 255},
	{PAYLOAD_MARKER, offsetof(struct event, marker.text), 8192},
	{PAYLOAD_CHECK_IN, offsetof(struct event, check_in.name), 255},
};

/* Every length about the limit, of texts whose characters have one to four bytes. */
START_TEST(texts_are_cut_between_characters)
{
	static const char *const units[] = {"y", E_ACUTE, EURO, FACE};

	for (size_t u = 0; u < NR(units); u++)
		for (size_t n = texts[_i].max - 5; n <= texts[_i].max + 5; n++) {
			struct arena a;
			struct payload p;
			struct payload_event e;
			struct str was, is;

			empty_payload(&p, &a);
			e = good_event(&a, texts[_i].kind);
			was = long_text(&a, units[u], n);
			*(struct str *)((char *)&e.event + texts[_i].offset) = was;
			ck_assert_int_eq(event_add(&p, &e), 0);
			is = *(struct str *)((char *)&p.events[0].event + texts[_i].offset);
			ck_assert(is.len <= texts[_i].max && is.len <= n && str_is_utf8(is) && memcmp(is.p, was.p, is.len) == 0);
			ck_assert(n <= texts[_i].max ? is.len == n : is.len > texts[_i].max - strlen(units[u]));
			ck_assert_int_eq(p.events[0].event.shortened, n > texts[_i].max);
			arena_fini(&a);
		}
}
END_TEST

/* Numbered, so that it is seen which are left. */
START_TEST(lists_are_cut)
{
	enum { FRAMES = 203, CRUMBS = 57 };
	struct arena a;
	struct payload p;
	struct payload_event e;
	const struct event *v;

	empty_payload(&p, &a);
	e = good_event(&a, PAYLOAD_ERROR);
	e.event.tags = many_tags(&a, 33, "v");
	e.event.tags_len = 33;
	e.event.error.params = many_tags(&a, 65, "v");
	e.event.error.params_len = 65;
	e.event.error.backtrace = arena_calloc(&a, FRAMES, sizeof(struct backtrace_frame));
	e.event.error.backtrace_len = FRAMES;
	for (int i = 0; i < FRAMES; i++)
		e.event.error.backtrace[i].line = i == 5 ? -5 : i;
	e.event.error.breadcrumbs = arena_calloc(&a, CRUMBS, sizeof(struct breadcrumb));
	e.event.error.breadcrumbs_len = CRUMBS;
	for (int i = 0; i < CRUMBS; i++)
		e.event.error.breadcrumbs[i].t = NOW_MS - CRUMBS + i;
	ck_assert_int_eq(event_add(&p, &e), 0);
	v = &p.events[0].event;
	ck_assert(v->shortened && v->tags_len == 32 && v->error.params_len == 64 && v->error.backtrace_len == 200 && v->error.breadcrumbs_len == 50);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(v->error.backtrace[i].line, i == 5 ? 0 : i);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(v->error.breadcrumbs[i].t, NOW_MS - 50 + i);
	arena_fini(&a);
}
END_TEST

START_TEST(spans_are_cut_and_bad_ones_left_out)
{
	enum { SPANS = 510 };
	struct arena a;
	struct payload p;
	struct payload_event e;
	struct transaction_span *s;

	for (int bad = 0; bad < 3; bad++) {
		empty_payload(&p, &a);
		e = good_event(&a, PAYLOAD_TRANSACTION);
		s = e.event.transaction.spans = arena_calloc(&a, SPANS, sizeof(*s));
		e.event.transaction.spans_len = bad ? 10 : SPANS;
		for (int i = 0; i < SPANS; i++)
			s[i].start_ms = i;
		if (bad == 1)
			s[3].duration_ms = s[4].start_ms = __builtin_nan("");
		else if (bad == 2)
			s[3].duration_ms = -1, s[4].start_ms = __builtin_inf();
		ck_assert_int_eq(event_add(&p, &e), 0);
		s = p.events[0].event.transaction.spans;
		ck_assert_uint_eq(p.events[0].event.transaction.spans_len, bad ? 8 : 500);
		ck_assert(p.events[0].event.shortened);
		for (int i = 0; i < 8; i++)
			ck_assert_double_eq(s[i].start_ms, bad && i >= 3 ? i + 2 : i);
		arena_fini(&a);
	}
}
END_TEST

/* A span's SQL may be longer than a tag that events are found by. */
START_TEST(values_have_limits_of_their_own)
{
	struct arena a;
	struct payload p;
	struct payload_event e;
	const struct event *v;

	empty_payload(&p, &a);
	e = good_event(&a, PAYLOAD_ERROR);
	e.event.tags[0].value = e.event.error.params[0].value = e.event.error.breadcrumbs[0].metadata[0].value = long_text(&a, EURO, 3000);
	e.event.error.params[0].key = long_text(&a, E_ACUTE, 300);
	e.event.error.breadcrumbs[0].message = long_text(&a, "z", 9000);
	ck_assert_int_eq(event_add(&p, &e), 0);
	e = good_event(&a, PAYLOAD_TRANSACTION);
	e.event.transaction.spans[0].tags[0].value = e.event.transaction.spans[0].name = long_text(&a, EURO, 3000);
	ck_assert_int_eq(event_add(&p, &e), 0);
	v = &p.events[0].event;
	ck_assert(v->tags[0].value.len == 255 && v->error.params[0].value.len == 1023 && v->error.params[0].key.len == 254);
	ck_assert(v->error.breadcrumbs[0].metadata[0].value.len == 1023 && v->error.breadcrumbs[0].message.len == 8192);
	v = &p.events[1].event;
	ck_assert(v->transaction.spans[0].tags[0].value.len == 1023 && v->transaction.spans[0].name.len == 255 && v->shortened);
	arena_fini(&a);
}
END_TEST

START_TEST(keys_become_names_sorted_and_single)
{
	static const struct tag given[] = {{{"z", 1}, {"1", 1}}, {{"", 0}, {"2", 1}}, {{"a b", 3}, {"4", 1}}, {{E_ACUTE, 2}, {"5", 1}}, {{"a?b", 3}, {"3", 1}},
					   {{"a.b:c/d-e_F9", 12}, {"6", 1}}};
	struct arena a;
	struct payload p;
	struct payload_event e;
	char got[100] = "";

	empty_payload(&p, &a);
	for (int i = 0; i < 2; i++) { /* names in tags, but not in params */
		e = good_event(&a, PAYLOAD_ERROR);
		*(i ? &e.event.error.params : &e.event.tags) = memcpy(arena_alloc(&a, sizeof(given)), given, sizeof(given));
		*(i ? &e.event.error.params_len : &e.event.tags_len) = NR(given);
		ck_assert_int_eq(event_add(&p, &e), 0);
	}
	for (size_t i = 0; i < p.events[0].event.tags_len; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), STR_FMT "=" STR_FMT " ", STR_ARG(p.events[0].event.tags[i].key),
			 STR_ARG(p.events[0].event.tags[i].value));
	ck_assert_str_eq(got, "_=2 __=5 a.b:c/d-e_F9=6 a_b=3 z=1 ");
	ck_assert(p.events[0].event.shortened && !p.events[1].event.shortened);
	got[0] = '\0';
	for (size_t i = 0; i < p.events[1].event.error.params_len; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), STR_FMT "=" STR_FMT " ", STR_ARG(p.events[1].event.error.params[i].key),
			 STR_ARG(p.events[1].event.error.params[i].value));
	ck_assert_str_eq(got, "=2 a b=4 a.b:c/d-e_F9=6 a?b=3 z=1 " E_ACUTE "=5 ");
	arena_fini(&a);
}
END_TEST

static void fill_up(struct arena *a, struct payload_event *e)
{
	struct event *v = &e->event;

	v->error.message = long_text(a, "m", 20000);
	v->error.backtrace = arena_calloc(a, 300, sizeof(struct backtrace_frame));
	v->error.breadcrumbs = arena_calloc(a, 60, sizeof(struct breadcrumb));
	v->transaction.spans = arena_calloc(a, 600, sizeof(struct transaction_span));
	v->error.backtrace_len = 300;
	v->error.breadcrumbs_len = 60;
	v->transaction.spans_len = 600;
	for (size_t i = 0; i < 300; i++)
		v->error.backtrace[i].file = v->error.backtrace[i].function = long_text(a, "f", 400);
	for (size_t i = 0; i < 60; i++)
		v->error.breadcrumbs[i] = (struct breadcrumb){NOW_MS + (int64_t)i, long_text(a, "c", 300), STR(""), long_text(a, "t", 4000), many_tags(a, 70, "v"), 70};
	for (size_t i = 0; i < 600; i++)
		v->transaction.spans[i] = (struct transaction_span){STR("i"), STR(""), long_text(a, "s", 300), 0, 0, many_tags(a, 40, "long value"), 40};
	v->error.params = many_tags(a, 64, long_text(a, "p", 2000).p);
	v->error.params_len = 64;
	v->tags = many_tags(a, 32, long_text(a, "t", 300).p);
	v->tags_len = 32;
}

/* An event that has too much of everything still fits, and has what matters most. */
START_TEST(an_event_has_a_bound)
{
	struct arena a;
	struct payload p;
	struct payload_event e;
	struct buf out = BUF_INIT;
	const struct event *v;

	empty_payload(&p, &a);
	e = good_event(&a, _i ? PAYLOAD_TRANSACTION : PAYLOAD_ERROR);
	fill_up(&a, &e);
	ck_assert_int_eq(event_add(&p, &e), 0);
	v = &p.events[0].event;
	event_write(&out, v);
	ck_assert_uint_le(out.len, EVENT_BYTES_MAX);
	ck_assert_uint_gt(out.len, EVENT_BYTES_MAX * 8 / 10); /* it is used, too */
	ck_assert(v->shortened && v->tags_len == 32);
	if (_i == 0) {
		ck_assert(v->error.message.len == 8192 && v->error.backtrace_len == 200 && v->error.params_len == 64);
		ck_assert(v->error.breadcrumbs_len > 0 && v->error.breadcrumbs[v->error.breadcrumbs_len - 1].t == NOW_MS + 59); /* the last one */
	}
	buf_fini(&out);
	arena_fini(&a);
}
END_TEST

/* Does any byte of the event as it travels say so? */
static bool tells(const struct payload *p, size_t i, const char *secret)
{
	struct buf out = BUF_INIT;
	bool found;

	event_write(&out, &p->events[i].event);
	found = memmem(out.p, out.len, secret, strlen(secret)) != NULL;
	buf_fini(&out);
	return found;
}

START_TEST(secrets_are_gone)
{
	struct err err = ERR_INIT;
	struct scrub *rules = scrub_new("", "", "", &err);
	struct arena a;
	struct payload p;
	struct payload_event e;

	ck_assert_msg(rules != NULL, "%s", err.msg);
	for (int scrubbed = 0; scrubbed < 2; scrubbed++) { /* without rules all is there: so the test can fail */
		empty_payload(&p, &a);
		p.scrub = scrubbed ? rules : NULL;
		e = good_event(&a, PAYLOAD_ERROR);
		e.event.error.message = copy_of(&a, "login failed: password=canary1 for ann");
		e.event.error.params[0] = (struct tag){STR("user[password]"), STR("canary2")};
		e.event.tags[0] = (struct tag){STR("api_key"), STR("canary3")};
		e.event.error.breadcrumbs[0].metadata[0] = (struct tag){STR("Authorization"), STR("canary4")};
		e.event.error.breadcrumbs[0].message = copy_of(&a, "sent password=canary5 twice");
		e.event.error.params[0].key = copy_of(&a, "{\"name\":\"ann\",\"password\":\"canary13\"}"); /* a body that was taken for a form */
		e.event.action = copy_of(&a, "GET /?password=canary6");
		e.event.error.backtrace[0].function = copy_of(&a, "main (password=canary7)");
		ck_assert_int_eq(event_add(&p, &e), 0);
		e = good_event(&a, PAYLOAD_TRANSACTION);
		e.event.transaction.spans[0].tags[0] = (struct tag){STR("db.password"), STR("canary8")};
		e.event.transaction.id = copy_of(&a, "eyJhbGciOiJIUzI1NiJ9.eyJcanary11.canary11");
		e.event.transaction.spans[0].parent_id = copy_of(&a, "pin=canary12");
		e.event.transaction.spans[0].id = copy_of(&a, "4111111111111111");
		e.event.transaction.spans[0].name = copy_of(&a, "get password=canary9");
		ck_assert_int_eq(event_add(&p, &e), 0);
		e = good_event(&a, PAYLOAD_MARKER);
		e.event.marker.text = copy_of(&a, "password=canary10");
		ck_assert_int_eq(event_add(&p, &e), 0);
		for (size_t i = 0; i < 3; i++)
			ck_assert_int_eq(tells(&p, i, "canary"), !scrubbed);
		ck_assert(tells(&p, 1, "4111111111111111")); /* an id like another */
		ck_assert_int_eq(tells(&p, 0, SCRUBBED), scrubbed);
		arena_fini(&a);
	}
	scrub_free(rules);
}
END_TEST

static void half_a_secret(const struct scrub *rules, size_t at, bool behind_another)
{
	static const char card[] = " 4111111111111111 ";
	struct arena a;
	struct payload p;
	struct payload_event e;
	struct str text;

	empty_payload(&p, &a);
	p.scrub = rules;
	text = long_text(&a, "ab ", 20000);
	if (behind_another) { /* which becomes shorter: what stood far behind comes near */
		memset((char *)(uintptr_t)text.p, 'z', at);
		memcpy((char *)(uintptr_t)text.p, "password=", strlen("password="));
	}
	memcpy((char *)(uintptr_t)text.p + at, card, strlen(card));
	e = good_event(&a, PAYLOAD_MARKER);
	e.event.marker.user = e.event.marker.text = e.event.tags[0].value = text;
	ck_assert_int_eq(event_add(&p, &e), 0);
	ck_assert_msg(!tells(&p, 0, "41111111"), "card at %zu", at);
	arena_fini(&a);
}

/* A card's number anywhere about the ends at which texts may be cut: nothing of it is left, not even half. */
START_TEST(no_half_of_a_secret_is_left)
{
	static const size_t ends[] = {255, 255 + 4096, 8192, 255 + 8192, 8192 + 4096, 8192 + 8192};
	struct err err = ERR_INIT;
	struct scrub *rules = scrub_new("", "", "", &err);

	for (size_t i = 0; i < NR(ends); i++)
		for (size_t at = ends[i] - 25; at < ends[i] + 5; at++) {
			half_a_secret(rules, at, false);
			half_a_secret(rules, at, true);
		}
	scrub_free(rules);
}
END_TEST

/* Is anything of an event longer than what is kept? By the words of the contract, in no other order than that of the fields. */
static bool too_long(const struct payload_event *e)
{
	const struct event *v = &e->event;
	bool is = v->action.len > 255 || v->namespace.len > 255 || v->tags_len > 32;

	for (size_t i = 0; i < v->tags_len; i++)
		is |= v->tags[i].value.len > 255;
	if (e->kind == PAYLOAD_ERROR)
		is |= v->error.class.len > 255 || v->error.message.len > 8192 || v->error.backtrace_len > 200 || v->error.breadcrumbs_len > 50;
	if (e->kind == PAYLOAD_TRANSACTION)
		is |= v->transaction.spans_len > 500;
	return is;
}

static struct payload_event random_event(struct unit_random *r, struct arena *a)
{
	struct payload_event e = good_event(a, (enum payload_event_kind)unit_random_below(r, NR_PAYLOAD_EVENT_KINDS));

	if (unit_random_below(r, 3) == 0)
		e.event.t += (int64_t)unit_random_below(r, 200 * 3600 * 1000) - 100 * 3600 * 1000;
	if (unit_random_below(r, 5) == 0)
		e.event.action = long_text(a, FACE, unit_random_below(r, 600));
	if (unit_random_below(r, 5) == 0)
		e.event.error.class = long_text(a, EURO, unit_random_below(r, 400));
	if (unit_random_below(r, 5) == 0)
		e.event.error.message = long_text(a, "w", unit_random_below(r, 16000));
	if (unit_random_below(r, 5) == 0) {
		e.event.tags_len = unit_random_below(r, 50);
		e.event.tags = many_tags(a, e.event.tags_len, long_text(a, "q", unit_random_below(r, 300)).p);
	}
	if (unit_random_below(r, 5) == 0) {
		e.event.error.backtrace_len = unit_random_below(r, 300);
		e.event.error.backtrace = arena_calloc(a, e.event.error.backtrace_len, sizeof(*e.event.error.backtrace));
	}
	return e;
}

START_TEST(nothing_vanishes)
{
	struct unit_random r = unit_random_new("nothing_vanishes");
	struct arena a;
	struct payload p;
	size_t shortened = 0;

	empty_payload(&p, &a);
	for (size_t i = 0; i < ROUNDS; i++) {
		struct payload_event e = random_event(&r, &a);
		bool cut = too_long(&e);
		uint64_t had = p.events_len;

		ck_assert_int_eq(event_add(&p, &e), 0);
		ck_assert(p.received == i + 1 && p.received == p.accepted + p.rejected && p.accepted == p.events_len);
		if (p.events_len == had)
			continue;
		ck_assert_int_eq(p.events[had].event.shortened, cut);
		shortened += cut;
	}
	ck_assert(p.accepted_events[0] + p.accepted_events[1] + p.accepted_events[2] + p.accepted_events[3] == p.accepted);
	ck_assert(p.rejected > ROUNDS / 20 && shortened > ROUNDS / 20); /* the generator does both */
	arena_fini(&a);
}
END_TEST

START_TEST(short_memory_is_told)
{
	for (size_t more = 0; more < 2000; more += 16) {
		struct arena a;
		struct payload p;
		struct payload_event e;

		empty_payload(&p, &a);
		e = good_event(&a, PAYLOAD_ERROR);
		e.event.tags[0].key = STR("not a name");
		a.limit_bytes = a.used_bytes + more;
		ck_assert_int_eq(event_add(&p, &e), more < 16 + 16 * sizeof(e) ? -1 : 0);
		ck_assert(p.events_len == (more >= 16 + 16 * sizeof(e)));
		arena_fini(&a);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("event");
	TCase *tc = tcase_create("event");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, bad_events_are_rejected_by_place_and_reason, 0, NR(judged));
	tcase_add_test(tc, times_are_shifted_to_our_clock);
	tcase_add_loop_test(tc, texts_are_cut_between_characters, 0, NR(texts));
	tcase_add_test(tc, lists_are_cut);
	tcase_add_test(tc, spans_are_cut_and_bad_ones_left_out);
	tcase_add_test(tc, values_have_limits_of_their_own);
	tcase_add_test(tc, keys_become_names_sorted_and_single);
	tcase_add_loop_test(tc, an_event_has_a_bound, 0, 2);
	tcase_add_test(tc, secrets_are_gone);
	tcase_add_test(tc, no_half_of_a_secret_is_left);
	tcase_add_test(tc, nothing_vanishes);
	tcase_add_test(tc, short_memory_is_told);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
