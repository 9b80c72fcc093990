/* batches.h - SampleBatch records for tests: made from a ledger's series, entered into a ledger when they are good. */
#ifndef MILLRACE_TESTS_PROCESSOR_BATCHES_H
#define MILLRACE_TESTS_PROCESSOR_BATCHES_H

#include "schemas/schemas.h"
#include "tests/unit/processor/ledger.h"

enum { B_SAMPLES = 8, B_BUCKETS = 32 * L_VALUES };

/* A batch and what its pointers point to. */
struct batch {
	struct sample_batch record;
	struct series_ref series[L_SERIES];
	struct value_sample values[B_SAMPLES];
	struct summary_sample summaries[B_SAMPLES];
	int64_t counts[B_SAMPLES][B_BUCKETS];
};

/* No samples yet; series i of the batch is series i of the ledger, all of one site: identity is what the fingerprint says. */
static inline void batch_init(struct batch *b)
{
	memset(b, 0, sizeof(*b));
	for (int i = 0; i < L_SERIES; i++) {
		struct series_id id = l_id(i, b->series[i].fingerprint);

		b->series[i].kind = (enum series_kind)id.kind;
		b->series[i].name = id.name;
		b->series[i].tags = (struct tag *)(uintptr_t)id.tags; /* only read */
		b->series[i].tags_len = id.tags_len;
	}
	b->record.series = b->series;
	b->record.series_len = L_SERIES;
	b->record.values = b->values;
	b->record.summaries = b->summaries;
	b->record.site = STR("site-a");
}

/* From here on the record is payload seq of an agent. */
static inline void batch_identify(struct batch *b, int agent, int64_t seq, int64_t floor, bool home)
{
	b->record.has_agent_id = true;
	memset(b->record.agent_id, 0xa0 + agent, sizeof(b->record.agent_id));
	b->record.seq = seq;
	b->record.floor = floor;
	b->record.home = home;
}

/* From here on the record is of a request with this key. */
static inline void batch_key(struct batch *b, int key)
{
	static const char *const keys[] = {"a", "b", "6f1c", "\xff\x01", "request-5", "request-6", "request-7", "request-8"};

	b->record.has_idempotency_key = true;
	b->record.idempotency_key = str_from(keys[key % (int)NR(keys)]);
}

/* From here on the points of these series are cumulative; gauges never are. */
static inline void batch_accumulate(struct batch *b)
{
	for (int i = 0; i < L_SERIES; i++)
		if (l_kind(i) != SERIES_KIND_GAUGE)
			b->series[i].temporality = TEMPORALITY_CUMULATIVE;
}

static inline struct value_sample *batch_value(struct batch *b, int series, int j, int64_t t_ms)
{
	struct value_sample *v = &b->values[b->record.values_len++];

	*v = (struct value_sample){.series = series, .t = t_ms, .v = l_value(j)};
	return v;
}

/* n values j, as an agent merges them. */
static inline struct summary_sample *batch_summary(struct batch *b, int series, int j, int n, int64_t t_ms)
{
	size_t i = b->record.summaries_len++;
	struct summary_sample *s = &b->summaries[i];

	*s = (struct summary_sample){.series = series, .t = t_ms, .count = n, .sum = n * l_value(j), .has_min = true, .min = l_value(j),
				     .has_max = true, .max = l_value(j), .has_last = true, .last = l_value(j), .last_at = t_ms};
	s->has_histogram = l_kind(series) == SERIES_KIND_DISTRIBUTION;
	if (s->has_histogram) {
		b->counts[i][0] = n;
		s->histogram = (struct histogram){.scale = 5, .offset = 32 * j + 18, .counts = b->counts[i], .counts_len = 1};
	}
	return s;
}

/* Of a summary of the ledger's, so many values are errors. */
static inline void batch_errors(struct ledger *ledger, struct summary_sample *s, int n)
{
	s->errors = n;
	ledger_errors(ledger, s->series, n, s->t);
}

