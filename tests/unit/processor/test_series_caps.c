/* test_series_caps.c - a site may bring what series it likes: which are refused, what becomes of them, and that nobody else notices. */
#include "processor/series_caps.h"

#include <inttypes.h>

#include "tests/unit/processor/loads.h"

static struct intake_counts must_take(struct task *t, const struct load *l)
{
	struct intake_counts counts;
	struct err err = ERR_INIT;

	ck_assert_msg(take_load(t, l, NOW_MS, &counts, &err) == 0, "%s", err.msg);
	return counts;
}

/* Series from to last, each with one value. */
static struct intake_counts take_range(struct task *t, int site, int from, int last)
{
	struct load l;

	load_init(&l, site);
	for (int slot = from; slot <= last; slot++)
		load_value(&l, load_series(&l, site, slot), 1, NOW_MS);
	return must_take(t, &l);
}

/* A task under caps, as after its first checkpoint. */
static struct task *capped(int64_t site_max, int64_t record_max)
{
	struct task *t = task_new(0, INPUT_SAMPLES);

	close_with(t, L_BEGIN_MS, site_max, record_max);
	return t;
}

/* The decision, alone: a site with 3 series. */
static const struct {
	int64_t site_max, record_max;
	size_t nr_new;
	bool crowded;
	const char *name;
	size_t tags;
	enum series_caps_verdict verdict;
} decisions[] = {
	{0, 0, 1000, false, "m", 0, SERIES_ADMITTED}, /* no caps */
	{4, 9, 8, false, "m", 0, SERIES_ADMITTED},
	{3, 9, 8, false, "m", 0, SERIES_OVER_SITE},
	{2, 9, 8, false, "m", 0, SERIES_OVER_SITE},
	{4, 9, 9, false, "m", 0, SERIES_OVER_RECORD},
	{4, 9, 10, false, "m", 0, SERIES_OVER_RECORD},
	{4, 9, 0, true, "m", 0, SERIES_OVER_MEMORY},
	{0, 0, 0, true, "m", 0, SERIES_OVER_MEMORY},
	{1, 1, 9, true, "__overflow__", 0, SERIES_ADMITTED},
	{3, 9, 0, false, "__overflow__", 1, SERIES_OVER_SITE}, /* a site's own: with tags it is another series */
	{3, 9, 0, false, "__overflow__2", 0, SERIES_OVER_SITE},
};

START_TEST(a_new_series_is_admitted_or_not)
{
	static const struct tag tag = {{"a", 1}, {"b", 1}};
	struct series_caps caps = {.site_max = decisions[_i].site_max, .record_max = decisions[_i].record_max, .crowded = decisions[_i].crowded};
	struct series_id id = {.site = site_ids[0]};
	size_t nr_new = decisions[_i].nr_new;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(series_caps_enter(&caps, site_ids[0], false), 0);
	for (int i = 0; i < 9; i++)
		ck_assert_int_eq(series_caps_enter(&caps, site_ids[1], false), 0);
	id.name = str_from(decisions[_i].name);
	id.tags = &tag;
	id.tags_len = decisions[_i].tags;
	ck_assert_int_eq(series_caps_admit(&caps, &id, &nr_new), decisions[_i].verdict);
	ck_assert_uint_eq(nr_new - decisions[_i].nr_new, decisions[_i].verdict == SERIES_ADMITTED && (decisions[_i].name[1] == '\0'));
	series_caps_fini(&caps);
	ck_assert(caps.bytes == 0 && series_caps_bytes(&caps) == 0);
}
END_TEST

/* Caps as they may stand in a snapshot. */
static const struct { int64_t site_max, record_max; bool good; } encoded[] = {
	{0, 0, true}, {100000, 10000, true}, {SERIES_CAPS_LIMIT, SERIES_CAPS_LIMIT, true}, {-1, 0, false}, {0, -1, false},
	{INT64_C(1) + SERIES_CAPS_LIMIT, 0, false}, {0, INT64_C(1) + SERIES_CAPS_LIMIT, false},
};

START_TEST(caps_out_of_range_are_not_believed)
{
	struct series_caps caps = {.site_max = encoded[_i].site_max, .record_max = encoded[_i].record_max}, back = {0};
	struct buf bytes = BUF_INIT;
	struct codec_reader r;

	series_caps_encode(&caps, &bytes);
	codec_reader_init(&r, buf_str(&bytes), NULL);
	series_caps_decode(&back, &r);
	ck_assert_int_eq(codec_close(&r, "caps", NULL) == 0, encoded[_i].good);
	ck_assert(!encoded[_i].good || (back.site_max == caps.site_max && back.record_max == caps.record_max));
	buf_fini(&bytes);
}
END_TEST

