/* test_event_intake.c - an EventBatch is taken whole, once, or refused whole. */
#include "processor/event_intake.h"

#include "processor/event_check.h"
#include "processor/task.h"
#include "tests/unit/processor/events.h"
#include "tests/unit/processor/ledger.h"

#define NOW_MS (L_BEGIN_MS + 5 * L_MINUTE_MS)

/* Two errors, a transaction, a marker, a check-in, all good. */
static void make_good(struct ev_batch *b)
{
	static const enum exemplar_kind kinds[] = {EXEMPLAR_ERROR, EXEMPLAR_ERROR, EXEMPLAR_TRANSACTION, EXEMPLAR_MARKER, EXEMPLAR_CHECK_IN};

	ev_init(b, NOW_MS);
	for (size_t i = 0; i < NR(kinds); i++)
		ev_add(b, &(struct an_event){.number = (int64_t)i, .t_ms = NOW_MS, .kind = kinds[i], .duration_ms = 3});
}

static const char long_text[9000]; /* of U+0000 */
static const struct transaction_span spans[501];
static const struct backtrace_frame frames[201];
static const struct breadcrumb breadcrumbs[51];
static const struct tag tags[65];

#define READ_ONLY(type, list) ((struct type *)(uintptr_t)(list))

static void time_ahead(struct ev_batch *b) { b->events[4].t = NOW_MS + INTAKE_AHEAD_MS + 1; }
static void time_back(struct ev_batch *b) { b->events[0].t = NOW_MS - INTAKE_BACK_MS - 1; }
static void no_detail(struct ev_batch *b) { b->events[1].has_error = false; }
static void two_details(struct ev_batch *b) { b->events[3].has_check_in = true; }
static void long_site(struct ev_batch *b) { b->record.site.p = long_text; b->record.site.len = 65; }
static void long_action(struct ev_batch *b) { b->events[0].action = (struct str){long_text, 256}; }
static void long_class(struct ev_batch *b) { b->events[0].error.class = (struct str){long_text, 256}; }
static void long_message(struct ev_batch *b) { b->events[0].error.message = (struct str){long_text, 8193}; }
static void long_marker(struct ev_batch *b) { b->events[3].marker.text = (struct str){long_text, 8193}; }
static void long_check_in(struct ev_batch *b) { b->events[4].check_in.name = (struct str){long_text, 256}; }
static void many_tags(struct ev_batch *b) { b->events[2].tags = READ_ONLY(tag, tags); b->events[2].tags_len = 33; }
static void many_params(struct ev_batch *b) { b->events[0].error.params = READ_ONLY(tag, tags); b->events[0].error.params_len = 65; }
static void many_frames(struct ev_batch *b) { b->events[0].error.backtrace = READ_ONLY(backtrace_frame, frames); b->events[0].error.backtrace_len = NR(frames); }
static void many_crumbs(struct ev_batch *b) { b->events[0].error.breadcrumbs = READ_ONLY(breadcrumb, breadcrumbs); b->events[0].error.breadcrumbs_len = NR(breadcrumbs); }
static void many_spans(struct ev_batch *b) { b->events[2].transaction.spans = READ_ONLY(transaction_span, spans); b->events[2].transaction.spans_len = NR(spans); }
static void no_duration(struct ev_batch *b) { b->events[2].transaction.duration_ms = 0.0 / 0.0; }
static void minus_duration(struct ev_batch *b) { b->events[2].transaction.duration_ms = -1; }
static void minus_queue(struct ev_batch *b) { b->events[2].transaction.queue_ms = -1; }
static void bad_identity(struct ev_batch *b) { b->record.has_agent_id = true; b->record.seq = 5; b->record.floor = 6; }
static void bad_key(struct ev_batch *b) { b->record.has_idempotency_key = true; }

static void endless_span(struct ev_batch *b)
{
	static struct transaction_span endless = {.duration_ms = 1.0 / 0.0};

	b->events[2].transaction.spans = &endless;
	b->events[2].transaction.spans_len = 1;
}

