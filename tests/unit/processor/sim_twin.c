/* sim_twin.c - see sim_twin.h. */
#include "tests/unit/processor/sim_twin.h"

#include "processor/room.h"
#include "processor/snapshot.h"
#include "processor/task.h"
#include "tests/unit/processor/dump.h"

enum { TWINS = FAKE_HOSTS * FAKE_INPUTS, BORN_ONCE_IN = 40, COMPARED_ONCE_IN = 16, CHARGED_ONCE_IN = 100 };
enum { OVER = 4 /* what one turn may add to a share as small as here, where each pane begins with a block */ };

struct twins {
	struct fake_kafka *kafka;
	struct { const struct task *of; struct task *twin; } pairs[TWINS];
};

/* style: the functions that are replaced take no context. */
static struct twins twins;

int __real_task_take(struct task *t, const struct record *record, struct arena *scratch, struct intake_counts *counts, struct err *err);
int __real_task_close(struct task *t, int64_t watermark_ms, const struct close_rules *rules, struct err *err);
int __real_task_flush(struct task *t, struct err *err);
void __real_budget_charge(const struct budget *b, struct task *const *tasks, size_t nr, size_t reserved_bytes);
void __real_room_look(struct room *r, struct task *const *tasks, size_t nr, int64_t mono_ms);
void __real_task_committed(struct task *t, int64_t mono_ms);
void __real_task_free(struct task *t);
int __wrap_task_take(struct task *t, const struct record *record, struct arena *scratch, struct intake_counts *counts, struct err *err);
int __wrap_task_close(struct task *t, int64_t watermark_ms, const struct close_rules *rules, struct err *err);
int __wrap_task_flush(struct task *t, struct err *err);
void __wrap_budget_charge(const struct budget *b, struct task *const *tasks, size_t nr, size_t reserved_bytes);
void __wrap_room_look(struct room *r, struct task *const *tasks, size_t nr, int64_t mono_ms);
bool __real_room_admits(struct room *r, struct task *const *tasks, size_t nr, size_t bytes, int64_t mono_ms);
bool __wrap_room_admits(struct room *r, struct task *const *tasks, size_t nr, size_t bytes, int64_t mono_ms);
void __wrap_task_committed(struct task *t, int64_t mono_ms);
void __wrap_task_free(struct task *t);

void sim_twin_use(struct fake_kafka *k)
{
	twins = (struct twins){.kafka = k};
}

static struct task *twin_of(const struct task *t)
{
	for (int i = 0; i < TWINS; i++)
		if (twins.pairs[i].of == t)
			return twins.pairs[i].twin;
	return NULL;
}

/* What a task does next must not depend on whether it was just restored. */
static void compare(const struct task *t, const struct task *twin)
{
	char *have = dump_task(t), *restored = dump_task(twin);
	bool equal = strcmp(have, restored) == 0;

	if (!equal) {
		printf("without a crash:\n%s\nrestored:\n%s\n", have, restored);
		sim_fail(twins.kafka, "a restored task is not what it was");
	}
	twins.kafka->seen[FAKE_TWIN_COMPARED]++;
	free(have);
	free(restored);
}

/* A task's snapshot, restored and written again: the order of maps apart, the same. */
static struct task *bear(const struct task *t)
{
	struct buf bytes = BUF_INIT;
	struct task *twin = task_new(t->partition, t->kind);
	struct err err = ERR_INIT;

	ck_assert_int_eq(snapshot_encode(t, &bytes, &err), 0);
	if (snapshot_decode(buf_str(&bytes), twin, &err) < 0)
		sim_fail(twins.kafka, err.msg);
	compare(t, twin);
	buf_fini(&bytes);
	twins.kafka->seen[FAKE_TWIN]++;
	return twin;
}

/* After a change of t: a look at the twin it has. */
static void look(const struct task *t)
{
	const struct task *twin = twin_of(t);

	if (twin && fake_once_in(twins.kafka, COMPARED_ONCE_IN))
		compare(t, twin);
}

/* Or a twin for it; but between a closing and its flush nobody is restored: who was goes by no triggers before its first closing. */
static void attend(const struct task *t)
{
	const struct task *twin = twin_of(t);

	look(t);
	/* With an empty outbox on both sides, what leaves it with a commit is the same number of panes, specimens and alerts' events. */
	if (twin || t->outbox.len || t->specimens.nr || t->alert_outbox.nr || !fake_once_in(twins.kafka, BORN_ONCE_IN))
		return;
	for (int i = 0; i < TWINS; i++)
		if (!twins.pairs[i].of) {
			twins.pairs[i].of = t;
			twins.pairs[i].twin = bear(t);
			return;
		}
}

