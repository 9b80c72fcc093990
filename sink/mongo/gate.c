/* gate.c - see gate.h.
 *
 * First come, first served, since offsets are committed behind the oldest batch: a writer that goes on with the rest of its batch must not
 * overtake one that has waited. Hence a queue: only the writer at its head may go by, and it is the one that watches the clock when the breaker is
 * open.
 *
 * What the poll thread asks for every record is kept beside the lock, in atomics that are set whenever something has changed. */
#include "sink/mongo/gate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"

/* A writer that waits; it lies on its stack. */
struct waiter {
	struct waiter *next;
};

struct gate {
	pthread_mutex_t lock; /* over all up to the atomics */
	pthread_cond_t changed;
	struct aimd aimd;
	struct breaker breaker;
	size_t max_documents;
	uint64_t other_index; /* as in struct gate_view */
	struct waiter *first; /* NULL: nobody waits */
	bool closed;
	atomic_size_t batch_bytes;
	_Atomic int64_t unread_until_ms; /* monotonic; 0: read */
	atomic_int state;                /* enum breaker_state */
};

/* Under the lock, after each change. */
static void publish(struct gate *g)
{
	atomic_store(&g->batch_bytes, aimd_batch_bytes(&g->aimd));
	atomic_store(&g->unread_until_ms, breaker_unread_until_ms(&g->breaker));
	atomic_store(&g->state, (int)g->breaker.state);
	pthread_cond_broadcast(&g->changed);
}

struct gate *gate_new(const struct sink_conf *conf, struct err *err)
{
	const struct aimd_conf limits = {(size_t)conf->batch_bytes, (size_t)conf->writers, conf->latency_target_ms};
	struct gate *g = calloc(1, sizeof(*g));
	pthread_condattr_t attr;

	if (!g) {
		err_nomem(err, "the gate");
		return NULL;
	}
	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->changed, &attr);
	pthread_condattr_destroy(&attr);
	aimd_init(&g->aimd, &limits);
	breaker_init(&g->breaker, (uint64_t)clock_wall_ms());
	g->max_documents = (size_t)conf->batch_documents;
	publish(g);
	return g;
}

