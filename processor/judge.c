/* judge.c - see judge.h.
 *
 * Of 200,000 windows a minute most have no trigger: of these nothing is looked at but the number of their set, which stands in the series, which is asked
 * for some windows ahead. What has a window is judged in the windows' order, then what is alive and silent in the alerts' own. */
#include "processor/judge.h"

#include <stdlib.h>

#include "common/clock.h"
#include "processor/adoption.h"
#include "processor/job_verdict.h"
#include "processor/telling.h"

enum { FORGET_MINUTES = 7 * 24 * 60, SILENT_MAX = 1 << 29, RULES_AHEAD = 3 /* windows; fewer than their series are asked for ahead */ };

enum mute { MUTE_NOT_ASKED, MUTE_NO, MUTE_YES };

/* A closing, and the minute that is being judged in it. */
struct judge {
	const struct judged *of;
	const struct judging *with;
	struct rules *rules;
	uint8_t *muted;     /* enum mute, by rule */
	int64_t minute_ms;
	int64_t from_ms;        /* the first of the closing */
	bool is_still, is_lost; /* quiet.h */
	bool is_flushed;        /* a flush took a part of it, of which only what triggers asked about then is known (shadow.h) */
	const struct site_place *place; /* of the last rule that was asked where its series belong ... */
	bool place_moves;               /* ... and what of it */
};

/* What a rule finds in the minute. */
struct finding {
	enum alert_verdict verdict;
	bool has_value;
	double value;
};

static bool is_muted(void *ctx, int64_t index)
{
	struct judge *j = ctx;
	const struct trigger *t = &j->rules->rule[index].trigger;
	uint8_t *known = &j->muted[index];

	if (*known == MUTE_NOT_ASKED)
		*known = j->with->controls && controls_in_force_of_trigger(j->with->controls, CONTROL_ACTION_MUTE, str_from(j->with->cell), t->site, t->id, NULL)
				 ? MUTE_YES : MUTE_NO;
	return *known == MUTE_YES;
}

/* What comes here of a site that does not move belongs here; but of a job nothing need ever come, to whomever it belongs. */
static enum place place_of(struct judge *j, const struct rule *rule, const uint8_t *key)
{
	if (rule->place != j->place) {
		int64_t day_ms = j->minute_ms - 24 * CLOCK_HOUR_MS;

		j->place = rule->place;
		j->place_moves = site_place_moves(rule->place, day_ms < j->from_ms ? day_ms : j->from_ms);
	}
	if (!j->place_moves && !rule->trigger.has_check_in)
		return PLACE_HERE;
	return site_place_judge(j->with->placements, rule->place, key, j->of->partition, j->minute_ms);
}

/* Does silence of a site mean nothing in this minute? Asked once a minute and site. */
static bool is_silence_unknown(const struct judge *j, struct alert_site *site)
{
	const struct closures *closures = j->with->closures;

	if (j->is_still)
		return true;
	if (site->asked_ms != j->minute_ms) {
		site->asked_ms = j->minute_ms;
		site->silence_unknown = (closures && closures_cover(closures, site->id, j->minute_ms, j->minute_ms + 2 * CLOCK_MINUTE_MS)) ||
					quiet_waits(j->of->quiet, site->id, j->minute_ms);
	}
	return site->silence_unknown;
}

static struct telling telling_of(const struct judge *j, const struct alert *alert, const struct finding *f)
{
	return (struct telling){&j->rules->rule[alert->rule->index].trigger, j->minute_ms, f->has_value, f->value};
}

/* An alert ends without its condition's doing. */
static int let_go(struct judge *j, struct alert *alert, const char *reason, struct err *err)
{
	const struct finding nothing = {.verdict = ALERT_UNKNOWN};
	struct telling t = telling_of(j, alert, &nothing);
	int rc = alert_is_open(alert) ? telling_ended(j->of, j->with, alert, &t, reason, err) : 0;

	alerts_remove(j->of->alerts, &j->of->windows->series, alert);
	return rc;
}

