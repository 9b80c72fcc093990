/* serving.c - see serving.h.
 *
 * A client that does not end when it is closed is left behind (2.0.2 can hang in a rebalance, and one that owns nothing cannot be destroyed safely,
 * which is what a fenced one is): it has nothing to call back into, and costs memory and some threads. That is borne a bounded number of
 * times; then the process ends with a failure, to be started anew by whoever watches over it. */
#include "processor/serving.h"

#include <inttypes.h>
#include <stdio.h>

enum { LEFT_BEHIND_MAX = 32 };

static const struct log *log_of(const struct serving *s)
{
	return &s->parts.program->log;
}

static int shut(struct serving *s, const char *why, struct err *err)
{
	bool closed = service_free(s->service, false);

	s->service = NULL;
	s->why_none = why;
	if (closed || ++s->left_behind < LEFT_BEHIND_MAX)
		return 0;
	return err_set(err, ERR_FATAL, "%u clients of Kafka did not end when they were closed", s->left_behind);
}

/* After the first service what is wrong with another one is no matter of settings: it may be put right while we wait. */
static int outlive(struct serving *s, const struct err *why, struct err *err)
{
	if (why->kind == ERR_FATAL || (why->kind == ERR_REJECT && !s->served)) {
		*err = *why;
		return -1;
	}
	log_repeat(log_of(s), "service_unavailable", LOG_STR("error", why->msg));
	return 0;
}

int serving_open(struct serving *s, struct err *err)
{
	const char *why_not = cell_row_why_not(s->cell);
	struct err why = ERR_INIT;

	if (s->service || !reopening_due(&s->reopening, clock_mono_ms()))
		return 0;
	s->why_none = why_not ? why_not : "the group is being joined";
	if (why_not) {
		log_repeat(log_of(s), "cell_unavailable", LOG_STR("error", why_not));
		return 0;
	}
	s->service = service_new(&s->parts, s->cell->epoch, s->cell->partitions, &why);
	if (!s->service)
		return outlive(s, &why, err);
	s->served = true;
	s->epoch = s->cell->epoch;
	s->partitions = s->cell->partitions;
	reopening_note_open(&s->reopening, clock_mono_ms());
	log_info(log_of(s), "joining", LOG_STR("cell", s->cell->name), LOG_INT("epoch", s->epoch), LOG_INT("partitions", s->partitions));
	return 0;
}

static int cell_changed(struct serving *s, struct err *err)
{
	char text[160];

	if (s->cell->known)
		snprintf(text, sizeof(text), "the cell's topics were made again: epoch %" PRId64 ", not %" PRId64 ": what was not saved is given up",
			 s->cell->epoch, s->epoch);
	else
		snprintf(text, sizeof(text), "the cell's record has been deleted: what was not saved is given up");
	log_warn(log_of(s), "cell_changed", LOG_STR("cell", s->cell->name), LOG_STR("text", text));
	report_notice(s->parts.report, SEVERITY_WARNING, "cell_changed", text, NULL, 0);
	return shut(s, "the cell's record has changed", err);
}

static int consumer_failed(struct serving *s, const struct err *why, struct err *err)
{
	bool fenced = service_is_fenced(s->service);
	int64_t pause_ms = reopening_note_failure(&s->reopening, fenced, clock_mono_ms());
	const char *id = s->parts.program->common.instance_id;
	char text[640];

	if (fenced)
		/* Seen without another process too: when the group's coordinator died, and the client's session was over before it found the next. */
		snprintf(text, sizeof(text), "the group has given our place to another member with our instance.id, %s: if another process has it, one "
			 "of the two must end or be named otherwise; this one tries again in %" PRId64 " s", id, pause_ms / 1000);
	else
		snprintf(text, sizeof(text), "%s: a new one is made in %" PRId64 " s", why->msg, pause_ms / 1000);
	log_error(log_of(s), fenced ? "instance_fenced" : "consumer_failed", LOG_STR("error", text));
	report_notice(s->parts.report, SEVERITY_ALARM, fenced ? "instance_fenced" : "consumer_failed", text, NULL, 0);
	return shut(s, fenced ? "fenced: does another process have our instance.id?" : "the consumer has failed", err);
}

int serving_turn(struct serving *s, struct err *err)
{
	struct err why = ERR_INIT;
	int more;

	if (!s->service)
		return 0;
	if (!s->cell->known || s->cell->epoch != s->epoch || s->cell->partitions != s->partitions)
		return cell_changed(s, err);
	more = service_turn(s->service, &why); /* records, restores, checkpoints */
	if (more >= 0)
		return more;
	if (why.kind == ERR_RETRY)
		return consumer_failed(s, &why, err);
	*err = why;
	return -1;
}

const char *serving_why_not_ready(const struct serving *s)
{
	return s->service ? service_why_not_ready(s->service) : s->why_none;
}

bool serving_fini(struct serving *s, bool save)
{
	return service_free(s->service, save) && s->left_behind == 0;
}
