/* trigger_check.c - which records are triggers (trigger.h).
 *
 * Everything has an upper end, so that ten thousand of them fit into a processor, and all text is one line, since it goes into headers of mails, logs and
 * terminals. Messages begin with the field, as the record names it. */
#include "common/trigger.h"

#include <inttypes.h>
#include <math.h>

#include "common/cron.h"

bool trigger_id_valid(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-'))
			return false;
	return s.len >= 1 && s.len <= TRIGGER_ID_MAX;
}

static int check_id(const char *field, struct str id, struct err *err)
{
	if (trigger_id_valid(id))
		return 0;
	return err_set(err, ERR_REJECT, "%s: 1 to %d of a-z, 0-9 and - are allowed", field, TRIGGER_ID_MAX);
}

static int check_text(const char *field, struct str s, size_t min, size_t max, struct err *err)
{
	if (s.len < min || s.len > max)
		return err_set(err, ERR_REJECT, "%s: it has %zu bytes: %zu to %zu are allowed", field, s.len, min, max);
	if (!str_is_line(s))
		return err_set(err, ERR_REJECT, "%s: it must be one line of UTF-8, without control characters", field);
	return 0;
}

static int check_minutes(const char *field, int32_t minutes, int32_t min, int32_t max, struct err *err)
{
	if (minutes >= min && minutes <= max)
		return 0;
	return err_set(err, ERR_REJECT, "%s: it is %" PRId32 ": %" PRId32 " to %" PRId32 " are allowed", field, minutes, min, max);
}

/* Values of a selector; adds their bytes to *bytes. */
static int check_values(const struct tag_selector *s, size_t *bytes, struct err *err)
{
	static const struct {
		size_t min, max;
	} numbers[] = {[SELECTOR_OP_EXACT] = {1, 1}, [SELECTOR_OP_ONE_OF] = {1, TRIGGER_VALUES_MAX}, [SELECTOR_OP_GLOB] = {1, 1}, [SELECTOR_OP_PRESENT] = {0, 0}};
	size_t min = s->op == SELECTOR_OP_ABSENT ? 0 : numbers[s->op].min, max = s->op == SELECTOR_OP_ABSENT ? 0 : numbers[s->op].max;

	if (s->values_len < min || s->values_len > max)
		return err_set(err, ERR_REJECT, "tags: \"" STR_FMT "\" has %zu values: %s takes %zu to %zu", STR_ARG(s->key), s->values_len,
			       selector_op_name(s->op), min, max);
	for (size_t i = 0; i < s->values_len; i++) {
		if (check_text("tags: a value", s->values[i], 0, SERIES_STRING_MAX, err) < 0)
			return -1;
		for (size_t j = 0; j < i; j++)
			if (str_eq(s->values[i], s->values[j]))
				return err_set(err, ERR_REJECT, "tags: \"" STR_FMT "\" has the same value twice", STR_ARG(s->key));
		*bytes += s->values[i].len;
	}
	return 0;
}

int trigger_check_selectors(const struct tag_selector *selectors, size_t nr, struct err *err)
{
	size_t bytes = 0;

	if (nr > TRIGGER_SELECTORS_MAX)
		return err_set(err, ERR_REJECT, "tags: there are %zu: up to %d are allowed", nr, TRIGGER_SELECTORS_MAX);
	for (size_t i = 0; i < nr; i++) {
		if (!series_name_valid(selectors[i].key))
			return err_set(err, ERR_REJECT, "tags: a key consists of 1 to %d of [A-Za-z0-9_.:/-]", SERIES_STRING_MAX);
		if (i && str_cmp(selectors[i - 1].key, selectors[i].key) >= 0)
			return err_set(err, ERR_REJECT, "tags: \"" STR_FMT "\" is not sorted by key, or stands there twice", STR_ARG(selectors[i].key));
		if (!selector_op_name(selectors[i].op))
			return err_set(err, ERR_REJECT, "tags: \"" STR_FMT "\" has no op that is known", STR_ARG(selectors[i].key));
		if (check_values(&selectors[i], &bytes, err) < 0)
			return -1;
	}
	if (bytes > TRIGGER_VALUES_BYTES_MAX)
		return err_set(err, ERR_REJECT, "tags: all values have %zu bytes: up to %d are allowed", bytes, TRIGGER_VALUES_BYTES_MAX);
	return 0;
}

static bool is_percentile(enum trigger_field field)
{
	return field == TRIGGER_FIELD_P50 || field == TRIGGER_FIELD_P90 || field == TRIGGER_FIELD_P95 || field == TRIGGER_FIELD_P99;
}

