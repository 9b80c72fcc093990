/* test_bundle.c - what was cut from a store, told by events and lost is what ingest's own decoder reads, and each payload is one that
 * ingest takes.
 *
 * The oracle is another program's code: ingest's pull parser, its checks and its split. */
#include "ingest/agent/bundle.h"
#include "ingest/agent/event_queue.h"
#include "ingest/agent/store.h"
#include "tests/unit/agent/fake_spool.h"
#include "tests/unit/agent/ingest_oracle.h"
#include "tests/unit/agent/payload_maker.h"

enum { NOW_MS = 1795372012, METRICS_MAX = 20000, TAGS = 3, COUNTS = 40, NAME = 40,
       RECORD_BYTES = 1000000 };
#define CREATED_MS (INT64_C(1000) * NOW_MS)

struct made {
	char name[NAME], keys[TAGS][NAME], values[TAGS][NAME];
	struct tag tags[TAGS];
	int64_t counts[COUNTS], neg_counts[COUNTS];
	struct store_metric m;
};

/* Fakes, which the archive's members stay out for. */
struct store {
	struct made *made;
	size_t len;
};

struct event_queue {
	const char *message; /* of a Marker, the same for all */
	size_t left;
	uint64_t lost;
	uint8_t field[64];
};

void store_cut(struct store *s, int64_t slot_end_ms, store_metric_fn each, void *ctx)
{
	ck_assert_int_eq(slot_end_ms, CREATED_MS - 1);
	for (size_t i = 0; i < s->len; i++)
		each(ctx, &s->made[i].m);
}

bool event_queue_first(const struct event_queue *q, struct event *out)
{
	*out = (struct event){EVENT_MARKER, {(const char *)q->field, 2 + strlen(q->message)}};
	return q->left > 0;
}

void event_queue_drop(struct event_queue *q)
{
	q->left--;
}

uint64_t event_queue_take_lost(struct event_queue *q)
{
	uint64_t lost = q->lost;

	q->lost = 0;
	return lost;
}

static void queue_init(struct event_queue *q, size_t events)
{
	*q = (struct event_queue){.message = "\x12\x02me", .left = events}; /* revision = "me" */
	q->field[0] = 12 << 3 | 2;
	q->field[1] = (uint8_t)strlen(q->message);
	memcpy(q->field + 2, q->message, strlen(q->message));
}

static void make_point(struct unit_random *r, struct made *d)
{
	struct store_point *p = &d->m.point;

	p->t = CREATED_MS - 30000 + (int64_t)unit_random_below(r, 30000);
	p->has_v = d->m.kind == STORE_COUNTER || unit_random_below(r, 3) == 0;
	p->v = unit_random_unit(r) * 100;
	if (p->has_v)
		return;
	p->last_at = p->t + (int64_t)unit_random_below(r, 100);
	p->count = 1 + unit_random_below(r, 1000);
	p->min = -1;
	p->max = 1;
	p->last = 0.5;
	p->sum = (double)p->count / 4;
	p->has_histogram = d->m.kind == STORE_DISTRIBUTION;
	if (!p->has_histogram)
		return;
	p->histogram = (struct hist_dense){.scale = 5, .zero = unit_random_below(r, 9), .offset = -100, .counts = d->counts,
					   .counts_len = unit_random_below(r, COUNTS), .neg_offset = -90, .neg_counts = d->neg_counts,
					   .neg_counts_len = unit_random_below(r, COUNTS)};
	p->count = p->histogram.zero + 1;
	for (size_t i = 0; i < COUNTS; i++) {
		d->counts[i] = (int64_t)unit_random_below(r, 3);
		d->neg_counts[i] = (int64_t)unit_random_below(r, 3);
	}
	p->histogram.zero++;
	for (size_t i = 0; i < p->histogram.counts_len; i++)
		p->count += (uint64_t)d->counts[i];
	for (size_t i = 0; i < p->histogram.neg_counts_len; i++)
		p->count += (uint64_t)d->neg_counts[i];
	p->sum = (double)p->count / 4;
}

