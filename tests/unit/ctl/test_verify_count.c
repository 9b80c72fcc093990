/* test_verify_count.c - raw records, encoded as ingest does, into an hour: what is counted where, and what is not. */
#include "deploy/ctl/verify_count.h"

#include <math.h>
#include <string.h>

#include "deploy/ctl/verify_good.h"
#include "tests/unit/unit.h"

enum { MIN = 60000, HOUR = 60 * MIN };

#define H (INT64_C(500) * HOUR) /* the hour */

struct fixture {
	struct verify_sheet sheet;
	struct verify_tally tally;
	struct verify_count count;
	struct buf bytes;
	int64_t offset;
};

static void fixture_init(struct fixture *f, const char *site)
{
	*f = (struct fixture){.sheet = {.hour_ms = H}};
	verify_count_init(&f->count, &f->sheet, str_from(site), &f->tally);
}

static void fixture_fini(struct fixture *f)
{
	verify_count_fini(&f->count);
	verify_sheet_fini(&f->sheet);
	buf_fini(&f->bytes);
}

/* A batch of one series of each kind. */
struct made {
	struct tag tags[1];
	struct series_ref series[3];
	struct value_sample values[3];
	struct summary_sample summaries[1];
	int64_t counts[2];
	struct sample_batch batch;
};

static void make(struct made *m, int64_t t_ms)
{
	*m = (struct made){.tags = {{STR("route"), STR("/a")}}, .counts = {1, 2}};
	for (int kind = 0; kind < 3; kind++) {
		struct series_id id = {.site = STR("shop"), .kind = (uint8_t)kind, .name = STR("http.requests"), .tags = m->tags,
				       .tags_len = 1};

		m->series[kind] = (struct series_ref){.kind = (enum series_kind)kind, .name = id.name, .tags = m->tags, .tags_len = 1};
		series_fingerprint(&id, m->series[kind].fingerprint);
		m->values[kind] = (struct value_sample){.series = kind, .t = t_ms, .v = 1.5 + kind};
	}
	m->summaries[0] = (struct summary_sample){.series = 2, .t = t_ms, .count = 4, .sum = 9, .has_min = true, .min = 0, .has_max = true,
						  .max = 4, .has_last = true,
						  .last = 4, .last_at = t_ms, .errors = 3, .has_histogram = true,
						  .histogram = {.scale = 5, .zero = 1, .offset = 40, .counts = m->counts, .counts_len = 2}};
	m->batch = (struct sample_batch){.series = m->series, .series_len = 3, .values = m->values, .values_len = 3,
					 .summaries = m->summaries, .summaries_len = 1,
					 .site = STR("shop"), .created_at = t_ms, .received_at = t_ms};
}

static void feed(struct fixture *f, struct made *m, int64_t at_ms)
{
	struct err err = ERR_INIT;
	struct verify_record record = {.offset = f->offset++, .timestamp_ms = at_ms};

	buf_clear(&f->bytes);
	m->summaries[0].histogram.counts = m->counts;
	m->batch.series = m->series;
	m->batch.values = m->values;
	m->batch.summaries = m->summaries;
	for (int i = 0; i < 3; i++)
		m->series[i].tags = m->tags;
	ck_assert_msg(sample_batch_encode(&m->batch, &f->bytes, &err) == 0, "%s", err.msg);
	record.value = buf_str(&f->bytes);
	ck_assert_msg(verify_count_record(&f->count, &record, &err) == 0, "%s", err.msg);
}

/* The window that is expected of the batch's series of a kind. */
static const struct verify_window *window(struct fixture *f, int kind, int slot)
{
	struct tag tags[] = {{STR("route"), STR("/a")}};
	struct series_id id = {.site = STR("shop"), .kind = (uint8_t)kind, .name = STR("http.requests"), .tags = tags, .tags_len = 1};

	return verify_sheet_series(&f->sheet, &id, NULL)->windows[VERIFY_EXPECTED][slot];
}

START_TEST(samples_of_the_hour_are_counted)
{
	struct fixture f;
	struct made m;
	const struct verify_window *w;

	fixture_init(&f, NULL);
	make(&m, H + 7 * MIN);
	m.values[1].t = H - 1;
	feed(&f, &m, H + 7 * MIN + 50);
	ck_assert(f.tally.records == 1 && f.tally.samples == 3 && f.tally.refused == 0 && f.tally.misnamed == 0);
	w = window(&f, 0, 7);
	ck_assert(w && w->count == 1 && w->sum == 1.5L && w->last_at_ms == H + 7 * MIN && w->newest_ms == H + 7 * MIN + 50 &&
		  w->hist.len == 0);
	ck_assert(!window(&f, 1, 7) && !window(&f, 0, 6) && !window(&f, 0, 8));
	w = window(&f, 2, 7);
	ck_assert(w && w->count == 5 && w->errors == 3 && w->sum == 12.5L && w->min == 0 && w->max == 4 && w->last == 4 && w->hist.len == 4);
	ck_assert(verify_sheet_add_up(&f.sheet, NULL) == 0 && window(&f, 2, VERIFY_HOUR_SLOT)->count == 5);
	fixture_fini(&f);
}
END_TEST

