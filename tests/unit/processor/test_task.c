/* test_task.c - positions, letters, and the promise: whatever happens between records and commits, each sample comes out once. */
#include "processor/task.h"

#include "common/memory.h"
#include "processor/snapshot.h"
#include "tests/unit/processor/batches.h"
#include "tests/unit/processor/dump.h"

static const struct close_rules close_rules = {45000, {5 * L_MINUTE_MS, 30 * L_MINUTE_MS}, 100, 1000, 0, 0, {.rules = NULL}};

START_TEST(the_guard_takes_what_is_next_and_nothing_else)
{
	struct task *t = task_new(0, INPUT_SAMPLES);

	t->position = 10;
	ck_assert_int_eq(task_guard(t, 10), GUARD_TAKE);
	ck_assert_int_eq(task_guard(t, 9), GUARD_REFETCH); /* a client that was set back */
	ck_assert_int_eq(task_guard(t, 0), GUARD_SKIP);
	ck_assert_int_eq(task_guard(t, 9), GUARD_SKIP);
	ck_assert_int_eq(task_guard(t, 12), GUARD_REFETCH); /* that was about the other direction */
	ck_assert_int_eq(task_guard(t, 10), GUARD_TAKE); /* it was there after all */
	t->position = 11;
	ck_assert_int_eq(task_guard(t, 15), GUARD_REFETCH); /* another gap is asked for anew */
	ck_assert_int_eq(task_guard(t, 15), GUARD_GAP);
	ck_assert(t->position == 15 && t->gap_records == 4);
	ck_assert_int_eq(task_guard(t, 15), GUARD_TAKE);
	task_free(t);
}
END_TEST

/* A record of raw bytes at the position; what task_take() says. */
static int take_bytes(struct task *t, struct str bytes, int64_t timestamp_ms, struct err *err)
{
	struct record record = {.offset = t->position, .timestamp_ms = timestamp_ms, .value = bytes};
	struct arena scratch = {0};
	struct intake_counts counts;
	int rc = task_take(t, &record, &scratch, &counts, err);

	arena_fini(&scratch);
	return rc;
}

START_TEST(poison_is_passed_and_a_newer_record_is_not)
{
	struct task *t = task_new(0, INPUT_SAMPLES);
	struct err err = ERR_INIT;

	t->position = 5;
	t->at_end = true;
	ck_assert_int_eq(take_bytes(t, STR("garbage"), 1000, &err), -1);
	ck_assert(err.kind == ERR_REJECT && t->position == 6 && t->watermark_ms == 1000 && !t->at_end);
	err = (struct err)ERR_INIT;
	ck_assert_int_eq(take_bytes(t, STR(""), 900, &err), -1);
	ck_assert(err.kind == ERR_REJECT && t->position == 7 && t->watermark_ms == 1000);
	err = (struct err)ERR_INIT;
	ck_assert_int_eq(take_bytes(t, STR("\0\0\0\x03\xe7newer"), 2000, &err), -1);
	ck_assert(err.kind == ERR_RETRY && t->position == 7 && t->watermark_ms == 1000);
	task_free(t);
}
END_TEST

START_TEST(the_wall_clock_counts_at_a_trusted_end_only)
{
	struct task *t = task_new(0, INPUT_SAMPLES);

	t->watermark_ms = 1000;
	ck_assert_int_eq(task_effective_watermark(t, 5000, 100, 50), 1000);
	t->at_end = true;
	t->end_mono_ms = 60;
	ck_assert_int_eq(task_effective_watermark(t, 5000, 100, 50), 5000);
	ck_assert_int_eq(task_effective_watermark(t, 500, 100, 50), 1000); /* never back */
	ck_assert_int_eq(task_effective_watermark(t, 5000, 111, 50), 1000); /* its leader has been silent for too long */
	task_free(t);
}
END_TEST

