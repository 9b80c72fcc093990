/* test_nomem.c - the agent when memory is short in the middle: what an application told is in a payload, in a loss that the server hears of, or was refused and
 * counted as such; nothing of it counts twice, and the next flush is as any other. Each operation is walked (tests/unit/fail_alloc.h). */
#include "ingest/agent/bundle.h"
#include "ingest/agent/event_queue.h"
#include "ingest/agent/halves.h"
#include "ingest/agent/host.h"
#include "ingest/agent/inlets.h"
#include "ingest/agent/lines.h"
#include "ingest/agent/payload_json.h"
#include "ingest/agent/store.h"
#include "tests/unit/agent/payload_maker.h"
#include "tests/unit/agent/spool_house.h"
#include "tests/unit/fail_alloc.h"

#include <errno.h>

enum { SERIES = 40, VALUES = 3 };

/* What was told and taken, by kind: the sums of counters, and how many values of the others. */
struct told {
	double counted;
	uint64_t values, refused;
};

static void tell(struct store *s, struct told *t)
{
	for (int i = 0; i < SERIES; i++) {
		static const enum store_kind kinds[] = {STORE_COUNTER, STORE_GAUGE, STORE_DISTRIBUTION, STORE_SET};
		enum store_kind kind = kinds[i % 4];
		char name[16];

		snprintf(name, sizeof(name), "series.%d", i);
		for (int j = 0; j < VALUES; j++) {
			struct store_sample sample = {.kind = kind, .name = str_from(name), .tags = STR("route:/a,host:w"), .value = j + 1, .weight = 1,
						      .t_ms = HOUSE_NOW_MS - 30000 + j, .member = {&"abc"[j], 1}};
			enum cause cause;

			if (kind == STORE_SET)
				sample.value = 0;
			cause = store_add(s, &sample);
			t->refused += cause != CAUSE_NONE;
			if (cause == CAUSE_NONE && kind == STORE_COUNTER)
				t->counted += sample.value;
			else if (cause == CAUSE_NONE && kind != STORE_SET)
				t->values++;
		}
	}
}

/* What a cut hands over. */
static void add_up(void *ctx, const struct store_metric *m)
{
	struct told *t = ctx;

	if (m->kind == STORE_COUNTER)
		t->counted += m->point.v;
	else
		t->values += m->point.has_v ? 1 : m->point.count;
}

static struct store *store_make(struct err *err)
{
	static const struct tag tags[] = {{{"env", 3}, {"test", 4}}};

	return store_new(&(struct store_conf){.series_max = 1000, .memory_bytes = 8 << 20, .tags = tags, .tags_len = 1}, err);
}

START_TEST(a_store_has_what_it_took)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct told want = {0}, have = {0};
		struct err err = ERR_INIT;
		struct store *s;
		uint64_t sets = 0;
		bool failed;

		fail_walk_begin(&w);
		s = store_make(&err);
		if (s)
			tell(s, &want);
		if (s)
			store_cut(s, HOUSE_NOW_MS + 1, add_up, &have);
		failed = fail_walk_end(&w);
		ck_assert(s || err.kind == ERR_FATAL);
		for (int i = 3; i < SERIES; i += 4)
			sets++;
		/* of a set a point comes, whatever it took; a series that found no memory went into its kind's overflow, a set too */
		ck_assert_msg(have.counted == want.counted && have.values >= want.values && have.values <= want.values + sets + 1,
			      "counted %g of %g, %llu of %llu values", have.counted, want.counted, (unsigned long long)have.values,
			      (unsigned long long)want.values);
		ck_assert(failed || (want.refused == 0 && have.values == want.values + sets));
		if (s) { /* and the next slot is as any other */
			struct told again = {0}, cut = {0};

			tell(s, &again);
			store_cut(s, INT64_MAX, add_up, &cut);
			ck_assert(again.refused == 0 && cut.counted == again.counted && cut.values == again.values + sets);
		}
		store_free(s);
	}
}
END_TEST

/* Where a flush puts its payloads. */
struct kept {
	struct spool *spool;
	uint64_t samples;
	size_t payloads;
};