START_TEST(the_edges_of_the_hour)
{
	struct fixture f;
	struct made m;

	fixture_init(&f, NULL);
	for (int i = 0; i < 4; i++) {
		const int64_t times[] = {H - 1, H, H + HOUR - 1, H + HOUR};

		make(&m, times[i]);
		m.batch.summaries_len = 0;
		feed(&f, &m, H + HOUR);
	}
	ck_assert(f.tally.samples == 6 && window(&f, 0, 0)->count == 1 && window(&f, 0, 59)->count == 1 && !window(&f, 0, 1));
	fixture_fini(&f);
}
END_TEST

START_TEST(second_copies_count_nothing)
{
	struct fixture f;
	struct made m;

	fixture_init(&f, NULL);
	make(&m, H);
	m.batch.has_agent_id = true;
	m.batch.seq = m.batch.floor = 3;
	feed(&f, &m, H);
	feed(&f, &m, H + HOUR);
	m.batch.seq = m.batch.floor = 4;
	feed(&f, &m, H + HOUR);
	ck_assert(f.tally.duplicates == 1 && f.tally.samples == 8 && window(&f, 0, 0)->count == 2);
	fixture_fini(&f);
}
END_TEST

START_TEST(one_site_alone)
{
	struct fixture f;
	struct made m;

	fixture_init(&f, "shop");
	make(&m, H);
	feed(&f, &m, H);
	m.batch.site = STR("shop2");
	feed(&f, &m, H);
	ck_assert(f.tally.records == 2 && f.tally.samples == 4 && f.sheet.series.len == 3);
	fixture_fini(&f);
}
END_TEST

/* Of cumulative points it is the step that counts, by time and not by place; what lies before the hour counts for what is in it. */
START_TEST(cumulative_points)
{
	struct fixture f;
	struct made m;

	fixture_init(&f, NULL);
	make(&m, H - MIN);
	m.series[0].temporality = TEMPORALITY_CUMULATIVE;
	m.batch.series_len = m.batch.values_len = 1;
	m.batch.summaries_len = 0;
	m.values[0].v = 10;
	feed(&f, &m, H - MIN);
	ck_assert_uint_eq(f.tally.samples, 0);
	m.batch.values_len = 2;
	m.values[0] = (struct value_sample){.t = H + 2 * MIN, .v = 18};
	m.values[1] = (struct value_sample){.t = H + MIN, .v = 13};
	feed(&f, &m, H + 2 * MIN);
	ck_assert(f.tally.samples == 2 && window(&f, 0, 1)->sum == 3.0L && window(&f, 0, 2)->sum == 5.0L && window(&f, 0, 2)->has_min);
	fixture_fini(&f);
}
END_TEST

START_TEST(cumulative_histograms)
{
	struct fixture f;
	struct made m;
	const struct verify_window *w;

	fixture_init(&f, NULL);
	make(&m, H + MIN);
	m.series[2].temporality = TEMPORALITY_CUMULATIVE;
	m.summaries[0].errors = 0;
	m.batch.values_len = 0;
	feed(&f, &m, H + MIN);
	ck_assert_uint_eq(f.tally.samples, 0);
	m.summaries[0].t = H + 2 * MIN;
	m.summaries[0].count = 7;
	m.summaries[0].sum = 15;
	m.counts[1] = 5;
	feed(&f, &m, H + 2 * MIN);
	w = window(&f, 2, 2);
	ck_assert(w && w->count == 3 && w->sum == 6.0L && !w->has_min && !w->has_max && !w->has_last && w->hist.len == 1 &&
		  w->hist.buckets[0].count == 3);
	ck_assert(!window(&f, 2, 1));
	fixture_fini(&f);
}
END_TEST

START_TEST(a_wrong_fingerprint_is_told)
{
	struct fixture f;
	struct made m;

	fixture_init(&f, NULL);
	make(&m, H);
	m.series[1].fingerprint[5] ^= 1;
	feed(&f, &m, H);
	ck_assert_uint_eq(f.tally.misnamed, 1);
	fixture_fini(&f);
}
END_TEST

