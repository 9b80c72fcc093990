/* test_nomem.c - a partition's task when memory is short in the middle: the error is ERR_FATAL, since a record that is counted in part must end the
 * process, and never ERR_REJECT, which would make a dead letter of a good record; what is left can be freed, and nothing leaks. Where the state
 * must stay as it was, or be good for another try, it does. Each operation is walked (tests/unit/fail_alloc.h). */
#include "processor/chunks.h"
#include "processor/emission.h"
#include "processor/emit.h"
#include "processor/snapshot.h"
#include "processor/stats.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/processor/batches.h"
#include "tests/unit/processor/dump.h"
#include "tests/unit/processor/events.h"
#include "tests/unit/processor/txn_bench.h"

static const struct close_rules close_rules = {45000, {5 * L_MINUTE_MS, 30 * L_MINUTE_MS}, 100, 5, 50, 40, {.rules = NULL}};

enum { PLAIN, WITH_AGENT, WITH_KEY, CUMULATIVE, RETRIED, OVER_CAP, NR_WAYS };

/* A record of every kind of series, values and summaries, on time and late. */
static void make_record(int way, int64_t now_ms, int seq, struct buf *out)
{
	struct batch b;

	batch_init(&b);
	if (way == CUMULATIVE) {
		struct totals totals = {.started_ms = {now_ms - 1000, 0, now_ms - 1000, now_ms - 1000, 0, now_ms - 1000}};

		batch_accumulate(&b);
		for (int j = 0; j < L_VALUES; j++)
			totals.values[2][j] = totals.values[5][j] = j + seq;
		batch_value(&b, 0, 3, now_ms)->start = now_ms - 1000;
		batch_total(&b, &totals, 2, 5, now_ms);
		batch_total(&b, &totals, 5, 3, now_ms);
	} else {
		for (int i = 0; i < L_SERIES; i++)
			batch_value(&b, i, i, now_ms);
		batch_summary(&b, 2, 3, 4, now_ms - 2 * L_MINUTE_MS);
	}
	if (way == WITH_AGENT || way == RETRIED)
		batch_identify(&b, 1, seq, 1, true);
	if (way == WITH_KEY)
		batch_key(&b, seq);
	batch_encode(&b, out);
}

static int take(struct task *t, const struct buf *bytes, int way, int64_t now_ms, struct arena *scratch, struct intake_counts *counts, struct err *err)
{
	static const struct origin origin = {.topic = {"millrace.c.main.samples", 23}, .partition = 3, .offset = 77};
	const struct record record = {.offset = t->position, .timestamp_ms = now_ms, .value = buf_str(bytes), .origin = way == RETRIED ? &origin : NULL};

	return task_take(t, &record, scratch, counts, err);
}

static struct task *fresh(int way)
{
	struct task *t = task_new(3, INPUT_SAMPLES);

	t->watermark_ms = L_BEGIN_MS + 5 * L_MINUTE_MS;
	t->windows.closed_ms = L_BEGIN_MS + 4 * L_MINUTE_MS; /* two minutes ago is late */
	if (way == OVER_CAP)
		series_caps_close(&t->windows.series.caps, t->watermark_ms, 2, 0);
	return t;
}

START_TEST(a_record_is_not_taken)
{
	const int64_t now_ms = L_BEGIN_MS + 5 * L_MINUTE_MS;
	struct buf first = BUF_INIT, second = BUF_INIT;

	make_record(_i, now_ms, 1, &first);
	make_record(_i, now_ms + 70000, 300, &second); /* another minute, and many numbers later */
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct task *t = fresh(_i);
		struct arena scratch = ARENA_INIT;
		struct intake_counts counts;
		struct err err = ERR_INIT;
		int64_t position;
		bool failed;
		int rc;

		fail_walk_begin(&w);
		rc = take(t, &first, _i, now_ms, &scratch, &counts, &err);
		position = t->position;
		if (rc == 0)
			rc = take(t, &second, _i, now_ms + 70000, &scratch, &counts, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(rc == 0 || (failed && err.kind == ERR_FATAL), "%s: %s", err_kind_name(err.kind), err.msg);
		ck_assert_int_eq(t->position, rc == 0 ? 2 : position);
		if (!failed && _i != CUMULATIVE)
			ck_assert_uint_eq(counts.samples, L_SERIES + 1);
		arena_fini(&scratch);
		task_free(t);
	}
	buf_fini(&first);
	buf_fini(&second);
}
END_TEST

/* A task that knows something of everything. */
static struct task *fed(void)
{
	struct task *t = fresh(PLAIN);
	struct buf record = BUF_INIT;
	struct arena scratch = ARENA_INIT;
	struct err err = ERR_INIT;