static const struct {
	void (*spoil)(struct ev_batch *b);
	const char *text;
} bad[] = {
	{time_ahead, "event 4: time"}, {time_back, "event 0: time"}, {no_detail, "event 1: 0 details"}, {two_details, "event 3: 2 details"},
	{long_site, "a site's id"}, {long_action, "action"}, {long_class, "class"}, {long_message, "message"}, {long_marker, "text"},
	{long_check_in, "name"}, {many_tags, "tags: 33"}, {many_params, "params: 65"}, {many_frames, "frames: 201"}, {many_crumbs, "breadcrumbs: 51"},
	{many_spans, "spans: 501"}, {no_duration, "event 2: a transaction"}, {minus_duration, "of -1 ms"}, {minus_queue, "-1 in a queue"},
	{endless_span, "span 0"}, {bad_identity, "floor 6"}, {bad_key, "Idempotency-Key"},
};

static int take(struct task *t, const struct ev_batch *b, const struct origin *origin, struct intake_counts *counts, struct err *err)
{
	struct record record = {.offset = t->position, .timestamp_ms = NOW_MS, .origin = origin};
	struct arena scratch = ARENA_INIT;
	struct buf bytes = BUF_INIT;
	int rc;

	ev_encode(b, &bytes);
	record.value = buf_str(&bytes);
	rc = task_take(t, &record, &scratch, counts, err);
	arena_fini(&scratch);
	buf_fini(&bytes);
	return rc;
}

START_TEST(what_ingest_does_not_let_through_is_refused_whole)
{
	struct task *t = task_new(7, INPUT_EVENTS);
	struct intake_counts counts;
	struct err err = ERR_INIT;
	struct ev_batch b;

	make_good(&b);
	bad[_i].spoil(&b);
	ck_assert_int_eq(take(t, &b, NULL, &counts, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, bad[_i].text) != NULL, "%s", err.msg);
	ck_assert(t->exemplars.nr_held == 0 && t->dedup.agents.len == 0 && t->request_keys.keys.len == 0 && t->position == 1);
	task_free(t);
}
END_TEST

START_TEST(short_memory_is_told_to_series_and_groups)
{
	struct task *t = task_new(7, INPUT_EVENTS);
	struct intake_counts counts;
	struct err err = ERR_INIT;
	struct ev_batch b;

	make_good(&b);
	task_crowd(t, true);
	ck_assert_int_eq(take(t, &b, NULL, &counts, &err), 0);
	ck_assert(t->windows.series.caps.crowded && counts.events == 5 && t->exemplars.nr_held == 2 && counts.dropped[EXEMPLAR_ERROR] == 2);
	task_crowd(t, false);
	ck_assert_int_eq(take(t, &b, NULL, &counts, &err), 0);
	ck_assert(!t->windows.series.caps.crowded && t->exemplars.nr_held == 7 && counts.dropped[EXEMPLAR_ERROR] == 0);
	task_free(t);
}
END_TEST

START_TEST(the_edges_are_taken)
{
	struct task *t = task_new(7, INPUT_EVENTS);
	struct intake_counts counts;
	struct err err = ERR_INIT;
	struct ev_batch b;

	make_good(&b);
	b.record.site = (struct str){long_text, 64};
	b.events[0].t = NOW_MS - INTAKE_BACK_MS;
	b.events[1].t = NOW_MS + INTAKE_AHEAD_MS;
	b.events[1].error.message = (struct str){long_text, 8192};
	b.events[2].transaction.spans = READ_ONLY(transaction_span, spans);
	b.events[2].transaction.spans_len = 500;
	ck_assert_msg(take(t, &b, NULL, &counts, &err) == 0, "%s", err.msg);
	ck_assert(counts.events == 5 && t->exemplars.nr_held == 5);
	task_free(t);
}
END_TEST

START_TEST(a_batch_is_counted_once)
{
	static const struct origin origin = {.topic = {"t", 1}, .partition = 7, .offset = 3};
	struct task *t = task_new(7, INPUT_EVENTS);
	struct intake_counts counts;
	struct err err = ERR_INIT;
	struct ev_batch b;

	make_good(&b);
	b.record.has_agent_id = true;
	b.record.seq = b.record.floor = 7;
	for (int i = 0; i < 3; i++) {
		ck_assert_msg(take(t, &b, i == 2 ? &origin : NULL, &counts, &err) == 0, "%s", err.msg); /* the last is a dead letter sent again */
		ck_assert(counts.events == (i ? 0 : 5) && counts.duplicate_events == (i ? 5 : 0) && counts.samples == 0 && counts.by_key == (i == 2));
		ck_assert(t->exemplars.nr_held == 5 && t->position == i + 1);
	}
	b.record.has_agent_id = false;
	b.record.has_idempotency_key = true;
	b.record.idempotency_key = STR("k");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(take(t, &b, NULL, &counts, &err), 0);
		ck_assert(counts.by_key && counts.events == (i ? 0 : 5) && counts.duplicate_events == (i ? 5 : 0));
	}
	ck_assert(counts.dropped[EXEMPLAR_ERROR] == 0);
	task_free(t);
}
END_TEST