START_TEST(bytes_that_are_no_batch)
{
	static const struct { const char *p; size_t len; int rc; uint64_t refused; bool bad_origin; } cases[] = {
		{"", 0, 0, 1, false}, {"\1\0\0\0\3", 5, 0, 1, false}, {"\0\0\0\0\3xxxx", 9, 0, 1, false}, {"\0\0\0\0\1x", 6, 0, 1, false},
		{"\0\0\0\xff\xff", 5, -1, 0, false}, /* a newer writer's */
	};

	for (size_t i = 0; i < NR(cases); i++) {
		const struct verify_record record = {.value = {cases[i].p, cases[i].len}, .timestamp_ms = H};
		struct err err = ERR_INIT;
		struct fixture f;
		int rc;

		fixture_init(&f, NULL);
		rc = verify_count_record(&f.count, &record, &err);
		ck_assert_msg(rc == cases[i].rc && f.tally.refused == cases[i].refused, "case %zu: %d %s", i, rc, err.msg);
		fixture_fini(&f);
	}
}
END_TEST

/* Each breaks a good batch in one way. */
static void spoil(struct made *m, int how)
{
	static char text[300];
	struct sample_batch *b = &m->batch;

	memset(text, 'x', sizeof(text));
	switch (how) {
	case 0: m->series[0].name = STR(""); break;
	case 1: m->series[0].name = (struct str){text, 256}; break;
	case 2: m->tags[0].value = (struct str){text, 256}; break;
	case 3: m->tags[0].key = (struct str){text, 256}; break;
	case 4: m->series[1].temporality = TEMPORALITY_CUMULATIVE; break;
	case 5: m->values[0].series = 3; break;
	case 6: m->values[0].series = -1; break;
	case 7: m->values[0].t = b->received_at - 49 * (int64_t)HOUR - 1; break;
	case 8: m->values[0].t = b->received_at + HOUR + 1; break;
	case 9: m->values[0].v = INFINITY; break;
	case 10: m->series[2].temporality = TEMPORALITY_CUMULATIVE; break; /* with a single value */
	case 11: m->series[0].temporality = TEMPORALITY_CUMULATIVE; m->values[0].v = -1; break;
	case 12: m->series[0].temporality = TEMPORALITY_CUMULATIVE; m->values[0].start = -1; break;
	case 13: m->summaries[0].count = 0; break;
	case 14: m->summaries[0].count = 5; break;
	case 15: m->series[m->summaries[0].series].kind = SERIES_KIND_COUNTER; break; /* with a histogram */
	case 16: m->summaries[0].series = 0; break;
	case 17: m->summaries[0].sum = NAN; break;
	case 18: m->summaries[0].min = INFINITY; break;
	case 19: m->summaries[0].last_at = -1; break;
	case 20: m->summaries[0].last_at = b->received_at + HOUR + 1; break;
	case 21: m->counts[0] = -1; m->counts[1] = 4; break;
	case 22: b->routed_since = -1; break;
	case 23: b->has_agent_id = true; b->seq = 3; b->floor = 0; break;
	case 24: b->has_agent_id = true; b->seq = 3; b->floor = 4; break;
	case 25: b->has_agent_id = true; b->seq = 65538; b->floor = 1; break;
	case 26: b->has_idempotency_key = true; b->idempotency_key = STR(""); break;
	case 27: b->has_idempotency_key = true; b->idempotency_key = (struct str){text, 256}; break;
	case 28: m->summaries[0].errors = -1; break;
	case 29: m->summaries[0].errors = m->summaries[0].count + 1; break;
	default: b->site = (struct str){NULL, 70000}; break;
	}
}

enum { NR_SPOILS = 31 };

START_TEST(bad_batches_are_refused_whole)
{
	struct made m;

	make(&m, H);
	for (int i = 0; i < 3; i++)
		m.series[i].tags = m.tags;
	ck_assert_ptr_eq(verify_good_fault(&m.batch, H), NULL);
	spoil(&m, _i);
	ck_assert_msg(verify_good_fault(&m.batch, H) != NULL, "way %d", _i);
}
END_TEST

START_TEST(a_refused_one_may_come_again)
{
	struct fixture f;
	struct made m;

	fixture_init(&f, NULL);
	make(&m, H);
	m.batch.has_agent_id = true;
	m.batch.seq = m.batch.floor = 3;
	m.values[2].v = NAN;
	feed(&f, &m, H);
	ck_assert(f.tally.refused == 1 && f.tally.samples == 0);
	m.values[2].v = 1;
	feed(&f, &m, H);
	ck_assert(f.tally.samples == 4 && f.tally.duplicates == 0);
	fixture_fini(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/verify_count");
	TCase *tc = tcase_create("verify_count");

	tcase_add_test(tc, samples_of_the_hour_are_counted);
	tcase_add_test(tc, the_edges_of_the_hour);
	tcase_add_test(tc, second_copies_count_nothing);
	tcase_add_test(tc, one_site_alone);
	tcase_add_test(tc, cumulative_points);
	tcase_add_test(tc, cumulative_histograms);
	tcase_add_test(tc, a_wrong_fingerprint_is_told);
	tcase_add_test(tc, bytes_that_are_no_batch);
	tcase_add_loop_test(tc, bad_batches_are_refused_whole, 0, NR_SPOILS);
	tcase_add_test(tc, a_refused_one_may_come_again);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
