/* test_accounting.c - is the memory counted that the allocator really gave?
 *
 * Tasks of several shapes go through a life: filled, closed, flushed, committed, saved and restored; at each step task_bytes() must be what jemalloc says
 * has been allocated since, within TOLERANCE. Nothing here knows how a task keeps its things: records in, bytes compared. Under a
 * sanitizer the allocator counts what was asked for, which is less than what is counted, and not by much. */
#include "processor/budget.h"

#include "common/memory.h"
#include "processor/snapshot.h"
#include "tests/unit/processor/fill.h"
#include "tests/unit/processor/judged.h"

#define TOLERANCE 0.05        /* of what is counted */
#define GROWTH_TOLERANCE 0.10 /* of the state that grows: a table may just have to double */
enum { SLACK = 16 << 10 /* bytes: lists and tables that are there before anything is in them */ };

static const char *const alerting[] = {"alerts", "held series", "windows kept back"};
enum { ALERTING_SERIES = 5000 };

static const struct close_rules close_rules = {45000, {5 * L_MINUTE_MS, 30 * L_MINUTE_MS}, 100000, 100000, 0, 0, {.rules = NULL}};

int mallctl(const char *name, void *old, size_t *old_len, void *new, size_t new_len) __attribute__((weak));
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* What this thread keeps at hand counts as allocated until it is given back. */
static size_t allocated_bytes(void)
{
	struct memory_figures figures;

	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	ck_assert_msg(mallctl != NULL, "an allocator that cannot be asked");
	ck_assert_int_eq(mallctl("thread.tcache.flush", NULL, NULL, NULL, 0), 0);
	ck_assert(memory_look(&figures));
	return figures.allocated_bytes;
}

static const struct { const char *name; struct fill_shape shape; int nr_records; int64_t event_ms; } shapes[] = {
	{"gauges", {.nr_series = 20000, .kind = SERIES_KIND_GAUGE, .back_ms = 60000}, 500, 120000},
	{"a few gauges", {.nr_series = 50, .kind = SERIES_KIND_GAUGE, .back_ms = 60000}, 2000, 7200000},
	{"distributions", {.nr_series = 10000, .kind = SERIES_KIND_DISTRIBUTION, .back_ms = 60000}, 500, 120000},
	{"all kinds, many minutes", {.nr_series = 5000, .kind = FILL_ALL_KINDS, .back_ms = 60000}, 2000, 3600000},
	{"late", {.nr_series = 3000, .kind = FILL_ALL_KINDS, .back_ms = 5 * L_HOUR_MS}, 500, 600000},
	{"cumulative", {.nr_series = 20000, .kind = FILL_ALL_KINDS, .back_ms = 1000, .cumulative = true}, 800, 600000},
	{"agents", {.nr_series = 10, .kind = SERIES_KIND_GAUGE, .back_ms = 1000, .nr_agents = 20000, .span = 50}, 30000, 60000},
	{"agents that leave much open", {.nr_series = 10, .kind = SERIES_KIND_GAUGE, .back_ms = 1000, .nr_agents = 500, .span = 20000}, 3000, 60000},
	{"requests", {.nr_series = 10, .kind = SERIES_KIND_GAUGE, .back_ms = 1000, .keys = true}, 20000, 60000},
	{"all of it", {.nr_series = 10000, .kind = FILL_ALL_KINDS, .back_ms = 1800000, .cumulative = true, .nr_agents = 5000, .span = 300}, 2000, 1800000},
};

/* What is counted must be what there is more than before. scratch: memory of the filling itself. */
static void must_be_true(const struct fill *f, const struct task *t, size_t before, const char *shape, const char *when)
{
	size_t counted = task_bytes(t);
	double truth = (double)allocated_bytes() - (double)(before + f->scratch.held_bytes + memory_rounded(f->bytes.cap));
	double off = (double)counted * TOLERANCE + SLACK, least = __sanitizer_get_current_allocated_bytes ? 0.7 * (double)counted : (double)counted;

	printf("  %s, %s: %zu bytes counted, %.0f allocated (%+.1f %%)\n", shape, when, counted, truth, 100 * (truth / (double)counted - 1));
	fflush(stdout);
	ck_assert_msg(truth <= (double)counted + off && truth >= least - off, "%s, %s: %zu bytes counted, %.0f allocated", shape, when, counted,
		      truth);
}