static void make_metric(struct unit_random *r, struct made *d, size_t i)
{
	static const enum store_kind kinds[] = {STORE_COUNTER, STORE_GAUGE, STORE_DISTRIBUTION};

	d->m = (struct store_metric){.kind = kinds[unit_random_below(r, 3)], .tags = d->tags, .tags_len = unit_random_below(r, TAGS + 1)};
	snprintf(d->name, sizeof(d->name), "metric.%zu.%.*s", i, (int)unit_random_below(r, 20), "abcdefghijklmnopqrst");
	d->m.name = str_from(d->name);
	for (size_t k = 0; k < TAGS; k++) {
		snprintf(d->keys[k], NAME, "key%zu", k);
		snprintf(d->values[k], NAME, "%.*s", (int)unit_random_below(r, 20), "of caf\xc3\xa9 and \"quotes\"");
		if (!str_is_utf8(str_from(d->values[k])))
			d->values[k][0] = '\0';
		d->tags[k] = (struct tag){str_from(d->keys[k]), str_from(d->values[k])};
	}
	make_point(r, d);
}

/* What is read, in the order of what was made. */
struct reader {
	struct store *store;
	size_t at;
	size_t events;
	int64_t truncated_samples;
};

static void must_be_histogram(const struct hist_dense *got, const struct hist_dense *h)
{
	ck_assert(got->scale == h->scale && got->zero == h->zero);
	ck_assert(got->counts_len == h->counts_len && got->neg_counts_len == h->neg_counts_len);
	ck_assert(got->counts_len == 0 || (got->offset == h->offset && memcmp(got->counts, h->counts, h->counts_len * 8) == 0));
	ck_assert(got->neg_counts_len == 0 || got->neg_offset == h->neg_offset);
	ck_assert(got->neg_counts_len == 0 || memcmp(got->neg_counts, h->neg_counts, h->neg_counts_len * 8) == 0);
}

static void must_be_point(const struct oracle_sample *s, const struct store_point *want)
{
	ck_assert(s->t == want->t && s->has_v == want->has_v);
	if (want->has_v) {
		ck_assert(s->v == want->v);
		return;
	}
	ck_assert(s->count == (int64_t)want->count && s->sum == want->sum && s->last_at == want->last_at && s->has_figures);
	ck_assert(s->min == want->min && s->max == want->max && s->last == want->last && s->has_histogram == want->has_histogram);
	if (want->has_histogram)
		must_be_histogram(&s->histogram, &want->histogram);
}

/* Samples come in the order in which they were made. */
static void on_sample(void *ctx, const struct oracle_sample *s)
{
	static const int kinds[NR_STORE_KINDS] = {[STORE_COUNTER] = ORACLE_COUNTER, [STORE_GAUGE] = ORACLE_GAUGE,
						  [STORE_DISTRIBUTION] = ORACLE_DISTRIBUTION};
	struct reader *rd = ctx;
	const struct store_metric *want = &rd->store->made[rd->at].m;

	ck_assert_uint_lt(rd->at++, rd->store->len);
	ck_assert(str_eq(s->name, want->name) && s->tags_len == want->tags_len && s->kind == kinds[want->kind]);
	for (size_t i = 0; i < want->tags_len; i++)
		ck_assert(str_eq(s->tags[i].key, want->tags[i].key) && str_eq(s->tags[i].value, want->tags[i].value));
	must_be_point(s, &want->point);
}

/* Inflated; the caller frees it. */
static struct str inflate(struct str body)
{
	size_t n = (size_t)ZSTD_getFrameContentSize(body.p, body.len);
	char *out = malloc(n + 1);

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(ZSTD_decompress(out, n, body.p, body.len), n);
	return (struct str){out, n};
}

