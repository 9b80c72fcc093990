/* courier_bench.h - a courier between a fake spool and a scripted server, in one thread. Its waits are skipped: time is moved on to
 * where the courier wants to be woken whenever nothing is in flight. */
#ifndef MILLRACE_TESTS_AGENT_COURIER_BENCH_H
#define MILLRACE_TESTS_AGENT_COURIER_BENCH_H

#include <curl/curl.h>
#include <sys/mman.h>

#include "ingest/agent/courier.h"
#include "tests/unit/agent/fake_spool.h"
#include "tests/unit/agent/payload_maker.h"
#include "tests/unit/agent/scripted_server.h"

#define BENCH_KEY "mr_courier-secret-0123456789abcdef"

enum { BENCH_SEEN_MAX = 512, BENCH_TIMEOUT_MS = 300, BENCH_CREATED_MS = 1000000 };

/* One answer of a script; the last one stays. */
struct step {
	const char *answer;
	enum server_then then;
};

struct bench {
	struct spool *spool;
	struct clock clock;
	struct log log;
	struct server server;
	struct courier *courier;
	int64_t now_ms;
	const struct step *steps; /* the last one is for all that follow */
	size_t steps_len, at;
	uint64_t seen[BENCH_SEEN_MAX]; /* seqs in the order in which they came */
	int64_t seen_at_ms[BENCH_SEEN_MAX];
	size_t seen_len;
	struct buf last_head, last_body;
};

static inline uint64_t bench_seq(struct str body)
{
	Millrace__Push__Payload *p = maker_unpack(body);
	uint64_t seq = p->seq;

	millrace__push__payload__free_unpacked(p, NULL);
	return seq;
}

static inline enum server_then bench_answer(void *ctx, const struct server_request *r, struct buf *out)
{
	struct bench *b = ctx;
	const struct step *step = &b->steps[b->at];

	b->at += b->at + 1 < b->steps_len;
	ck_assert(b->seen_len < BENCH_SEEN_MAX);
	b->seen_at_ms[b->seen_len] = b->now_ms;
	b->seen[b->seen_len++] = bench_seq(r->body);
	buf_clear(&b->last_head);
	buf_add(&b->last_head, r->head.p, r->head.len);
	buf_clear(&b->last_body);
	buf_add(&b->last_body, r->body.p, r->body.len);
	buf_add(out, step->answer, strlen(step->answer));
	return step->then;
}

static inline void bench_open(struct bench *b, const char *key_file)
{
	char url[64];
	struct courier_conf conf = {.url = url, .key = key_file ? "" : BENCH_KEY, .key_file = key_file, .timeout_ms = BENCH_TIMEOUT_MS};
	struct err err = ERR_INIT;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", b->server.port);
	b->courier = courier_new(&conf, b->spool, &b->clock, &b->log, &err);
	ck_assert_msg(b->courier != NULL, "%s", err.msg);
}

/* Answers by steps; b may not be moved. */
static inline void bench_init(struct bench *b, const struct step *steps, size_t steps_len)
{
	unsetenv("http_proxy"); /* the server is on this machine */
	*b = (struct bench){.spool = fake_spool_new(), .steps = steps, .steps_len = steps_len, .now_ms = 5000};
	b->log = (struct log){.fd = memfd_create("log", MFD_CLOEXEC), .level = LOG_LEVEL_DEBUG, .program = "test"};
	server_init(&b->server, bench_answer, b);
}

static inline void bench_fini(struct bench *b)
{
	courier_free(b->courier);
	server_fini(&b->server);
	fake_spool_free(b->spool);
	buf_fini(&b->last_head);
	buf_fini(&b->last_body);
	close(b->log.fd);
}

/* Spools a payload of seq, as old as its number says. */
static inline uint64_t bench_put(struct bench *b, uint64_t seq, size_t samples)
{
	static const uint8_t agent_id[16] = {7, 7, 7};
	struct buf body = BUF_INIT;
	struct envelope e = maker_payload(agent_id, seq, seq, samples, BENCH_CREATED_MS + (int64_t)seq, &body);
	struct err err = ERR_INIT;
	uint64_t id;

	ck_assert_int_eq(spool_put(b->spool, &e, &id, &err), 0);
	buf_fini(&body);
	return id;
}

static inline struct courier_status bench_status(const struct bench *b)
{
	struct courier_status s;

	courier_read_status(b->courier, b->now_ms, &s);
	return s;
}

static inline bool bench_in_flight(const struct bench *b)
{
	struct courier_status s = bench_status(b);

	return s.posts > s.accepted_payloads + s.set_aside_payloads + s.halved_payloads + s.failed_posts;
}

/* Turns until posts posts have ended in all (true), or nothing is left to do. */
static inline bool bench_run(struct bench *b, uint64_t posts)
{
	int64_t give_up_ms = clock_mono_ms() + 20000;

	for (;;) {
		struct courier_status s;
		int ms;

		courier_turn(b->courier, b->now_ms);
		server_turn(&b->server);
		s = bench_status(b);
		if (s.accepted_payloads + s.set_aside_payloads + s.halved_payloads + s.failed_posts >= posts)
			return true;
		ck_assert_msg(clock_mono_ms() < give_up_ms, "it takes too long");
		ms = courier_timeout_ms(b->courier, b->now_ms);
		if (bench_in_flight(b))
			server_wait(&b->server, courier_fd(b->courier), ms >= 0 && ms < 20 ? ms : 20);
		else if (ms < 0)
			return false;
		else
			b->now_ms += ms ? ms : 1;
	}
}

/* All that was logged. */
static inline void bench_read_log(const struct bench *b, struct buf *out)
{
	char chunk[4096];
	ssize_t n;

	for (off_t at = 0; (n = pread(b->log.fd, chunk, sizeof(chunk), at)) > 0; at += n)
		buf_add(out, chunk, (size_t)n);
}

static inline bool bench_logged(const struct bench *b, const char *words)
{
	struct buf all = BUF_INIT;
	bool there;

	bench_read_log(b, &all);
	there = all.len && memmem(all.p, all.len, words, strlen(words));
	buf_fini(&all);
	return there;
}

#endif
