/* delivery_bench.h - deliveries to a scripted server, in one thread. Waits are skipped: time is moved on to where the deliveries want to be woken
 * whenever nothing is under way. */
#ifndef MILLRACE_TESTS_NOTIFY_DELIVERY_BENCH_H
#define MILLRACE_TESTS_NOTIFY_DELIVERY_BENCH_H

#include <curl/curl.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "sink/notify/delivery.h"
#include "tests/unit/agent/scripted_server.h"
#include "tests/unit/notify/incident_maker.h"

enum { BENCH_DONE_MAX = 256, BENCH_TIMEOUT_MS = 1200, BENCH_AT_ONCE_MS = 600 /* half of it: what does not wait, on a busy machine */, BENCH_PATIENCE_MS = 20000 };

struct bench_done {
	uint8_t incident;   /* its last byte */
	int64_t sequence;
	enum delivery_outcome outcome;
	int32_t attempts;
	char receiver[16], error[DELIVERY_ERROR_SIZE];
};

struct bench {
	struct log log;
	struct server server;
	struct delivery *d;
	int64_t skipped_ms;     /* what the deliveries' time is ahead of the clock */
	struct bench_done done[BENCH_DONE_MAX];
	size_t nr_done;
	server_answer_fn answer;
	const char *const *answers; /* for bench_answer(): one a request, the last one stays */
	size_t nr_answers;
	enum server_then then;
	struct buf head, body;  /* of the last request */
	int64_t asked_at_ms[BENCH_DONE_MAX];
	size_t nr_asked;
	bool paused;
	char url[64];
};

static inline int64_t bench_now(const struct bench *b)
{
	return clock_mono_ms() + b->skipped_ms;
}

static inline void bench_on_done(void *ctx, const struct delivery_done *done)
{
	struct bench *b = ctx;
	struct bench_done *to = &b->done[b->nr_done++];

	ck_assert_uint_lt(b->nr_done, BENCH_DONE_MAX);
	*to = (struct bench_done){.incident = done->incident[15], .sequence = done->sequence, .outcome = done->outcome, .attempts = done->attempts};
	snprintf(to->receiver, sizeof(to->receiver), STR_FMT, STR_ARG(done->receiver));
	snprintf(to->error, sizeof(to->error), "%s", done->error);
}

static inline bool bench_may_send(void *ctx, struct str site)
{
	const struct bench *b = ctx;

	return !b->paused || !str_eq(site, STR("shop"));
}

static inline enum server_then bench_answer(void *ctx, const struct server_request *r, struct buf *out)
{
	struct bench *b = ctx;
	const char *text = b->answers[b->nr_asked < b->nr_answers ? b->nr_asked : b->nr_answers - 1];

	ck_assert_uint_lt(b->nr_asked, BENCH_DONE_MAX);
	b->asked_at_ms[b->nr_asked++] = bench_now(b);
	buf_clear(&b->head);
	buf_add(&b->head, r->head.p, r->head.len);
	buf_clear(&b->body);
	buf_add(&b->body, r->body.p, r->body.len);
	buf_add(out, text, strlen(text));
	return b->then;
}

static inline void bench_open(struct bench *b, const struct delivery_conf *conf)
{
	struct err err = ERR_INIT;

	b->d = delivery_new(conf, bench_on_done, bench_may_send, b, &b->log, &err);
	ck_assert_msg(b->d != NULL, "%s", err.msg);
}

/* With leave for plain HTTP to 127.0.0.1. answers as above. */
static inline void bench_init(struct bench *b, server_answer_fn answer, const char *const *answers, size_t nr_answers)
{
	const struct delivery_conf conf = {.allow_http = true, .allow_networks = "127.0.0.1", .timeout_ms = BENCH_TIMEOUT_MS, .user_agent = "test/1"};

	*b = (struct bench){.log = {.fd = memfd_create("log", MFD_CLOEXEC), .program = "test"}, .answers = answers, .nr_answers = nr_answers};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	server_init(&b->server, answer ? answer : bench_answer, b);
	snprintf(b->url, sizeof(b->url), "http://127.0.0.1:%d/hook", b->server.port);
	bench_open(b, &conf);
}

static inline void bench_fini(struct bench *b)
{
	delivery_free(b->d);
	server_fini(&b->server);
	buf_fini(&b->head);
	buf_fini(&b->body);
	close(b->log.fd);
	curl_global_cleanup();
}

static inline struct receiver bench_receiver(struct bench *b, const char *id)
{
	return (struct receiver){.id = str_from(id), .has_webhook = true, .webhook = {.url = str_from(b->url), .secret_file = STR(""), .bearer_file = STR("")},
				 .escalate_to = STR(""), .author = STR("")};
}

/* A notification of an incident with one alert, which is known by a number. */
static inline int bench_submit_to(struct bench *b, const struct receiver *receiver, const char *site, uint8_t incident, int64_t sequence)
{
	const struct incident_alert *alerts[1];
	struct delivery_job job;
	struct maker m;
	struct err err = ERR_INIT;
	int rc;

	maker_init(&m);
	alerts[0] = maker_add(&m, "m", NULL, 0);
	m.incident.site = str_from(site);
	m.incident.id[15] = incident;
	m.incident.acked_by = m.incident.ack_reason = STR("");
	job = (struct delivery_job){.incident = &m.incident, .receiver = receiver, .sequence = sequence, .alerts = alerts, .alerts_len = 1};
	rc = delivery_submit(b->d, &job, &err);
	ck_assert_msg(rc >= 0, "%s", err.msg);
	return rc;
}

static inline int bench_submit(struct bench *b, const char *receiver, uint8_t incident, int64_t sequence)
{
	struct receiver r = bench_receiver(b, receiver);

	return bench_submit_to(b, &r, "shop", incident, sequence);
}

static inline struct delivery_stats bench_stats(const struct bench *b)
{
	struct delivery_stats stats;

	delivery_read_stats(b->d, bench_now(b), &stats);
	return stats;
}

static inline void bench_turn(struct bench *b)
{
	int ms;

	server_turn(&b->server);
	delivery_turn(b->d, bench_now(b));
	ms = delivery_timeout_ms(b->d, bench_now(b));
	if (bench_stats(b).in_flight == 0 && ms > 0)
		b->skipped_ms += ms;
	else if (bench_stats(b).in_flight)
		server_wait(&b->server, delivery_fd(b->d), ms < 0 || ms > 20 ? 20 : ms);
}

/* Until so many have ended. */
static inline void bench_run(struct bench *b, size_t nr_done)
{
	int64_t until_ms = clock_mono_ms() + BENCH_PATIENCE_MS;

	while (b->nr_done < nr_done) {
		bench_turn(b);
		ck_assert_msg(clock_mono_ms() < until_ms, "%zu of %zu have ended", b->nr_done, nr_done);
	}
}

/* Until so many requests have come. */
static inline void bench_run_asked(struct bench *b, size_t nr_asked)
{
	int64_t until_ms = clock_mono_ms() + BENCH_PATIENCE_MS;

	while (b->nr_asked < nr_asked) {
		bench_turn(b);
		ck_assert_msg(clock_mono_ms() < until_ms, "%zu of %zu have come", b->nr_asked, nr_asked);
	}
}

#endif