/* How old what is not read may be: also of a partition that is held, for which nobody sees an end. */
START_TEST(behind_since_the_watermark_or_the_last_end)
{
	struct task *t = task_new(0, INPUT_SAMPLES);

	t->phase = TASK_RUNNING;
	ck_assert_int_eq(task_behind_ms(t, 50000), 0); /* nothing is known yet: it counts from here */
	ck_assert_int_eq(task_behind_ms(t, 53000), 3000);
	t->watermark_ms = 52000;
	ck_assert_int_eq(task_behind_ms(t, 54000), 2000);
	ck_assert_int_eq(task_behind_ms(t, 51000), 0); /* of a clock that runs ahead */
	t->at_end = true;
	ck_assert_int_eq(task_behind_ms(t, 90000), 0);
	t->at_end = false;
	t->phase = TASK_HELD;
	ck_assert_int_eq(task_behind_ms(t, 95000), 5000); /* what came since is no older than the last end that was seen */
	t->level_ms = 0;
	ck_assert_int_eq(task_behind_ms(t, 95000), 43000); /* started anew with a backlog */
	task_free(t);
}
END_TEST

START_TEST(letters_leave_with_the_commit_that_carried_them)
{
	struct task *t = task_new(0, INPUT_SAMPLES);

	t->saved.id = 1;
	ck_assert(!task_dirty(t));
	ck_assert_int_eq(task_add_letter(t, STR("one")), 0);
	ck_assert_int_eq(task_add_letter(t, STR("two")), 0);
	ck_assert(task_dirty(t) && t->letters.nr == 2 && t->letters.bytes == 2 * memory_rounded(sizeof(struct letter) + 3));
	t->attempt = (struct attempt){.meta = {.id = 2, .at = 0}, .nr_letters = 2};
	ck_assert_int_eq(task_add_letter(t, STR("three")), 0); /* comes while the outcome is in doubt */
	task_committed(t, 7);
	ck_assert(t->letters.nr == 1 && t->letters.bytes == memory_rounded(sizeof(struct letter) + 5) && t->saved.id == 2 && t->checkpoint_mono_ms == 7);
	ck_assert_mem_eq(t->letters.first->bytes, "three", 5);
	t->attempt = (struct attempt){.meta = {.id = 3}, .nr_letters = 1};
	task_aborted(t);
	ck_assert(t->letters.nr == 1 && t->saved.id == 2);
	ck_assert_int_eq(task_add_letter(t, STR("four")), 0);
	ck_assert_ptr_nonnull(t->letters.first->next);
	task_free(t);
}
END_TEST

/* A record without samples, payload seq of an agent. */
static struct dedup_outcome take_payload(struct task *t, int agent, int64_t seq, int64_t timestamp_ms)
{
	struct record record = {.offset = t->position, .timestamp_ms = timestamp_ms};
	struct arena scratch = {0};
	struct buf bytes = BUF_INIT;
	struct intake_counts counts;
	struct err err = ERR_INIT;
	struct batch b;

	batch_init(&b);
	batch_identify(&b, agent, seq, seq, false);
	batch_encode(&b, &bytes);
	record.value = buf_str(&bytes);
	ck_assert_msg(task_take(t, &record, &scratch, &counts, &err) == 0, "%s", err.msg);
	arena_fini(&scratch);
	buf_fini(&bytes);
	return counts.dedup;
}

START_TEST(a_duplicate_moves_position_and_watermark)
{
	struct task *t = task_new(0, INPUT_SAMPLES);

	ck_assert_int_eq(take_payload(t, 1, 1, 1000).verdict, DEDUP_NEW);
	t->saved = (struct offset_meta){.id = 1, .at = t->position};
	ck_assert(!task_dirty(t));
	t->at_end = true;
	ck_assert_int_eq(take_payload(t, 1, 1, 2000).verdict, DEDUP_DUPLICATE);
	ck_assert(t->position == 2 && t->watermark_ms == 2000 && !t->at_end && task_dirty(t));
	task_free(t);
}
END_TEST

/* One ingest's clock runs ahead: its times, which all of its samples bear that had none, are in the future, where windows wait for their time.
 * Only Kafka's own timestamps move the watermark, so nobody else's sample comes late by it. */
