/* fill.h - tasks of any shape, for the tests of memory: filled by records as they come from Kafka, so that nothing here knows how a task keeps
 * them. */
#ifndef MILLRACE_TESTS_PROCESSOR_FILL_H
#define MILLRACE_TESTS_PROCESSOR_FILL_H

#include "processor/task.h"
#include "tests/unit/processor/batches.h"

enum { FILL_SAMPLES = 100, FILL_BUCKETS = 11, FILL_KEY_SIZE = 40, FILL_TAGS = 3 };

/* What every record of a filling is like. */
struct fill_shape {
	int nr_series;
	int kind;          /* of all series, or FILL_ALL_KINDS: as they come in practice, two gauges and two counters for a distribution */
	int64_t back_ms;   /* samples lie up to so far behind the watermark */
	bool cumulative;
	int nr_agents;     /* 0: the record is of no agent */
	int64_t span;      /* of an agent's open seqs */
	bool keys;         /* each record has an Idempotency-Key of its own */
};

enum { FILL_ALL_KINDS = -1 };

/* Starts with task and random set and the rest zeroed. */
struct fill {
	struct task *task;
	struct unit_random *random;
	struct arena scratch;
	struct buf bytes;
	struct sample_batch batch;
	struct series_ref series[FILL_SAMPLES];
	struct value_sample values[FILL_SAMPLES];
	struct summary_sample summaries[FILL_SAMPLES];
	struct tag tags[FILL_SAMPLES][FILL_TAGS];
	char pods[FILL_SAMPLES][FILL_KEY_SIZE];
	int64_t counts[FILL_SAMPLES][FILL_BUCKETS];
	char key[FILL_KEY_SIZE];
};

static inline void fill_fini(struct fill *f)
{
	arena_fini(&f->scratch);
	buf_fini(&f->bytes);
}

static inline int fill_kind(const struct fill_shape *shape, int number)
{
	static const int kinds[] = {SERIES_KIND_GAUGE, SERIES_KIND_COUNTER, SERIES_KIND_GAUGE, SERIES_KIND_COUNTER, SERIES_KIND_DISTRIBUTION};

	return shape->kind == FILL_ALL_KINDS ? kinds[number % (int)NR(kinds)] : shape->kind;
}

/* Series i of the record is the one of this number: its strings are as long as they are in practice, and not all of one size class. */
static inline void fill_series(struct fill *f, const struct fill_shape *shape, int i, int number)
{
	static const char name[] = "http.server.request.duration.of.some.service.that.has.a.long.name";
	struct series_ref *ref = &f->series[i];

	snprintf(f->pods[i], sizeof(f->pods[i]), "web-%0*d", 6 + number % 20, number);
	f->tags[i][0] = (struct tag){STR("host"), str_from(f->pods[i])};
	f->tags[i][1] = (struct tag){STR("method"), number % 2 ? STR("GET") : STR("OPTIONS")};
	f->tags[i][2] = (struct tag){STR("route"), {name, (size_t)number % 17}};
	*ref = (struct series_ref){.name = {name, 8 + (size_t)number % 40}, .tags = f->tags[i], .tags_len = FILL_TAGS};
	ref->kind = (enum series_kind)fill_kind(shape, number);
	if (shape->cumulative && ref->kind != SERIES_KIND_GAUGE)
		ref->temporality = TEMPORALITY_CUMULATIVE;
	map_key_of((struct str){(const char *)&number, sizeof(number)}, ref->fingerprint);
}

/* A sample of series i; a distribution's buckets move with its number. */
static inline void fill_sample(struct fill *f, const struct fill_shape *shape, int i, int number, int64_t t_ms)
{
	struct summary_sample *s = &f->summaries[f->batch.summaries_len];

	if (f->series[i].kind != SERIES_KIND_DISTRIBUTION) {
		f->values[f->batch.values_len++] = (struct value_sample){.series = i, .t = t_ms, .v = (double)(t_ms % 1000000 + number)};
		return;
	}
	*s = (struct summary_sample){.series = i, .t = t_ms, .last_at = t_ms, .has_histogram = true};
	for (int k = 0; k < FILL_BUCKETS; k++) {
		f->counts[i][k] = shape->cumulative ? t_ms / 1000 : 1 + (int64_t)unit_random_below(f->random, 5);
		s->count += f->counts[i][k];
	}
	s->sum = (double)s->count;
	s->histogram = (struct histogram){.scale = 5, .offset = number % 20 * 8, .counts = f->counts[i], .counts_len = FILL_BUCKETS};
	f->batch.summaries_len++;
}

/* Who says so, if anybody. */
static inline void fill_identity(struct fill *f, const struct fill_shape *shape)
{
	struct sample_batch *b = &f->batch;

	if (shape->keys) {
		snprintf(f->key, sizeof(f->key), "request-%016llx", (unsigned long long)unit_random_next(f->random));
		b->has_idempotency_key = true;
		b->idempotency_key = (struct str){f->key, 9 + (size_t)unit_random_below(f->random, 16)};
	}
	if (shape->nr_agents) {
		int agent = (int)unit_random_below(f->random, (uint64_t)shape->nr_agents);

		b->has_agent_id = true;
		memcpy(b->agent_id, &agent, sizeof(agent));
		b->seq = shape->span + 1 + (int64_t)unit_random_below(f->random, 1000);
		b->floor = b->seq - (int64_t)unit_random_below(f->random, (uint64_t)shape->span + 1);
	}
}

/* One record at the task's watermark, of FILL_SAMPLES series or as many as there are. */
static inline void fill_record(struct fill *f, const struct fill_shape *shape)
{
	int nr = shape->nr_series < FILL_SAMPLES ? shape->nr_series : FILL_SAMPLES;
	int first = (int)unit_random_below(f->random, (uint64_t)(shape->nr_series - nr) + 1);
	struct task *t = f->task;
	struct intake_counts counts;
	struct err err = ERR_INIT;

	f->batch = (struct sample_batch){.site = STR("site-a"), .series = f->series, .series_len = (size_t)nr, .values = f->values,
					 .summaries = f->summaries};
	for (int i = 0; i < nr; i++) {
		fill_series(f, shape, i, first + i);
		fill_sample(f, shape, i, first + i, t->watermark_ms - (int64_t)unit_random_below(f->random, (uint64_t)shape->back_ms + 1));
	}
	fill_identity(f, shape);
	buf_clear(&f->bytes);
	ck_assert_msg(sample_batch_encode(&f->batch, &f->bytes, &err) == 0, "%s", err.msg);
	ck_assert_msg(task_take(t, &(struct record){t->position, t->watermark_ms, buf_str(&f->bytes), NULL}, &f->scratch, &counts, &err) == 0, "%s", err.msg);
}

/* So many records, while event_ms pass. */
static inline void fill_records(struct fill *f, const struct fill_shape *shape, int nr, int64_t event_ms)
{
	int64_t begin_ms = f->task->watermark_ms;

	for (int i = 0; i < nr; i++) {
		f->task->watermark_ms = begin_ms + event_ms * i / nr;
		fill_record(f, shape);
	}
}

/* The task's checkpoint is committed: what is in the outbox leaves. */
static inline void fill_commit(struct task *t)
{
	t->attempt = (struct attempt){.meta = {.id = t->saved.id + 1, .at = t->position}, .outbox_len = t->outbox.len, .nr_letters = t->letters.nr};
	task_committed(t, 0);
}

#endif
