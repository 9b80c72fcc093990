/* test_series_lists.c - a list that is known leads to what decoding it leads to, and never anywhere else.
 *
 * Two tasks take the same records: one with its lists, one whose lists are emptied before each record, so that it decodes everything. They must
 * be equal at every step. And in a steady state nothing is allocated for a record. */
#include "processor/series_lists.h"

#include "processor/snapshot.h"
#include "tests/unit/processor/batches.h"

static const struct close_rules rules = {45000, {5 * L_MINUTE_MS, 30 * L_MINUTE_MS}, 100000, 100000, 0, 0, {.rules = NULL}};

int mallctl(const char *name, void *old, size_t *old_len, void *new, size_t new_len) __attribute__((weak));

struct pair {
	struct task *quick, *slow;
	struct arena scratch;
	struct buf bytes;
	int64_t hits;
};

static void pair_init(struct pair *p)
{
	*p = (struct pair){.quick = task_new(0, INPUT_SAMPLES), .slow = task_new(0, INPUT_SAMPLES)};
	ck_assert(p->quick && p->slow);
	p->quick->windows.series.secret = p->slow->windows.series.secret = 1; /* else each table has an order of its own */
}

static void pair_fini(struct pair *p)
{
	task_free(p->quick);
	task_free(p->slow);
	arena_fini(&p->scratch);
	buf_fini(&p->bytes);
}

static int take_one(struct pair *p, struct task *t, int64_t timestamp_ms, struct intake_counts *counts)
{
	struct record record = {.offset = t->position, .timestamp_ms = timestamp_ms, .value = buf_str(&p->bytes)};
	struct err err = ERR_INIT;
	int rc = task_take(t, &record, &p->scratch, counts, &err);

	ck_assert_msg(rc == 0 || err.kind == ERR_REJECT, "%s", err.msg);
	return rc;
}

static bool is_known(struct pair *p)
{
	struct str body = {(const char *)p->bytes.p + CODEC_HEADER_BYTES, p->bytes.len - CODEC_HEADER_BYTES};

	return series_lists_find(&p->quick->lists, &p->quick->windows.series, body) != NULL;
}

/* The record in p->bytes into both. */
static void take_both(struct pair *p, int64_t timestamp_ms)
{
	struct intake_counts quick, slow;
	int rc;

	p->hits += is_known(p);
	series_lists_fini(&p->slow->lists);
	rc = take_one(p, p->quick, timestamp_ms, &quick);
	ck_assert_int_eq(take_one(p, p->slow, timestamp_ms, &slow), rc);
	ck_assert(quick.samples == slow.samples && quick.late == slow.late && quick.duplicate_samples == slow.duplicate_samples);
}

static void encode(struct pair *p, const struct batch *b)
{
	struct err err = ERR_INIT;

	buf_clear(&p->bytes);
	ck_assert_msg(sample_batch_encode(&b->record, &p->bytes, &err) == 0, "%s", err.msg);
}

/* One of a few agents' payloads: each has its own list, some begin alike, some are of another site, some cumulative, some bad. */
static void random_batch(struct batch *b, struct unit_random *r, int64_t now_ms)
{
	size_t first = unit_random_below(r, 3), len = 1 + unit_random_below(r, L_SERIES - first);
	uint64_t nr = unit_random_below(r, 6);

	batch_init(b);
	if (unit_random_below(r, 8) == 0)
		batch_accumulate(b);
	b->record.series = b->series + first;
	b->record.series_len = len;
	for (uint64_t i = 0; i < nr; i++) {
		int series = (int)unit_random_below(r, len);
		int64_t t_ms = now_ms - (int64_t)unit_random_below(r, unit_random_below(r, 5) ? 60000 : 3600000);

		t_ms = t_ms < L_BEGIN_MS ? L_BEGIN_MS : t_ms;
		if (b->series[first + (size_t)series].temporality == TEMPORALITY_CUMULATIVE || l_kind((int)first + series) == SERIES_KIND_DISTRIBUTION)
			batch_summary(b, (int)first + series, (int)unit_random_below(r, L_VALUES), 2, t_ms)->series = series;
		else
			batch_value(b, series, (int)unit_random_below(r, L_VALUES), t_ms);
	}
	if (unit_random_below(r, 10) == 0)
		b->record.site = STR("site-b"); /* with the fingerprints of site-a: a collision, or a lie */
	if (unit_random_below(r, 30) == 0 && b->record.values_len)
		b->values[0].series = (int32_t)len;
}

/* Both have the same history, so that even their tables are in the same order. */
static void must_be_equal(struct pair *p)
{
	struct buf quick = BUF_INIT, slow = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(snapshot_encode(p->quick, &quick, &err), 0);
	ck_assert_int_eq(snapshot_encode(p->slow, &slow, &err), 0);
	ck_assert(str_eq(buf_str(&quick), buf_str(&slow)));
	buf_fini(&quick);
	buf_fini(&slow);
}