	for (int way = PLAIN; way <= WITH_KEY; way++) {
		struct intake_counts counts;
		int64_t now_ms = t->watermark_ms + 30000;

		make_record(way, now_ms, way + 1, &record);
		ck_assert_msg(take(t, &record, way, now_ms, &scratch, &counts, &err) == 0, "%s", err.msg);
	}
	for (int i = 0; i < 2; i++) {
		struct totals totals = {.started_ms = {[2] = t->watermark_ms}};
		struct intake_counts counts;
		struct batch b;

		batch_init(&b);
		batch_accumulate(&b);
		totals.values[2][i] = 3;
		batch_total(&b, &totals, 2, 5, t->watermark_ms + 1 + i);
		batch_encode(&b, &record);
		ck_assert_msg(take(t, &record, CUMULATIVE, t->watermark_ms, &scratch, &counts, &err) == 0, "%s", err.msg);
	}
	arena_fini(&scratch);
	buf_fini(&record);
	return t;
}

/* Closing is a part of a checkpoint that is tried again only by the next process; but what has moved must be in one place, once. */
START_TEST(a_closing_loses_no_window)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct task *t = fed();
		struct ledger want, have;
		struct err err = ERR_INIT;
		bool failed;
		int rc;

		memset(&want, 0, sizeof(want));
		memset(&have, 0, sizeof(have));
		for (size_t c = PANE_MINUTE; c <= PANE_LATE_MINUTE; c += PANE_LATE_MINUTE - PANE_MINUTE)
			for (size_t i = 0; i < t->windows.panes[c].len; i++)
				ledger_merge(&want, t->windows.panes[c].panes[i]);
		fail_walk_begin(&w);
		rc = _i ? task_flush(t, &err) : task_close(t, t->watermark_ms + 10 * L_MINUTE_MS, &close_rules, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(rc == (failed ? -1 : 0) && (rc == 0 || err.kind == ERR_FATAL), "%s", err.msg);
		for (size_t c = PANE_MINUTE; c <= PANE_LATE_MINUTE; c += PANE_LATE_MINUTE - PANE_MINUTE)
			for (size_t i = 0; i < t->windows.panes[c].len; i++)
				ledger_merge(&have, t->windows.panes[c].panes[i]);
		for (size_t i = 0; i < t->outbox.len; i++)
			if (pane_length_ms(t->outbox.panes[i]->class) == L_MINUTE_MS)
				ledger_merge(&have, t->outbox.panes[i]);
		for (int s = 0; s < L_SERIES; s++)
			for (int m = 0; m < L_MINUTES; m++)
				entry_equal(&want.minutes[s][m], &have.minutes[s][m], s, "minute", m);
		task_free(t);
	}
}
END_TEST

START_TEST(a_snapshot_is_whole_or_not_there)
{
	struct task *t = fed();
	char *want = dump_task(t);

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct buf bytes = BUF_INIT;
		struct err err = ERR_INIT;
		struct task *back = NULL;
		char *have;
		bool failed;
		int rc;

		fail_walk_begin(&w);
		rc = snapshot_encode(t, &bytes, &err);
		if (rc == 0)
			back = task_new(3, INPUT_SAMPLES);
		if (back)
			rc = snapshot_decode(buf_str(&bytes), back, &err);
		failed = fail_walk_end(&w);
		/* ERR_REJECT would refuse the partition, as if its state were damaged */
		ck_assert_msg(failed ? !back || (rc < 0 && err.kind == ERR_FATAL) : rc == 0, "%s: %s", err_kind_name(err.kind), err.msg);
		have = dump_task(t);
		ck_assert_str_eq(want, have);
		free(have);
		if (!failed) {
			have = dump_task(back);
			ck_assert_str_eq(want, have);
			free(have);
		}
		task_free(back);
		buf_fini(&bytes);
	}
	free(want);
	task_free(t);
}
END_TEST