START_TEST(a_clock_that_runs_ahead_makes_nobody_late)
{
	enum { AHEAD_MS = 9 * L_MINUTE_MS };
	struct task *t = task_new(0, INPUT_SAMPLES);
	struct err err = ERR_INIT;

	for (int64_t now_ms = L_BEGIN_MS; now_ms < L_BEGIN_MS + 5 * L_MINUTE_MS; now_ms += 10000) {
		for (int fast = 0; fast < 2; fast++) {
			int64_t its_ms = now_ms + (fast ? AHEAD_MS : 0);
			struct buf bytes = BUF_INIT;
			struct batch b;

			batch_init(&b);
			b.record.created_at = b.record.received_at = its_ms;
			batch_value(&b, fast, 1, its_ms);
			batch_encode(&b, &bytes);
			ck_assert_msg(take_bytes(t, buf_str(&bytes), now_ms, &err) == 0, "%s", err.msg);
			buf_fini(&bytes);
		}
		ck_assert_int_eq(t->watermark_ms, now_ms);
		ck_assert_int_eq(task_close(t, now_ms, &close_rules, &err), 0);
	}
	ck_assert_uint_eq(t->late_samples, 0);
	ck_assert_int_eq(task_close(t, L_BEGIN_MS + 2 * 60 * L_MINUTE_MS, &close_rules, &err), 0);
	for (size_t i = 0; i < t->outbox.len; i++) {
		struct window *w;
		size_t at = 0;

		ck_assert(!pane_is_late(t->outbox.panes[i]->class));
		while ((w = pane_next(t->outbox.panes[i], &at)) != NULL)
			ck_assert_int_eq(w->count, pane_length_ms(t->outbox.panes[i]->class) == L_MINUTE_MS ? 6 : 30);
	}
	ck_assert_uint_eq(pane_list_windows(&t->outbox, INT64_MAX), 2 * 5 + 2);
	task_free(t);
}
END_TEST

/* Rule A: neither time nor a setting changes what a record means, until a closing says so. */
START_TEST(agents_are_forgotten_and_caps_change_at_a_closing_only)
{
	const int64_t later_ms = L_BEGIN_MS + 49 * L_HOUR_MS;
	struct close_rules narrow = close_rules;
	struct task *t = task_new(0, INPUT_SAMPLES);
	struct err err = ERR_INIT;

	narrow.agents_max = 1;
	ck_assert_int_eq(take_payload(t, 1, 1, L_BEGIN_MS).verdict, DEDUP_NEW);
	ck_assert_int_eq(take_payload(t, 2, 1, L_BEGIN_MS + 1).verdict, DEDUP_NEW);
	ck_assert_int_eq(take_payload(t, 1, 1, later_ms).verdict, DEDUP_DUPLICATE); /* 49 hours on, and used again */
	ck_assert_int_eq(take_payload(t, 2, 1, later_ms).verdict, DEDUP_DUPLICATE);
	ck_assert_int_eq(task_close(t, later_ms + 49 * L_HOUR_MS - 1, &close_rules, &err), 0);
	ck_assert_int_eq(take_payload(t, 2, 1, 0).verdict, DEDUP_DUPLICATE);
	ck_assert_int_eq(task_close(t, later_ms + 49 * L_HOUR_MS, &narrow, &err), 0);
	ck_assert_int_eq(take_payload(t, 1, 1, 0).verdict, DEDUP_UNREMEMBERED); /* forgotten, and the other one fills the cap */
	ck_assert_int_eq(take_payload(t, 2, 1, 0).verdict, DEDUP_DUPLICATE);
	task_free(t);
}
END_TEST

/* The same of request keys: the hour is over when a closing says so. */
START_TEST(keys_are_forgotten_and_caps_change_at_a_closing_only)
{
	struct close_rules narrow = close_rules;
	struct task *t = task_new(0, INPUT_SAMPLES);
	struct arena scratch = {0};
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	static const struct { int key; int64_t at_ms, close_ms; enum dedup_verdict verdict; } rows[] = {
		{0, 0, 0, DEDUP_NEW},
		{0, L_HOUR_MS, L_HOUR_MS - 1, DEDUP_DUPLICATE},
		{1, L_HOUR_MS, 0, DEDUP_UNREMEMBERED}, /* the cap of 1 has come into force */
		{0, L_HOUR_MS, L_HOUR_MS, DEDUP_NEW},
	};

	narrow.request_keys_max = 1;
	for (size_t i = 0; i < NR(rows); i++) {
		struct record record = {.offset = t->position, .timestamp_ms = L_BEGIN_MS + rows[i].at_ms};
		struct intake_counts counts;
		struct batch b;

		batch_init(&b);
		batch_key(&b, rows[i].key);
		batch_encode(&b, &bytes);
		record.value = buf_str(&bytes);
		if (rows[i].close_ms)
			ck_assert_int_eq(task_close(t, L_BEGIN_MS + rows[i].close_ms, &narrow, &err), 0);
		ck_assert_int_eq(task_take(t, &record, &scratch, &counts, &err), 0);
		ck_assert_msg(counts.dedup.verdict == rows[i].verdict, "record %zu: %d", i, (int)counts.dedup.verdict);
	}
	task_free(t);
	arena_fini(&scratch);
	buf_fini(&bytes);
}
END_TEST