START_TEST(known_series_and_other_sites_are_not_asked)
{
	struct task *t = capped(6, 100);

	ck_assert_uint_eq(take_range(t, 0, 0, 8).overflow_samples, 3);
	ck_assert_uint_eq(take_range(t, 0, 0, 5).overflow_samples, 0); /* known */
	for (int i = 0; i < 3; i++) /* still refused, and by a list that has come before, too */
		ck_assert_uint_eq(take_range(t, 0, 6, 8).overflow_samples, 3);
	ck_assert_uint_eq(take_range(t, 1, 0, 5).overflow_samples, 0); /* another site */
	ck_assert(nr_own(t, 0) == 6 && nr_own(t, 1) == 6);
	t = restored(t);
	ck_assert_uint_eq(take_range(t, 0, 0, 5).overflow_samples, 0);
	ck_assert_uint_eq(take_range(t, 0, 6, 8).overflow_samples, 3); /* the cap is in the snapshot */
	ck_assert_uint_eq(take_range(t, 1, 6, 6).overflow_samples, 1);
	task_free(t);
}
END_TEST

/* Rule A: a setting comes into force with a checkpoint, and sends nobody away. */
START_TEST(caps_change_at_a_closing_only)
{
	struct task *t = task_new(0, INPUT_SAMPLES);

	ck_assert_uint_eq(take_range(t, 0, 0, 7).overflow_samples, 0); /* none are known yet */
	close_with(t, L_BEGIN_MS, 4, 100);
	ck_assert_uint_eq(take_range(t, 0, 0, 7).overflow_samples, 0);
	ck_assert_uint_eq(take_range(t, 0, 8, 8).overflow_samples, 1);
	close_with(t, L_BEGIN_MS, 9, 100);
	ck_assert_uint_eq(take_range(t, 0, 8, 9).overflow_samples, 1);
	ck_assert_uint_eq(nr_own(t, 0), 9);
	task_free(t);
}
END_TEST

START_TEST(a_record_brings_only_so_many)
{
	struct task *t = capped(100, 4);

	ck_assert_uint_eq(take_range(t, 0, 0, 9).overflow_samples, 6);
	ck_assert_uint_eq(take_range(t, 0, 0, 9).overflow_samples, 2); /* four of them are known by now, four are new */
	ck_assert_uint_eq(take_range(t, 0, 0, 9).overflow_samples, 0);
	task_free(t);
}
END_TEST

/* Who has more than others is refused first, before and after a flush; nobody gets more than was there. */
START_TEST(short_memory_leaves_each_site_an_average_one)
{
	struct task *t = capped(100, 100);
	struct err err = ERR_INIT;

	take_range(t, 0, 0, 8);
	take_range(t, 1, 0, 2);
	for (int again = 0; again < 3; again++) /* said each turn; what counts is how it was when it began */
		series_caps_crowd(&t->windows.series.caps, true);
	ck_assert_uint_eq(take_range(t, 0, 6, 11).overflow_samples, 3);
	ck_assert_uint_eq(take_range(t, 1, 0, 7).overflow_samples, 2);
	ck_assert_uint_eq(take_range(t, 2, 0, 7).overflow_samples, 2);
	ck_assert(nr_own(t, 0) == 9 && nr_own(t, 1) == 6 && nr_own(t, 2) == 6);
	ck_assert_int_eq(task_flush(t, &err), 0);
	pane_list_fini(&t->outbox, &t->windows.series);
	series_caps_crowd(&t->windows.series.caps, true);
	ck_assert_uint_eq(take_range(t, 1, 0, 5).overflow_samples, 0);
	ck_assert_uint_eq(take_range(t, 0, 0, 8).overflow_samples, 3);
	series_caps_crowd(&t->windows.series.caps, false);
	ck_assert_uint_eq(take_range(t, 0, 0, 11).overflow_samples, 0);
	task_free(t);
}
END_TEST

/* Memory is found to be short when a flush has just let go of everything, or before a restore has brought anything: that makes no site's share nothing. */
START_TEST(an_empty_state_is_no_measure_of_what_sites_need)
{
	struct task *t = capped(100, 100), *back;
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;

	take_range(t, 0, 0, 5);
	take_range(t, 1, 0, 3);
	ck_assert_int_eq(snapshot_encode(t, &bytes, &err), 0);
	close_with(t, NOW_MS, 100, 100);
	ck_assert_int_eq(task_flush(t, &err), 0);
	pane_list_fini(&t->outbox, &t->windows.series);
	series_caps_crowd(&t->windows.series.caps, true);
	ck_assert_uint_eq(take_range(t, 0, 0, 5).overflow_samples, 1);
	ck_assert_uint_eq(take_range(t, 1, 0, 3).overflow_samples, 0);
	back = task_new(0, INPUT_SAMPLES);
	series_caps_crowd(&back->windows.series.caps, true); /* while it waits for its restore */
	ck_assert_msg(snapshot_decode(buf_str(&bytes), back, &err) == 0, "%s", err.msg);
	series_caps_crowd(&back->windows.series.caps, true);
	ck_assert_uint_eq(take_range(back, 1, 0, 5).overflow_samples, 1);
	ck_assert_uint_eq(take_range(back, 2, 0, 5).overflow_samples, 1);
	buf_fini(&bytes);
	task_free(back);
	task_free(t);
}
END_TEST