/* Records of every kind of event, on time and late, one of them displacing another. */
static int take_events(struct task *t, struct arena *scratch, struct intake_counts *counts, struct err *err)
{
	struct buf bytes = BUF_INIT;
	struct ev_batch b;
	int rc = 0;

	for (int64_t seq = 1; seq <= 2 && rc == 0; seq++) {
		int64_t now_ms = L_BEGIN_MS + 5 * L_MINUTE_MS;

		ev_init(&b, now_ms);
		for (int i = 0; i < EV_EVENTS; i++)
			ev_add(&b, &(struct an_event){.number = 8 * seq + i, .t_ms = i == 3 ? now_ms - 2 * L_MINUTE_MS : now_ms, .duration_ms = i,
						      .kind = i < 4 ? (enum exemplar_kind)i : EXEMPLAR_TRANSACTION});
		b.record.has_agent_id = true;
		b.record.seq = seq;
		b.record.floor = 1;
		buf_clear(&bytes);
		if (event_batch_encode(&b.record, &bytes, err) < 0)
			break; /* the sender's memory */
		rc = task_take(t, &(struct record){t->position, now_ms, buf_str(&bytes), NULL}, scratch, counts, err);
	}
	buf_fini(&bytes);
	return rc;
}

static struct task *fresh_of_events(void)
{
	struct task *t = task_new(3, INPUT_EVENTS);

	t->windows.closed_ms = L_BEGIN_MS + 4 * L_MINUTE_MS;
	return t;
}

START_TEST(events_are_taken_or_the_process_ends)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct task *t = fresh_of_events();
		struct arena scratch = ARENA_INIT;
		struct intake_counts counts;
		struct err err = ERR_INIT;
		bool failed;
		int rc;

		fail_walk_begin(&w);
		rc = take_events(t, &scratch, &counts, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(rc == 0 || (failed && err.kind == ERR_FATAL), "%s: %s", err_kind_name(err.kind), err.msg);
		ck_assert(failed || (counts.events == EV_EVENTS && t->position == 2));
		exemplars_close(&t->exemplars, INT64_MAX, &t->specimens); /* whatever is there can go */
		arena_fini(&scratch);
		task_free(t);
	}
}
END_TEST

START_TEST(a_snapshot_of_events_is_whole_or_not_there)
{
	struct task *t = fresh_of_events();
	struct arena scratch = ARENA_INIT;
	struct intake_counts counts;
	struct err none = ERR_INIT;
	char *want;

	ck_assert_int_eq(take_events(t, &scratch, &counts, &none), 0);
	want = dump_task(t);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct buf bytes = BUF_INIT;
		struct err err = ERR_INIT;
		struct task *back = NULL;
		bool failed;
		int rc;

		fail_walk_begin(&w);
		rc = snapshot_encode(t, &bytes, &err);
		if (rc == 0)
			back = task_new(3, INPUT_EVENTS);
		if (back)
			rc = snapshot_decode(buf_str(&bytes), back, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(failed ? !back || (rc < 0 && err.kind == ERR_FATAL) : rc == 0, "%s: %s", err_kind_name(err.kind), err.msg);
		if (!failed) {
			char *have = dump_task(back);

			ck_assert_str_eq(want, have);
			free(have);
		}
		task_free(back);
		buf_fini(&bytes);
	}
	free(want);
	arena_fini(&scratch);
	task_free(t);
}
END_TEST

START_TEST(an_exemplar_is_whole_or_not_there)
{
	struct task *t = fresh_of_events();
	struct arena scratch = ARENA_INIT;
	struct intake_counts counts;
	struct err none = ERR_INIT;

	ck_assert_int_eq(take_events(t, &scratch, &counts, &none), 0);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct buf bytes = BUF_INIT;
		struct err err = ERR_INIT;
		int rc;

		fail_walk_begin(&w);
		rc = specimen_encode(t->exemplars.first->first, 7, &bytes, &err);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert(rc == 0 || err.kind == ERR_FATAL);
		buf_fini(&bytes);
	}
	arena_fini(&scratch);
	task_free(t);
}
END_TEST

START_TEST(chunks_are_put_together_or_fail)
{
	static const struct chunk_id id = {"millrace.c.main.samples", 9, 3, 12};
	char body[3000];

	memset(body, 'x', sizeof(body));
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct chunk_set set = {0};
		struct buf record = BUF_INIT;
		struct arena scratch = ARENA_INIT;
		struct err err = ERR_INIT;
		bool failed;
		int rc = 0;

		fail_walk_begin(&w);
		for (int32_t i = 0; i < 3 && rc == 0; i++) {
			buf_clear(&record);
			rc = chunks_encode(&id, (struct str){body, sizeof(body)}, 1000, i, &record, &err);
			if (rc == 0)
				rc = chunks_take(&set, &id, CHUNKS_ANY_BYTES, buf_str(&record), &scratch, &err);
		}
		failed = fail_walk_end(&w);
		ck_assert_msg(failed ? rc == -1 && err.kind == ERR_FATAL : rc == 1 && set.body.len == sizeof(body), "%d, %s: %s", rc,
			      err_kind_name(err.kind), err.msg);
		arena_fini(&scratch);
		buf_fini(&record);
		buf_fini(&set.body);
	}
}
END_TEST

