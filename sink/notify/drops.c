/* drops.c - see drops.h.
 *
 * Controls in force are looked up anew each time, rather than followed by their changes: those are told once, and to others. What ended keeps its counts
 * until they were told. */
#include "sink/notify/drops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"

static struct drop *find(struct drops *d, struct str id)
{
	for (size_t i = 0; i < d->nr; i++)
		if (str_eq(id, str_from(d->drop[i].id)))
			return &d->drop[i];
	return NULL;
}

static void copy(char *out, size_t size, struct str s)
{
	snprintf(out, size, STR_FMT, STR_ARG(s));
}

static void learn(struct drops *d, const struct control *c)
{
	struct drop *drop = find(d, c->id);

	if (!drop) {
		if (d->nr == DROPS_MAX)
			return;
		drop = &d->drop[d->nr++];
		*drop = (struct drop){0};
		copy(drop->id, sizeof(drop->id), c->id);
		copy(drop->site, sizeof(drop->site), c->has_site ? c->site : STR(""));
	}
	drop->in_force = true;
	copy(drop->reason, sizeof(drop->reason), c->reason); /* it may have been set again */
	copy(drop->author, sizeof(drop->author), c->author);
}

int drops_follow(struct drops *d, struct controls *controls, const char *cell, struct err *err)
{
	struct arena arena = ARENA_INIT;
	size_t nr;
	const struct control *list = controls_list(controls, &arena, &nr, err);

	if (!list) {
		arena_fini(&arena);
		return -1;
	}
	for (size_t i = 0; i < d->nr; i++)
		d->drop[i].in_force = false;
	for (size_t i = 0; i < nr; i++)
		if (list[i].action == CONTROL_ACTION_DROP && (!list[i].has_cell || str_eq(list[i].cell, str_from(cell))))
			learn(d, &list[i]);
	arena_fini(&arena);
	return 0;
}

void drops_count(struct drops *d, struct str site, uint64_t alerts, uint64_t notifications)
{
	struct drop *best = NULL;

	for (size_t i = 0; i < d->nr; i++) {
		struct drop *drop = &d->drop[i];

		if (!drop->in_force || (drop->site[0] && !str_eq(site, str_from(drop->site))))
			continue;
		if (!best || (drop->site[0] && !best->site[0]))
			best = drop;
	}
	if (!best)
		return;
	best->alerts += alerts;
	best->alerts_total += alerts;
	best->notifications += notifications;
	best->notifications_total += notifications;
}

static void tell(struct drop *drop, struct report *report, const struct log *log, const char *cell)
{
	char text[800], alerts[24], notifications[24];
	struct tag fields[7];
	size_t nr = 0;

	snprintf(alerts, sizeof(alerts), "%" PRIu64, drop->alerts_total);
	snprintf(notifications, sizeof(notifications), "%" PRIu64, drop->notifications_total);
	snprintf(text, sizeof(text), "%" PRIu64 " alert events and %" PRIu64 " notifications dropped since control %s was set by %s: %s",
		 drop->alerts_total, drop->notifications_total, drop->id, drop->author, drop->reason);
	fields[nr++] = (struct tag){STR("alerts"), str_from(alerts)};
	fields[nr++] = (struct tag){STR("author"), str_from(drop->author)};
	fields[nr++] = (struct tag){STR("cell"), str_from(cell)};
	fields[nr++] = (struct tag){STR("control"), str_from(drop->id)};
	fields[nr++] = (struct tag){STR("notifications"), str_from(notifications)};
	fields[nr++] = (struct tag){STR("reason"), str_from(drop->reason)};
	if (drop->site[0])
		fields[nr++] = (struct tag){STR("site"), str_from(drop->site)};
	log_warn(log, "alerts_dropped", LOG_STR("control", drop->id), LOG_STR("author", drop->author), LOG_STR("reason", drop->reason),
		 LOG_UINT("alerts", drop->alerts_total), LOG_UINT("notifications", drop->notifications_total));
	if (report)
		report_notice(report, SEVERITY_WARNING, "alerts_dropped", text, fields, nr);
	drop->alerts = drop->notifications = 0;
}

void drops_tell(struct drops *d, struct report *report, const struct log *log, const char *cell, bool waiting, int64_t mono_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->nr; i++) {
		struct drop *drop = &d->drop[i];
		bool any = drop->alerts || drop->notifications;

		if (!drop->since_mono_ms)
			drop->since_mono_ms = mono_ms;
		if (any && (!drop->in_force || (!waiting && !drop->told) || mono_ms - drop->since_mono_ms >= DROPS_TELL_MS)) {
			tell(drop, report, log, cell);
			drop->since_mono_ms = mono_ms;
			drop->told |= !waiting;
		}
		if (!drop->in_force) /* all is told */
			continue;
		if (kept != i)
			d->drop[kept] = *drop;
		kept++;
	}
	d->nr = kept;
}