/* A checkpoint's closing, with a letter, and with a flush of what is left. What it grows by was foreseen. */
static void checkpoint(struct fill *f, const char *shape, bool flush)
{
	size_t before, foreseen, grown;
	struct err err = ERR_INIT;

	ck_assert_int_eq(task_add_letter(f->task, (struct str){"0123456789", 10}), 0);
	before = task_bytes(f->task);
	foreseen = window_store_growth(&f->task->windows);
	ck_assert_int_eq(task_close(f->task, f->task->watermark_ms, &close_rules, &err), 0);
	if (flush)
		ck_assert_int_eq(task_flush(f->task, &err), 0);
	grown = task_bytes(f->task) > before ? task_bytes(f->task) - before : 0;
	printf("  %s: %zu bytes, grows by %zu, %zu were foreseen\n", shape, before, grown, foreseen);
	fflush(stdout);
	ck_assert_msg((double)grown <= (double)foreseen + (double)before * GROWTH_TOLERANCE + SLACK, "%s: %zu bytes grow by %zu, %zu were foreseen",
		      shape, before, grown, foreseen);
	ck_assert_msg((double)foreseen <= 1.5 * (double)grown + (double)before * GROWTH_TOLERANCE + SLACK, "%s: %zu bytes grow by %zu, %zu were foreseen",
		      shape, before, grown, foreseen);
}

START_TEST(what_is_counted_is_what_is_allocated)
{
	const char *name = shapes[_i].name;
	const struct fill_shape *shape = &shapes[_i].shape;
	struct unit_random r = unit_random_new("accounting");
	struct fill f = {.random = &r};
	size_t before = allocated_bytes();

	f.task = task_new(0, INPUT_SAMPLES);
	f.task->watermark_ms = L_BEGIN_MS + 30000;
	fill_records(&f, shape, shapes[_i].nr_records, shapes[_i].event_ms);
	must_be_true(&f, f.task, before, name, "filled");
	checkpoint(&f, name, false);
	must_be_true(&f, f.task, before, name, "closed");
	fill_records(&f, shape, shapes[_i].nr_records / 4, L_MINUTE_MS);
	fill_commit(f.task);
	must_be_true(&f, f.task, before, name, "committed");
	checkpoint(&f, name, true);
	must_be_true(&f, f.task, before, name, "flushed");
	fill_commit(f.task);
	must_be_true(&f, f.task, before, name, "empty");
	fill_records(&f, shape, shapes[_i].nr_records, shapes[_i].event_ms);
	must_be_true(&f, f.task, before, name, "filled again");
	task_free(f.task);
	fill_fini(&f);
}
END_TEST

/* Events: of few groups or of many, long or as short as can be, of one minute or of many. */
static const struct { const char *name; int nr_records, nr_groups; size_t text; int64_t back_ms; enum exemplar_kind kind; } event_shapes[] = {
	{"errors of few groups", 500, 20, 3000, 60000, EXEMPLAR_ERROR},
	{"errors of many groups", 300, 20000, 500, 60000, EXEMPLAR_ERROR},
	{"short errors of many groups", 500, 1000000, 0, 0, EXEMPLAR_ERROR},
	{"short errors of many minutes", 500, 1000, 0, 40 * L_HOUR_MS, EXEMPLAR_ERROR},
	{"transactions", 500, 2000, 700, 60000, EXEMPLAR_TRANSACTION},
	{"short transactions", 500, 1000000, 0, 0, EXEMPLAR_TRANSACTION},
	{"markers", 500, 1, 10, 40 * L_HOUR_MS, EXEMPLAR_MARKER},
};

