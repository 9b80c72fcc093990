/* test_exemplars.c - which events are kept, against a naive choice among all of them: at each closing and flush, every group's events are sorted anew. */
#include "processor/exemplars.h"

#include <stdlib.h>

#include "processor/snapshot.h"
#include "tests/unit/processor/dump.h"
#include "tests/unit/processor/events.h"

enum { EVENTS_MAX = 6000, EPOCH = -5 };

static const struct str sites[] = {{"site-a", 6}, {"b", 1}};

/* An event that the model knows, in the order of their coming. */
struct seen {
	struct an_event event;
	int site, place; /* place: the first event of its group, which stands for it */
	int64_t minute_ms;
	size_t order;
	bool out, over; /* has gone out; its minute was closed */
};

/* The product, the model, and what both have let go. */
struct pair {
	struct exemplars have;
	struct specimens out;
	struct seen *seen;
	size_t nr;
	int64_t closed_ms, watermark_ms;
	uint64_t dropped[NR_EXEMPLAR_KINDS], nr_out;
};

static void pair_init(struct pair *p)
{
	*p = (struct pair){.seen = calloc(EVENTS_MAX, sizeof(*p->seen)), .closed_ms = L_BEGIN_MS, .watermark_ms = L_BEGIN_MS};
	ck_assert_ptr_nonnull(p->seen);
}

static void pair_fini(struct pair *p)
{
	exemplars_fini(&p->have);
	specimens_drop(&p->out, p->out.nr);
	free(p->seen);
}

static bool same_group(const struct seen *a, const struct seen *b)
{
	bool grouped = a->event.kind == EXEMPLAR_ERROR || a->event.kind == EXEMPLAR_TRANSACTION;

	return a->event.kind == b->event.kind && a->site == b->site && a->minute_ms == b->minute_ms && (!grouped || a->event.group == b->event.group);
}

static int add(struct pair *p, int site, const struct an_event *a)
{
	const struct exemplars_now now = {p->closed_ms, p->watermark_ms};
	struct seen *s = &p->seen[p->nr];
	struct ev_batch b;
	struct err err = ERR_INIT;
	int rc;

	*s = (struct seen){.event = *a, .site = site, .minute_ms = a->t_ms / L_MINUTE_MS * L_MINUTE_MS, .order = p->nr, .place = (int)p->nr};
	for (size_t i = 0; i < p->nr; i++)
		if (!p->seen[i].over && same_group(&p->seen[i], s)) {
			s->place = p->seen[i].place;
			break;
		}
	p->nr++;
	ev_init(&b, p->watermark_ms);
	ev_add(&b, a);
	rc = exemplars_add(&p->have, sites[site], &b.events[0], &now, p->dropped, &err);
	ck_assert_int_eq(rc, s->minute_ms < p->closed_ms);
	return rc;
}