/* The world without Kafka: a log of records, what has been committed, and a task that may die at any time. */
enum { LOG_MAX = 2000, AGENTS = 5 };

struct world {
	struct buf log[LOG_MAX];
	int64_t timestamps[LOG_MAX];
	int64_t again_until[LOG_MAX]; /* how long its copies count nothing */
	int64_t seqs[AGENTS]; /* the last one of each */
	double total;         /* what a sender of cumulative points has counted since it started, and its last point's time */
	int64_t started_ms, total_ms;
	int nr;
	struct ledger in;  /* of all records in the log */
	struct ledger out; /* of all committed fragments */
	struct task *task;
	struct buf saved;  /* the committed snapshot */
	struct ledger in_doubt; /* what the transaction in doubt emitted, and its snapshot */
	struct buf in_doubt_saved;
	struct arena scratch;
	int commits, aborts, crashes, doubts, retries, flushes;
};

static void world_restore(struct world *w)
{
	struct err err = ERR_INIT;

	task_free(w->task);
	w->task = task_new(0, INPUT_SAMPLES);
	ck_assert_msg(snapshot_decode(buf_str(&w->saved), w->task, &err) == 0, "%s", err.msg);
	w->task->saved = (struct offset_meta){.id = 1, .at = w->task->position};
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct task *empty = task_new(0, INPUT_SAMPLES);
	struct err err = ERR_INIT;

	ck_assert(w && empty);
	ck_assert_int_eq(snapshot_encode(empty, &w->saved, &err), 0);
	task_free(empty);
	world_restore(w);
	return w;
}

static void world_free(struct world *w)
{
	task_free(w->task);
	for (int i = 0; i < w->nr; i++)
		buf_fini(&w->log[i]);
	buf_fini(&w->saved);
	buf_fini(&w->in_doubt_saved);
	arena_fini(&w->scratch);
	free(w);
}

/* The next point of the sender of cumulative ones, which starts anew at times: it adds what one value does. */
static void world_accumulate(struct world *w, struct unit_random *r, int64_t now_ms, struct batch *b)
{
	int j = (int)unit_random_below(r, L_VALUES);
	struct value_sample *v;

	batch_init(b);
	batch_accumulate(b);
	if (!w->total_ms || unit_random_below(r, 10) == 0) {
		w->total = 0;
		w->started_ms = w->total_ms ? w->total_ms : now_ms;
	}
	w->total_ms = now_ms > w->total_ms ? now_ms + 1 : w->total_ms + 1;
	w->total += l_value(j);
	ledger_add(&w->in, 3, j, w->total_ms);
	v = batch_value(b, 3, 0, w->total_ms);
	v->v = w->total;
	v->start = w->started_ms;
}

/* Who sends the record, and so until when a copy of it is known for one. */
static void world_identify(struct world *w, struct unit_random *r, int64_t now_ms, struct batch *b)
{
	int agent = (int)unit_random_below(r, AGENTS);
	int64_t seq, back;

	switch (unit_random_below(r, 8)) {
	case 0: /* nobody: a copy counts, unless its points are cumulative */
		w->again_until[w->nr] = b->series[3].temporality == TEMPORALITY_CUMULATIVE ? INT64_MAX : 0;
		break;
	case 1: /* a key of its own, which is forgotten after an hour; the wall clock may be some minutes ahead */
		b->record.has_idempotency_key = true;
		b->record.idempotency_key = (struct str){(const char *)&w->nr, sizeof(w->nr)};
		w->again_until[w->nr] = now_ms + 50 * L_MINUTE_MS;
		break;
	default:
		seq = ++w->seqs[agent];
		back = (int64_t)unit_random_below(r, 9);
		batch_identify(b, agent, seq, seq > back ? seq - back : 1, true);
		w->again_until[w->nr] = INT64_MAX;
	}
}