static void read_payload(struct reader *rd, const struct fake_payload *f, size_t max_bytes)
{
	struct str message = inflate(buf_str(&f->body));
	struct oracle_head head;

	oracle_read(message, CREATED_MS, RECORD_BYTES, &head, on_sample, rd);
	ck_assert(message.len <= max_bytes || f->e.samples == 1);
	ck_assert(memcmp(head.agent_id, f->e.agent_id, 16) == 0 && head.seq == (int64_t)f->e.seq && head.floor == (int64_t)f->e.floor);
	ck_assert(head.created_at_ms == CREATED_MS && f->e.created_at_ms == CREATED_MS && !f->e.attempted);
	ck_assert(strcmp(head.host, "web-7") == 0 && strcmp(head.environment, "production") == 0 && head.revision[0] == '\0');
	ck_assert_uint_eq(head.received, f->e.samples); /* as the server counts */
	ck_assert_uint_eq(head.rejected, 0);
	rd->events += head.events;
	rd->truncated_samples += head.truncated_samples;
	free((void *)(uintptr_t)message.p);
}

static int put(void *ctx, const struct envelope *e, struct err *err)
{
	uint64_t id;

	return spool_put(ctx, e, &id, err);
}

struct workshop {
	struct store store;
	struct event_queue events;
	struct spool *spool;
	struct identity identity;
	struct bundle *bundle;
	struct bundle_result result;
	size_t max_bytes;
};

static void workshop_init(struct workshop *w, size_t max_bytes)
{
	const struct bundle_conf conf = {.max_bytes = max_bytes, .host = "web-7", .environment = "production"};
	struct err err = ERR_INIT;

	*w = (struct workshop){.spool = fake_spool_new(), .bundle = bundle_new(&conf, &err), .max_bytes = max_bytes ? max_bytes : 400000};
	w->store.made = calloc(METRICS_MAX, sizeof(*w->store.made));
	ck_assert(w->store.made && w->bundle && identity_init(&w->identity, &err) == 0);
	queue_init(&w->events, 0);
}

static void workshop_fini(struct workshop *w)
{
	bundle_free(w->bundle);
	fake_spool_free(w->spool);
	free(w->store.made);
}

static int flush(struct workshop *w)
{
	const struct bundle_flush f = {.store = &w->store, .events = &w->events, .spool = w->spool, .identity = &w->identity,
				       .slot_end_ms = CREATED_MS - 1, .created_at_ms = CREATED_MS, .take = put, .ctx = w->spool};
	struct err err = ERR_INIT;
	int rc = bundle_make(w->bundle, &f, &w->result, &err);

	ck_assert_int_eq(rc < 0, err.kind != 0);
	return rc;
}

START_TEST(ingest_reads_what_was_made)
{
	struct unit_random r = unit_random_new("bundle");
	struct workshop w;

	workshop_init(&w, 1500);
	for (int i = 0; i < 60; i++) {
		struct reader rd = {.store = &w.store};
		size_t before = w.spool->len, events = unit_random_below(&r, 30);
		uint64_t samples = 0;

		w.store.len = unit_random_below(&r, 60);
		for (size_t k = 0; k < w.store.len; k++)
			make_metric(&r, &w.store.made[k], k);
		queue_init(&w.events, events);
		ck_assert_int_eq(flush(&w), 0);
		for (size_t k = before; k < w.spool->len; k++) {
			read_payload(&rd, &w.spool->payloads[k], w.max_bytes);
			samples += w.spool->payloads[k].e.samples;
			ck_assert_uint_eq(w.spool->payloads[k].e.seq, k + 1); /* no number is left out */
		}
		ck_assert(rd.at == w.store.len && rd.events == events && w.events.left == 0);
		ck_assert(w.result.payloads == w.spool->len - before && w.result.samples == samples && samples == w.store.len + events);
	}
	ck_assert_uint_gt(w.spool->len, 120); /* they were split */
	workshop_fini(&w);
}
END_TEST

