/* watch.c - see watch.h.
 *
 * Writers do not log what they share: whether the database is dead is one fact, told once, not once a writer. An opening that is over
 * before anybody looked is told too, since openings are counted. Half-open is a matter of the metric alone: it comes with every probe. */
#include "sink/mongo/watch.h"

#include <stdio.h>

#include "common/clock.h"

enum {
	ALARM_AFTER_MS = 60000, /* for troubles that often pass by themselves */
	PACE_INTERVAL_MS = 1000,
};

static const char *meaning_of(int reason)
{
	switch (reason) {
	case VERDICT_REASON_AUTH:
		return "the database refuses our credentials or rights: mend mongo.uri or the user; records wait in Kafka";
	case VERDICT_REASON_SPACE:
		return "the database has no space left, or its quota is used up: make room; records wait in Kafka";
	case VERDICT_REASON_OTHER_INDEX:
		return "a unique index beside that of _id refuses documents, which wait, with the offsets behind them: drop it (the log names it)";
	case BREAKER_LETTERS:
		return "more than 100 records a minute went to deadletter: find out what they have in common (deadletter says why each one "
		       "was refused); until then one is tried now and then, and the others wait in Kafka";
	default:
		return "the database does not take documents; records wait in Kafka";
	}
}

static bool needs_a_person(int reason)
{
	return reason == VERDICT_REASON_AUTH || reason == VERDICT_REASON_SPACE || reason == BREAKER_LETTERS;
}

static void raise_alarm(int reason, const struct log *log, struct report *report)
{
	const struct tag fields[] = {{STR("reason"), str_from(breaker_reason_name(reason))}};

	log_error(log, "database_alarm", LOG_STR("reason", breaker_reason_name(reason)), LOG_STR("error", meaning_of(reason)));
	report_notice(report, SEVERITY_ALARM, "database_alarm", meaning_of(reason), fields, sizeof(fields) / sizeof(fields[0]));
}

/* The breaker stays closed then, as the database is well. What is refused is repeated every few seconds: told once, until that has ended. */
static void tell_index(struct watch *w, const struct gate_view *view, const struct log *log, struct report *report)
{
	int64_t now = clock_mono_ms();

	if (view->other_index == w->other_index)
		return;
	if (w->other_index == 0 || now - w->refused_mono_ms >= ALARM_AFTER_MS)
		raise_alarm(VERDICT_REASON_OTHER_INDEX, log, report);
	w->other_index = view->other_index;
	w->refused_mono_ms = now;
}

/* A line of the operator log: why nothing is stored, and that it goes on, belong into the story of an incident. */
static void tell_flip(bool opened, int reason, int64_t after_ms, struct report *report)
{
	char after[24];
	struct tag fields[] = {{STR("reason"), str_from(breaker_reason_name(reason))}, {STR("before"), opened ? STR("closed") : STR("open")},
			       {STR("after"), opened ? STR("open") : STR("closed")}, {STR("after_ms"), STR("")}};

	snprintf(after, sizeof(after), "%lld", (long long)after_ms);
	fields[3].value = str_from(after);
	report_notice(report, opened ? SEVERITY_WARNING : SEVERITY_INFO, opened ? "breaker_open" : "breaker_closed",
		      opened ? meaning_of(reason) : "the database takes documents again", fields, opened ? 3 : 4);
}

static void tell_breaker(struct watch *w, const struct gate_view *view, const struct log *log, struct report *report)
{
	int64_t now = clock_mono_ms();
	bool open = view->state != BREAKER_CLOSED;

	if (view->openings != w->openings) {
		log_warn(log, "breaker_open", LOG_STR("reason", breaker_reason_name(view->reason)),
			 LOG_STR("meaning", meaning_of(view->reason)));
		tell_flip(true, view->reason, 0, report);
		w->opened_mono_ms = view->opened_mono_ms;
		w->alarmed = false;
		w->open = true;
	}
	w->openings = view->openings;
	if (open && !w->alarmed && (needs_a_person(view->reason) || now - w->opened_mono_ms >= ALARM_AFTER_MS)) {
		raise_alarm(view->reason, log, report);
		w->alarmed = true;
	}
	if (!open && w->open) {
		log_info(log, "breaker_closed", LOG_STR("reason", breaker_reason_name(view->reason)),
			 LOG_INT("after_ms", now - w->opened_mono_ms));
		tell_flip(false, view->reason, now - w->opened_mono_ms, report);
	}
	w->open = open;
}

/* A line when the limits have changed by a quarter or more, but no more than one a second. */
static void tell_pace(struct watch *w, const struct gate_view *view, const struct log *log)
{
	int64_t now = clock_mono_ms();
	bool moved = view->writers != w->writers || view->batch_bytes * 4 > w->batch_bytes * 5 || view->batch_bytes * 5 < w->batch_bytes * 4;

	if (!moved || now < w->next_pace_mono_ms)
		return;
	log_info(log, "pace", LOG_UINT("batch_bytes", view->batch_bytes), LOG_UINT("concurrency", view->writers),
		 LOG_INT("latency_ms", (int64_t)view->latency_ms), LOG_INT("reference_ms", (int64_t)view->reference_ms));
	w->batch_bytes = view->batch_bytes;
	w->writers = view->writers;
	w->next_pace_mono_ms = now + PACE_INTERVAL_MS;
}

void watch_turn(struct watch *w, const struct gate_view *view, int64_t lag, const struct log *log, struct report *report,
		struct meters *meters)
{
	bool open = view->state != BREAKER_CLOSED;

	metric_add(meters->breaker_openings, view->openings - w->openings);
	metric_set(meters->breaker_state, view->state);
	for (int i = VERDICT_REASON_NONE + 1; i < NR_BREAKER_REASONS; i++)
		metric_set(meters->breaker_open[i], open && view->reason == i);
	metric_set(meters->batch_limit, (double)view->batch_bytes);
	metric_set(meters->writers_limit, (double)view->writers);
	metric_set(meters->latency, view->latency_ms / 1000);
	metric_set(meters->reference_latency, view->reference_ms / 1000);
	metric_set(meters->drainable_lag, open ? 0 : (double)lag);
	tell_breaker(w, view, log, report);
	tell_index(w, view, log, report);
	tell_pace(w, view, log);
}