/* The better one first: the slower, the earlier. */
static int better(const void *a, const void *b)
{
	const struct seen *x = *(struct seen *const *)a, *y = *(struct seen *const *)b;

	if (x->event.kind == EXEMPLAR_TRANSACTION && x->event.duration_ms != y->event.duration_ms)
		return x->event.duration_ms > y->event.duration_ms ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static int earlier(const void *a, const void *b)
{
	const struct seen *x = *(struct seen *const *)a, *y = *(struct seen *const *)b;

	return x->order < y->order ? -1 : 1;
}

/* By the linker's --wrap: while true, Exemplars are pinned to a version that is not today's. The generated encoder has no
 * former version, and so writes today's: the way is seen here, and what a former version looks like in tests/unit/common/test_pins.c. */
static bool pinned; /* style: a wrapped function has no context */
uint32_t __wrap_pins_written_id(uint32_t newest_id);

uint32_t __wrap_pins_written_id(uint32_t newest_id)
{
	return pinned ? newest_id + 1000 : newest_id;
}

/* The next specimen must be this event's, whole, whichever way it goes out. */
static void must_be_next(struct pair *p, const struct seen *s)
{
	struct arena arena = ARENA_INIT;
	struct buf bytes = BUF_INIT, again = BUF_INIT;
	struct exemplar x;
	struct ev_batch b;
	struct err err = ERR_INIT;

	ck_assert_msg(p->out.first != NULL, "event %lld is missing", (long long)s->event.number);
	ck_assert_int_eq(specimen_encode(p->out.first, EPOCH, &bytes, &err), 0);
	ck_assert_msg(exemplar_decode(buf_str(&bytes), &arena, &x, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(ev_number(&x.event), s->event.number);
	ev_init(&b, 0);
	ev_add(&b, &s->event);
	x = (struct exemplar){.epoch = EPOCH, .site = sites[s->site], .window_start = s->minute_ms, .event = b.events[0]};
	ev_group(s->event.group, x.fingerprint);
	ck_assert_int_eq(exemplar_encode(&x, &again, &err), 0);
	ck_assert(str_eq(buf_str(&bytes), buf_str(&again)));
	buf_clear(&bytes);
	pinned = true;
	ck_assert_int_eq(specimen_encode(p->out.first, EPOCH, &bytes, &err), 0);
	pinned = false;
	ck_assert(str_eq(buf_str(&bytes), buf_str(&again)));
	specimens_drop(&p->out, 1);
	p->nr_out++;
	arena_fini(&arena);
	buf_fini(&bytes);
	buf_fini(&again);
}

/* What goes out of one group, all of whose events are given, is compared and marked. */
static void let_go(struct pair *p, struct seen **group, size_t nr)
{
	size_t max = group[0]->event.kind == EXEMPLAR_MARKER || group[0]->event.kind == EXEMPLAR_CHECK_IN ? 100 : 3;

	qsort(group, nr, sizeof(*group), better);
	if (nr > max)
		nr = max;
	qsort(group, nr, sizeof(*group), earlier);
	for (size_t i = 0; i < nr; i++)
		if (!group[i]->out) {
			must_be_next(p, group[i]);
			group[i]->out = true;
		}
}

/* All groups of minutes before limit_ms, in the order of their first events. */
static void let_all_go(struct pair *p, int64_t limit_ms, bool over)
{
	struct seen **group = calloc(p->nr + 1, sizeof(struct seen *));

	for (size_t i = 0; i < p->nr; i++) {
		size_t nr = 0;

		if (p->seen[i].over || p->seen[i].place != (int)i || p->seen[i].minute_ms >= limit_ms)
			continue;
		for (size_t j = i; j < p->nr; j++)
			if (p->seen[j].place == (int)i)
				group[nr++] = &p->seen[j];
		let_go(p, group, nr);
		for (size_t j = i; j < p->nr; j++)
			p->seen[j].over |= over && p->seen[j].place == (int)i;
	}
	ck_assert_uint_eq(p->out.nr, 0);
	ck_assert_uint_eq(p->out.bytes, 0);
	free(group);
}

static void close_until(struct pair *p, int64_t closed_ms)
{
	exemplars_close(&p->have, closed_ms, &p->out);
	ck_assert_uint_eq(p->out.nr_flushed, 0);
	p->closed_ms = closed_ms;
	let_all_go(p, closed_ms, true);
	ck_assert_uint_eq(exemplars_due(&p->have, closed_ms, INT64_MAX / 2), 0);
}

static void flush(struct pair *p)
{
	exemplars_flush(&p->have, &p->out);
	ck_assert_uint_eq(p->out.nr_flushed, p->out.nr);
	ck_assert(p->have.nr_held == 0 && p->have.held_bytes == 0);
	let_all_go(p, INT64_MAX, false);
}

/* As a snapshot would have it: and equal bytes of equal states. */
static void restore(struct pair *p)
{
	struct buf bytes = BUF_INIT, again = BUF_INIT, x = BUF_INIT, y = BUF_INIT;
	struct exemplars back = {.nr_held = 0};
	struct codec_reader r;
	struct err err = ERR_INIT;

	exemplars_encode(&p->have, &bytes);
	codec_reader_init(&r, buf_str(&bytes), NULL);
	ck_assert_msg(exemplars_decode(&back, &r, p->closed_ms, &err) == 0, "%s", r.fault ? r.fault : err.msg);
	ck_assert(r.p == r.end);
	exemplars_encode(&back, &again);
	ck_assert(str_eq(buf_str(&bytes), buf_str(&again)));
	dump_exemplars(&x, &p->have);
	dump_exemplars(&y, &back);
	ck_assert(str_eq(buf_str(&x), buf_str(&y)));
	exemplars_fini(&p->have);
	p->have = back;
	buf_fini(&bytes);
	buf_fini(&again);
	buf_fini(&x);
	buf_fini(&y);
}

/* Every closing, flush and restore, at any time: what comes out is the naive choice, in order. */
START_TEST(what_is_kept_is_what_a_sort_of_all_would_choose)
{
	struct unit_random r = unit_random_new("exemplars");
	uint64_t late = 0, out = 0, flushes = 0;

	for (int run = 0; run < 30; run++) {
		struct pair p;

		pair_init(&p);
		for (int step = 0; step < 1500; step++) {
			uint64_t what = unit_random_below(&r, 1000);
			struct an_event a = ev_random(&r, step + 1, L_BEGIN_MS, p.watermark_ms);

			p.watermark_ms += (int64_t)unit_random_below(&r, run % 3 ? 2000 : 100);
			late += (uint64_t)add(&p, (int)unit_random_below(&r, NR(sites)), &a);
			if (what < 10)
				close_until(&p, (p.watermark_ms - 45000) / L_MINUTE_MS * L_MINUTE_MS);
			else if (what < 15 && ++flushes)
				flush(&p);
			else if (what < 25)
				restore(&p);
		}
		close_until(&p, L_BEGIN_MS + 1000 * L_HOUR_MS);
		ck_assert(p.have.groups.len == 0 && p.have.group_bytes == 0 && p.have.nr_held == 0 && p.have.sites.len == 0);
		for (size_t kind = 0; kind < NR_EXEMPLAR_KINDS; kind++)
			out += p.dropped[kind];
		ck_assert_uint_eq(out + p.nr_out, p.nr); /* each is one or the other */
		out = 0;
		pair_fini(&p);
	}
	ck_assert(late > 100 && flushes > 50);
}
END_TEST

/* Numbers from 1 on, of one group of the first minute. */
static void add_some(struct pair *p, enum exemplar_kind kind, const double *durations, int nr)
{
	for (int i = 0; i < nr; i++) {
		struct an_event a = {.number = i + 1, .t_ms = L_BEGIN_MS + 10, .kind = kind, .duration_ms = durations ? durations[i] : 0};

		add(p, 0, &a);
	}
}

static void must_hold(const struct pair *p, const int64_t *numbers, size_t nr)
{
	size_t i = 0;

	for (const struct specimen *s = p->have.first->first; s; s = s->next, i++) {
		struct arena arena = ARENA_INIT;
		struct buf bytes = BUF_INIT;
		struct exemplar x;

		ck_assert(i < nr && specimen_encode(s, 1, &bytes, NULL) == 0 && exemplar_decode(buf_str(&bytes), &arena, &x, NULL) == 0);
		ck_assert_int_eq(ev_number(&x.event), numbers[i]);
		arena_fini(&arena);
		buf_fini(&bytes);
	}
	ck_assert_uint_eq(i, nr);
}

static const struct {
	enum exemplar_kind kind;
	int nr;
	double durations[6];
	int64_t kept[3];
} rows[] = {
	{EXEMPLAR_ERROR, 5, {0}, {1, 2, 3}},
	{EXEMPLAR_TRANSACTION, 5, {5, 5, 5, 5, 5}, {1, 2, 3}},       /* the earlier of equals */
	{EXEMPLAR_TRANSACTION, 5, {1, 2, 3, 4, 5}, {3, 4, 5}},
	{EXEMPLAR_TRANSACTION, 4, {2, 2, 7, 3}, {1, 3, 4}},          /* the later of the fastest gives way */
	{EXEMPLAR_TRANSACTION, 4, {0, 0, 0, 0.001}, {1, 2, 4}},
	{EXEMPLAR_TRANSACTION, 6, {9, 1, 1, 9, 1, 9}, {1, 4, 6}},
};

START_TEST(the_first_and_the_slowest)
{
	struct pair p;

	pair_init(&p);
	add_some(&p, rows[_i].kind, rows[_i].durations, rows[_i].nr);
	must_hold(&p, rows[_i].kept, 3);
	ck_assert_uint_eq(p.dropped[rows[_i].kind], (uint64_t)rows[_i].nr - 3);
	pair_fini(&p);
}
END_TEST

START_TEST(a_site_has_a_hundred_markers_a_minute)
{
	struct pair p;

	pair_init(&p);
	add_some(&p, EXEMPLAR_MARKER, NULL, 103);
	add_some(&p, EXEMPLAR_CHECK_IN, NULL, 5);
	ck_assert(p.dropped[EXEMPLAR_MARKER] == 3 && p.dropped[EXEMPLAR_CHECK_IN] == 0 && p.have.nr_held == 105);
	add(&p, 1, &(struct an_event){.number = 7, .t_ms = L_BEGIN_MS + 10, .kind = EXEMPLAR_MARKER});
	add(&p, 0, &(struct an_event){.number = 7, .t_ms = L_BEGIN_MS + L_MINUTE_MS, .kind = EXEMPLAR_MARKER});
	ck_assert(p.dropped[EXEMPLAR_MARKER] == 3 && p.have.nr_held == 107);
	pair_fini(&p);
}
END_TEST

/* A flush is no way to have more errors of a minute. */
START_TEST(what_was_flushed_counts_on)
{
	struct pair p;

	pair_init(&p);
	add_some(&p, EXEMPLAR_ERROR, NULL, 2);
	flush(&p);
	ck_assert(p.nr_out == 2 && p.have.groups.len == 1);
	restore(&p);
	add_some(&p, EXEMPLAR_ERROR, NULL, 4);
	ck_assert(p.have.nr_held == 1 && p.dropped[EXEMPLAR_ERROR] == 3);
	close_until(&p, L_BEGIN_MS + L_MINUTE_MS);
	ck_assert_uint_eq(p.nr_out, 3);
	pair_fini(&p);
}
END_TEST

START_TEST(a_minute_is_due_once_and_late_ones_after_a_minute)
{
	struct pair p;
	const int64_t first_ms = L_BEGIN_MS + L_MINUTE_MS;

	pair_init(&p);
	ck_assert_uint_eq(exemplars_due(&p.have, INT64_MAX, INT64_MAX), 0);
	add_some(&p, EXEMPLAR_ERROR, NULL, 2);
	ck_assert_uint_eq(exemplars_due(&p.have, L_BEGIN_MS, first_ms), 0);
	ck_assert_uint_eq(exemplars_due(&p.have, first_ms, first_ms), 2);
	close_until(&p, first_ms);
	p.watermark_ms = first_ms + 46000;
	add_some(&p, EXEMPLAR_ERROR, NULL, 1); /* of a closed minute: not at once, or each late one would make a checkpoint */
	ck_assert_uint_eq(exemplars_due(&p.have, first_ms, p.watermark_ms + L_MINUTE_MS - 1), 0);
	ck_assert_uint_eq(exemplars_due(&p.have, first_ms, p.watermark_ms + L_MINUTE_MS), 1);
	restore(&p);
	ck_assert_uint_eq(exemplars_due(&p.have, first_ms, p.watermark_ms + L_MINUTE_MS), 1);
	close_until(&p, first_ms);
	ck_assert_uint_eq(p.nr_out, 3);
	pair_fini(&p);
}
END_TEST

/* Who makes up a group for every event takes a bounded part of memory, and nobody else's. */
START_TEST(a_site_has_so_many_groups)
{
	const struct exemplars_now now = {L_BEGIN_MS, L_BEGIN_MS};
	struct exemplars e = {.nr_held = 0};
	struct event event = {.t = L_BEGIN_MS, .has_error = true};
	uint64_t dropped[NR_EXEMPLAR_KINDS] = {0};
	struct specimens out = {.nr = 0};

	for (int i = 0; i < EXEMPLARS_GROUPS_MAX + 2; i++) {
		memcpy(event.group, &i, sizeof(i));
		ck_assert_int_eq(exemplars_add(&e, sites[0], &event, &now, dropped, NULL), 0);
	}
	ck_assert(dropped[EXEMPLAR_ERROR] == 2 && e.groups.len == EXEMPLARS_GROUPS_MAX);
	ck_assert_int_eq(exemplars_add(&e, sites[1], &event, &now, dropped, NULL), 0);
	memset(event.group, 0, sizeof(event.group));
	ck_assert_int_eq(exemplars_add(&e, sites[0], &event, &now, dropped, NULL), 0); /* of a group that is there */
	ck_assert(dropped[EXEMPLAR_ERROR] == 2 && e.nr_held == EXEMPLARS_GROUPS_MAX + 2 && e.sites.len == 2);
	exemplars_flush(&e, &out);
	ck_assert_uint_lt(exemplars_bytes(&e), 13 << 20);
	exemplars_close(&e, INT64_MAX, &out);
	ck_assert(e.sites.len == 0 && e.group_bytes == 0 && out.nr == EXEMPLARS_GROUPS_MAX + 2);
	specimens_drop(&out, out.nr);
	exemplars_fini(&e);
}
END_TEST

static int add_one(struct exemplars *e, enum exemplar_kind kind, int64_t t_ms, int group, int64_t closed_ms, uint64_t *dropped)
{
	const struct exemplars_now now = {closed_ms, closed_ms};
	struct event event = {.t = t_ms, .has_error = kind == EXEMPLAR_ERROR, .has_marker = kind == EXEMPLAR_MARKER, .has_check_in = kind == EXEMPLAR_CHECK_IN};

	memcpy(event.group, &group, sizeof(group));
	return exemplars_add(e, sites[0], &event, &now, dropped, NULL);
}

/* An application that breaks in a new way each time must not lose its deploys and its signs of life; and as many groups are read again. */
START_TEST(a_flood_of_errors_leaves_room_for_signs_of_life)
{
	struct exemplars e = {.nr_held = 0}, back = {.nr_held = 0};
	uint64_t dropped[NR_EXEMPLAR_KINDS] = {0};
	struct buf bytes = BUF_INIT;
	struct codec_reader r;
	struct err err = ERR_INIT;

	for (int i = 0; i < EXEMPLARS_GROUPS_MAX + 1; i++)
		ck_assert_int_eq(add_one(&e, EXEMPLAR_ERROR, L_BEGIN_MS, i, L_BEGIN_MS, dropped), 0);
	ck_assert_int_eq(add_one(&e, EXEMPLAR_MARKER, L_BEGIN_MS, 0, L_BEGIN_MS, dropped), 0);
	ck_assert_int_eq(add_one(&e, EXEMPLAR_CHECK_IN, L_BEGIN_MS, 0, L_BEGIN_MS, dropped), 0);
	ck_assert(dropped[EXEMPLAR_ERROR] == 1 && dropped[EXEMPLAR_MARKER] == 0 && dropped[EXEMPLAR_CHECK_IN] == 0);
	ck_assert_uint_eq(e.groups.len, EXEMPLARS_GROUPS_MAX + 2);
	exemplars_encode(&e, &bytes);
	codec_reader_init(&r, buf_str(&bytes), NULL);
	ck_assert_int_eq(exemplars_decode(&back, &r, L_BEGIN_MS, &err), 0);
	ck_assert_uint_eq(back.groups.len, e.groups.len);
	buf_fini(&bytes);
	exemplars_fini(&e);
	exemplars_fini(&back);
}
END_TEST

/* Groups of many sites have no bound but this; markers of now are few and go on. */
START_TEST(a_crowd_makes_no_new_groups)
{
	const int64_t next_ms = L_BEGIN_MS + L_MINUTE_MS;
	struct exemplars e = {.nr_held = 0};
	uint64_t dropped[NR_EXEMPLAR_KINDS] = {0};

	ck_assert_int_eq(add_one(&e, EXEMPLAR_ERROR, next_ms, 1, next_ms, dropped), 0);
	exemplars_crowd(&e, true);
	ck_assert_int_eq(add_one(&e, EXEMPLAR_ERROR, next_ms, 1, next_ms, dropped), 0); /* of a group that is there */
	ck_assert(e.nr_held == 2 && dropped[EXEMPLAR_ERROR] == 0);
	ck_assert_int_eq(add_one(&e, EXEMPLAR_ERROR, next_ms, 2, next_ms, dropped), 0);
	ck_assert(e.nr_held == 2 && dropped[EXEMPLAR_ERROR] == 1);
	ck_assert_int_eq(add_one(&e, EXEMPLAR_MARKER, next_ms, 0, next_ms, dropped), 0);
	ck_assert_int_eq(add_one(&e, EXEMPLAR_CHECK_IN, L_BEGIN_MS, 0, next_ms, dropped), 1);
	ck_assert(e.nr_held == 3 && dropped[EXEMPLAR_MARKER] == 0 && dropped[EXEMPLAR_CHECK_IN] == 1);
	exemplars_crowd(&e, false);
	ck_assert_int_eq(add_one(&e, EXEMPLAR_ERROR, next_ms, 2, next_ms, dropped), 0);
	ck_assert(e.nr_held == 4 && dropped[EXEMPLAR_ERROR] == 1);
	exemplars_fini(&e);
}
END_TEST

/* What no topic would take must not make every transaction fail. */
START_TEST(an_event_too_large_for_a_record_is_dropped)
{
	static char text[SPECIMEN_BYTES_MAX];
	const struct exemplars_now now = {L_BEGIN_MS, L_BEGIN_MS};
	struct exemplars e = {.nr_held = 0};
	struct event event = {.t = L_BEGIN_MS, .has_error = true, .error = {.message = {text, sizeof(text)}}};
	uint64_t dropped[NR_EXEMPLAR_KINDS] = {0};

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(exemplars_add(&e, sites[0], &event, &now, dropped, NULL), 0);
	ck_assert(dropped[EXEMPLAR_ERROR] == 1 && e.groups.len == 0 && e.nr_held == 0);
	event.error.message.len -= 100;
	ck_assert_int_eq(exemplars_add(&e, sites[0], &event, &now, dropped, NULL), 0);
	ck_assert(dropped[EXEMPLAR_ERROR] == 1 && e.nr_held == 1);
	exemplars_fini(&e);
}
END_TEST

/* Cut off anywhere, or with any bit flipped: refused, or something that can be saved again and closed. */
START_TEST(bytes_are_not_believed)
{
	struct unit_random r = unit_random_new("hostile");
	struct buf bytes = BUF_INIT, again = BUF_INIT;
	struct pair p;
	size_t refused = 0;

	pair_init(&p);
	for (int i = 0; i < 30; i++) {
		struct an_event a = ev_random(&r, i + 1, L_BEGIN_MS, L_BEGIN_MS + L_HOUR_MS);

		add(&p, i % 2, &a);
	}
	exemplars_encode(&p.have, &bytes);
	for (size_t i = 0; i < bytes.len * 9; i++) {
		size_t len = i < bytes.len ? i : bytes.len, bit = i < bytes.len ? 0 : i - bytes.len;
		uint8_t *exact = malloc(len + 1), mask = i < bytes.len ? 0 : (uint8_t)(1u << bit % 8);
		struct exemplars back = {.nr_held = 0};
		struct specimens out = {.nr = 0};
		struct codec_reader reader;
		struct err err = ERR_INIT;

		memcpy(exact, bytes.p, len);
		exact[bit / 8] ^= mask;
		codec_reader_init(&reader, (struct str){(char *)exact, len}, NULL);
		if (exemplars_decode(&back, &reader, L_BEGIN_MS, &err) < 0) {
			ck_assert(err.kind == 0 && !codec_reader_ok(&reader));
			refused++;
		} else {
			ck_assert_msg(len == bytes.len, "%zu of %zu bytes were taken", len, bytes.len);
			buf_clear(&again);
			exemplars_encode(&back, &again);
			exemplars_close(&back, INT64_MAX, &out);
			specimens_drop(&out, out.nr);
		}
		exemplars_fini(&back);
		free(exact);
	}
	ck_assert_uint_gt(refused, bytes.len);
	buf_fini(&bytes);
	buf_fini(&again);
	pair_fini(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exemplars");
	TCase *tc = tcase_create("exemplars");

	tcase_add_test(tc, what_is_kept_is_what_a_sort_of_all_would_choose);
	tcase_add_loop_test(tc, the_first_and_the_slowest, 0, (int)NR(rows));
	tcase_add_test(tc, a_site_has_a_hundred_markers_a_minute);
	tcase_add_test(tc, what_was_flushed_counts_on);
	tcase_add_test(tc, a_minute_is_due_once_and_late_ones_after_a_minute);
	tcase_add_test(tc, a_site_has_so_many_groups);
	tcase_add_test(tc, a_flood_of_errors_leaves_room_for_signs_of_life);
	tcase_add_test(tc, a_crowd_makes_no_new_groups);
	tcase_add_test(tc, an_event_too_large_for_a_record_is_dropped);
	tcase_add_test(tc, bytes_are_not_believed);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
