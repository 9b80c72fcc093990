/* trigger.c - see trigger.h.
 *
 * What a trigger is about and what it sees of a minute; whether a record is one at all is trigger_check.c's. It stands here, in common, as two programs ask: the
 * processor, which judges, and millrace-ctl, which tries a trigger out and must come to the same.
 *
 * A revision is of bytes written here, field by field, and not of the record: a field that the record gets one day must not make every alert that is open
 * another one. */
#include "common/trigger.h"

#include <math.h>
#include <stdio.h>
#define XXH_INLINE_ALL /* the state on the stack */
#include <xxhash.h>

#include "common/clock.h"

enum { RATE_SECONDS = 60 };

/* The last star takes as little as it can, and a byte more each time that what is behind it does not fit: no star before it need ever be asked again. */
bool trigger_glob(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, tried = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.p[p] == '*') {
			star = p++;
			tried = t;
		} else if (p < pattern.len && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++tried;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '*')
		p++;
	return p == pattern.len;
}

static const struct tag *find_tag(const struct tag *tags, size_t len, struct str key)
{
	for (size_t i = 0; i < len; i++)
		if (str_eq(tags[i].key, key))
			return &tags[i];
	return NULL;
}

static bool selects(const struct tag_selector *s, const struct tag *tag)
{
	if (!tag)
		return s->op == SELECTOR_OP_ABSENT;
	switch (s->op) {
	case SELECTOR_OP_EXACT:
	case SELECTOR_OP_ONE_OF:
		for (size_t i = 0; i < s->values_len; i++)
			if (str_eq(s->values[i], tag->value))
				return true;
		return false;
	case SELECTOR_OP_GLOB:
		return s->values_len && trigger_glob(s->values[0], tag->value);
	default:
		return s->op == SELECTOR_OP_PRESENT;
	}
}

bool trigger_selects(const struct tag_selector *selectors, size_t nr, const struct tag *tags, size_t tags_len)
{
	for (size_t i = 0; i < nr; i++)
		if (!selects(&selectors[i], find_tag(tags, tags_len, selectors[i].key)))
			return false;
	return true;
}

bool trigger_matches(const struct trigger *t, const struct series_id *id)
{
	return !t->has_check_in && (!t->has_kind || (uint8_t)t->kind == id->kind) && str_eq(t->metric, id->name) && str_eq(t->site, id->site) &&
	       trigger_selects(t->tags, t->tags_len, id->tags, id->tags_len);
}

/* A quantile is clamped to what the window knows of its ends. */
static double quantile(const struct trigger_point *p, double q)
{
	if (!p->hist || !hist_count(p->hist))
		return NAN;
	return hist_quantile(p->hist, q, p->has_min ? p->min : -HUGE_VAL, p->has_max ? p->max : HUGE_VAL);
}

/* NaN where there is none. */
static double value_of(enum trigger_field field, const struct trigger_point *p)
{
	switch (field) {
	case TRIGGER_FIELD_COUNT:
		return (double)p->count;
	case TRIGGER_FIELD_SUM:
		return p->sum;
	case TRIGGER_FIELD_MEAN:
		return p->count > 0 ? p->sum / (double)p->count : NAN;
	case TRIGGER_FIELD_MIN:
		return p->has_min ? p->min : NAN;
	case TRIGGER_FIELD_MAX:
		return p->has_max ? p->max : NAN;
	case TRIGGER_FIELD_LAST:
		return p->has_last ? p->last : NAN;
	case TRIGGER_FIELD_P50:
		return quantile(p, 0.5);
	case TRIGGER_FIELD_P90:
		return quantile(p, 0.9);
	case TRIGGER_FIELD_P95:
		return quantile(p, 0.95);
	case TRIGGER_FIELD_P99:
		return quantile(p, 0.99);
	case TRIGGER_FIELD_RATE:
		return (p->kind == SERIES_KIND_COUNTER ? p->sum : (double)p->count) / RATE_SECONDS;
	case TRIGGER_FIELD_ERROR_RATE:
		return p->count > 0 ? (double)p->errors / (double)p->count : NAN;
	}
	return NAN;
}

bool trigger_value(enum trigger_field field, const struct trigger_point *point, double *out)
{
	const struct trigger_point nothing = {0};
	double value = value_of(field, point ? point : &nothing);

	if (isnan(value))
		return false;
	*out = value;
	return true;
}