START_TEST(what_is_not_kept_is_counted_and_late_ones_too)
{
	struct task *t = task_new(7, INPUT_EVENTS);
	struct intake_counts counts;
	struct err err = ERR_INIT;
	struct ev_batch b;

	t->windows.closed_ms = NOW_MS;
	ev_init(&b, NOW_MS);
	for (int i = 0; i < 8; i++)
		ev_add(&b, &(struct an_event){.number = i, .t_ms = i < 2 ? NOW_MS - 1 : NOW_MS, .kind = EXEMPLAR_ERROR});
	ck_assert_int_eq(take(t, &b, NULL, &counts, &err), 0);
	ck_assert(counts.events == 8 && counts.late == 2 && counts.dropped[EXEMPLAR_ERROR] == 3 && t->late_samples == 2);
	ck_assert(t->exemplars.late_ms == NOW_MS && t->exemplars.oldest_ms == NOW_MS);
	task_free(t);
}
END_TEST

/* What joins the outbox while an attempt is in doubt is not in it, and stays; an attempt that came to nothing changes nothing. */
START_TEST(what_an_attempt_does_not_hold_stays)
{
	struct task *t = task_new(7, INPUT_EVENTS);
	struct intake_counts counts;
	struct err err = ERR_INIT;
	struct ev_batch b;

	make_good(&b);
	for (size_t joined = 0; joined < 2; joined++) {
		b.events[4].t += L_MINUTE_MS; /* a check-in of another minute each time */
		ck_assert_int_eq(take(t, &b, NULL, &counts, &err), 0);
		ck_assert_int_eq(task_flush(t, &err), 0);
		if (joined == 0)
			t->attempt.nr_specimens = t->specimens.nr;
	}
	ck_assert(t->attempt.nr_specimens == 5 && t->specimens.nr == 9 && task_is_flushed(t) && task_dirty(t)); /* of the other two errors one */
	task_aborted(t);
	ck_assert_uint_eq(t->specimens.nr, 9);
	t->attempt.nr_specimens = 5;
	task_committed(t, 0);
	ck_assert(t->specimens.nr == 4 && t->specimens.nr_flushed == 4 && t->specimens.first->kind == EXEMPLAR_ERROR && t->attempt.nr_specimens == 0);
	task_free(t);
}
END_TEST

/* A batch that stands in the other topic is told by its schema: no build to come could read it there. */
START_TEST(the_other_topics_batch_is_refused)
{
	const struct sample_batch samples = {.site = STR("site-a")};
	struct task *of_events = task_new(7, INPUT_EVENTS), *of_samples = task_new(0, INPUT_SAMPLES);
	struct arena scratch = ARENA_INIT;
	struct intake_counts counts;
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	struct ev_batch b;

	make_good(&b);
	ck_assert_int_eq(take(of_samples, &b, NULL, &counts, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.msg, "EventBatch"));
	ck_assert_int_eq(sample_batch_encode(&samples, &bytes, &err), 0);
	ck_assert_int_eq(task_take(of_events, &(struct record){0, NOW_MS, buf_str(&bytes), NULL}, &scratch, &counts, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.msg, "SampleBatch"));
	ck_assert(of_events->position == 1 && of_samples->position == 1);
	arena_fini(&scratch);
	buf_fini(&bytes);
	task_free(of_events);
	task_free(of_samples);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("event_intake");
	TCase *tc = tcase_create("event_intake");

	tcase_add_loop_test(tc, what_ingest_does_not_let_through_is_refused_whole, 0, (int)NR(bad));
	tcase_add_test(tc, short_memory_is_told_to_series_and_groups);
	tcase_add_test(tc, the_edges_are_taken);
	tcase_add_test(tc, a_batch_is_counted_once);
	tcase_add_test(tc, what_is_not_kept_is_counted_and_late_ones_too);
	tcase_add_test(tc, what_an_attempt_does_not_hold_stays);
	tcase_add_test(tc, the_other_topics_batch_is_refused);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