static void world_write(struct world *w, struct unit_random *r)
{
	int64_t now_ms = (w->nr ? w->timestamps[w->nr - 1] : L_BEGIN_MS) + (int64_t)unit_random_below(r, 14000);
	int of = w->nr ? (int)unit_random_below(r, (uint64_t)w->nr) : 0;
	struct batch b;

	w->timestamps[w->nr] = now_ms;
	if (w->nr && now_ms < w->again_until[of] && unit_random_below(r, 3) == 0) { /* one of the old ones comes again, byte by byte */
		buf_add(&w->log[w->nr], w->log[of].p, w->log[of].len);
		w->again_until[w->nr++] = w->again_until[of];
		w->retries++;
		return;
	}
	if (unit_random_below(r, 4))
		batch_random(&b, r, now_ms, &w->in);
	else
		world_accumulate(w, r, now_ms, &b);
	world_identify(w, r, now_ms, &b);
	batch_encode(&b, &w->log[w->nr]);
	w->nr++;
}

static void world_read(struct world *w)
{
	struct record record = {.offset = w->task->position};
	struct intake_counts counts;
	struct err err = ERR_INIT;

	if (w->task->position >= w->nr)
		return;
	record.timestamp_ms = w->timestamps[record.offset];
	record.value = buf_str(&w->log[record.offset]);
	ck_assert_msg(task_take(w->task, &record, &w->scratch, &counts, &err) == 0, "%s", err.msg);
}

/* Begins an attempt: closes, or flushes too, and notes what the transaction holds. */
static void world_attempt(struct world *w, int64_t watermark_ms, bool flush)
{
	struct task *t = w->task;
	struct err err = ERR_INIT;

	ck_assert_int_eq(task_close(t, watermark_ms, &close_rules, &err), 0);
	if (flush) {
		ck_assert_int_eq(task_flush(t, &err), 0);
		ck_assert_uint_eq(window_store_due_windows(&t->windows, INT64_MAX), 0);
		w->flushes += task_is_flushed(t);
	}
	t->attempt = (struct attempt){.meta = {.id = t->saved.id + 1, .at = t->position}, .outbox_len = t->outbox.len};
	memset(&w->in_doubt, 0, sizeof(w->in_doubt));
	for (size_t i = 0; i < t->outbox.len; i++)
		ledger_merge(&w->in_doubt, t->outbox.panes[i]);
	buf_clear(&w->in_doubt_saved);
	ck_assert_int_eq(snapshot_encode(t, &w->in_doubt_saved, &err), 0);
}

static void entry_join(struct entry *to, const struct entry *from)
{
	if (!from->count)
		return;
	entry_extremes(to, to->count == 0, from->min, from->max, from->last_at, from->last);
	to->count += from->count;
	to->errors += from->errors;
	to->sum += from->sum;
	for (int j = 0; j < L_VALUES; j++)
		to->values[j] += from->values[j];
}

/* The transaction becomes visible: fragments and snapshot together. */
static void world_commit(struct world *w)
{
	struct buf swap = w->saved;

	for (int s = 0; s < L_SERIES; s++) {
		for (int i = 0; i < L_MINUTES; i++)
			entry_join(&w->out.minutes[s][i], &w->in_doubt.minutes[s][i]);
		for (int i = 0; i < L_HOURS; i++)
			entry_join(&w->out.hours[s][i], &w->in_doubt.hours[s][i]);
	}
	w->saved = w->in_doubt_saved;
	w->in_doubt_saved = swap;
}

/* An attempt with one of its four ends; in doubt, some records more are taken before it is known. */
static void world_checkpoint(struct world *w, struct unit_random *r)
{
	bool at_end = w->task->position == w->nr && unit_random_below(r, 4) == 0;
	bool commits = unit_random_below(r, 3) != 0, doubt = unit_random_below(r, 4) == 0;

	world_attempt(w, w->task->watermark_ms + (at_end ? (int64_t)unit_random_below(r, 300000) : 0), unit_random_below(r, 4) == 0);
	if (commits)
		world_commit(w);
	if (doubt) {
		w->doubts++;
		for (uint64_t n = unit_random_below(r, 10); n > 0; n--)
			world_read(w);
		if (unit_random_below(r, 3) == 0) { /* dies without ever learning */
			w->crashes++;
			world_restore(w);
			return;
		}
	}
	if (commits)
		task_committed(w->task, 0);
	else
		task_aborted(w->task);
	w->commits += commits;
	w->aborts += !commits;
}