static int keep(void *ctx, const struct envelope *e, struct err *err)
{
	struct kept *k = ctx;
	uint64_t id;

	if (spool_put(k->spool, e, &id, err) < 0)
		return -1;
	k->samples += e->samples;
	k->payloads++;
	return 0;
}

/* What a flush of everything told yields, when nothing fails. */
static uint64_t flush(struct bundle *b, struct kept *k, struct identity *id, struct store *s, struct event_queue *events, struct bundle_result *out,
		      struct err *err)
{
	const struct bundle_flush f = {.store = s, .events = events, .spool = k->spool, .identity = id, .slot_end_ms = INT64_MAX,
				       .created_at_ms = HOUSE_NOW_MS, .take = keep, .ctx = k};

	return bundle_make(b, &f, out, err) < 0 ? 1 : 0;
}

static const uint8_t marker[] = {0x1a, 2, 'm', 'e'};

START_TEST(a_flush_loses_nothing_quietly)
{
	const struct bundle_conf conf = {.max_bytes = 2000, .host = "w", .environment = "test"};

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct house h;
		struct err err = ERR_INIT;
		struct told told = {0};
		struct store *s = store_make(&err);
		struct event_queue *events = event_queue_new(100, 1 << 20, &err);
		struct bundle *b = bundle_new(&conf, &err);
		struct identity id;
		struct bundle_result result = {0}, second = {0};
		struct losses_figures losses;
		struct kept k = {0};
		uint64_t failed_flush, points;
		bool failed;

		house_init(&h);
		k.spool = house_open(&h);
		ck_assert_int_eq(identity_init(&id, &err), 0);
		tell(s, &told);
		for (int i = 0; i < 3; i++)
			ck_assert(event_queue_add(events, EVENT_MARKER, (struct str){(const char *)marker, sizeof(marker)}));
		fail_walk_begin(&w);
		failed_flush = flush(b, &k, &id, s, events, &result, &err);
		failed = fail_walk_end(&w);
		losses_figures(spool_losses(k.spool), &losses);
		points = store_figures(s).points + 3;
		ck_assert_msg(failed || !failed_flush, "%s", err.msg);
		ck_assert_msg(!failed_flush || err.msg[0], "nothing is said");
		/* A counter's slot, a gauge's readings, an event: samples as the server counts them. Whatever is not kept is a loss. */
		ck_assert_msg(result.samples == k.samples && result.payloads == k.payloads && result.lost_samples == losses.samples,
			      "%llu of %llu kept, %llu of %llu lost", (unsigned long long)result.samples, (unsigned long long)k.samples,
			      (unsigned long long)losses.samples, (unsigned long long)result.lost_samples);
		ck_assert_msg(failed || result.lost_samples == 0, "%llu", (unsigned long long)result.lost_samples);
		ck_assert_uint_ge(result.samples + result.lost_samples, points); /* a summary is several samples */
		/* The next one tells of the losses and has all of its own. */
		tell(s, &told);
		ck_assert_msg(flush(b, &k, &id, s, events, &second, &err) == 0, "%s", err.msg);
		losses_figures(spool_losses(k.spool), &losses);
		ck_assert(second.lost_samples == 0 && !losses_open(spool_losses(k.spool)));
		ck_assert_uint_eq(second.samples + 3, result.samples + result.lost_samples);
		spool_free(k.spool);
		bundle_free(b);
		event_queue_free(events);
		store_free(s);
		house_fini(&h);
	}
}
END_TEST

/* Payload seq of an agent, put; -1 when it was not. */
static int put(struct spool *s, uint64_t seq, struct err *err)
{
	static const uint8_t agent_id[16] = {7, 7, 7};
	struct buf body = BUF_INIT;
	struct envelope e = maker_payload(agent_id, seq, seq, 5, HOUSE_NOW_MS - 1000 + (int64_t)seq, &body);
	uint64_t id;
	int rc = spool_put(s, &e, &id, err);

	buf_fini(&body);
	return rc;
}

static uint64_t open_samples(struct spool *s)
{
	struct losses_figures f;

	losses_figures(spool_losses(s), &f);
	return f.samples;
}

