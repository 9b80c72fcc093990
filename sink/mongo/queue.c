/* queue.c - see queue.h.
 *
 * Two conditions over one mutex: a push wakes one popper, and must not be eaten by a thread that only waits for the end. */
#include "sink/mongo/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/events.h"

struct queue {
	pthread_mutex_t lock; /* over all below but wake_fd */
	pthread_cond_t filled;
	pthread_cond_t ended;
	struct queue_item *first, *last;
	size_t len;
	bool closed;
	int wake_fd;
};

/* Conditions count on the monotonic clock: a wall clock that is set back must not stretch a wait. */
static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

struct queue *queue_new(int wake_fd, struct err *err)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (!q) {
		err_nomem(err, "a queue");
		return NULL;
	}
	pthread_mutex_init(&q->lock, NULL);
	cond_init(&q->filled);
	cond_init(&q->ended);
	q->wake_fd = wake_fd;
	return q;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	pthread_cond_destroy(&q->ended);
	pthread_cond_destroy(&q->filled);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

void queue_push(struct queue *q, struct queue_item *item)
{
	item->next = NULL;
	pthread_mutex_lock(&q->lock);
	if (q->last)
		q->last->next = item;
	else
		q->first = item;
	q->last = item;
	q->len++;
	pthread_cond_signal(&q->filled);
	pthread_mutex_unlock(&q->lock);
	if (q->wake_fd >= 0)
		events_wake(q->wake_fd);
}

/* The absolute time, by CLOCK_MONOTONIC, at which a wait of so many milliseconds ends. */
static struct timespec wait_end(int64_t timeout_ms)
{
	int64_t end_ms = clock_mono_ms() + timeout_ms;

	return (struct timespec){.tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000};
}

struct queue_item *queue_pop(struct queue *q, int64_t timeout_ms)
{
	struct timespec end = wait_end(timeout_ms);
	struct queue_item *item;

	pthread_mutex_lock(&q->lock);
	while (!q->first && !q->closed && timeout_ms > 0)
		if (pthread_cond_timedwait(&q->filled, &q->lock, &end) == ETIMEDOUT)
			break;
	item = q->first;
	if (item) {
		q->first = item->next;
		if (!q->first)
			q->last = NULL;
		q->len--;
	}
	pthread_mutex_unlock(&q->lock);
	return item;
}

size_t queue_len(struct queue *q)
{
	size_t len;

	pthread_mutex_lock(&q->lock);
	len = q->len;
	pthread_mutex_unlock(&q->lock);
	return len;
}

void queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->filled);
	pthread_cond_broadcast(&q->ended);
	pthread_mutex_unlock(&q->lock);
}

bool queue_wait_closed(struct queue *q, int64_t timeout_ms)
{
	struct timespec end = wait_end(timeout_ms);
	bool closed;

	pthread_mutex_lock(&q->lock);
	while (!q->closed && timeout_ms > 0)
		if (pthread_cond_timedwait(&q->ended, &q->lock, &end) == ETIMEDOUT)
			break;
	closed = q->closed;
	pthread_mutex_unlock(&q->lock);
	return closed;
}