/* Reads the rest, closes everything, commits. */
static void world_finish(struct world *w)
{
	while (w->task->position < w->nr)
		world_read(w);
	world_attempt(w, L_BEGIN_MS + 1000 * L_HOUR_MS, false);
	world_commit(w);
	task_committed(w->task, 0);
}

START_TEST(every_sample_comes_out_once_whatever_happens)
{
	struct unit_random r = unit_random_new("task");
	struct world *w = world_new();
	int64_t last_ms = L_BEGIN_MS + (L_MINUTES - 10) * L_MINUTE_MS;

	while (w->nr < LOG_MAX && (w->nr == 0 || w->timestamps[w->nr - 1] < last_ms)) {
		uint64_t dice = unit_random_below(&r, 100);

		if (dice < 45) {
			world_write(w, &r);
		} else if (dice < 90) {
			world_read(w);
		} else if (dice < 98) {
			world_checkpoint(w, &r);
		} else {
			w->crashes++;
			world_restore(w);
		}
	}
	world_finish(w);
	ledger_equal(&w->in, &w->out);
	ck_assert_uint_eq(w->task->outbox.len, 0);
	ck_assert_uint_eq(w->task->windows.series.len, 0);
	ck_assert_msg(w->commits > 20 && w->aborts > 10 && w->crashes > 10 && w->doubts > 5 && w->retries > 50 && w->flushes > 5,
		      "did not bite: %d commits, %d aborts, %d crashes, %d doubts, %d retries, %d flushes", w->commits, w->aborts, w->crashes, w->doubts,
		      w->retries, w->flushes);
	world_free(w);
}
END_TEST

/* Two lives over the same records, one of which dies and is restored at every single point: the same state wherever they meet. */
START_TEST(restoring_at_any_point_equals_no_crash)
{
	struct unit_random r = unit_random_new("restore");
	struct world *w = world_new();
	struct task *steady;
	struct err err = ERR_INIT;

	for (int i = 0; i < 60; i++)
		world_write(w, &r);
	for (int crash_at = 0; crash_at <= 60; crash_at += 4) {
		struct task *t = task_new(0, INPUT_SAMPLES);
		char *a, *b;

		world_restore(w);
		for (int i = 0; i < crash_at; i++)
			world_read(w);
		buf_clear(&w->in_doubt_saved);
		ck_assert_int_eq(snapshot_encode(w->task, &w->in_doubt_saved, &err), 0);
		ck_assert_int_eq(snapshot_decode(buf_str(&w->in_doubt_saved), t, &err), 0);
		steady = w->task;
		while (steady->position < w->nr)
			world_read(w);
		w->task = t;
		while (t->position < w->nr)
			world_read(w);
		a = dump_task(steady);
		b = dump_task(t);
		ck_assert_str_eq(a, b);
		free(a);
		free(b);
		task_free(steady);
	}
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("task");
	TCase *tc = tcase_create("task");

	tcase_add_test(tc, the_guard_takes_what_is_next_and_nothing_else);
	tcase_add_test(tc, poison_is_passed_and_a_newer_record_is_not);
	tcase_add_test(tc, the_wall_clock_counts_at_a_trusted_end_only);
	tcase_add_test(tc, behind_since_the_watermark_or_the_last_end);
	tcase_add_test(tc, letters_leave_with_the_commit_that_carried_them);
	tcase_add_test(tc, a_duplicate_moves_position_and_watermark);
	tcase_add_test(tc, a_clock_that_runs_ahead_makes_nobody_late);
	tcase_add_test(tc, agents_are_forgotten_and_caps_change_at_a_closing_only);
	tcase_add_test(tc, keys_are_forgotten_and_caps_change_at_a_closing_only);
	tcase_add_test(tc, every_sample_comes_out_once_whatever_happens);
	tcase_add_test(tc, restoring_at_any_point_equals_no_crash);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