/* A site that names a series so has it merged with its overflow, cap or not. */
START_TEST(the_overflow_series_may_be_named_by_its_site)
{
	struct task *t = capped(1, 100);
	struct intake_counts counts;
	struct load l;
	bool known[SITES][SLOTS];

	take_range(t, 0, 3, 3);
	load_init(&l, 0);
	load_value(&l, load_series(&l, 0, 0), 1, NOW_MS);
	load_value(&l, load_series(&l, 0, 6), 1, NOW_MS);
	l.series[0].name = overflow_name;
	series_fingerprint(&(struct series_id){.site = site_ids[0], .kind = 0, .name = overflow_name}, l.series[0].fingerprint);
	counts = must_take(t, &l);
	ck_assert(counts.samples == 2 && counts.overflow_samples == 1);
	look(t, known);
	ck_assert(known[0][3] && known[0][SERIES] && !known[0][0] && !known[0][6]);
	ck_assert_uint_eq(pane_list_windows(&t->windows.panes[PANE_MINUTE], INT64_MAX), 2);
	task_free(t);
}
END_TEST

/* What is not counted is not refused: nothing of it is left behind. */
START_TEST(refused_records_and_duplicates_note_nothing)
{
	struct task *t = capped(1, 100);
	struct series_caps_refused refused;
	struct intake_counts counts;
	struct err err = ERR_INIT;
	struct load l;

	load_init(&l, 0);
	load_value(&l, load_series(&l, 0, 0), 1, NOW_MS);
	load_value(&l, load_series(&l, 0, 3), 1, NOW_MS);
	load_series(&l, 0, 1);
	memcpy(l.series[2].fingerprint, l.series[0].fingerprint, SERIES_FINGERPRINT_BYTES);
	ck_assert_int_eq(take_load(t, &l, NOW_MS, &counts, &err), -1);
	ck_assert(err.kind == ERR_REJECT && t->windows.series.len == 0);
	ck_assert(!series_caps_tell(t->windows.series.caps.sites, NOW_MS, &refused));

	l.record.series_len = 2;
	l.record.has_agent_id = true;
	l.record.seq = l.record.floor = 1;
	ck_assert_uint_eq(must_take(t, &l).overflow_samples, 1);
	l.record.received_at = 1;
	counts = must_take(t, &l);
	ck_assert(counts.duplicate_samples == 2 && counts.overflow_samples == 0);
	ck_assert(series_caps_tell(t->windows.series.caps.sites, NOW_MS, &refused));
	ck_assert(refused.samples == 1 && refused.series[SERIES_OVER_SITE] == 1);
	task_free(t);
}
END_TEST

/* There is nothing that a point of a series without a baseline could be compared with, and a later one begins like any other. */
START_TEST(cumulative_points_of_refused_series_count_nothing)
{
	struct task *t = capped(1, 100);
	struct intake_counts counts;
	struct load l;

	take_range(t, 0, 1, 1);
	load_init(&l, 0);
	load_value(&l, load_series(&l, 0, 0), 3, NOW_MS);
	l.series[0].temporality = TEMPORALITY_CUMULATIVE;
	l.values[0].start = NOW_MS - 1000; /* recent enough to be counted whole, if it were admitted */
	load_summary(&l, load_series(&l, 0, 2), 1, 4, NOW_MS);
	l.series[1].temporality = TEMPORALITY_CUMULATIVE;
	load_value(&l, load_series(&l, 0, 3), 3, NOW_MS);
	counts = must_take(t, &l);
	ck_assert(counts.samples == 1 && counts.overflow_samples == 1 && counts.points[BASELINE_OVERFLOW] == 2);
	ck_assert_uint_eq(t->baselines.by_series.len, 0);
	close_with(t, L_BEGIN_MS, 9, 100);
	l.values[0].start = L_BEGIN_MS;
	counts = must_take(t, &l);
	ck_assert(counts.points[BASELINE_FIRST] == 2 && counts.points[BASELINE_OVERFLOW] == 0 && t->baselines.by_series.len == 2);
	ck_assert_str_eq(baseline_verdict_name(BASELINE_OVERFLOW), "overflow");
	task_free(t);
}
END_TEST

