/* judged.h - a partition with triggers, for tests: a task, and the tables that it judges by, fed as rows, records and closings.
 *
 * Minutes are counted from J_BEGIN_MS. One site, whose series are known by numbers; what comes out is read as AlertEvents from the task's outbox. */
#ifndef MILLRACE_TESTS_PROCESSOR_JUDGED_H
#define MILLRACE_TESTS_PROCESSOR_JUDGED_H

#include <inttypes.h>

#include "common/control.h"
#include "processor/snapshot.h"
#include "processor/task.h"
#include "tests/unit/processor/ledger.h"

#define J_BEGIN_MS L_BEGIN_MS
#define J_SITE "site-a"

struct world {
	struct clock clock; /* stands still: start_ms is what the controls take for now */
	struct placements placements;
	struct rulebook *rulebook;
	struct closures *closures;
	struct controls *controls;
	struct task *task;
	struct close_rules rules;
	struct arena scratch;
	struct buf bytes;
	int64_t seq;
	char told[4096]; /* what became known, in words */
	size_t told_len;
	uint8_t episode[ALERT_ID_BYTES]; /* of the last opening that was told */
};

enum { J_WORDS_SIZE = 1024 };

/* What a model expects: as j_read() writes it. */
static inline void j_expect(char out[J_WORDS_SIZE], char sign, int minute)
{
	size_t len = strlen(out);

	snprintf(out + len, J_WORDS_SIZE - len, "%c%d ", sign, minute);
}

static inline int64_t j_minute(int64_t n)
{
	return J_BEGIN_MS + n * L_MINUTE_MS;
}

static inline void j_route(struct world *w, const struct route *routes, size_t nr)
{
	struct site site = {.id = STR(J_SITE), .name = STR("The Shop"), .routes = (struct route *)(uintptr_t)routes, .routes_len = nr};
	struct err err = ERR_INIT;

	buf_clear(&w->bytes);
	ck_assert_int_eq(site_encode(&site, &w->bytes, &err), 0);
	ck_assert_msg(placements_take(&w->placements, &(struct table_row){.key = site.id, .value = buf_str(&w->bytes)}, &err) == 0, "%s", err.msg);
}

static inline void j_apply(struct world *w)
{
	struct err err = ERR_INIT;

	w->rules.judging.rules = rulebook_rules(w->rulebook, &err);
	ck_assert_ptr_nonnull(w->rules.judging.rules);
}

/* A trigger as it stands in the topic; NULL in place of t deletes id. */
static inline void j_trigger(struct world *w, struct str id, const struct trigger *t)
{
	struct err err = ERR_INIT;

	buf_clear(&w->bytes);
	if (t)
		ck_assert_int_eq(trigger_encode(t, &w->bytes, &err), 0);
	ck_assert_msg(rulebook_take(w->rulebook, &(struct table_row){.key = id, .value = t ? buf_str(&w->bytes) : (struct str){0}}, &err) == 0, "%s", err.msg);
	j_apply(w);
}

static inline void j_init(struct world *w, enum input_kind kind)
{
	const struct route here = {.effective_from = 0, .cell = STR("main"), .shards = 1};
	struct err err = ERR_INIT;

	memset(w, 0, sizeof(*w));
	w->clock = (struct clock){.test = true, .start_ms = J_BEGIN_MS};
	w->placements = (struct placements)PLACEMENTS_INIT;
	w->placements.cell = "main";
	w->placements.partitions = 1;
	w->rulebook = rulebook_new(&w->placements);
	w->closures = closures_new("main");
	w->controls = controls_new(&w->clock, CONTROL_PROGRAM_PROCESSOR, &err);
	w->task = task_new(kind == INPUT_EVENTS, kind);
	ck_assert(w->rulebook && w->closures && w->controls && w->task);
	w->rules = (struct close_rules){.grace_ms = 45000, .late = {300000, 1800000}, .agents_max = 100, .request_keys_max = 100};
	w->rules.judging = (struct judging){.placements = &w->placements, .closures = w->closures, .controls = w->controls, .cell = "main", .epoch = 7,
					    .max_age_ms = INT64_MAX / 2, .held_max = 1000, .shadow_bytes = 1 << 20};
	j_route(w, &here, 1);
	j_apply(w);
}