bool trigger_compares(const struct threshold_rule *rule, double value)
{
	switch (rule->comparison) {
	case TRIGGER_COMPARISON_GT:
		return value > rule->threshold;
	case TRIGGER_COMPARISON_GE:
		return value >= rule->threshold;
	case TRIGGER_COMPARISON_LT:
		return value < rule->threshold;
	case TRIGGER_COMPARISON_LE:
		return value <= rule->threshold;
	case TRIGGER_COMPARISON_EQ:
		return value == rule->threshold;
	case TRIGGER_COMPARISON_NE:
		return value < rule->threshold || value > rule->threshold;
	}
	return false;
}

static int64_t minutes_ms(int64_t minutes)
{
	return minutes * CLOCK_MINUTE_MS;
}

bool trigger_misses_beat(const struct check_in_rule *rule, int64_t last_ms, int64_t end_ms)
{
	return end_ms - last_ms > minutes_ms((int64_t)rule->every_minutes + rule->grace_minutes);
}

bool trigger_misses_run(const struct check_in_rule *rule, const struct cron *cron, int64_t since_ms, int64_t due_ms, int64_t start_ms, int64_t finish_ms,
			int64_t end_ms)
{
	int64_t limit_ms = end_ms - minutes_ms((int64_t)rule->grace_minutes + rule->runtime_minutes) - 1;

	if ((start_ms > finish_ms ? start_ms : finish_ms) < due_ms - CLOCK_MINUTE_MS)
		return true;
	if (!rule->runtime_minutes || finish_ms >= due_ms)
		return false;
	if (due_ms > limit_ms) /* a job may run for as long as until it is due again, or longer: the run that should be through may be an earlier one */
		due_ms = cron_last_ms(cron, limit_ms);
	return due_ms >= since_ms && due_ms <= limit_ms && finish_ms < due_ms;
}

/* What hashes numbers, little-endian, and texts, each behind its length. */
static void add_number(XXH3_state_t *state, uint64_t n)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(n >> 8 * i);
	XXH3_64bits_update(state, bytes, sizeof(bytes));
}

static void add_text(XXH3_state_t *state, struct str s)
{
	add_number(state, s.len);
	XXH3_64bits_update(state, s.p, s.len);
}

/* -0 is 0. */
static void add_double(XXH3_state_t *state, double d)
{
	uint64_t bits;

	d += 0.0;
	memcpy(&bits, &d, sizeof(bits));
	add_number(state, bits);
}

static void add_selectors(XXH3_state_t *state, const struct trigger *t)
{
	add_number(state, t->tags_len);
	for (size_t i = 0; i < t->tags_len; i++) {
		const struct tag_selector *s = &t->tags[i];

		add_text(state, s->key);
		add_number(state, (uint64_t)s->op);
		add_number(state, s->values_len);
		for (size_t j = 0; j < s->values_len; j++)
			add_text(state, s->values[j]);
	}
}

static void add_condition(XXH3_state_t *state, const struct trigger *t)
{
	if (t->has_threshold) {
		add_number(state, 1);
		add_number(state, (uint64_t)t->threshold.field);
		add_number(state, (uint64_t)t->threshold.comparison);
		add_double(state, t->threshold.threshold);
	} else if (t->has_absent_minutes) {
		add_number(state, 2);
		add_number(state, (uint64_t)t->absent_minutes);
	} else if (t->has_check_in) {
		add_number(state, 3);
		add_text(state, t->check_in.name);
		add_text(state, t->check_in.cron);
		add_number(state, (uint64_t)t->check_in.every_minutes);
		add_number(state, (uint64_t)t->check_in.grace_minutes);
		add_number(state, (uint64_t)t->check_in.runtime_minutes);
	}
}

uint64_t trigger_revision(const struct trigger *t)
{
	XXH3_state_t state;

	XXH3_64bits_reset(&state);
	add_text(&state, t->metric);
	add_number(&state, t->has_kind ? 1 + (uint64_t)t->kind : 0);
	add_selectors(&state, t);
	add_condition(&state, t);
	add_number(&state, (uint64_t)(t->warm_up_minutes ? t->warm_up_minutes : 1));
	add_number(&state, (uint64_t)(t->cooldown_minutes ? t->cooldown_minutes : 1));
	return XXH3_64bits_digest(&state);
}
