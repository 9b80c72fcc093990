/* adoption.c - see adoption.h.
 *
 * Rules change at a checkpoint, before any of its minutes is judged, so that each minute is judged by one set of rules. What is told of an alert that
 * ends here is in the same transaction as the state without it. */
#include "processor/adoption.h"

#include "common/clock.h"
#include "processor/telling.h"

/* What the old rules, or the snapshot, say of a trigger. NULL when memory is short. */
static const struct trigger *old_trigger(const struct alerts *a, const struct alert_rule *rule, struct arena *scratch)
{
	return rule->index >= 0 ? &a->rules->rule[rule->index].trigger : alert_rule_saved(rule, scratch);
}

/* Where a trigger stands in other rules; -1: nowhere, or it is not the same any more. */
static int64_t same_in(const struct rules *rules, const struct alert_rule *rule)
{
	int64_t index = rules_find(rules, rule->site->id, rule->id);

	return index >= 0 && rules->rule[index].revision == rule->revision ? index : -1;
}

static int end_alert(const struct judged *of, const struct judging *with, struct alert *alert, struct arena *scratch, struct err *err)
{
	bool changed = rules_find(with->rules, alert->rule->site->id, alert->rule->id) >= 0;
	int64_t minute_ms = of->windows->closed_ms - CLOCK_MINUTE_MS;
	struct telling t = {.minute_ms = minute_ms > alert->state.opened_ms ? minute_ms : alert->state.opened_ms};
	int rc = 0;

	if (alert_is_open(alert)) {
		arena_clear(scratch);
		t.trigger = old_trigger(of->alerts, alert->rule, scratch);
		if (!t.trigger)
			return err_nomem(err, "a trigger that is gone");
		rc = telling_ended(of, with, alert, &t, changed ? "trigger_changed" : "trigger_deleted", err);
	}
	alerts_remove(of->alerts, &of->windows->series, alert);
	return rc;
}

/* Ends all alerts of triggers that are not the same in the new rules. */
static int end_alerts(const struct judged *of, const struct judging *with, struct arena *scratch, struct err *err)
{
	struct alert *next;

	for (struct alert *alert = of->alerts->first; alert; alert = next) {
		next = alert->next;
		if (same_in(with->rules, alert->rule) < 0 && end_alert(of, with, alert, scratch, err) < 0)
			return -1;
	}
	return 0;
}

/* Moves the triggers to their new places; those that are gone tell what they have to tell. */
static int move_rules(const struct judged *of, const struct judging *with, struct arena *scratch, struct err *err)
{
	const struct trigger *trigger;
	struct alert_rule *next;

	for (struct alert_rule *rule = of->alerts->first_rule; rule; rule = next) {
		int64_t index = same_in(with->rules, rule);

		next = rule->next;
		if (index >= 0) {
			alerts_rule(of->alerts, rule->site->id, rule->id, rule->revision, index);
			continue;
		}
		arena_clear(scratch);
		trigger = old_trigger(of->alerts, rule, scratch);
		if (!trigger)
			return err_nomem(err, "a trigger that is gone");
		if (telling_summary(of, with, rule, trigger, err) < 0)
			return -1;
		alerts_forget_rule(of->alerts, rule);
	}
	return 0;
}

int adoption_turn(const struct judged *of, const struct judging *with, struct err *err)
{
	struct alerts *a = of->alerts;
	struct arena scratch = ARENA_INIT;
	struct series *s;
	size_t at = 0;
	int rc;

	if (a->rules == with->rules)
		return 0;
	rc = end_alerts(of, with, &scratch, err) < 0 || move_rules(of, with, &scratch, err) < 0 ? -1 : 0;
	arena_fini(&scratch);
	if (rc < 0)
		return -1;
	while ((s = series_table_next(&of->windows->series, &at)) != NULL)
		s->rules = RULES_UNMATCHED;
	rules_drop(a->rules);
	a->rules = rules_hold(with->rules);
	return 0;
}
