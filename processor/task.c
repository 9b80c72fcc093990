/* task.c - see task.h. */
#include "processor/task.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"
#include "processor/event_intake.h"
#include "processor/judge.h"

static size_t letter_bytes(const struct letter *letter)
{
	return memory_rounded(sizeof(*letter) + letter->len);
}

static void task_init(struct task *t, int32_t partition, enum input_kind kind)
{
	*t = (struct task){.partition = partition, .kind = kind, .phase = TASK_PENDING, .refetched_at = -1, .rewound_at = -1, .committed = -1};
	t->dedup = (struct dedup)DEDUP_INIT;
	t->request_keys = (struct request_keys)REQUEST_KEYS_INIT;
}

struct task *task_new(int32_t partition, enum input_kind kind)
{
	struct task *t = malloc(sizeof(*t));

	if (t)
		task_init(t, partition, kind);
	return t;
}

/* Frees the first nr letters. */
static void letters_drop(struct letters *letters, size_t nr)
{
	for (; nr > 0 && letters->first; nr--) {
		struct letter *letter = letters->first;

		letters->first = letter->next;
		letters->nr--;
		letters->bytes -= letter_bytes(letter);
		free(letter);
	}
	if (!letters->first)
		letters->end = NULL;
}

static void task_fini(struct task *t)
{
	letters_drop(&t->letters, t->letters.nr);
	pane_list_fini(&t->outbox, &t->windows.series);
	alerts_fini(&t->alerts, &t->windows.series);
	shadow_fini(&t->shadow, &t->windows.series);
	quiet_fini(&t->quiet);
	check_ins_fini(&t->check_ins);
	baselines_fini(&t->baselines, &t->windows.series);
	series_lists_fini(&t->lists);
	window_store_fini(&t->windows);
	dedup_fini(&t->dedup);
	request_keys_fini(&t->request_keys);
	exemplars_fini(&t->exemplars);
	specimens_drop(&t->specimens, t->specimens.nr);
	alert_outbox_drop(&t->alert_outbox, t->alert_outbox.nr);
}

void task_free(struct task *t)
{
	if (!t)
		return;
	task_fini(t);
	free(t);
}

void task_clear(struct task *t)
{
	const struct site_limits *limits = t->windows.series.caps.limits;
	bool complained = t->complained;

	task_fini(t);
	task_init(t, t->partition, t->kind);
	t->complained = complained;
	t->windows.series.caps.limits = limits;
}

enum task_guard task_guard(struct task *t, int64_t offset)
{
	if (offset == t->position)
		return GUARD_TAKE;
	if (offset < t->position) {
		/* One old record is nothing; but a client that was reset would read all of them again before it gets here. */
		if (t->rewound_at == t->position)
			return GUARD_SKIP;
		t->rewound_at = t->position;
		return GUARD_REFETCH;
	}
	if (t->refetched_at != t->position) {
		t->refetched_at = t->position;
		return GUARD_REFETCH;
	}
	t->gap_records += (uint64_t)(offset - t->position);
	t->position = offset;
	return GUARD_GAP;
}

static int64_t watermark_with(const struct task *t, const struct record *record)
{
	return record->timestamp_ms > t->watermark_ms ? record->timestamp_ms : t->watermark_ms;
}

void task_pass(struct task *t, const struct record *record)
{
	int64_t watermark_ms = watermark_with(t, record);

	quiet_note_watermark(&t->quiet, t->watermark_ms, watermark_ms);
	t->watermark_ms = watermark_ms;
	t->position = record->offset + 1;
	t->at_end = false;
}