/* What a task tells of alerts must not depend on it either. */
static bool tell_the_same(const struct task *t, const struct task *twin)
{
	const struct alert_letter *a = t->alert_outbox.first, *b = twin->alert_outbox.first;

	for (; a && b; a = a->next, b = b->next) {
		if (!str_eq(alert_letter_record(a), alert_letter_record(b)) || !str_eq(alert_letter_key(a), alert_letter_key(b)))
			return false;
		twins.kafka->seen[FAKE_TWIN_TOLD]++;
	}
	return !a && !b;
}

int __wrap_task_take(struct task *t, const struct record *record, struct arena *scratch, struct intake_counts *counts, struct err *err)
{
	struct task *twin = twin_of(t);
	int rc = __real_task_take(t, record, scratch, counts, err);
	struct intake_counts other;

	if (rc == 0 && counts->late)
		twins.kafka->seen[FAKE_LATE]++;
	if (twin && __real_task_take(twin, record, scratch, &other, NULL) != rc)
		sim_fail(twins.kafka, "a restored task judges a record differently");
	attend(t);
	return rc;
}

int __wrap_task_close(struct task *t, int64_t watermark_ms, const struct close_rules *rules, struct err *err)
{
	struct task *twin = twin_of(t);
	int rc = __real_task_close(t, watermark_ms, rules, err);

	if (twin && __real_task_close(twin, watermark_ms, rules, NULL) != rc)
		sim_fail(twins.kafka, "a restored task closes differently");
	if (twin && (twin->outbox.len != t->outbox.len || twin->specimens.nr != t->specimens.nr))
		sim_fail(twins.kafka, "a restored task closes other windows");
	if (twin && !tell_the_same(t, twin))
		sim_fail(twins.kafka, "a restored task tells of other alerts");
	look(t);
	return rc;
}

int __wrap_task_flush(struct task *t, struct err *err)
{
	struct task *twin = twin_of(t);
	int rc = __real_task_flush(t, err);

	fake_note(twins.kafka, FAKE_FLUSH, NULL, t->partition);
	twins.kafka->seen[FAKE_EXEMPLARS_FLUSHED] += t->specimens.nr_flushed;
	twins.kafka->seen[FAKE_SHADOW] += t->shadow.panes.len;
	if (twin && (__real_task_flush(twin, NULL) != rc || twin->outbox.len != t->outbox.len || twin->specimens.nr != t->specimens.nr))
		sim_fail(twins.kafka, "a restored task flushes other windows");
	attend(t);
	return rc;
}

/* The budget's word, at any time and for any amount, and not only when it is small: flushing must change nothing but memory. */
void __wrap_budget_charge(const struct budget *b, struct task *const *tasks, size_t nr, size_t reserved_bytes)
{
	__real_budget_charge(b, tasks, nr, reserved_bytes);
	for (size_t i = 0; i < nr; i++)
		if (tasks[i] && fake_once_in(twins.kafka, CHARGED_ONCE_IN))
			tasks[i]->owed_bytes = (size_t)1 << fake_dice(twins.kafka, 24);
}

/* However long no transaction can be made, memory is bounded: no task runs while reading is held up, and it is before what is read makes the state
 * much larger than its share. */
void __wrap_room_look(struct room *r, struct task *const *tasks, size_t nr, int64_t mono_ms)
{
	bool held = r->holding;

	for (size_t i = 0; i < nr; i++)
		if (held && tasks[i] && tasks[i]->phase == TASK_RUNNING)
			sim_fail(twins.kafka, "a partition is read though reading is held up");
	__real_room_look(r, tasks, nr, mono_ms);
	if (r->holding)
		fake_note(twins.kafka, held ? FAKE_STILL_HELD : FAKE_HELD, NULL, (int64_t)r->use.state_bytes);
	if (r->use.state_bytes > OVER * r->budget.hard_bytes)
		sim_fail(twins.kafka, "memory is not bounded");
}

bool __wrap_room_admits(struct room *r, struct task *const *tasks, size_t nr, size_t bytes, int64_t mono_ms)
{
	bool admitted = __real_room_admits(r, tasks, nr, bytes, mono_ms);

	fake_note(twins.kafka, admitted ? FAKE_ADMITTED : FAKE_WAITS_FOR_ROOM, NULL, (int64_t)bytes);
	return admitted;
}

void __wrap_task_committed(struct task *t, int64_t mono_ms)
{
	struct task *twin = twin_of(t);

	if (twin) {
		twin->attempt = t->attempt;
		twin->attempt.nr_letters = 0;
		__real_task_committed(twin, mono_ms);
	}
	__real_task_committed(t, mono_ms);
}

void __wrap_task_free(struct task *t)
{
	for (int i = 0; i < TWINS; i++)
		if (t && twins.pairs[i].of == t) {
			__real_task_free(twins.pairs[i].twin);
			twins.pairs[i].of = NULL;
			twins.pairs[i].twin = NULL;
		}
	__real_task_free(t);
}
