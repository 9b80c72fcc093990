/* telling.c - see telling.h.
 *
 * Whoever reads an AlertEvent has it all: nothing is looked up by who notifies, so an event stays good when its trigger, its series or this processor is gone. */
#include "processor/telling.h"

#include <endian.h>

#include "common/clock.h"

/* Is a minute too old, at its judging, for an opening in it to be told at once? */
static bool is_late(const struct judging *with, int64_t minute_ms)
{
	return with->now_ms - (minute_ms + CLOCK_MINUTE_MS) > with->max_age_ms;
}

/* What of an event its trigger says. condition: room for the text. */
static struct alert_event event_of(const struct judging *with, const struct trigger *t, char condition[TRIGGER_CONDITION_SIZE])
{
	const struct site_place *place = with->placements ? placements_get(with->placements, t->site) : NULL;

	return (struct alert_event){
		.trigger = t->id,
		.cell = str_from(with->cell),
		.epoch = with->epoch,
		.site = t->site,
		.site_name = place ? site_place_name(place) : t->site,
		.description = t->description,
		.severity = t->severity,
		.condition = str_from(trigger_condition(t, condition)),
		.receivers = t->receivers,
		.receivers_len = t->receivers_len,
		.warm_up_minutes = t->warm_up_minutes,
		.cooldown_minutes = t->cooldown_minutes,
		.name = t->has_check_in ? t->check_in.name : t->metric,
		.reason = STR(""),
		.at = with->now_ms,
	};
}

static void fill_ids(struct alert_event *e, enum alert_event_kind episode)
{
	alert_id(e->site, e->trigger, e->fingerprint, e->opened_at, e->kind, e->id);
	alert_id(e->site, e->trigger, e->fingerprint, e->opened_at, episode, e->episode);
}

static int tell(const struct judged *of, const struct judging *with, const struct alert *alert, const struct telling *t, enum alert_event_kind kind,
		const char *reason, struct err *err)
{
	char condition[TRIGGER_CONDITION_SIZE];
	struct tag tags[SERIES_TAGS_MAX];
	struct alert_event e = event_of(with, t->trigger, condition);

	e.kind = kind;
	memcpy(e.fingerprint, alert->key, sizeof(e.fingerprint));
	if (alert->series) {
		struct series_id id = series_id_of(alert->series, tags);

		e.has_series_kind = true;
		e.series_kind = (enum series_kind)id.kind;
		e.name = id.name;
		e.tags = tags;
		e.tags_len = id.tags_len;
	}
	e.opened_at = alert->state.opened_ms;
	e.minute = t->minute_ms;
	e.has_value = t->has_value;
	e.value = t->has_value ? t->value : 0;
	e.reason = str_from(reason);
	fill_ids(&e, ALERT_EVENT_KIND_OPENED);
	return alert_outbox_add(of->out, &e, err);
}

int telling_opened(const struct judged *of, const struct judging *with, struct alert *alert, const struct telling *t, struct err *err)
{
	struct alert_rule *rule = alert->rule;

	alert->has_value = t->has_value;
	alert->value = t->has_value ? t->value : 0;
	if (!is_late(with, t->minute_ms))
		return tell(of, with, alert, t, ALERT_EVENT_KIND_OPENED, "", err);
	alerts_set_untold(of->alerts, alert, true);
	if (!rule->unseen_opened++)
		rule->unseen_first_ms = t->minute_ms;
	return 0;
}

int telling_ended(const struct judged *of, const struct judging *with, struct alert *alert, const struct telling *t, const char *reason, struct err *err)
{
	bool untold = alert->untold, moved = strcmp(reason, "moved") == 0;

	alert->has_value = false;
	alert->value = 0;
	alerts_set_untold(of->alerts, alert, false);
	if (!untold)
		return tell(of, with, alert, t, moved ? ALERT_EVENT_KIND_MOVED : ALERT_EVENT_KIND_CLOSED, reason, err);
	alert->rule->unseen_closed++;
	alert->rule->unseen_last_ms = t->minute_ms;
	return 0;
}

int telling_summary(const struct judged *of, const struct judging *with, struct alert_rule *rule, const struct trigger *trigger, struct err *err)
{
	char condition[TRIGGER_CONDITION_SIZE];
	struct alert_event e = event_of(with, trigger, condition);
	uint32_t partition = htobe32((uint32_t)of->partition);

	if (rule->unseen_closed) {
		e.kind = ALERT_EVENT_KIND_SUMMARY;
		memcpy(e.fingerprint + sizeof(e.fingerprint) - sizeof(partition), &partition, sizeof(partition));
		e.opened_at = rule->unseen_first_ms;
		e.minute = rule->unseen_last_ms;
		e.opened = rule->unseen_opened;
		e.closed = rule->unseen_closed;
		fill_ids(&e, ALERT_EVENT_KIND_SUMMARY);
		if (alert_outbox_add(of->out, &e, err) < 0)
			return -1;
	}
	rule->unseen_opened = rule->unseen_closed = rule->unseen_first_ms = rule->unseen_last_ms = 0;
	return 0;
}

int telling_catch_up(const struct judged *of, const struct judging *with, int64_t minute_ms, bool (*is_muted)(void *ctx, int64_t index), void *ctx,
		     struct err *err)
{
	struct alerts *a = of->alerts;
	struct alert_rule *next;

	if (is_late(with, minute_ms))
		return 0;
	for (struct alert *alert = a->first; alert && a->nr_untold; alert = alert->next) {
		struct telling t = {&a->rules->rule[alert->rule->index].trigger, alert->state.opened_ms, alert->has_value, alert->value};

		if (!alert->untold || is_muted(ctx, alert->rule->index))
			continue;
		if (tell(of, with, alert, &t, ALERT_EVENT_KIND_OPENED, "", err) < 0)
			return -1;
		alerts_set_untold(a, alert, false);
	}
	for (struct alert_rule *rule = a->first_rule; rule; rule = next) {
		next = rule->next;
		if (!rule->unseen_opened || is_muted(ctx, rule->index))
			continue;
		if (telling_summary(of, with, rule, &a->rules->rule[rule->index].trigger, err) < 0)
			return -1;
		alerts_forget_rule(a, rule);
	}
	return 0;
}