int task_take(struct task *t, const struct record *record, struct arena *scratch, struct intake_counts *counts, struct err *err)
{
	const struct intake_state to = {&t->windows, &t->dedup, &t->request_keys, &t->baselines, &t->lists, &t->exemplars, &t->check_ins};
	struct err why = ERR_INIT;
	int rc;

	*counts = (struct intake_counts){0};
	arena_clear(scratch);
	if (t->kind == INPUT_EVENTS)
		rc = event_intake_record(&to, record->value, record->origin, watermark_with(t, record), scratch, counts, &why);
	else
		rc = intake_record(&to, record->value, record->origin, watermark_with(t, record), scratch, counts, &why);
	if (rc == 0 && counts->waiting_ms && quiet_note_waiting(&t->quiet, counts->site, counts->waiting_ms) < 0)
		rc = err_nomem(&why, "a site that waits");
	arena_clear(scratch);
	if (rc < 0) {
		if (err)
			*err = why;
		if (why.kind != ERR_REJECT)
			return -1;
	}
	task_pass(t, record);
	t->late_samples += counts->late;
	return rc;
}

int task_add_letter(struct task *t, struct str bytes)
{
	struct letter *letter = malloc(sizeof(*letter) + bytes.len);

	if (!letter)
		return -1;
	letter->next = NULL;
	letter->len = bytes.len;
	memcpy(letter->bytes, bytes.p, bytes.len);
	*(t->letters.end ? t->letters.end : &t->letters.first) = letter;
	t->letters.end = &letter->next;
	t->letters.nr++;
	t->letters.bytes += letter_bytes(letter);
	t->dead_letters++;
	return 0;
}

int64_t task_effective_watermark(const struct task *t, int64_t now_ms, int64_t mono_ms, int64_t trust_ms)
{
	bool trusted = t->at_end && mono_ms - t->end_mono_ms <= trust_ms;

	return trusted && now_ms > t->watermark_ms ? now_ms : t->watermark_ms;
}

int64_t task_behind_ms(struct task *t, int64_t now_ms)
{
	int64_t since_ms;

	if (t->at_end || (!t->watermark_ms && !t->level_ms))
		t->level_ms = now_ms;
	since_ms = t->watermark_ms > t->level_ms ? t->watermark_ms : t->level_ms;
	return t->at_end || now_ms < since_ms ? 0 : now_ms - since_ms;
}

/* Judges the minutes that are about to close. */
static int judge(struct task *t, int64_t watermark_ms, int64_t closed_ms, const struct judging *with, struct err *err)
{
	int32_t partitions = with->placements ? with->placements->partitions : 0;
	const struct judged of = {&t->alerts, &t->windows, &t->shadow, &t->quiet, &t->check_ins, &t->alert_outbox,
				  t->kind == INPUT_EVENTS ? t->partition - partitions : t->partition, t->kind == INPUT_EVENTS};

	/* Known before they are judged: in which of them nobody listened. */
	quiet_note_watermark(&t->quiet, t->watermark_ms, watermark_ms);
	if (judge_minutes(&of, with, closed_ms, err) < 0)
		return -1;
	t->shadow.max_bytes = with->shadow_bytes;
	if (closed_ms <= t->windows.closed_ms)
		return 0;
	shadow_drop(&t->shadow, &t->windows.series, closed_ms - CLOCK_MINUTE_MS);
	quiet_close(&t->quiet, closed_ms);
	return 0;
}

int task_close(struct task *t, int64_t watermark_ms, const struct close_rules *rules, struct err *err)
{
	int64_t closed_ms = watermark_ms - rules->grace_ms;

	if (closed_ms < 0)
		closed_ms = 0;
	closed_ms -= closed_ms % CLOCK_MINUTE_MS;
	if (judge(t, watermark_ms, closed_ms, &rules->judging, err) < 0)
		return -1;
	if (window_store_close(&t->windows, closed_ms, watermark_ms, &rules->late, &t->outbox, err) < 0)
		return -1;
	exemplars_close(&t->exemplars, t->windows.closed_ms, &t->specimens);
	dedup_close(&t->dedup, watermark_ms, rules->agents_max);
	request_keys_close(&t->request_keys, watermark_ms, rules->request_keys_max);
	series_caps_close(&t->windows.series.caps, watermark_ms, rules->series_site_max, rules->series_record_max);
	baselines_close(&t->baselines, watermark_ms, &t->windows.series);
	check_ins_close(&t->check_ins, watermark_ms, &t->alerts.by_key);
	t->watermark_ms = watermark_ms;
	return 0;
}