enum { EVENTS_A_RECORD = 50 };

/* One record at the task's watermark; its length. */
static size_t fill_events(struct fill *f, int shape)
{
	static char text[4096];
	static struct event events[EVENTS_A_RECORD];
	struct event_batch batch = {.events = events, .events_len = EVENTS_A_RECORD, .site = STR("site-a"), .received_at = f->task->watermark_ms};
	struct intake_counts counts;
	struct err err = ERR_INIT;

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < EVENTS_A_RECORD; i++) {
		int group = (int)unit_random_below(f->random, (uint64_t)event_shapes[shape].nr_groups);
		struct str words = {text, event_shapes[shape].text ? unit_random_below(f->random, event_shapes[shape].text) : 0};

		events[i] = (struct event){.t = f->task->watermark_ms - (int64_t)unit_random_below(f->random, (uint64_t)event_shapes[shape].back_ms + 1)};
		memcpy(events[i].group, &group, sizeof(group));
		if ((events[i].has_error = event_shapes[shape].kind == EXEMPLAR_ERROR))
			events[i].error.message = words;
		if ((events[i].has_transaction = event_shapes[shape].kind == EXEMPLAR_TRANSACTION))
			events[i].transaction = (struct transaction_detail){.duration_ms = (double)unit_random_below(f->random, 1000)};
		if ((events[i].has_marker = event_shapes[shape].kind == EXEMPLAR_MARKER))
			events[i].marker.text = words;
		events[i].action = event_shapes[shape].text && events[i].has_transaction ? STR("orders#show") : STR("");
	}
	buf_clear(&f->bytes);
	ck_assert_int_eq(event_batch_encode(&batch, &f->bytes, &err), 0);
	ck_assert_msg(task_take(f->task, &(struct record){f->task->position, f->task->watermark_ms, buf_str(&f->bytes), NULL}, &f->scratch, &counts,
				&err) == 0, "%s", err.msg);
	return f->bytes.len;
}

START_TEST(exemplars_are_counted_as_they_are_allocated)
{
	const char *name = event_shapes[_i].name;
	struct unit_random r = unit_random_new("accounting_events");
	struct fill f = {.random = &r};
	struct buf bytes = BUF_INIT;
	size_t before = allocated_bytes(), weight = 0, empty;
	struct task *back;
	struct err err = ERR_INIT;

	f.task = task_new(0, INPUT_EVENTS);
	f.task->watermark_ms = L_BEGIN_MS + 50 * L_HOUR_MS;
	empty = task_bytes(f.task);
	for (int i = 0; i < event_shapes[_i].nr_records; i++) {
		weight += budget_weight(fill_events(&f, _i), 0);
		ck_assert_msg(task_bytes(f.task) - empty <= budget_grown(weight) + SLACK, "%s: %zu bytes after records that weigh %zu", name,
			      task_bytes(f.task) - empty, weight);
	}
	must_be_true(&f, f.task, before, name, "filled");
	ck_assert_int_eq(snapshot_encode(f.task, &bytes, &err), 0);
	ck_assert_uint_ge(budget_look(&f.task, 1).snapshot_bytes + SLACK, bytes.len);
	task_free(f.task);
	before = allocated_bytes() - f.scratch.held_bytes - memory_rounded(f.bytes.cap);
	f.task = back = task_new(0, INPUT_EVENTS);
	ck_assert_int_eq(snapshot_decode(buf_str(&bytes), back, &err), 0);
	must_be_true(&f, back, before, name, "restored");
	ck_assert_uint_ge(budget_restored((int64_t)bytes.len) + SLACK, task_bytes(back) + bytes.len);
	ck_assert_uint_ge(budget_flushable(back), back->exemplars.held_bytes);
	ck_assert_int_eq(task_flush(back, &err), 0);
	must_be_true(&f, back, before, name, "flushed");
	back->attempt.nr_specimens = back->specimens.nr;
	fill_events(&f, _i);
	ck_assert_uint_eq(budget_flushable(back), 0); /* before what was flushed is committed, there is nothing to ask for */
	ck_assert_int_eq(task_flush(back, &err), 0);
	back->attempt.nr_specimens = back->specimens.nr;
	task_committed(back, 0);
	must_be_true(&f, back, before, name, "committed");
	ck_assert_uint_ge(budget_look(&back, 1).unflushable_bytes + empty + SLACK / 16, task_bytes(back));
	back->watermark_ms += 3 * L_HOUR_MS;
	ck_assert_int_eq(task_close(back, back->watermark_ms, &close_rules, &err), 0);
	ck_assert_uint_le(task_bytes(back), empty + SLACK);
	task_free(back);
	fill_fini(&f);
	buf_fini(&bytes);
}
END_TEST