/* One minute in the life of an alert; it may be gone afterwards. */
static int step(struct judge *j, struct alert *alert, const struct finding *f, struct err *err)
{
	const struct trigger *t = &j->rules->rule[alert->rule->index].trigger;
	struct telling telling = telling_of(j, alert, f);
	int rc = 0;

	switch (alert_judge(&alert->state, f->verdict, t->has_absent_minutes ? 1 : t->warm_up_minutes, t->cooldown_minutes, j->minute_ms)) {
	case ALERT_OPENS:
		rc = telling_opened(j->of, j->with, alert, &telling, err);
		break;
	case ALERT_CLOSES:
		rc = telling_ended(j->of, j->with, alert, &telling, "recovered", err);
		break;
	default:
		break;
	}
	if (alert->state.phase == ALERT_OK && !alert->held)
		alerts_remove(j->of->alerts, &j->of->windows->series, alert);
	return rc;
}

/* Nobody can tell: the state stands still. muted: what is warming begins anew. */
static void stand_still(struct judge *j, struct alert *alert, bool muted)
{
	j->of->alerts->unknown++;
	if (!muted || alert->state.phase != ALERT_WARMING)
		return;
	alert->state = (struct alert_state){0};
	if (!alert->held)
		alerts_remove(j->of->alerts, &j->of->windows->series, alert);
}

static struct trigger_point point_of(const struct window *w)
{
	return (struct trigger_point){
		.kind = w->series->kind,
		.has_min = w->has_min, .has_max = w->has_max, .has_last = w->has_last,
		.count = w->count, .errors = w->errors,
		.sum = w->sum, .min = w->min, .max = w->max, .last = w->last,
		.hist = w->series->kind == SERIES_KIND_DISTRIBUTION ? &w->hist : NULL,
	};
}

static struct finding find_threshold(const struct trigger *t, const struct trigger_point *point)
{
	struct finding f = {.verdict = ALERT_HOLDS_NOT};

	f.has_value = trigger_value(t->threshold.field, point, &f.value);
	if (f.has_value && trigger_compares(&t->threshold, f.value))
		f.verdict = ALERT_HOLDS;
	return f;
}

/* A new alert of a rule. *out NULL: there are too many. */
static int begin(struct judge *j, uint32_t index, struct series *series, struct alert **out, struct err *err)
{
	const struct rule *rule = &j->rules->rule[index];
	struct alert_place at = {.series = series, .key = rule->group, .site = rule->trigger.site, .trigger = rule->trigger.id,
				 .revision = rule->revision, .index = index, .held = !rule->trigger.has_threshold, .held_max = j->with->held_max};

	return alerts_add(j->of->alerts, &at, out) < 0 ? err_nomem(err, "an alert") : 0;
}

/* A series has a window: one of its rules. alert: that of the two, or NULL. */
static int judge_rule(struct judge *j, uint32_t index, struct alert *alert, struct series *series, const struct trigger_point *point, struct err *err)
{
	const struct trigger *t = &j->rules->rule[index].trigger;
	struct finding f = {.verdict = ALERT_HOLDS_NOT};
	bool muted = is_muted(j, index), unknown = muted || (j->is_flushed && t->updated_at >= j->minute_ms);

	if (t->has_threshold)
		f = find_threshold(t, point);
	if (!alert) {
		if ((unknown || f.verdict != ALERT_HOLDS) && !t->has_absent_minutes)
			return 0;
		if (begin(j, index, series, &alert, err) < 0)
			return -1;
		if (!alert)
			return 0;
	}
	alert->judged_ms = j->minute_ms;
	alert->silent = 0;
	if (unknown) {
		stand_still(j, alert, muted);
		return 0;
	}
	return step(j, alert, &f, err);
}

static int judge_window(struct judge *j, const struct window *w, struct err *err)
{
	uint32_t set = shadow_rules_of(j->rules, w->series);
	const uint32_t *rules;
	struct trigger_point point;
	struct alert *next;
	size_t nr;

	if (set == RULES_NONE)
		return 0;
	if (set == RULES_UNMATCHED)
		return err_nomem(err, "a set of triggers");
	rules = rules_set(j->rules, set, &nr);
	if (place_of(j, &j->rules->rule[rules[0]], w->series->fingerprint) != PLACE_HERE)
		return 0; /* what is alive is looked at with the silent ones */
	next = w->series->alerting ? alerts_first_of(j->of->alerts, w->series->fingerprint) : NULL;
	point = point_of(w);
	for (size_t i = 0; i < nr; i++) {
		struct alert *alert;

		while (next && next->rule->index < rules[i])
			next = next->sibling;
		alert = next && next->rule->index == rules[i] ? next : NULL;
		if (alert)
			next = alert->sibling;
		if (judge_rule(j, rules[i], alert, w->series, &point, err) < 0)
			return -1;
	}
	return 0;
}