/* Up to B_SAMPLES random samples around now_ms, some far back; each goes into the ledger. */
static inline void batch_random(struct batch *b, struct unit_random *r, int64_t now_ms, struct ledger *ledger)
{
	int nr = 1 + (int)unit_random_below(r, B_SAMPLES);

	batch_init(b);
	for (int i = 0; i < nr; i++) {
		int series = (int)unit_random_below(r, L_SERIES), j = (int)unit_random_below(r, L_VALUES);
		int n = unit_random_below(r, 3) ? 1 : 1 + (int)unit_random_below(r, 4);
		int64_t back_ms = (int64_t)unit_random_below(r, unit_random_below(r, 8) ? 90000 : 90 * 60000);
		int64_t t_ms = now_ms - back_ms;

		if (t_ms < L_BEGIN_MS)
			t_ms = L_BEGIN_MS;
		for (int k = 0; k < n; k++)
			ledger_add(ledger, series, j, t_ms);
		if (n == 1)
			batch_value(b, series, j, t_ms);
		else
			batch_errors(ledger, batch_summary(b, series, j, n, t_ms), (int)unit_random_below(r, (uint64_t)n + 1));
	}
}

/* What senders of cumulative points have counted: how often each value. */
struct totals {
	int64_t started_ms[L_SERIES];
	int64_t values[L_SERIES][L_VALUES];
};

/* A cumulative point of a distribution, its buckets as wide as a scale makes them. */
static inline void batch_total(struct batch *b, const struct totals *totals, int series, int32_t scale, int64_t t_ms)
{
	size_t i = b->record.summaries_len++;
	struct summary_sample *s = &b->summaries[i];

	*s = (struct summary_sample){.series = series, .t = t_ms, .start = totals->started_ms[series], .last_at = t_ms, .has_histogram = true};
	memset(b->counts[i], 0, sizeof(b->counts[i]));
	for (int j = 0; j < L_VALUES; j++) {
		int64_t n = totals->values[series][j];

		b->counts[i][(32 * j + 18) >> (5 - scale)] += n;
		s->count += n;
		s->sum += (double)n * l_value(j);
	}
	s->histogram = (struct histogram){.scale = scale, .counts = b->counts[i], .counts_len = B_BUCKETS};
}

/* Some cumulative points around now_ms, growing, repeated, out of order, begun anew. */
static inline void batch_random_cumulative(struct batch *b, struct unit_random *r, int64_t now_ms, struct totals *totals)
{
	int nr = 1 + (int)unit_random_below(r, B_SAMPLES);

	batch_init(b);
	batch_accumulate(b);
	for (int i = 0; i < nr; i++) {
		int series = 3 * (int)unit_random_below(r, 2);
		int64_t t_ms = now_ms - (int64_t)unit_random_below(r, 30000);

		if (unit_random_below(r, 20) == 0) {
			memset(totals->values[series], 0, sizeof(totals->values[series]));
			totals->started_ms[series] = unit_random_below(r, 3) ? t_ms - 1 : 0;
		}
		if (unit_random_below(r, 2)) {
			totals->values[series][0] += (int64_t)unit_random_below(r, 3);
			batch_value(b, series, 0, t_ms)->v = (double)totals->values[series][0] * l_value(0);
			b->values[b->record.values_len - 1].start = totals->started_ms[series];
		} else {
			totals->values[series + 2][unit_random_below(r, L_VALUES)] += (int64_t)unit_random_below(r, 3);
			batch_total(b, totals, series + 2, 3 + (int32_t)unit_random_below(r, 3), t_ms);
		}
	}
}

/* The record as it stands in Kafka. */
static inline void batch_encode(const struct batch *b, struct buf *out)
{
	struct err err = ERR_INIT;

	buf_clear(out);
	ck_assert_msg(sample_batch_encode(&b->record, out, &err) == 0, "%s", err.msg);
}

#endif