static inline void j_fini(struct world *w)
{
	task_free(w->task);
	rulebook_free(w->rulebook);
	placements_fini(&w->placements);
	closures_free(w->closures);
	controls_free(w->controls);
	arena_fini(&w->scratch);
	buf_fini(&w->bytes);
}

/* The task is saved and restored, as by another process. */
static inline void j_restore(struct world *w)
{
	struct task *other = task_new(w->task->partition, w->task->kind);
	struct buf first = BUF_INIT, again = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(snapshot_encode(w->task, &first, &err), 0);
	ck_assert_msg(snapshot_decode(buf_str(&first), other, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(snapshot_encode(other, &again, &err), 0);
	ck_assert_uint_eq(first.len, again.len);
	other->saved = w->task->saved;
	task_free(w->task);
	w->task = other;
	buf_fini(&first);
	buf_fini(&again);
}

/* Something that a person would read of the events, one after the other: "+3" opened in minute 3, "-5" closed in minute 5 as it recovered, "-5 reason"; "+3@9": the
 * opening was told with minute 9's judging. minute: that was judged last. */
static inline void j_read(struct world *w, int64_t minute)
{
	for (const struct alert_letter *l = w->task->alert_outbox.first; l; l = l->next) {
		struct alert_event e;
		struct err err = ERR_INIT;
		long long opened, at;
		const char *reason;
		char *to = w->told + w->told_len;
		size_t room = sizeof(w->told) - w->told_len;
		int n = 0;

		arena_clear(&w->scratch);
		ck_assert_msg(alert_event_decode(alert_letter_record(l), &w->scratch, &e, &err) == 0, "%s", err.msg);
		ck_assert(str_eq(alert_letter_key(l), e.trigger) && str_eq(e.site, STR(J_SITE)) && str_eq(e.site_name, STR("The Shop")));
		ck_assert(e.epoch == 7 && str_eq(e.cell, STR("main")) && e.kind == l->kind);
		opened = (e.opened_at - J_BEGIN_MS) / L_MINUTE_MS;
		at = (e.minute - J_BEGIN_MS) / L_MINUTE_MS;
		reason = str_eq(e.reason, STR("recovered")) ? "" : (const char *)e.reason.p;
		if (e.kind == ALERT_EVENT_KIND_OPENED) {
			n = opened == minute || w->rules.judging.max_age_ms == INT64_MAX / 2 ? snprintf(to, room, "+%lld ", opened) : snprintf(to, room, "+%lld@%lld ", opened, (long long)minute);
			ck_assert_int_eq(memcmp(e.id, e.episode, sizeof(e.id)), 0);
			memcpy(w->episode, e.id, sizeof(e.id));
		} else if (e.kind == ALERT_EVENT_KIND_SUMMARY) {
			n = snprintf(to, room, "sum %lld..%lld %" PRId64 "/%" PRId64 " ", opened, at, e.opened, e.closed);
			ck_assert_int_eq(memcmp(e.id, e.episode, sizeof(e.id)), 0);
		} else {
			n = *reason ? snprintf(to, room, "-%lld " STR_FMT " ", at, STR_ARG(e.reason)) : snprintf(to, room, "-%lld ", at);
			ck_assert_int_ne(memcmp(e.id, e.episode, sizeof(e.id)), 0);
			ck_assert((e.kind == ALERT_EVENT_KIND_MOVED) == str_eq(e.reason, STR("moved")));
		}
		w->told_len += (size_t)n;
		ck_assert_uint_lt(w->told_len, sizeof(w->told));
	}
	alert_outbox_drop(&w->task->alert_outbox, w->task->alert_outbox.nr);
}

/* The series of a number: a gauge of one metric, told apart by a tag. */
static inline struct series_ref j_series(int number, struct tag *tag, char text[16])
{
	struct series_id id = {.site = STR(J_SITE), .kind = SERIES_KIND_GAUGE, .name = number < 0 ? STR("other") : STR("load"), .tags = tag, .tags_len = 1};
	struct series_ref ref = {.kind = SERIES_KIND_GAUGE, .name = id.name, .tags = tag, .tags_len = 1};

	snprintf(text, 16, "%d", number);
	*tag = (struct tag){STR("n"), str_from(text)};
	series_fingerprint(&id, ref.fingerprint);
	return ref;
}

/* One value at a time; the record comes at now_ms. waits: its agent has older payloads. number -1: a series that no trigger is about. */
static inline void j_value(struct world *w, int number, int64_t t_ms, double value, int64_t now_ms, bool waits)
{
	char text[16];
	struct tag tag;
	struct series_ref series = j_series(number, &tag, text);
	struct value_sample v = {.series = 0, .t = t_ms, .v = value};
	struct sample_batch batch = {.series = &series, .series_len = 1, .values = &v, .values_len = 1, .site = STR(J_SITE), .has_agent_id = waits,
				     .created_at = now_ms, .received_at = now_ms};
	struct intake_counts counts;
	struct err err = ERR_INIT;

	if (waits) {
		batch.seq = ++w->seq + 1;
		batch.floor = 1;
	}
	buf_clear(&w->bytes);
	ck_assert_int_eq(sample_batch_encode(&batch, &w->bytes, &err), 0);
	ck_assert_msg(task_take(w->task, &(struct record){w->task->position, now_ms, buf_str(&w->bytes), NULL}, &w->scratch, &counts, &err) == 0, "%s", err.msg);
}

/* A closing at which this minute is the last that closes. */
static inline void j_close(struct world *w, int64_t minute)
{
	int64_t watermark_ms = j_minute(minute + 1) + w->rules.grace_ms;
	struct err err = ERR_INIT;

	if (w->rules.judging.max_age_ms == INT64_MAX / 2)
		w->rules.judging.now_ms = watermark_ms;
	ck_assert_int_eq(task_close(w->task, watermark_ms, &w->rules, &err), 0);
	task_committed(w->task, 0);
	while (w->task->outbox.len)
		pane_free(pane_list_take(&w->task->outbox, w->task->outbox.len - 1), &w->task->windows.series);
	j_read(w, minute);
}

/* Mutes a trigger, or the site where it is NULL, for [minute, until). */
static inline void j_mute(struct world *w, const char *trigger, int64_t minute, int64_t until)
{
	struct control c = {.on = CONTROL_PROGRAM_PROCESSOR, .action = CONTROL_ACTION_MUTE, .has_trigger = trigger != NULL, .trigger = str_from(trigger),
			    .has_site = !trigger, .site = STR(J_SITE),
			    .reason = STR("test"), .author = STR("test"), .created_at = j_minute(minute), .expires_at = j_minute(until)};
	char id[CONTROL_ID_SIZE];
	struct err err = ERR_INIT;

	w->clock.start_ms = j_minute(minute);
	ck_assert_msg(control_make_id(&c, id, &err) == 0, "%s", err.msg);
	c.id = str_from(id);
	ck_assert_msg(controls_put(w->controls, &c, &err) == CONTROLS_DONE, "%s", err.msg);
}

/* Ingest is closed in a minute. */
static inline void j_shut(struct world *w, int64_t minute)
{
	struct control c = {.id = STR("ingest/close"), .on = CONTROL_PROGRAM_INGEST, .action = CONTROL_ACTION_CLOSE, .reason = STR("test"), .author = STR("test"),
			    .created_at = j_minute(minute), .expires_at = j_minute(minute + 1)};
	struct err err = ERR_INIT;

	buf_clear(&w->bytes);
	ck_assert_int_eq(control_encode(&c, &w->bytes, &err), 0);
	ck_assert_msg(closures_take_control(w->closures, &(struct table_row){.key = c.id, .value = buf_str(&w->bytes)}, &err) == 0, "%s", err.msg);
}

#endif