/* Brings the first rule of a series that comes soon into the cache: there are more of them than fit there. */
static void prefetch_rule(const struct judge *j, const struct window *soon)
{
	const uint32_t *rules;
	size_t nr;

	if (!soon || soon->series->rules <= RULES_NONE)
		return;
	rules = rules_set(j->rules, soon->series->rules, &nr);
	__builtin_prefetch(&j->rules->rule[rules[0]].place);
	__builtin_prefetch(&j->rules->rule[rules[0]].trigger.threshold);
}

static int judge_windows(struct judge *j, struct err *err)
{
	struct err why = ERR_INIT;
	const struct pane *pane = shadow_complete(j->of->shadow, j->of->windows, j->rules, j->minute_ms, &why);
	const struct window *w;
	size_t at = 0;

	if (why.kind) {
		if (err)
			*err = why;
		return -1;
	}
	j->is_flushed = pane != NULL;
	if (!pane)
		pane = pane_list_find(&j->of->windows->panes[PANE_MINUTE], j->minute_ms);
	while (pane && (w = pane_next(pane, &at)) != NULL) {
		pane_prefetch(pane, at);
		prefetch_rule(j, pane_peek(pane, at + RULES_AHEAD));
		if (judge_window(j, w, err) < 0)
			return -1;
	}
	return 0;
}

/* What the rule of an alert whose series was silent finds, or of a job. */
static struct finding find_silent(struct judge *j, struct alert *alert)
{
	const struct rule *rule = &j->rules->rule[alert->rule->index];
	struct finding f = {.verdict = ALERT_HOLDS_NOT};

	if (alert->series)
		alert->silent += alert->silent < SILENT_MAX;
	if (rule->trigger.has_threshold)
		return find_threshold(&rule->trigger, NULL);
	if (rule->trigger.has_absent_minutes) {
		f.verdict = alert->silent >= rule->trigger.absent_minutes ? ALERT_HOLDS : ALERT_HOLDS_NOT;
		return f;
	}
	f.verdict = job_verdict(rule, alert, check_ins_get(j->of->check_ins, alert->key), j->minute_ms, &f.has_value, &f.value);
	return f;
}

/* A silence that lasts so long is no news any more, and the series is not coming back: of what has gone a count is below its threshold for ever. */
static bool is_forgotten(const struct judge *j, const struct alert *alert)
{
	if (!alert->series || alert->silent >= FORGET_MINUTES)
		return alert->series;
	return alert->held && alert_is_open(alert) && j->minute_ms - alert->state.opened_ms >= FORGET_MINUTES * CLOCK_MINUTE_MS;
}

/* An alert without a window in this minute, or one whose window does not count. */
static int judge_silent(struct judge *j, struct alert *alert, struct err *err)
{
	const struct rule *rule = &j->rules->rule[alert->rule->index];
	enum place place = place_of(j, rule, alert->key);
	bool muted = is_muted(j, alert->rule->index);
	struct finding f;

	if (place == PLACE_ELSEWHERE)
		return let_go(j, alert, "moved", err);
	if (is_forgotten(j, alert))
		return let_go(j, alert, "forgotten", err);
	if (place == PLACE_UNKNOWN || j->is_lost || muted || is_silence_unknown(j, alert->rule->site)) {
		stand_still(j, alert, muted);
		return 0;
	}
	f = find_silent(j, alert);
	return step(j, alert, &f, err);
}

/* From when on a job owes signs of life. A partition in which nothing happens has not closed a minute for long, and nobody owed one before there was a trigger;
 * but whoever wrote that may have had a clock that is wrong: it is not believed beyond now. */
static int64_t watched_since(const struct judge *j, const struct trigger *t)
{
	int64_t written_ms = t->updated_at < j->with->now_ms ? t->updated_at : j->with->now_ms;

	return written_ms > j->minute_ms ? written_ms : j->minute_ms;
}