/* A floor lets in all that waits, and rises when it is gone. */
START_TEST(a_limit_that_was_learnt_holds)
{
	static const struct { size_t limit, holds; } learnt[] = {{50000, 50000}, {200000, 50000}, {0, BUNDLE_MAX_BYTES_LEAST}};
	struct unit_random r = unit_random_new("bundle");
	struct workshop w;

	workshop_init(&w, 400000);
	w.store.len = METRICS_MAX / 4;
	for (size_t k = 0; k < w.store.len; k++)
		make_metric(&r, &w.store.made[k], k);
	for (size_t i = 0; i < NR(learnt); i++) {
		struct reader rd = {.store = &w.store};
		size_t before = w.spool->len;

		bundle_limit(w.bundle, learnt[i].limit);
		ck_assert_int_eq(flush(&w), 0);
		for (size_t k = before; k < w.spool->len; k++)
			read_payload(&rd, &w.spool->payloads[k], learnt[i].holds);
		ck_assert_uint_eq(rd.at, w.store.len);
		ck_assert_uint_gt(w.spool->len - before, 2);
	}
	workshop_fini(&w);
}
END_TEST

START_TEST(floors_let_in_what_waits)
{
	struct unit_random r = unit_random_new("floors");
	struct workshop w;

	workshop_init(&w, 300);
	for (int i = 0; i < 50; i++) {
		size_t before = w.spool->len;
		uint64_t lowest = spool_lowest_seq(w.spool, w.identity.agent_id);

		w.store.len = 1 + unit_random_below(&r, 12);
		for (size_t k = 0; k < w.store.len; k++)
			make_metric(&r, &w.store.made[k], k);
		ck_assert_int_eq(flush(&w), 0);
		lowest = lowest ? lowest : before + 1;
		for (size_t k = before; k < w.spool->len; k++)
			ck_assert_uint_eq(w.spool->payloads[k].e.floor, lowest);
		for (size_t k = 0; k < w.spool->len; k++)
			if (w.spool->payloads[k].state == FAKE_WAITS && unit_random_below(&r, 3) == 0)
				spool_done(w.spool, k + 1);
	}
	workshop_fini(&w);
}
END_TEST

START_TEST(a_floor_is_never_too_far_below)
{
	struct workshop w;

	workshop_init(&w, 0);
	queue_init(&w.events, 1);
	ck_assert_int_eq(flush(&w), 0);
	w.identity.next_seq = IDENTITY_SPAN_MAX + 1;
	queue_init(&w.events, 1);
	ck_assert_int_eq(flush(&w), 0);
	ck_assert(w.spool->payloads[1].e.floor == 1 && w.spool->payloads[0].state == FAKE_WAITS);
	queue_init(&w.events, 1);
	ck_assert_int_eq(flush(&w), 0);
	ck_assert(w.spool->payloads[2].e.floor == 2 && w.spool->payloads[0].state == FAKE_GIVEN_UP);
	ck_assert_int_eq(w.spool->payloads[1].state, FAKE_WAITS);
	workshop_fini(&w);
}
END_TEST

START_TEST(nothing_makes_no_payload)
{
	struct workshop w;

	workshop_init(&w, 0);
	ck_assert_int_eq(flush(&w), 0);
	ck_assert(w.spool->len == 0 && w.identity.next_seq == 1 && w.result.payloads == 0);
	workshop_fini(&w);
}
END_TEST

/* Losses go with the first payload, or make one. */
START_TEST(losses_are_told)
{
	struct loss loss = {.agent_id = {9}, .from_seq = 3, .to_seq = 8, .samples = 111, .attempted = true};
	struct reader rd;
	struct workshop w;

	workshop_init(&w, 200);
	rd = (struct reader){.store = &w.store};
	losses_add(&w.spool->losses, &loss);
	queue_init(&w.events, (size_t)_i * 40);
	ck_assert_int_eq(flush(&w), 0);
	ck_assert_uint_ge(w.spool->len, 1 + (size_t)_i);
	read_payload(&rd, &w.spool->payloads[0], w.max_bytes);
	ck_assert_int_eq(rd.truncated_samples, 111);
	for (size_t i = 1; i < w.spool->len; i++)
		read_payload(&rd, &w.spool->payloads[i], w.max_bytes);
	ck_assert_int_eq(rd.truncated_samples, 111);
	ck_assert(!losses_open(&w.spool->losses));
	workshop_fini(&w);
}
END_TEST

