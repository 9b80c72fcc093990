/* verify_base.c - see verify_base.h. One rule of the table after the other, in its order. */
#include "deploy/ctl/verify_base.h"

#include <math.h>
#include <stdlib.h>

#include "common/clock.h"

#define FRESH_MS (2 * CLOCK_MINUTE_MS)
#define TAKEOVER_MS (10 * CLOCK_MINUTE_MS)
#define KEEP_MS (25 * CLOCK_HOUR_MS)

struct last {
	int64_t t_ms, start_ms, routed_since_ms, changed_ms, count;
	double sum;
	bool single;
	struct verify_hist hist;
};

enum ruling { DROPPED, BASELINE_ONLY, WHOLE, DIFFERENCE };

void verify_bases_fini(struct verify_bases *b)
{
	const struct map_slot *slot;

	for (size_t at = 0; (slot = map_next(&b->last, &at)) != NULL;)
		verify_hist_fini(&((struct last *)slot->value)->hist);
	map_fini(&b->last);
	arena_fini(&b->arena);
	*b = (struct verify_bases)VERIFY_BASES_INIT;
}

static enum ruling rule_first(const struct verify_point *p)
{
	bool started_known = p->start_ms != 0 && p->start_ms < p->t_ms;

	if (started_known && p->t_ms - p->start_ms <= FRESH_MS && p->start_ms >= p->routed_since_ms)
		return WHOLE;
	return BASELINE_ONLY;
}

/* By times and form; DIFFERENCE: if nothing has fallen. */
static enum ruling rule(const struct last *last, const struct verify_point *p)
{
	if (p->t_ms <= last->t_ms)
		return DROPPED;
	if (p->routed_since_ms != last->routed_since_ms)
		return BASELINE_ONLY;
	if (p->start_ms >= p->t_ms || p->single != last->single)
		return BASELINE_ONLY;
	/* A series that began with an unknown start, start == t, goes on with that same start: no reset, though it is not before the
	 * last time. */
	if (p->start_ms != 0 && p->start_ms != last->start_ms && p->start_ms >= last->t_ms)
		return WHOLE;
	if (p->start_ms != 0 && last->start_ms != 0 && p->start_ms < last->start_ms)
		return p->t_ms - last->t_ms <= TAKEOVER_MS ? DROPPED : BASELINE_ONLY;
	return DIFFERENCE;
}

/* Fills step with the difference. 0: something has fallen; 1: nothing has; -1: memory. */
static int differ(const struct last *last, const struct verify_point *p, struct verify_step *step)
{
	step->count = p->single ? 1 : p->count - last->count;
	step->sum = p->sum - last->sum;
	if (step->count < 0 || !isfinite(step->sum))
		return 0;
	if (!p->hist)
		return step->sum >= 0;
	return verify_hist_subtract(p->hist, &last->hist, &step->hist);
}

static int remember(struct last *last, const struct verify_point *p)
{
	struct verify_hist copy = VERIFY_HIST_INIT;
	bool ignored = false;

	/* A copy of the same scale: nothing moves when it is called scale 5 on the way. */
	if (p->hist) {
		struct verify_hist same = *p->hist;

		same.scale = VERIFY_SCALE;
		if (verify_hist_add(&copy, &same, &ignored) < 0) {
			verify_hist_fini(&copy);
			return -1;
		}
		copy.scale = p->hist->scale;
	}
	verify_hist_fini(&last->hist);
	*last = (struct last){.t_ms = p->t_ms, .start_ms = p->start_ms < p->t_ms ? p->start_ms : p->t_ms,
			      .routed_since_ms = p->routed_since_ms, .changed_ms = p->watermark_ms, .count = p->count, .sum = p->sum,
			      .single = p->single, .hist = copy};
	return 0;
}

static struct last *make(struct verify_bases *b, const uint8_t fingerprint[16])
{
	struct last *last = arena_calloc(&b->arena, 1, sizeof(*last));

	if (!last || map_put(&b->last, fingerprint, last) < 0)
		return NULL;
	last->hist = (struct verify_hist)VERIFY_HIST_INIT;
	return last;
}

int verify_bases_take(struct verify_bases *b, const uint8_t fingerprint[16], const struct verify_point *p, struct verify_step *step,
		      struct err *err)
{
	struct last *last = map_get(&b->last, fingerprint);
	bool known = last && p->watermark_ms - last->changed_ms < KEEP_MS;
	enum ruling ruling = known ? rule(last, p) : rule_first(p);
	int rc = 1;

	*step = (struct verify_step){.hist = VERIFY_HIST_INIT};
	b->doubtful += last && !known;
	if (ruling == DROPPED)
		return 0;
	if (ruling == DIFFERENCE)
		rc = differ(last, p, step);
	if (rc == 0)
		ruling = WHOLE;
	if (rc < 0 || (!last && !(last = make(b, fingerprint))) || remember(last, p) < 0)
		return err_nomem(err, "a cumulative point");
	step->whole = ruling == WHOLE;
	if (step->whole)
		step->count = p->count;
	/* A single value that has not moved is a value of 0; a summary of nothing is none. */
	step->counts = ruling != BASELINE_ONLY && step->count > 0;
	return 0;
}