static int check_threshold(const struct trigger *t, struct err *err)
{
	const struct threshold_rule *rule = &t->threshold;

	if (!trigger_field_name(rule->field))
		return err_set(err, ERR_REJECT, "threshold: its field is none that is known");
	if (!trigger_comparison_name(rule->comparison))
		return err_set(err, ERR_REJECT, "threshold: its comparison is none that is known");
	if (!isfinite(rule->threshold))
		return err_set(err, ERR_REJECT, "threshold: it must be a finite number");
	if (is_percentile(rule->field) && t->has_kind && t->kind != SERIES_KIND_DISTRIBUTION)
		return err_set(err, ERR_REJECT, "threshold: %s is of distributions, and kind is %s", trigger_field_name(rule->field), series_kind_name(t->kind));
	return 0;
}

static int check_check_in(const struct trigger *t, struct err *err)
{
	const struct check_in_rule *c = &t->check_in;
	bool is_cron = c->cron.len > 0;
	struct cron cron;

	if (t->metric.len || t->has_kind || t->tags_len)
		return err_set(err, ERR_REJECT, "check_in: such a trigger has no metric, kind or tags");
	if (check_text("check_in: name", c->name, 1, TRIGGER_CHECK_IN_MAX, err) < 0)
		return -1;
	if (is_cron && (check_text("check_in: cron", c->cron, 1, CRON_TEXT_MAX, err) < 0 || cron_parse(c->cron, &cron, err) < 0))
		return -1;
	if (is_cron && c->every_minutes)
		return err_set(err, ERR_REJECT, "check_in: it has cron or every_minutes, not both");
	if (!is_cron && c->every_minutes == 0)
		return err_set(err, ERR_REJECT, "check_in: it has neither cron nor every_minutes");
	if (check_minutes("check_in: every_minutes", c->every_minutes, is_cron ? 0 : 1, TRIGGER_MINUTES_MAX, err) < 0 ||
	    check_minutes("check_in: grace_minutes", c->grace_minutes, 0, TRIGGER_MINUTES_MAX, err) < 0)
		return -1;
	return check_minutes("check_in: runtime_minutes", c->runtime_minutes, 0, is_cron ? TRIGGER_MINUTES_MAX : 0, err);
}

/* The one condition, and what it is about. */
static int check_condition(const struct trigger *t, struct err *err)
{
	if (t->has_threshold + t->has_absent_minutes + t->has_check_in != 1)
		return err_set(err, ERR_REJECT, "it has exactly one of threshold, absent_minutes and check_in");
	if (t->has_check_in)
		return check_check_in(t, err);
	if (!series_name_valid(t->metric))
		return err_set(err, ERR_REJECT, "metric: 1 to %d of [A-Za-z0-9_.:/-] are allowed", SERIES_STRING_MAX);
	if (t->has_kind && !series_kind_name(t->kind))
		return err_set(err, ERR_REJECT, "kind: it is none that is known");
	if (trigger_check_selectors(t->tags, t->tags_len, err) < 0)
		return -1;
	if (t->has_absent_minutes)
		return check_minutes("absent_minutes", t->absent_minutes, 1, TRIGGER_MINUTES_MAX, err);
	return check_threshold(t, err);
}

static int check_receivers(const struct trigger *t, struct err *err)
{
	if (t->receivers_len > TRIGGER_RECEIVERS_MAX)
		return err_set(err, ERR_REJECT, "receivers: there are %zu: up to %d are allowed", t->receivers_len, TRIGGER_RECEIVERS_MAX);
	for (size_t i = 0; i < t->receivers_len; i++) {
		if (check_id("receivers", t->receivers[i], err) < 0)
			return -1;
		for (size_t j = 0; j < i; j++)
			if (str_eq(t->receivers[i], t->receivers[j]))
				return err_set(err, ERR_REJECT, "receivers: \"" STR_FMT "\" stands there twice", STR_ARG(t->receivers[i]));
	}
	return 0;
}

int trigger_check(const struct trigger *t, struct err *err)
{
	if (check_id("id", t->id, err) < 0)
		return -1;
	if (check_id("site", t->site, err) < 0 || check_text("description", t->description, 0, TRIGGER_DESCRIPTION_MAX, err) < 0 ||
	    check_text("author", t->author, 0, TRIGGER_AUTHOR_MAX, err) < 0 || check_condition(t, err) < 0 || check_receivers(t, err) < 0 ||
	    check_minutes("warm_up_minutes", t->warm_up_minutes, 0, TRIGGER_MINUTES_MAX, err) < 0 ||
	    check_minutes("cooldown_minutes", t->cooldown_minutes, 0, TRIGGER_MINUTES_MAX, err) < 0)
		return err_wrap(err, "trigger " STR_FMT, STR_ARG(t->id));
	if (!alert_severity_name(t->severity))
		return err_set(err, ERR_REJECT, "trigger " STR_FMT ": severity: it is none that is known", STR_ARG(t->id));
	return 0;
}