START_TEST(known_lists_change_nothing)
{
	struct unit_random r = unit_random_new("series_lists");
	int64_t now_ms = L_BEGIN_MS + 60000;
	struct err err = ERR_INIT;
	struct pair p;

	pair_init(&p);
	for (int i = 0; i < 4000; i++) {
		struct batch b;

		random_batch(&b, &r, now_ms);
		encode(&p, &b);
		take_both(&p, now_ms);
		now_ms += (int64_t)unit_random_below(&r, 3000);
		if (unit_random_below(&r, 50) == 0) {
			ck_assert_int_eq(task_close(p.quick, now_ms, &rules, &err), 0);
			ck_assert_int_eq(task_close(p.slow, now_ms, &rules, &err), 0);
			p.quick->attempt.outbox_len = p.quick->outbox.len;
			p.slow->attempt.outbox_len = p.slow->outbox.len;
			task_committed(p.quick, 0);
			task_committed(p.slow, 0);
		}
		if (i % 20 == 0)
			must_be_equal(&p);
	}
	ck_assert_int_gt(p.hits, 400);
	pair_fini(&p);
}
END_TEST

/* Whoever makes a list of his that has another site's hash gets no nearer to its series. Here the site is what differs, and nothing else. */
START_TEST(a_known_list_is_not_another_sites)
{
	struct pair p;
	struct batch b;

	pair_init(&p);
	batch_init(&b);
	batch_value(&b, 0, 1, L_BEGIN_MS);
	encode(&p, &b);
	take_both(&p, L_BEGIN_MS); /* makes the series */
	b.record.series_len = 1;
	encode(&p, &b);
	take_both(&p, L_BEGIN_MS);
	ck_assert(is_known(&p));
	b.record.site = STR("site-b");
	encode(&p, &b);
	ck_assert(is_known(&p)); /* by its bytes it is the same */
	take_both(&p, L_BEGIN_MS);
	ck_assert_uint_eq(p.quick->windows.panes[PANE_MINUTE].panes[0]->len, 1);
	pair_fini(&p);
}
END_TEST

/* A series that comes and goes, as those of a duplicate do, is in no list; one that was in a list takes all of them with it. */
START_TEST(lists_are_forgotten_when_one_of_theirs_leaves)
{
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct series_id id = l_id(5, fingerprint);
	struct series_table *table;
	struct err err = ERR_INIT;
	struct batch b;
	struct pair p;

	pair_init(&p);
	table = &p.quick->windows.series;
	batch_init(&b);
	b.record.series_len = 5;
	for (int i = 0; i < 5; i++)
		batch_summary(&b, i, 1, 1, L_BEGIN_MS);
	encode(&p, &b);
	take_both(&p, L_BEGIN_MS);
	take_both(&p, L_BEGIN_MS);
	ck_assert(is_known(&p));
	series_table_drop(table, series_table_take(table, &id, fingerprint, &err));
	ck_assert(is_known(&p));
	ck_assert_int_eq(task_close(p.quick, L_BEGIN_MS + 2 * L_HOUR_MS, &rules, &err), 0);
	p.quick->attempt.outbox_len = p.quick->outbox.len;
	task_committed(p.quick, 0);
	ck_assert_uint_eq(table->len, 0);
	ck_assert(!is_known(&p) && p.quick->lists.bytes == 0);
	pair_fini(&p);
}
END_TEST

/* Takes the record in p->bytes and says what the thread has allocated meanwhile. (Assertions allocate, too.) */
static uint64_t allocated_by_taking(struct pair *p, struct intake_counts *counts)
{
	struct record record = {.offset = p->quick->position, .timestamp_ms = L_BEGIN_MS, .value = buf_str(&p->bytes)};
	uint64_t before = 0, after = 0;
	size_t len = sizeof(before);
	struct err err = ERR_INIT;
	int rc;

	mallctl("thread.allocated", &before, &len, NULL, 0);
	rc = task_take(p->quick, &record, &p->scratch, counts, &err);
	mallctl("thread.allocated", &after, &len, NULL, 0);
	ck_assert_msg(rc == 0, "%s", err.msg);
	ck_assert_uint_gt(after, 0);
	return after - before;
}

/* An agent that goes on as it began, within a minute that has all of its windows. */
START_TEST(a_steady_record_allocates_nothing)
{
	struct pair p;
	struct batch b;

	if (!mallctl)
		return; /* a sanitizer's allocator cannot be asked */
	pair_init(&p);
	batch_init(&b);
	for (int i = 0; i < L_SERIES; i++)
		if (l_kind(i) == SERIES_KIND_DISTRIBUTION)
			batch_summary(&b, i, 3, 4, L_BEGIN_MS);
		else
			batch_value(&b, i, 3, L_BEGIN_MS);
	batch_identify(&b, 1, 1, 1, true);
	for (int64_t seq = 1; seq <= 1000; seq++) {
		struct intake_counts counts;
		uint64_t bytes;

		b.record.seq = b.record.floor = seq;
		encode(&p, &b);
		bytes = allocated_by_taking(&p, &counts);
		ck_assert_uint_eq(counts.samples, L_SERIES);
		ck_assert_msg(!bytes == (seq > 2), "%llu bytes for record %lld", (unsigned long long)bytes, (long long)seq);
	}
	pair_fini(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("series lists");
	TCase *tc = tcase_create("lists");

	tcase_add_test(tc, known_lists_change_nothing);
	tcase_add_test(tc, a_known_list_is_not_another_sites);
	tcase_add_test(tc, lists_are_forgotten_when_one_of_theirs_leaves);
	tcase_add_test(tc, a_steady_record_allocates_nothing);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
