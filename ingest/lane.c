/* lane.c - see lane.h.
 *
 * The loop: poll; reports of Kafka, which resume connections; HTTP, which answers them. In this order a turn takes a payload from its
 * report to its answer without another wake-up. */
#include "ingest/lane.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/events.h"
#include "ingest/producer.h"
#include "ingest/push.h"
#include "ingest/server.h"

enum {
	DECODE_SHARE = 4, /* of memory.budget, what all lanes together may take for payloads that are being decoded */
	FLUSH_MAX_MS = 5000,
	WARM_EVERY_MS = 100,
	STALL_EVERY_MS = 20, /* all who wait are looked at, which would be much at each turn */
};

struct lane {
	struct lane_rooms rooms;
	struct producer *producer;
	struct push *push;
	struct server *server;
	int wake_fd;
	pthread_t thread;
	bool started;
	int64_t drain_deadline_mono_ms; /* 0: not draining */
	unsigned reloaded;              /* how many of the requests have been seen to */
	int64_t stall_mono_ms;          /* when it was last asked whether Kafka is gone */
	int64_t warm_mono_ms;           /* when it was last asked whether cells have changed */
	unsigned warm;                  /* the version of the cells whose topics the producer knows */
	_Atomic bool drain, stop;
	_Atomic unsigned reload; /* requests so far */
	_Atomic bool drained;
	_Atomic size_t requests, waiting, connections;
};

static const struct log *log_of(const struct lane *l)
{
	return &l->rooms.program->log;
}

/* Logs a failure that the loop outlives. */
static void complain(const struct lane *l, const char *event, const struct err *err)
{
	log_repeat(log_of(l), event, LOG_STR("error", err->msg));
}

static int open_rooms(struct lane *l, struct err *err)
{
	const struct ingest_conf *conf = l->rooms.conf;
	const struct push_limits limits = {
		.decoded_bytes = (size_t)(l->rooms.program->common.memory_budget_bytes / DECODE_SHARE / conf->threads),
		.inflated_bytes = (size_t)conf->max_inflated_bytes,
		.inflate_ratio = (size_t)conf->max_inflate_ratio,
		.record_bytes = (size_t)conf->max_record_bytes,
	};

	l->wake_fd = events_wake_fd(err);
	if (l->wake_fd < 0)
		return -1;
	l->producer = producer_new(l->rooms.program, conf, l->wake_fd, err);
	if (!l->producer)
		return -1;
	l->push = push_new(&(struct push_rooms){l->rooms.admission, l->producer, l->rooms.account, l->rooms.otlp, l->rooms.scrub, log_of(l)},
			   &limits);
	if (!l->push)
		return err_nomem(err, "payloads");
	l->server = server_new(&(struct server_rooms){l->rooms.admission, l->push, l->producer, l->rooms.account}, conf,
			       l->rooms.listen_fd, err);
	return l->server ? 0 : -1;
}

struct lane *lane_new(const struct lane_rooms *rooms, struct err *err)
{
	struct lane *l = calloc(1, sizeof(*l));

	if (!l) {
		err_nomem(err, "a lane");
		return NULL;
	}
	l->rooms = *rooms;
	l->wake_fd = -1;
	if (open_rooms(l, err) < 0) {
		lane_free(l);
		return NULL;
	}
	return l;
}