/* With a disk, without one, and at a start: whatever is not kept is a loss. */
START_TEST(a_spool_keeps_a_payload_or_tells_of_it)
{
	static const uint8_t agent_id[16] = {7, 7, 7};
	struct buf body = BUF_INIT;
	const struct envelope second = maker_payload(agent_id, 2, 2, 5, HOUSE_NOW_MS, &body);

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct house h;
		struct err err = ERR_INIT;
		struct spool *s;
		struct spool_figures f;
		uint64_t id;
		bool failed;
		int rc;

		house_init(&h);
		s = house_open(&h);
		ck_assert_int_eq(put(s, 1, &err), 0);
		if (_i)
			house_fail(&h, 1, 1000, ENOSPC);
		fail_walk_begin(&w);
		rc = spool_put(s, &second, &id, &err);
		failed = fail_walk_end(&w);
		spool_figures(s, &f);
		ck_assert_msg(failed || rc == 0, "%s", err.msg);
		ck_assert_msg(rc == 0 || err.kind == ERR_FATAL, "%s", err.msg);
		ck_assert_uint_eq(5 * f.payloads + open_samples(s), 10);
		ck_assert_uint_eq(f.payloads, rc == 0 ? 2 : 1);
		house_heal(&h);
		ck_assert_int_eq(put(s, 3, &err), 0);
		spool_free(s);
		s = house_open(&h); /* the next process finds all of it */
		spool_figures(s, &f);
		ck_assert_uint_eq(5 * f.payloads + open_samples(s), 15);
		spool_free(s);
		house_fini(&h);
	}
	buf_fini(&body);
}
END_TEST

START_TEST(a_spool_opens_or_leaves_its_files)
{
	struct house h;
	struct err err = ERR_INIT;
	struct spool *s;
	struct spool_figures f;

	house_init(&h);
	s = house_open(&h);
	for (uint64_t seq = 1; seq <= 6; seq++)
		ck_assert_int_eq(put(s, seq, &err), 0);
	spool_free(s);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		bool failed;

		err = (struct err)ERR_INIT;
		fail_walk_begin(&w);
		s = spool_new(&h.conf, &h.clock, &h.log, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(s || (failed && err.kind == ERR_FATAL), "%s", err.msg);
		if (s)
			spool_figures(s, &f);
		if (s)
			ck_assert_uint_eq(5 * f.payloads + open_samples(s), 30);
		spool_free(s);
	}
	s = house_open(&h);
	spool_figures(s, &f);
	ck_assert_uint_eq(5 * f.payloads + open_samples(s), 30);
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(a_payload_becomes_two_or_stays)
{
	struct house h;
	struct err err = ERR_INIT;
	struct spool *s;

	house_init(&h);
	s = house_open(&h);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct envelope whole, half[2];
		struct buf body = BUF_INIT, bodies[2] = {BUF_INIT, BUF_INIT};
		struct spool_figures f;
		uint64_t id;
		bool failed;
		int rc;

		if (!spool_newest(s, NULL, &id))
			ck_assert(put(s, w.nth + (w.rest ? 10000 : 0), &err) == 0 && spool_newest(s, NULL, &id));
		fail_walk_begin(&w);
		rc = spool_get(s, id, &whole, &body, &err);
		if (rc == 0)
			rc = halves_make(&whole, half, bodies, &err);
		if (rc == 0)
			rc = spool_replace(s, id, half, 2, &err);
		failed = fail_walk_end(&w);
		spool_figures(s, &f);
		ck_assert_msg(rc == 0 || (failed && err.kind != ERR_REJECT), "%s", err.msg); /* rejected: it would be set aside */
		ck_assert(f.payloads == (rc == 0 ? 2 : 1) && open_samples(s) == 0);
		while (rc == 0 && spool_newest(s, NULL, &id))
			spool_done(s, id);
		buf_fini(&body);
		buf_fini(&bodies[0]);
		buf_fini(&bodies[1]);
	}
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(an_event_is_taken_or_counted)
{
	static const char error[] = "{\"error\": {\"class\": \"IOError\", \"message\": \"disk\", \"action\": \"Jobs#run\", \"tags\": {\"a\": 1}, \"params\": "
				    "{\"b\": [1, {\"c\": \"\\u00e4\"}]}, \"backtrace\": [{\"file\": \"a.rb\", \"line\": 7}, {\"file\": \"b.rb\"}], "
				    "\"breadcrumbs\": [{\"message\": \"m\", \"metadata\": {\"x\": \"y\"}}]}}";
	const struct clock clock = {.test = true, .start_ms = HOUSE_NOW_MS, .speed = 0};
	const struct log log = {.fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .program = "test"};

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct err err = ERR_INIT;
		struct lines_refusal no = {.reason = NR_LINES_REASONS};
		struct event_queue *q;
		struct lines *l = NULL;
		struct event_queue_figures f;
		bool taken = false, failed;

		fail_walk_begin(&w);
		q = event_queue_new(10, 1 << 20, &err);
		if (q)
			l = lines_new(q, &clock, &log, &err);
		if (l)
			taken = lines_take(l, STR(error), &no);
		failed = fail_walk_end(&w);
		ck_assert_msg(taken == !failed, "%s", no.text);
		ck_assert(l || err.kind == ERR_FATAL);
		if (l) {
			ck_assert_msg(taken || no.reason == LINES_TOO_LARGE || no.reason == LINES_NO_ROOM, "%s", no.text);
			event_queue_figures(q, &f);
			ck_assert_uint_eq(f.events, taken);
			ck_assert_msg(lines_take(l, STR(error), &no), "%s", no.text);
		}
		lines_free(l);
		event_queue_free(q);
	}
	close(log.fd);
}
END_TEST

