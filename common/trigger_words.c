/* trigger_words.c - a trigger's condition for people (trigger.h).
 *
 * It goes into titles of notifications, so it is bounded and one line, also when a record is shown that nobody has checked: what is no line of UTF-8 has
 * each such byte replaced by '?'. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/trigger.h"

static const char more[] = "...";

/* The words so far; len is what there would be without an end. */
struct words {
	char *out;
	size_t len;
};

static void add_byte(struct words *w, char c)
{
	if (w->len < TRIGGER_CONDITION_SIZE - 1)
		w->out[w->len] = c;
	w->len++;
}

static void add(struct words *w, struct str s)
{
	bool clean = str_is_line(s);

	for (size_t i = 0; i < s.len; i++)
		add_byte(w, clean || (s.p[i] >= ' ' && s.p[i] < 0x7f) ? s.p[i] : '?');
}

static void __attribute__((format(printf, 2, 3))) addf(struct words *w, const char *fmt, ...)
{
	char text[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	add(w, str_from(text));
}

static void add_quoted(struct words *w, struct str s)
{
	bool clean = str_is_line(s);

	add_byte(w, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			add_byte(w, '\\');
		add_byte(w, clean || (s.p[i] >= ' ' && s.p[i] < 0x7f) ? s.p[i] : '?');
	}
	add_byte(w, '"');
}

static void add_selector(struct words *w, const struct tag_selector *s)
{
	bool list = s->op == SELECTOR_OP_ONE_OF;

	add(w, s->op == SELECTOR_OP_ABSENT ? STR("!") : STR(""));
	add(w, s->key);
	if (s->values_len)
		add_byte(w, s->op == SELECTOR_OP_GLOB ? '~' : '=');
	add(w, list ? STR("(") : STR(""));
	for (size_t i = 0; i < s->values_len; i++) {
		add(w, i ? STR(",") : STR(""));
		add_quoted(w, s->values[i]);
	}
	add(w, list ? STR(")") : STR(""));
}

static void add_metric(struct words *w, const struct trigger *t)
{
	add(w, t->metric);
	for (size_t i = 0; i < t->tags_len; i++) {
		add(w, i ? STR(", ") : STR("{"));
		add_selector(w, &t->tags[i]);
	}
	add(w, t->tags_len ? STR("}") : STR(""));
}

/* With as many digits as tell it from its neighbours. */
static void add_number(struct words *w, double d)
{
	char text[40];
	int digits = 15;

	do
		snprintf(text, sizeof(text), "%.*g", digits, d);
	while (digits++ < 17 && strtod(text, NULL) != d);
	add(w, str_from(text));
}

static void add_minutes(struct words *w, int32_t minutes)
{
	addf(w, "%" PRId32 " minute%s", minutes, minutes == 1 ? "" : "s");
}

const char *trigger_comparison_sign(enum trigger_comparison comparison)
{
	static const char *const signs[] = {[TRIGGER_COMPARISON_GT] = ">", [TRIGGER_COMPARISON_GE] = ">=", [TRIGGER_COMPARISON_LT] = "<",
					    [TRIGGER_COMPARISON_LE] = "<=", [TRIGGER_COMPARISON_EQ] = "==", [TRIGGER_COMPARISON_NE] = "!="};

	return trigger_comparison_name(comparison) ? signs[comparison] : "?";
}

static void add_threshold(struct words *w, const struct trigger *t)
{
	const char *field = trigger_field_name(t->threshold.field);

	addf(w, "%s of ", field ? field : "?");
	add_metric(w, t);
	addf(w, " %s ", trigger_comparison_sign(t->threshold.comparison));
	add_number(w, t->threshold.threshold);
}

static void add_check_in(struct words *w, const struct check_in_rule *c)
{
	add(w, STR("check-in "));
	add(w, c->name);
	if (c->cron.len) {
		add(w, STR(" missed (cron "));
		add(w, c->cron);
	} else {
		add(w, STR(" missed (every "));
		add_minutes(w, c->every_minutes);
	}
	add(w, STR(")"));
}

/* Ends the string; a character is not cut in two. */
static void finish(struct words *w)
{
	struct str cut;

	if (w->len < TRIGGER_CONDITION_SIZE) {
		w->out[w->len] = '\0';
		return;
	}
	cut = str_cut_utf8((struct str){w->out, TRIGGER_CONDITION_SIZE - 1}, TRIGGER_CONDITION_SIZE - sizeof(more));
	memcpy(w->out + cut.len, more, sizeof(more));
}

const char *trigger_condition(const struct trigger *t, char out[TRIGGER_CONDITION_SIZE])
{
	struct words w = {.out = out};

	if (t->has_check_in) {
		add_check_in(&w, &t->check_in);
	} else if (t->has_absent_minutes) {
		add_metric(&w, t);
		add(&w, STR(" absent for "));
		add_minutes(&w, t->absent_minutes);
	} else {
		add_threshold(&w, t);
	}
	finish(&w);
	return out;
}