START_TEST(a_site_is_told_of_once_an_hour)
{
	struct task *t = capped(1, 100);

	take_range(t, 0, 0, 0);
	ck_assert_int_eq(tell(t, 0, NOW_MS), -1);
	take_range(t, 0, 0, 3);
	take_range(t, 1, 0, 1);
	ck_assert_int_eq(tell(t, 0, NOW_MS), 3);
	ck_assert_int_eq(tell(t, 1, NOW_MS + 1), 1);
	take_range(t, 0, 0, 2);
	take_range(t, 0, 4, 4);
	ck_assert_int_eq(tell(t, 0, NOW_MS + L_HOUR_MS - 1), -1);
	ck_assert_int_eq(tell(t, 0, NOW_MS + L_HOUR_MS), 3);
	ck_assert_int_eq(tell(t, 1, NOW_MS + 9 * L_HOUR_MS), -1); /* nothing since */
	task_free(t);
}
END_TEST

/* A flush takes all series of a site out of memory, over and over: it is not new each time. */
START_TEST(a_site_is_remembered_for_the_hour_of_its_notice)
{
	struct task *t = capped(1, 100);
	struct err err = ERR_INIT;

	take_range(t, 0, 0, 3);
	take_range(t, 1, 0, 0);
	ck_assert_int_eq(tell(t, 0, NOW_MS), 3);
	take_range(t, 0, 0, 1);
	ck_assert_int_eq(task_flush(t, &err), 0);
	pane_list_fini(&t->outbox, &t->windows.series);
	ck_assert(nr_own(t, 0) == 0 && site_at(t, 0) && site_at(t, 1));
	close_with(t, NOW_MS + L_HOUR_MS, 1, 100);
	ck_assert(site_at(t, 0) && !site_at(t, 1)); /* there is one sample to tell of */
	ck_assert_int_eq(tell(t, 0, NOW_MS + L_HOUR_MS), 1);
	close_with(t, NOW_MS + 2 * L_HOUR_MS - 1, 1, 100);
	ck_assert(site_at(t, 0));
	close_with(t, NOW_MS + 2 * L_HOUR_MS, 1, 100);
	ck_assert(!site_at(t, 0) && t->windows.series.caps.bytes == 0 && t->windows.series.caps.by_site.len == 0);
	task_free(t);
}
END_TEST

/* A new series in every sample: what does not fit takes no memory, its name neither. */
START_TEST(an_endless_supply_of_series_takes_no_more_memory)
{
	enum { RECORDS = 5000, MAX = 600 };
	struct task *t = capped(MAX, 100);
	size_t full = 0;

	for (uint64_t record = 0; record < RECORDS; record++) {
		struct load l;

		load_init(&l, 0);
		for (uint64_t i = 0; i < A_RECORD; i++) {
			uint64_t number = record * A_RECORD + i;

			load_value(&l, load_series(&l, 0, (int)i), 1, NOW_MS);
			snprintf(l.names[i], sizeof(l.names[i]), "%" PRIx64, number);
			l.series[i].name = str_from(l.names[i]);
			memcpy(l.series[i].fingerprint, &number, sizeof(number));
		}
		ck_assert_uint_eq(must_take(t, &l).overflow_samples, record < MAX / A_RECORD ? 0 : A_RECORD);
		if (record == MAX / A_RECORD)
			full = task_bytes(t);
	}
	ck_assert(t->windows.series.len == MAX + 3 && task_windows(t) == MAX + 3);
	ck_assert_uint_le(task_bytes(t), full + full / 10);
	task_free(t);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("series_caps");
	TCase *tc = tcase_create("series_caps");

	tcase_add_loop_test(tc, a_new_series_is_admitted_or_not, 0, (int)NR(decisions));
	tcase_add_loop_test(tc, caps_out_of_range_are_not_believed, 0, (int)NR(encoded));
	tcase_add_test(tc, known_series_and_other_sites_are_not_asked);
	tcase_add_test(tc, caps_change_at_a_closing_only);
	tcase_add_test(tc, a_record_brings_only_so_many);
	tcase_add_test(tc, short_memory_leaves_each_site_an_average_one);
	tcase_add_test(tc, an_empty_state_is_no_measure_of_what_sites_need);
	tcase_add_test(tc, the_overflow_series_may_be_named_by_its_site);
	tcase_add_test(tc, refused_records_and_duplicates_note_nothing);
	tcase_add_test(tc, cumulative_points_of_refused_series_count_nothing);
	tcase_add_test(tc, a_site_is_told_of_once_an_hour);
	tcase_add_test(tc, a_site_is_remembered_for_the_hour_of_its_notice);
	tcase_add_test(tc, an_endless_supply_of_series_takes_no_more_memory);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
