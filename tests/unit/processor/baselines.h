/* baselines.h - baselines and the series they are of, and distributions by their shapes, for the tests of baseline.c. */
#ifndef MILLRACE_TESTS_PROCESSOR_BASELINES_H
#define MILLRACE_TESTS_PROCESSOR_BASELINES_H

#include <math.h>

#include "processor/baseline.h"
#include "tests/unit/processor/ledger.h"

#define NOW_MS L_BEGIN_MS

/* Baselines and the series they are of. */
struct fixture {
	struct series_table table;
	struct series *series[L_SERIES]; /* one reference each */
	struct baselines b;
	struct arena scratch;
};

static inline void fixture_init(struct fixture *f)
{
	struct err err = ERR_INIT;

	*f = (struct fixture){.b = BASELINES_INIT};
	for (int i = 0; i < L_SERIES; i++) {
		uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
		struct series_id id = l_id(i, fingerprint);

		f->series[i] = series_table_take(&f->table, &id, fingerprint, &err);
		ck_assert_ptr_nonnull(f->series[i]);
	}
}

static inline void fixture_fini(struct fixture *f)
{
	baselines_fini(&f->b, &f->table);
	for (int i = 0; i < L_SERIES; i++) {
		ck_assert_uint_eq(f->series[i]->refs, 1); /* (I3) */
		series_table_drop(&f->table, f->series[i]);
	}
	ck_assert(f->b.bytes == 0 && !f->b.oldest && !f->b.newest && f->table.len == 0);
	series_table_fini(&f->table);
	arena_fini(&f->scratch);
}

static inline void encode(struct fixture *f, int64_t watermark_ms, struct buf *out)
{
	buf_clear(out);
	baselines_mark(&f->b, 77);
	for (int i = 0; i < L_SERIES; i++) {
		ck_assert((f->series[i]->number == 77) == (f->series[i]->refs == 2));
		f->series[i]->number = (uint32_t)i;
	}
	baselines_encode(&f->b, watermark_ms, out);
	ck_assert(!buf_failed(out));
}

/* What reading these bytes into f, which has none, comes to; they stand at the end of a page of their own. */
static inline int decode(struct fixture *f, const uint8_t *bytes, size_t len, int64_t watermark_ms, const char **fault)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct err err = ERR_INIT;
	struct codec_reader r;
	int rc;

	memcpy(exact, bytes, len);
	codec_reader_init(&r, (struct str){(char *)exact, len}, NULL);
	rc = baselines_decode(&f->b, &r, watermark_ms, f->series, L_SERIES, &err);
	ck_assert(err.kind == 0 && (rc == 0) == codec_reader_ok(&r));
	*fault = r.fault ? r.fault : r.p < r.end ? "left over" : NULL;
	free(exact);
	return rc;
}

static inline void clear(struct fixture *f)
{
	baselines_fini(&f->b, &f->table);
	f->b = (struct baselines)BASELINES_INIT;
}

/* Through a snapshot, which must be the same again. */
static inline void restore(struct fixture *f, int64_t watermark_ms)
{
	struct buf bytes = BUF_INIT, again = BUF_INIT;
	size_t allocated = f->b.bytes;
	const char *fault;

	encode(f, watermark_ms, &bytes);
	clear(f);
	ck_assert_msg(decode(f, bytes.p, bytes.len, watermark_ms, &fault) == 0, "%s", fault);
	ck_assert_ptr_null(fault);
	encode(f, watermark_ms, &again);
	ck_assert_uint_eq(bytes.len, again.len);
	ck_assert_mem_eq(bytes.p, again.p, bytes.len);
	ck_assert_uint_eq(allocated, f->b.bytes);
	buf_fini(&bytes);
	buf_fini(&again);
}

static inline struct baseline_step take(struct fixture *f, int series, const struct baseline_point *p, int64_t watermark_ms)
{
	struct baseline_step step = {.verdict = NR_BASELINE_VERDICTS};
	struct err err = ERR_INIT;

	ck_assert_msg(baselines_take(&f->b, f->series[series], p, watermark_ms, &f->scratch, &step, &err) == 0, "%s", err.msg);
	ck_assert(step.verdict < NR_BASELINE_VERDICTS && (!step.whole || step.count == p->count));
	return step;
}

enum { WIDE = 64, PLACES = 4 };

/* A distribution: how many values lie in four buckets, how many are negative, how many zero. */
struct shape {
	int64_t counts[PLACES], negative, zero;
};

struct shaped {
	struct histogram h;
	int64_t counts[4 * WIDE], neg_counts[1];
	int64_t count;
};

/* The travelling form at a scale. */
static inline void shape_histogram(const struct shape *shape, int scale, struct shaped *out)
{
	static const int places[PLACES] = {-7, 5, 18, 40}; /* where the buckets lie at scale 5 */

	memset(out, 0, sizeof(*out));
	out->h = (struct histogram){.scale = scale, .zero = shape->zero, .offset = -WIDE, .counts = out->counts, .counts_len = 4 * WIDE,
				    .neg_offset = (int)floor(ldexp(3, scale - 5)), .neg_counts = out->neg_counts, .neg_counts_len = 1};
	out->count = shape->zero + shape->negative;
	out->neg_counts[0] = shape->negative;
	for (int i = 0; i < PLACES; i++) {
		int index = (int)floor(ldexp(places[i], scale - 5));

		out->counts[index + WIDE] += shape->counts[i];
		out->count += shape->counts[i];
	}
}

/* The difference has these counts, at this scale, and no others. */
static inline void must_have(const struct histogram *have, const struct shape *want, int scale, const char *what, size_t number)
{
	struct shaped w;
	int64_t counts[4 * WIDE] = {0};

	shape_histogram(want, scale, &w);
	ck_assert_msg(have->scale == scale && have->zero == want->zero, "%s %zu: scale %d, zero %lld", what, number, have->scale, (long long)have->zero);
	for (size_t i = 0; i < have->counts_len; i++)
		counts[have->offset + WIDE + (int)i] += have->counts[i];
	ck_assert_msg(memcmp(counts, w.counts, sizeof(counts)) == 0, "%s %zu: other buckets", what, number);
	ck_assert_int_eq(have->neg_counts_len ? have->neg_counts[0] : 0, want->negative);
}

#endif