START_TEST(json_for_people)
{
	static const uint8_t agent_id[16] = {7};
	struct buf body = BUF_INIT;
	const struct envelope e = maker_payload(agent_id, 1, 1, 20, HOUSE_NOW_MS, &body);

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct buf out = BUF_INIT;
		struct err err = ERR_INIT;
		int rc;

		fail_walk_begin(&w);
		rc = payload_json(e.body, &out, &err);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert_msg(rc == 0 || err.kind == ERR_FATAL || err.kind == ERR_RETRY, "%s", err.msg);
		buf_fini(&out);
	}
	buf_fini(&body);
}
END_TEST

static void take_nothing(void *ctx, struct str bytes)
{
	(void)ctx;
	(void)bytes;
}

static void take_no_sample(void *ctx, const struct host_sample *s)
{
	(void)ctx;
	(void)s;
}

START_TEST(rooms_are_made_whole_or_not_at_all)
{
	struct house h;
	char statsd[200], lines[200];
	const struct inlets_taker taker = {take_nothing, take_nothing, NULL};
	const struct inlets_conf inlets_conf = {.statsd_listen = "127.0.0.1:0", .statsd_socket = statsd, .lines_socket = lines};

	house_init(&h);
	snprintf(statsd, sizeof(statsd), "%s/statsd", h.path);
	snprintf(lines, sizeof(lines), "%s/lines", h.path);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct err err = ERR_INIT;
		struct inlets *in;
		struct host *host = NULL;
		bool failed;

		fail_walk_begin(&w);
		in = inlets_new(&inlets_conf, &taker, &err);
		if (in)
			host = host_new(&(struct host_conf){.root = ""}, &h.log, &err);
		if (host)
			host_read(host, HOUSE_NOW_MS, take_no_sample, NULL);
		failed = fail_walk_end(&w);
		ck_assert_msg(failed || host, "%s", err.msg);
		ck_assert(host || err.kind == ERR_FATAL);
		host_free(host);
		inlets_free(in);
		ck_assert(access(statsd, F_OK) != 0 && access(lines, F_OK) != 0);
	}
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nomem");
	TCase *tc = tcase_create("agent");

	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_store_has_what_it_took);
	tcase_add_test(tc, a_flush_loses_nothing_quietly);
	tcase_add_loop_test(tc, a_spool_keeps_a_payload_or_tells_of_it, 0, 2);
	tcase_add_test(tc, a_spool_opens_or_leaves_its_files);
	tcase_add_test(tc, a_payload_becomes_two_or_stays);
	tcase_add_test(tc, an_event_is_taken_or_counted);
	tcase_add_test(tc, json_for_people);
	tcase_add_test(tc, rooms_are_made_whole_or_not_at_all);
	return unit_main(suite);
}
