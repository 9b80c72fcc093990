/* event_check.c - see event_check.h.
 *
 * Sizes are looked at where they decide how much memory an event takes beside its own bytes, or what a reader of exemplars relies on. What is deeper in an event
 * is bounded by its record. */
#include "processor/event_check.h"

#include <inttypes.h>
#include <math.h>

#include "processor/exemplars.h"
#include "processor/repeats.h"

enum { NAME_MAX_BYTES = 255, TEXT_MAX_BYTES = 8192, TAGS_MAX = 32, PARAMS_MAX = 64, FRAMES_MAX = 200, BREADCRUMBS_MAX = 50, SPANS_MAX = 500 };

/* What is bounded, and by how much. */
struct bound {
	const char *what;
	size_t have, max;
};

static int check_bounds(const struct bound *bounds, size_t nr, struct err *err)
{
	for (size_t i = 0; i < nr; i++)
		if (bounds[i].have > bounds[i].max)
			return err_set(err, ERR_REJECT, "%s: %zu, at most %zu are taken", bounds[i].what, bounds[i].have, bounds[i].max);
	return 0;
}

static bool is_duration(double ms)
{
	return isfinite(ms) && ms >= 0;
}

static int check_error(const struct error_detail *e, struct err *err)
{
	const struct bound bounds[] = {
		{"bytes of class", e->class.len, NAME_MAX_BYTES},
		{"bytes of message", e->message.len, TEXT_MAX_BYTES},
		{"frames", e->backtrace_len, FRAMES_MAX},
		{"params", e->params_len, PARAMS_MAX},
		{"breadcrumbs", e->breadcrumbs_len, BREADCRUMBS_MAX},
	};

	return check_bounds(bounds, sizeof(bounds) / sizeof(bounds[0]), err);
}

static int check_transaction(const struct transaction_detail *t, struct err *err)
{
	const struct bound bounds[] = {{"bytes of id", t->id.len, NAME_MAX_BYTES}, {"spans", t->spans_len, SPANS_MAX}};

	if (check_bounds(bounds, sizeof(bounds) / sizeof(bounds[0]), err) < 0)
		return -1;
	if (!is_duration(t->duration_ms) || !is_duration(t->queue_ms))
		return err_set(err, ERR_REJECT, "a transaction of %g ms, %g in a queue", t->duration_ms, t->queue_ms);
	for (size_t i = 0; i < t->spans_len; i++)
		if (!isfinite(t->spans[i].start_ms) || !is_duration(t->spans[i].duration_ms))
			return err_set(err, ERR_REJECT, "span %zu: %g ms from %g on", i, t->spans[i].duration_ms, t->spans[i].start_ms);
	return 0;
}

static int check_detail(const struct event *e, struct err *err)
{
	const struct bound marker[] = {
		{"bytes of revision", e->marker.revision.len, NAME_MAX_BYTES},
		{"bytes of user", e->marker.user.len, NAME_MAX_BYTES},
		{"bytes of text", e->marker.text.len, TEXT_MAX_BYTES},
	};
	const struct bound check_in[] = {{"bytes of name", e->check_in.name.len, NAME_MAX_BYTES}};
	int details = e->has_error + e->has_transaction + e->has_marker + e->has_check_in;

	if (details != 1)
		return err_set(err, ERR_REJECT, "%d details where one is expected", details);
	if (e->has_error)
		return check_error(&e->error, err);
	if (e->has_transaction)
		return check_transaction(&e->transaction, err);
	return e->has_marker ? check_bounds(marker, sizeof(marker) / sizeof(marker[0]), err) : check_bounds(check_in, 1, err);
}

static int check_one(const struct event *e, int64_t earliest_ms, int64_t latest_ms, struct err *err)
{
	const struct bound bounds[] = {
		{"bytes of action", e->action.len, NAME_MAX_BYTES},
		{"bytes of namespace", e->namespace.len, NAME_MAX_BYTES},
		{"bytes of host", e->host.len, NAME_MAX_BYTES},
		{"bytes of environment", e->environment.len, NAME_MAX_BYTES},
		{"bytes of revision", e->revision.len, NAME_MAX_BYTES},
		{"tags", e->tags_len, TAGS_MAX},
	};

	if (e->t < earliest_ms || e->t > latest_ms)
		return err_set(err, ERR_REJECT, "time %" PRId64 " is not in [%" PRId64 ", %" PRId64 "]", e->t, earliest_ms, latest_ms);
	return check_bounds(bounds, sizeof(bounds) / sizeof(bounds[0]), err) < 0 ? -1 : check_detail(e, err);
}

int event_check(const struct event_batch *batch, int64_t earliest_ms, int64_t latest_ms, struct err *err)
{
	const struct bound site = {"bytes of a site's id", batch->site.len, EXEMPLARS_SITE_BYTES_MAX};
	struct identity who = identity_of_events(batch);

	if (check_bounds(&site, 1, err) < 0)
		return -1;
	for (size_t i = 0; i < batch->events_len; i++)
		if (check_one(&batch->events[i], earliest_ms, latest_ms, err) < 0)
			return err_wrap(err, "event %zu", i);
	return repeats_check(&who, err);
}