int task_flush(struct task *t, struct err *err)
{
	series_lists_fini(&t->lists); /* a cache, of series that are about to leave */
	if (shadow_take(&t->shadow, &t->windows, t->alerts.rules, &t->quiet, err) < 0)
		return -1;
	exemplars_flush(&t->exemplars, &t->specimens);
	return window_store_flush(&t->windows, &t->outbox, err);
}

size_t task_flushable_bytes(const struct task *t)
{
	return window_store_bytes(&t->windows) + t->exemplars.held_bytes;
}

void task_crowd(struct task *t, bool crowded)
{
	series_caps_crowd(&t->windows.series.caps, crowded);
	exemplars_crowd(&t->exemplars, crowded);
}

bool task_is_flushed(const struct task *t)
{
	if (t->specimens.nr_flushed)
		return true;
	for (size_t i = 0; i < t->outbox.len; i++)
		if (t->outbox.panes[i]->flushed)
			return true;
	return false;
}

size_t task_alerting_bytes(const struct task *t)
{
	return alerts_bytes(&t->alerts) + check_ins_bytes(&t->check_ins) + quiet_bytes(&t->quiet) + shadow_bytes(&t->shadow);
}

size_t task_bytes(const struct task *t)
{
	return memory_rounded(sizeof(*t)) + window_store_bytes(&t->windows) + series_table_bytes(&t->windows.series) + dedup_bytes(&t->dedup) +
	       request_keys_bytes(&t->request_keys) + baselines_bytes(&t->baselines) + series_lists_bytes(&t->lists) + t->letters.bytes +
	       exemplars_bytes(&t->exemplars) + t->specimens.bytes + pane_list_bytes(&t->outbox) + t->alert_outbox.bytes + task_alerting_bytes(t);
}

size_t task_windows(const struct task *t)
{
	size_t windows = pane_list_windows(&t->outbox, INT64_MAX) + t->exemplars.nr_held + t->specimens.nr + t->alert_outbox.nr;

	for (size_t i = 0; i < NR_PANE_CLASSES; i++)
		windows += pane_list_windows(&t->windows.panes[i], INT64_MAX);
	return windows;
}

bool task_dirty(const struct task *t)
{
	return t->saved.id == 0 || t->position != t->saved.at || t->outbox.len || t->specimens.nr || t->alert_outbox.nr || t->letters.nr;
}

void task_committed(struct task *t, int64_t mono_ms)
{
	/* Panes, specimens, alerts' events and letters that joined the outbox since the attempt was begun are not in it: they stay. */
	for (size_t i = 0; i < t->attempt.outbox_len; i++)
		pane_free(t->outbox.panes[i], &t->windows.series);
	t->outbox.len -= t->attempt.outbox_len;
	if (t->outbox.len)
		memmove(t->outbox.panes, t->outbox.panes + t->attempt.outbox_len, t->outbox.len * sizeof(*t->outbox.panes));
	specimens_drop(&t->specimens, t->attempt.nr_specimens);
	alert_outbox_drop(&t->alert_outbox, t->attempt.nr_alerts);
	letters_drop(&t->letters, t->attempt.nr_letters);
	t->saved = t->attempt.meta;
	t->committed = t->saved.at;
	t->checkpoint_mono_ms = t->committed_mono_ms = mono_ms;
	t->checkpoint_watermark_ms = t->watermark_ms;
	t->attempt = (struct attempt){0};
}

void task_aborted(struct task *t)
{
	t->attempt = (struct attempt){0};
}