/* Jobs that are to be watched from this minute on. */
static int begin_jobs(struct judge *j, struct err *err)
{
	for (size_t i = 0; j->of->of_events && i < j->rules->nr_check_ins; i++) {
		uint32_t index = j->rules->check_ins[i];
		const struct rule *rule = &j->rules->rule[index];
		struct alert *alert = alerts_first_of(j->of->alerts, rule->group);

		while (alert && alert->rule->index != index)
			alert = alert->sibling;
		if (alert || place_of(j, rule, rule->group) != PLACE_HERE)
			continue;
		if (begin(j, index, NULL, &alert, err) < 0)
			return -1;
		if (alert)
			alert->since_ms = watched_since(j, &rule->trigger);
	}
	return 0;
}

static int judge_minute(struct judge *j, int64_t minute_ms, struct err *err)
{
	struct alert *next;

	j->minute_ms = minute_ms;
	j->place = NULL;
	j->is_still = quiet_is_still(j->of->quiet, minute_ms);
	j->is_lost = quiet_is_lost(j->of->quiet, minute_ms);
	if ((!j->is_lost && judge_windows(j, err) < 0) || begin_jobs(j, err) < 0)
		return -1;
	for (struct alert *alert = j->of->alerts->first; alert; alert = next) {
		next = alert->next;
		if (alert->judged_ms != minute_ms && judge_silent(j, alert, err) < 0)
			return -1;
	}
	shadow_drop(j->of->shadow, &j->of->windows->series, minute_ms);
	return telling_catch_up(j->of, j->with, minute_ms, is_muted, j, err);
}

bool judge_wants_minutes(const struct alerts *a, bool of_events)
{
	return alerts_want_minutes(a) || (of_events && a->rules && a->rules->nr_check_ins);
}

/* The start of the first pane of a list from a minute on, or limit_ms. */
static int64_t first_pane(const struct pane_list *list, int64_t minute_ms, int64_t limit_ms)
{
	for (size_t i = 0; i < list->len; i++)
		if (list->panes[i]->start_ms >= minute_ms)
			return list->panes[i]->start_ms < limit_ms ? list->panes[i]->start_ms : limit_ms;
	return limit_ms;
}

/* The next minute, from this one on, that is to be judged, or closed_ms. Where nobody listened and nothing came there is nothing to find out, but for who has moved
 * away meanwhile: that is asked in the last minute of a closing. */
static int64_t next_minute(const struct judge *j, int64_t minute_ms, int64_t closed_ms)
{
	int64_t pane_ms = first_pane(&j->of->windows->panes[PANE_MINUTE], minute_ms, first_pane(&j->of->shadow->panes, minute_ms, closed_ms));

	if (!judge_wants_minutes(j->of->alerts, j->of->of_events))
		return pane_ms;
	while (minute_ms < pane_ms && minute_ms < closed_ms - CLOCK_MINUTE_MS && quiet_is_still(j->of->quiet, minute_ms))
		minute_ms += CLOCK_MINUTE_MS;
	return minute_ms;
}

int judge_minutes(const struct judged *of, const struct judging *with, int64_t closed_ms, struct err *err)
{
	struct judge j = {.of = of, .with = with, .rules = with->rules};
	int64_t from_ms = of->windows->closed_ms;
	int rc = 0;

	if (!with->rules)
		return 0;
	if (adoption_turn(of, with, err) < 0)
		return -1;
	if (!with->rules->nr || closed_ms <= from_ms)
		return 0;
	j.muted = calloc(with->rules->nr, sizeof(*j.muted));
	if (!j.muted)
		return err_nomem(err, "what is muted");
	if (from_ms == 0) /* the first closing: nothing can have been silent before there was anything */
		from_ms = first_pane(&of->windows->panes[PANE_MINUTE], 0, closed_ms - CLOCK_MINUTE_MS);
	j.from_ms = from_ms;
	for (int64_t m = next_minute(&j, from_ms, closed_ms); m < closed_ms && rc == 0; m = next_minute(&j, m + CLOCK_MINUTE_MS, closed_ms))
		rc = judge_minute(&j, m, err);
	free(j.muted);
	return rc;
}