/* What is taken between two looks at the budget is bounded by what is known of records before they are taken. */
START_TEST(a_record_makes_the_state_grow_by_no_more_than_it_weighs)
{
	struct unit_random r = unit_random_new("accounting_weight");
	struct fill f = {.task = task_new(0, INPUT_SAMPLES), .random = &r};
	size_t weight = 0, empty = task_bytes(f.task), most = 0;

	f.task->watermark_ms = L_BEGIN_MS + 30000;
	for (int i = 0; i < 200; i++) {
		size_t panes = window_store_panes(&f.task->windows);

		fill_records(&f, &shapes[_i].shape, 1, 0);
		weight += budget_weight(f.bytes.len, window_store_panes(&f.task->windows) - panes);
		ck_assert_msg(task_bytes(f.task) - empty <= budget_grown(weight) + SLACK, "%s: %zu bytes after records that weigh %zu", shapes[_i].name,
			      task_bytes(f.task) - empty, weight);
		most = 100 * (task_bytes(f.task) - empty) / weight > most ? 100 * (task_bytes(f.task) - empty) / weight : most;
	}
	printf("  %s: up to %zu %% of a record's weight\n", shapes[_i].name, most);
	task_free(f.task);
	fill_fini(&f);
}
END_TEST

/* What a restore is given room for beforehand, and a snapshot: hardly less than it takes, and not many times as much. Small ones do not matter. */
static void must_be_foreseen(struct task *t, size_t snapshot_bytes, const char *shape)
{
	size_t state = task_bytes(t), foreseen = budget_restored((int64_t)snapshot_bytes) - snapshot_bytes;

	printf("  %s: %zu bytes of snapshot, %.2f of state for each\n", shape, snapshot_bytes, (double)state / (double)snapshot_bytes);
	fflush(stdout);
	if (state < 1 << 20)
		return;
	ck_assert_msg((double)foreseen >= 0.9 * (double)state, "%s: %zu bytes foreseen, %zu taken", shape, foreseen, state);
	ck_assert_msg((double)foreseen <= 3 * (double)state, "%s: %zu bytes foreseen, %zu taken", shape, foreseen, state);
	ck_assert_uint_ge(budget_look(&t, 1).snapshot_bytes, snapshot_bytes);
}

START_TEST(a_restored_task_is_counted_too)
{
	const char *name = shapes[_i].name;
	struct unit_random r = unit_random_new("accounting_restored");
	struct task *first = task_new(0, INPUT_SAMPLES);
	struct fill f = {.task = first, .random = &r};
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	size_t before, held;

	first->watermark_ms = L_BEGIN_MS + 30000;
	fill_records(&f, &shapes[_i].shape, shapes[_i].nr_records, shapes[_i].event_ms);
	checkpoint(&f, name, false);
	fill_commit(first);
	fill_records(&f, &shapes[_i].shape, shapes[_i].nr_records / 4, L_MINUTE_MS);
	ck_assert_int_eq(snapshot_encode(first, &bytes, &err), 0);
	held = f.scratch.held_bytes + memory_rounded(f.bytes.cap);
	before = allocated_bytes() - held;
	f.task = task_new(0, INPUT_SAMPLES);
	ck_assert_msg(snapshot_decode(buf_str(&bytes), f.task, &err) == 0, "%s", err.msg);
	must_be_true(&f, f.task, before, name, "restored");
	must_be_foreseen(f.task, bytes.len, name);
	fill_records(&f, &shapes[_i].shape, shapes[_i].nr_records / 4, L_MINUTE_MS);
	must_be_true(&f, f.task, before, name, "gone on");
	task_free(f.task);
	task_free(first);
	fill_fini(&f);
	buf_fini(&bytes);
}
END_TEST