static void wait_for_events(struct lane *l)
{
	int fds[SERVER_FDS];
	struct pollfd polled[1 + SERVER_FDS] = {{.fd = l->wake_fd, .events = POLLIN}};

	server_fds(l->server, fds);
	for (int i = 0; i < SERVER_FDS; i++)
		polled[1 + i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	poll(polled, 1 + SERVER_FDS, server_timeout_ms(l->server));
	if (polled[0].revents)
		events_read(l->wake_fd);
}

/* A broken client costs its payloads a 503 and is replaced at the next turn: nothing to stop for. A Kafka that is gone costs them a 503
 * too, sooner than each would be given up. */
static void follow_producer(struct lane *l)
{
	struct err err = ERR_INIT;
	int64_t mono_ms = clock_mono_ms();

	if (producer_poll(l->producer, &err) < 0)
		complain(l, "producer_broke", &err);
	if (mono_ms - l->stall_mono_ms < STALL_EVERY_MS)
		return;
	l->stall_mono_ms = mono_ms;
	if (producer_hangs(l->producer, mono_ms))
		server_abandon(l->server);
}

/* A cell that is new has topics that the producer does not know. */
static void warm_topics(struct lane *l)
{
	struct buf topics = BUF_INIT;
	int64_t mono_ms = clock_mono_ms();

	if (mono_ms - l->warm_mono_ms < WARM_EVERY_MS)
		return;
	l->warm_mono_ms = mono_ms;
	if (admission_topics(l->rooms.admission, &l->warm, &topics))
		for (size_t at = 0; at < topics.len; at += strlen((char *)topics.p + at) + 1)
			producer_warm(l->producer, (char *)topics.p + at);
	buf_fini(&topics);
}

static void begin_drain(struct lane *l)
{
	l->drain_deadline_mono_ms = clock_mono_ms() + l->rooms.conf->drain_timeout_ms;
	server_quiesce(l->server);
}

/* A reload while the last one is not over stays asked for. */
static void reload(struct lane *l, unsigned asked)
{
	struct err err = ERR_INIT;

	if (server_reload(l->server, &err) < 0) {
		complain(l, err.kind == ERR_RETRY ? "reload_waits" : "reload_refused", &err);
		if (err.kind == ERR_RETRY)
			return;
	} else {
		log_info(log_of(l), "reloaded", LOG_STR("file", l->rooms.conf->tls_cert_file));
	}
	l->reloaded = asked;
}

static void take_orders(struct lane *l)
{
	unsigned asked = atomic_load(&l->reload);

	if (atomic_load(&l->drain) && !l->drain_deadline_mono_ms)
		begin_drain(l);
	if (asked != l->reloaded && !l->drain_deadline_mono_ms)
		reload(l, asked);
}

/* At the end of its patience it goes all the same: who still sends then has no answer, and sends again elsewhere. */
static bool has_drained(const struct lane *l)
{
	return l->drain_deadline_mono_ms &&
	       (server_requests(l->server) == 0 || clock_mono_ms() >= l->drain_deadline_mono_ms);
}

/* What others see of it. */
static void show(struct lane *l)
{
	bool drained = has_drained(l);

	atomic_store_explicit(&l->requests, server_requests(l->server), memory_order_relaxed);
	atomic_store_explicit(&l->waiting, server_waiting(l->server), memory_order_relaxed);
	atomic_store_explicit(&l->connections, server_connections(l->server), memory_order_relaxed);
	if (atomic_exchange(&l->drained, drained) != drained && drained)
		events_wake(l->rooms.done_fd);
}

/* The server goes first, so that nobody comes in any more; jobs end with the producer, before push, which they use. Whoever waits is
 * answered by then: what is flushed only saves retries. */
static void close_rooms(struct lane *l)
{
	server_free(l->server);
	if (l->started && l->producer && !producer_flush(l->producer, FLUSH_MAX_MS))
		log_warn(log_of(l), "records_given_up", LOG_STR("meaning", "no client was told that they were taken"));
	producer_free(l->producer);
	push_free(l->push);
}

/* A lane that has drained serves on until it is freed: its open connections are told that this instance is draining. All lanes close
 * side by side, as each may have to wait for brokers that are gone. */
static void *run(void *ctx)
{
	struct lane *l = ctx;

	while (!atomic_load_explicit(&l->stop, memory_order_relaxed)) {
		wait_for_events(l);
		follow_producer(l);
		warm_topics(l);
		server_run(l->server);
		take_orders(l);
		show(l);
	}
	close_rooms(l);
	return NULL;
}

int lane_start(struct lane *l, struct err *err)
{
	l->started = true; /* the thread reads it */
	if (pthread_create(&l->thread, NULL, run, l) == 0)
		return 0;
	l->started = false;
	return err_set(err, ERR_FATAL, "cannot start a thread");
}

void lane_drain(struct lane *l)
{
	atomic_store(&l->drain, true);
	events_wake(l->wake_fd);
}

void lane_reload(struct lane *l)
{
	atomic_fetch_add(&l->reload, 1);
	events_wake(l->wake_fd);
}

bool lane_drained(const struct lane *l)
{
	return atomic_load(&l->drained);
}

size_t lane_requests(const struct lane *l)
{
	return atomic_load_explicit(&l->requests, memory_order_relaxed);
}

size_t lane_waiting(const struct lane *l)
{
	return atomic_load_explicit(&l->waiting, memory_order_relaxed);
}

size_t lane_connections(const struct lane *l)
{
	return atomic_load_explicit(&l->connections, memory_order_relaxed);
}

void lane_stop(struct lane *l)
{
	atomic_store(&l->stop, true);
	events_wake(l->wake_fd);
}

void lane_free(struct lane *l)
{
	if (!l)
		return;
	if (l->started) {
		lane_stop(l);
		pthread_join(l->thread, NULL);
	} else {
		close_rooms(l);
	}
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	free(l);
}