void gate_free(struct gate *g)
{
	if (!g)
		return;
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

static void wait_until(struct gate *g, int64_t until_ms)
{
	struct timespec end = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

	if (until_ms == INT64_MAX)
		pthread_cond_wait(&g->changed, &g->lock);
	else
		pthread_cond_timedwait(&g->changed, &g->lock, &end);
}

/* Under the lock, for the writer whose turn it is. */
static bool try_enter(struct gate *g, struct gate_permit *permit, int64_t *until_ms)
{
	int64_t now = clock_mono_ms();

	*until_ms = INT64_MAX;
	if (g->aimd.inflight >= aimd_writers(&g->aimd))
		return false;
	*permit = (struct gate_permit){.bytes = aimd_batch_bytes(&g->aimd), .documents = g->max_documents};
	switch (breaker_ask(&g->breaker, now, until_ms)) {
	case BREAKER_WAIT:
		return false;
	case BREAKER_PROBE:
		permit->probe = true;
		permit->bytes = g->aimd.floor_bytes;
		if (g->breaker.reason == BREAKER_LETTERS)
			permit->documents = 1;
		break;
	case BREAKER_GO:
		break;
	}
	aimd_begin(&g->aimd, now, &permit->insert);
	return true;
}

static void join(struct gate *g, struct waiter *me)
{
	struct waiter **at = &g->first;

	while (*at)
		at = &(*at)->next;
	*at = me;
}

static void go_out(struct gate *g, const struct waiter *me)
{
	struct waiter **at = &g->first;

	while (*at != me)
		at = &(*at)->next;
	*at = me->next;
}

static bool enter(struct gate *g, struct gate_permit *permit, bool unless_open)
{
	struct waiter me = {NULL};
	bool entered = false;

	pthread_mutex_lock(&g->lock);
	join(g, &me);
	while (!g->closed && !entered && !(unless_open && g->breaker.state != BREAKER_CLOSED)) {
		int64_t until_ms = INT64_MAX;

		if (g->first == &me)
			entered = try_enter(g, permit, &until_ms);
		if (!entered)
			wait_until(g, until_ms);
	}
	go_out(g, &me);
	publish(g);
	pthread_mutex_unlock(&g->lock);
	return entered;
}

bool gate_enter(struct gate *g, struct gate_permit *permit)
{
	return enter(g, permit, false);
}

bool gate_enter_unless_open(struct gate *g, struct gate_permit *permit)
{
	return enter(g, permit, true);
}

/* A database that stored something is not dead, whatever it could not do besides. But one that is full, or not primary any more, will
 * say so again. */
static enum breaker_news news_of(const struct verdict *v)
{
	bool moved = v->stored || v->already_stored || v->poison;

	switch (v->reason) {
	case VERDICT_REASON_NOT_PRIMARY:
	case VERDICT_REASON_AUTH:
	case VERDICT_REASON_SPACE:
		return BREAKER_BAD;
	case VERDICT_REASON_NETWORK:
	case VERDICT_REASON_WRITE_CONCERN:
	case VERDICT_REASON_SERVER:
		return moved ? BREAKER_GOOD : BREAKER_BAD;
	case VERDICT_REASON_CONTENT: /* a probe that is to be bisected goes on at once, with its half */
		return v->bisect ? BREAKER_NONE : BREAKER_GOOD;
	default:
		return BREAKER_GOOD;
	}
}

/* A database before which the breaker has just opened begins small again, whatever the reason. */
static enum aimd_outcome outcome_of(const struct gate *g, const struct gate_news *news)
{
	if (g->breaker.state == BREAKER_OPEN && g->breaker.reason != BREAKER_LETTERS)
		return AIMD_LOST;
	switch (news->verdict->reason) {
	case VERDICT_REASON_NONE:
		return news->connected ? AIMD_CONNECTED : AIMD_WELL;
	case VERDICT_REASON_WRITE_CONCERN:
	case VERDICT_REASON_SERVER:
		return AIMD_FAILED;
	case VERDICT_REASON_NETWORK:
	case VERDICT_REASON_NOT_PRIMARY:
	case VERDICT_REASON_AUTH:
	case VERDICT_REASON_SPACE:
		return AIMD_LOST;
	default:
		return AIMD_SILENT;
	}
}

bool gate_leave(struct gate *g, const struct gate_permit *permit, const struct gate_news *news)
{
	enum breaker_news told = news_of(news->verdict);
	int64_t now = clock_mono_ms();
	bool alone;

	pthread_mutex_lock(&g->lock);
	if (!permit->letter) /* else this probe's answer is given already */
		breaker_tell(&g->breaker, now, permit->probe, told, news->verdict->reason);
	aimd_end(&g->aimd, now, &permit->insert, news->bytes, news->full, outcome_of(g, news));
	g->other_index += news->verdict->reason == VERDICT_REASON_OTHER_INDEX;
	alone = g->breaker.state == BREAKER_CLOSED;
	publish(g);
	pthread_mutex_unlock(&g->lock);
	return alone && news->verdict->retry && news->verdict->reason != VERDICT_REASON_CONTENT;
}

bool gate_letter(struct gate *g, struct gate_permit *permit)
{
	bool allowed;

	pthread_mutex_lock(&g->lock);
	allowed = breaker_letter(&g->breaker, clock_mono_ms(), permit->probe);
	permit->letter = allowed && permit->probe && g->breaker.state != BREAKER_HALF_OPEN;
	publish(g);
	pthread_mutex_unlock(&g->lock);
	return allowed;
}

void gate_letter_made(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	breaker_letter_made(&g->breaker, clock_mono_ms());
	publish(g);
	pthread_mutex_unlock(&g->lock);
}

bool gate_unread(struct gate *g)
{
	int64_t until_ms = atomic_load_explicit(&g->unread_until_ms, memory_order_relaxed);

	return until_ms && clock_mono_ms() < until_ms;
}

size_t gate_batch_bytes(struct gate *g)
{
	return atomic_load_explicit(&g->batch_bytes, memory_order_relaxed);
}

bool gate_is_open_to_all(struct gate *g)
{
	return atomic_load(&g->state) == BREAKER_CLOSED;
}

void gate_look(struct gate *g, struct gate_view *view)
{
	pthread_mutex_lock(&g->lock);
	*view = (struct gate_view){
		.state = g->breaker.state, .reason = g->breaker.reason, .openings = g->breaker.openings,
		.opened_mono_ms = g->breaker.opened_ms, .other_index = g->other_index, .batch_bytes = aimd_batch_bytes(&g->aimd), .writers = aimd_writers(&g->aimd),
		.latency_ms = g->aimd.latency_ms, .reference_ms = g->aimd.reference_ms,
	};
	pthread_mutex_unlock(&g->lock);
}

void gate_close(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->closed = true;
	publish(g);
	pthread_mutex_unlock(&g->lock);
}