/* What triggers need: alerts of many series, open and held; windows kept back from a flush; events on their way out. */
START_TEST(alerts_are_counted_as_they_are_allocated)
{
	struct trigger t = {.id = STR("t"), .site = STR(J_SITE), .metric = STR("load"), .author = STR("test"), .updated_at = 1};
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	struct world w;
	struct fill f = {0};
	size_t before;

	j_init(&w, INPUT_SAMPLES);
	t.has_threshold = _i != 1;
	t.threshold = (struct threshold_rule){TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4};
	t.has_absent_minutes = !t.has_threshold;
	t.absent_minutes = 2;
	j_trigger(&w, t.id, &t);
	j_value(&w, -1, j_minute(0), 1, j_minute(0), false);
	j_close(&w, 0);
	w.rules.judging.held_max = 100000;
	before = allocated_bytes() - task_bytes(w.task) - w.scratch.held_bytes - memory_rounded(w.bytes.cap);
	for (int i = 0; i < ALERTING_SERIES; i++)
		j_value(&w, i, j_minute(1), _i == 2 ? 1 : 5, j_minute(1) + 30000, false);
	w.rules.judging.shadow_bytes = 64 << 20;
	ck_assert_int_eq(task_close(w.task, j_minute(2) + 45000, &w.rules, &err), 0);
	f = (struct fill){.task = w.task, .scratch = w.scratch, .bytes = w.bytes};
	must_be_true(&f, w.task, before, alerting[_i], "judged");
	w.task->attempt = (struct attempt){.outbox_len = w.task->outbox.len, .nr_alerts = w.task->alert_outbox.nr};
	task_committed(w.task, 0);
	must_be_true(&f, w.task, before, alerting[_i], "committed");
	for (int i = 0; i < ALERTING_SERIES; i++)
		j_value(&w, i, j_minute(2), 5, j_minute(2) + 46000, false);
	ck_assert_int_eq(task_flush(w.task, &err), 0);
	must_be_true(&f, w.task, before, alerting[_i], "flushed");
	w.task->attempt.outbox_len = w.task->outbox.len;
	task_committed(w.task, 0);
	must_be_true(&f, w.task, before, alerting[_i], "flushed and committed");
	ck_assert_uint_lt(budget_flushable(w.task), task_bytes(w.task) / 4); /* what is left is not asked for again and again */
	ck_assert_uint_ge(budget_look(&w.task, 1).unflushable_bytes, task_bytes(w.task) / 4 * 3);
	ck_assert_int_eq(snapshot_encode(w.task, &bytes, &err), 0);
	must_be_foreseen(w.task, bytes.len, alerting[_i]);
	buf_fini(&bytes);
	j_fini(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("accounting");
	TCase *tc = tcase_create("accounting");

	tcase_add_loop_test(tc, what_is_counted_is_what_is_allocated, 0, NR(shapes));
	tcase_add_loop_test(tc, a_record_makes_the_state_grow_by_no_more_than_it_weighs, 0, NR(shapes));
	tcase_add_loop_test(tc, a_restored_task_is_counted_too, 0, NR(shapes));
	tcase_add_loop_test(tc, exemplars_are_counted_as_they_are_allocated, 0, NR(event_shapes));
	tcase_add_loop_test(tc, alerts_are_counted_as_they_are_allocated, 0, NR(alerting));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
