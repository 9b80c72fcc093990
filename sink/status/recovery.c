/* recovery.c - see recovery.h.
 *
 * Invariants:
 *  I1  Samples are in the order of time, and in none of them has less been committed, or less arrived, than in the one before.
 *  I2  Between two neighbours of the edges something was committed, and something has waited all the time since the first of them: what drains an almost empty
 *      queue is its arrivals, which say nothing of how fast it could go. */
#include "sink/status/recovery.h"

#include <string.h>

enum {
	STILL_RHYTHMS = 4,   /* without a commit for so many of the usual pauses it stands still */
	RHYTHM_MS = 30000,   /* until there is a usual pause */
	OVERDUE_RHYTHMS = 2, /* without one for so many it is becoming slower */
};

/* Appends to a full or not yet full array, whose oldest goes. */
static void push(struct recovery_sample *samples, size_t *nr, size_t max, const struct recovery_sample *s)
{
	if (*nr == max) {
		memmove(samples, samples + 1, (max - 1) * sizeof(*samples));
		(*nr)--;
	}
	samples[(*nr)++] = *s;
}

/* The usual time from one commit to the next. */
static int64_t rhythm_ms(const struct recovery *r)
{
	if (r->nr_edges < 2)
		return RHYTHM_MS;
	return (r->edges[r->nr_edges - 1].at_ms - r->edges[0].at_ms) / (int64_t)(r->nr_edges - 1);
}

static int64_t since_edge_ms(const struct recovery *r, const struct recovery_sample *s)
{
	return s->at_ms - r->edges[r->nr_edges - 1].at_ms;
}

static void take_drain(struct recovery *r, const struct recovery_sample *s)
{
	if (r->nr_edges && since_edge_ms(r, s) > STILL_RHYTHMS * rhythm_ms(r))
		r->nr_edges = 0;
	if (r->begun && s->committed > r->newest.committed && (!r->nr_edges || since_edge_ms(r, s) >= RECOVERY_EDGE_MS))
		push(r->edges, &r->nr_edges, RECOVERY_EDGES, s);
	if (!s->waiting)
		r->nr_edges = 0; /* (I2) */
}

static void take_arrival(struct recovery *r, const struct recovery_sample *s)
{
	if (!r->nr_arrivals || s->at_ms - r->arrivals[r->nr_arrivals - 1].at_ms >= RECOVERY_ARRIVAL_MS)
		push(r->arrivals, &r->nr_arrivals, RECOVERY_ARRIVALS, s);
}

/* Since when nothing moves: a first sample with something waiting may be the beginning of a standstill, or not, and is taken for one until the next. */
static void watch_standstill(struct recovery *r, const struct recovery_sample *s)
{
	if (!s->waiting || (r->begun && s->committed != r->newest.committed))
		r->still_since_ms = 0;
	else if (!r->still_since_ms)
		r->still_since_ms = r->begun ? r->newest.at_ms : s->at_ms;
}

void recovery_take(struct recovery *r, const struct recovery_sample *s)
{
	if (r->begun && s->at_ms <= r->newest.at_ms)
		return;
	if (r->begun && (s->committed < r->newest.committed || s->end < r->newest.end))
		*r = (struct recovery){0}; /* (I1) */
	watch_standstill(r, s);
	take_drain(r, s);
	take_arrival(r, s);
	r->newest = *s;
	r->begun = true;
}

/* Records a millisecond; 0: nothing is committed, or too little is known. A step that is overdue counts as if it came now with nothing. */
static double drain_rate(const struct recovery *r)
{
	const struct recovery_sample *first = &r->edges[0], *last;
	int64_t span_ms;

	if (r->nr_edges < 2)
		return 0;
	last = &r->edges[r->nr_edges - 1];
	span_ms = since_edge_ms(r, &r->newest) > OVERDUE_RHYTHMS * rhythm_ms(r) ? r->newest.at_ms - first->at_ms : last->at_ms - first->at_ms;
	return (double)(last->committed - first->committed) / (double)span_ms;
}

/* The i-th that the arrival rate is of: those kept, and the newest. */
static const struct recovery_sample *arrival_at(const struct recovery *r, size_t i)
{
	return i < r->nr_arrivals ? &r->arrivals[i] : &r->newest;
}

/* Likewise, by the line of least squares: what comes in bursts is a staircase, whose two ends are off by a step each and whose middle is not. */
static double arrival_rate(const struct recovery *r)
{
	const struct recovery_sample *first = arrival_at(r, 0);
	double n = (double)r->nr_arrivals + 1, mean_t = 0, mean_end = 0, product = 0, square = 0;

	for (size_t i = 0; i <= r->nr_arrivals; i++) {
		mean_t += (double)(arrival_at(r, i)->at_ms - first->at_ms) / n;
		mean_end += (double)(arrival_at(r, i)->end - first->end) / n;
	}
	for (size_t i = 0; i <= r->nr_arrivals; i++) {
		double t = (double)(arrival_at(r, i)->at_ms - first->at_ms) - mean_t;

		product += t * ((double)(arrival_at(r, i)->end - first->end) - mean_end);
		square += t * t;
	}
	return square > 0 ? product / square : 0;
}

/* By how much what waits becomes less; 0 or less: it does not, or too little is known. */
static double net_rate(const struct recovery *r)
{
	double drain = drain_rate(r);

	return drain > 0 ? drain - arrival_rate(r) : 0;
}

int64_t recovery_ms(const struct recovery *r)
{
	double rate = net_rate(r);

	if (!r->begun)
		return -1;
	if (!r->newest.waiting)
		return 0;
	if (!(rate > 0) || (double)r->newest.waiting / rate > 1e15)
		return -1;
	return (int64_t)((double)r->newest.waiting / rate);
}

bool recovery_is_draining(const struct recovery *r)
{
	return net_rate(r) > 0;
}

int64_t recovery_still_ms(const struct recovery *r)
{
	return r->still_since_ms ? r->newest.at_ms - r->still_since_ms : 0;
}