START_TEST(a_letter_is_appended_or_not)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct task *t = task_new(3, INPUT_SAMPLES);
		int rc;

		ck_assert_int_eq(task_add_letter(t, STR("one")), 0);
		fail_walk_begin(&w);
		rc = task_add_letter(t, STR("two"));
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert_uint_eq(t->letters.nr, rc < 0 ? 1 : 2);
		ck_assert_int_eq(task_add_letter(t, STR("three")), 0);
		ck_assert_uint_eq(t->letters.nr, rc < 0 ? 2 : 3);
		task_free(t);
	}
}
END_TEST

START_TEST(a_fragment_is_whole_or_not_there)
{
	struct task *t = fed();
	const struct pane *pane = t->windows.panes[PANE_MINUTE].panes[0];
	size_t at = 0;
	const struct window *window = pane_next(pane, &at);

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct buf bytes = BUF_INIT;
		struct err err = ERR_INIT;
		int rc;

		fail_walk_begin(&w);
		rc = emit_fragment(window, pane, 7, &bytes, &err);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert(rc == 0 || err.kind == ERR_FATAL);
		buf_fini(&bytes);
	}
	task_free(t);
}
END_TEST

START_TEST(offsets_are_there_with_their_metadata_or_not)
{
	static const struct cell_topics topics = {.samples = "millrace.c.main.samples", .partitions = 12};
	static const struct offset_meta meta = {.id = 12, .at = 5};

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
		struct err err = ERR_INIT;
		int rc;

		fail_walk_begin(&w);
		rc = emission_add_offset(list, &topics, 3, 5, &meta, &err);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert(rc == 0 ? list->elems[0].metadata_size > 0 : err.kind == ERR_FATAL);
		rd_kafka_topic_partition_list_destroy(list);
	}
}
END_TEST

/* A transaction without memory is committed, or aborted as it must be; the next one is as any other. */
START_TEST(a_transaction_is_all_or_nothing)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct txn_delivery delivery = {0};
		struct err err = ERR_INIT;
		struct bench b;
		enum txn_outcome outcome = TXN_ABORTED;
		bool failed;

		bench_init(&b);
		fail_walk_begin(&w);
		if (fill(&b, &delivery, &err) == 0)
			outcome = txn_commit(b.txn, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(failed || outcome == TXN_COMMITTED, "%s", err.msg);
		ck_assert_msg(outcome == TXN_COMMITTED || err.kind == ERR_RETRY || err.kind == ERR_FATAL, "%s", err.msg);
		must_open(&b);
		must_commit(&b);
		bench_fini(&b);
	}
}
END_TEST

/* A missing figure stops nobody. */
START_TEST(figures_may_be_missing)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct metrics *metrics = metrics_new("millrace-processor");
		struct stats *s;

		fail_walk_begin(&w);
		s = stats_new(metrics, 2);
		stats_add(s, STATS_SAMPLES, 1, 5);
		stats_set(s, STATS_LAG_RECORDS, 1, 5);
		stats_count(s, STATS_RECORDS, 1);
		stats_gaps(s, STR("site-a"), 1);
		stats_memory(s, "state", 1, 2);
		stats_abort(s, "_TIMED_OUT");
		stats_exemplars(s, 3, EXEMPLAR_ERROR, 1);
		stats_exemplars_dropped(s, 3, EXEMPLAR_MARKER, 1);
		stats_forget(s, 1);
		fail_walk_end(&w);
		stats_free(s);
		metrics_free(metrics);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nomem");
	TCase *tc = tcase_create("processor");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, a_record_is_not_taken, 0, NR_WAYS);
	tcase_add_loop_test(tc, a_closing_loses_no_window, 0, 2);
	tcase_add_test(tc, a_snapshot_is_whole_or_not_there);
	tcase_add_test(tc, events_are_taken_or_the_process_ends);
	tcase_add_test(tc, a_snapshot_of_events_is_whole_or_not_there);
	tcase_add_test(tc, an_exemplar_is_whole_or_not_there);
	tcase_add_test(tc, chunks_are_put_together_or_fail);
	tcase_add_test(tc, a_letter_is_appended_or_not);
	tcase_add_test(tc, a_fragment_is_whole_or_not_there);
	tcase_add_test(tc, offsets_are_there_with_their_metadata_or_not);
	tcase_add_test(tc, a_transaction_is_all_or_nothing);
	tcase_add_test(tc, figures_may_be_missing);
	return unit_main(suite);
}