/* What the queue of events had to refuse has a number of its own, told at once. */
START_TEST(lost_events_are_told)
{
	struct reader rd;
	struct workshop w;

	workshop_init(&w, 0);
	rd = (struct reader){.store = &w.store};
	w.events.lost = 17;
	ck_assert_int_eq(flush(&w), 0);
	ck_assert(w.spool->len == 1 && w.spool->payloads[0].e.seq == 2 && w.result.lost_samples == 17);
	read_payload(&rd, &w.spool->payloads[0], w.max_bytes);
	ck_assert_int_eq(rd.truncated_samples, 17);
	ck_assert(w.spool->losses.carried[0].from_seq == 1 && !w.spool->losses.carried[0].attempted);
	workshop_fini(&w);
}
END_TEST

/* Where nobody takes a payload, the others are made all the same. */
START_TEST(a_payload_that_is_not_taken_stops_no_other)
{
	struct workshop w;

	workshop_init(&w, 200);
	queue_init(&w.events, 100);
	w.spool->fail_puts = 1;
	ck_assert_int_lt(flush(&w), 0);
	ck_assert(w.result.lost_payloads == 1 && w.result.lost_samples > 0 && w.result.samples + w.result.lost_samples == 100);
	ck_assert(w.spool->payloads[0].e.seq == 2 && w.spool->payloads[0].e.floor == 1);
	workshop_fini(&w);
}
END_TEST

/* The worst that a message can be in relation to its record: short names, and counts of two bytes in Avro that are one in protobuf. */
START_TEST(the_default_limit_fits_the_servers)
{
	static const size_t series[] = {METRICS_MAX, METRICS_MAX, 500};
	static int64_t wide[2000];
	struct unit_random r = unit_random_new("worst");
	struct reader rd;
	struct workshop w;

	workshop_init(&w, 0);
	w.store.len = series[_i];
	for (size_t i = 0; i < NR(wide); i++)
		wide[i] = 127;
	for (size_t i = 0; i < w.store.len; i++) {
		struct made *d = &w.store.made[i];

		make_metric(&r, d, i);
		d->m.tags_len = 0;
		d->m.kind = _i == 2 ? STORE_DISTRIBUTION : _i == 1 ? STORE_GAUGE : STORE_COUNTER;
		snprintf(d->name, sizeof(d->name), "%zx", i);
		d->m.name = str_from(d->name);
		d->m.point = (struct store_point){.t = CREATED_MS, .has_v = _i == 0, .count = 1, .last_at = CREATED_MS, .min = 1,
						  .max = 1, .sum = 1, .last = 1};
		if (_i < 2)
			continue;
		d->m.point.has_histogram = true;
		d->m.point.histogram = (struct hist_dense){.scale = 5, .counts = wide, .counts_len = NR(wide)};
		d->m.point.count = NR(wide) * 127;
		d->m.point.sum = NR(wide) * 127;
	}
	rd = (struct reader){.store = &w.store};
	ck_assert_int_eq(flush(&w), 0);
	for (size_t i = 0; i < w.spool->len; i++)
		read_payload(&rd, &w.spool->payloads[i], w.max_bytes);
	ck_assert_uint_eq(rd.at, series[_i]);
	workshop_fini(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bundle");
	TCase *tc = tcase_create("bundle");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, ingest_reads_what_was_made);
	tcase_add_test(tc, a_limit_that_was_learnt_holds);
	tcase_add_test(tc, floors_let_in_what_waits);
	tcase_add_test(tc, a_floor_is_never_too_far_below);
	tcase_add_test(tc, nothing_makes_no_payload);
	tcase_add_loop_test(tc, losses_are_told, 0, 2);
	tcase_add_test(tc, lost_events_are_told);
	tcase_add_test(tc, a_payload_that_is_not_taken_stops_no_other);
	tcase_add_loop_test(tc, the_default_limit_fits_the_servers, 0, 3);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
