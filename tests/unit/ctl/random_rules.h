/* random_rules.h - random but valid triggers and receivers, for the property tests of this folder. All memory is the arena's. */
#ifndef MILLRACE_TESTS_UNIT_CTL_RANDOM_RULES_H
#define MILLRACE_TESTS_UNIT_CTL_RANDOM_RULES_H

#include <string.h>

#include "tests/unit/ctl/random_store.h"

/* Texts that look like something else where they stand bare. */
static inline struct str random_value(struct unit_random *r, struct arena *arena)
{
	static const char *const odd[] = {"null", "~", "true", "5", "0x10", "1e3", "-", "*", "&a", "!b", ">", "#", ": ", "a: b", "'", "\"", "[", "{}", " ", "\xc3\xa4", ""};

	if (unit_random_below(r, 2))
		return random_text(r, arena, "ab/*?", 5);
	return arena_str(arena, str_from(odd[unit_random_below(r, NR(odd))]));
}

/* Up to max texts, none twice. */
static inline struct str *random_list(struct unit_random *r, struct arena *arena, size_t min, size_t max, size_t *nr)
{
	size_t n = min + unit_random_below(r, max - min + 1);
	struct str *list = arena_calloc(arena, n, sizeof(*list));

	*nr = 0;
	for (size_t i = 0; i < n; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%c%zu", "abc"[unit_random_below(r, 3)], i);
		list[(*nr)++] = arena_str(arena, str_from(text));
	}
	return n ? list : NULL;
}

static inline void random_selectors(struct unit_random *r, struct arena *arena, struct trigger *t)
{
	static const size_t least[] = {[SELECTOR_OP_EXACT] = 1, [SELECTOR_OP_ONE_OF] = 1, [SELECTOR_OP_GLOB] = 1};
	size_t n = unit_random_below(r, 5);

	t->tags = arena_calloc(arena, n, sizeof(*t->tags));
	for (size_t i = 0; i < n; i++) {
		struct tag_selector *s = &t->tags[t->tags_len++];
		char key[16];

		snprintf(key, sizeof(key), "%c%zu.x", (char)('a' + i), unit_random_below(r, 10));
		s->key = arena_str(arena, str_from(key));
		s->op = (enum selector_op)unit_random_below(r, 5);
		if (s->op == SELECTOR_OP_ONE_OF) {
			s->values = random_list(r, arena, 1, 4, &s->values_len);
		} else if ((size_t)s->op < NR(least) && least[s->op]) {
			s->values = arena_calloc(arena, 1, sizeof(*s->values));
			s->values[0] = random_value(r, arena);
			s->values_len = 1;
		}
	}
}

static inline void random_check_in(struct unit_random *r, struct arena *arena, struct check_in_rule *c)
{
	static const char *const crons[] = {"0 3 * * *", "*/5 * * * *", "0 0 1 jan mon"};

	c->name = random_name(r, arena);
	c->cron = STR("");
	c->grace_minutes = (int32_t)unit_random_below(r, 1441);
	if (unit_random_below(r, 2)) {
		c->cron = str_from(crons[unit_random_below(r, NR(crons))]);
		c->runtime_minutes = (int32_t)unit_random_below(r, 1441);
	} else {
		c->every_minutes = 1 + (int32_t)unit_random_below(r, 1440);
	}
}

static inline void random_condition(struct unit_random *r, struct arena *arena, struct trigger *t)
{
	uint64_t which = unit_random_below(r, 3);

	if (which == 0) {
		t->has_check_in = true;
		random_check_in(r, arena, &t->check_in);
		return;
	}
	t->metric = random_text(r, arena, "a.b", 6);
	random_selectors(r, arena, t);
	if (which == 1) {
		t->has_absent_minutes = true;
		t->absent_minutes = 1 + (int32_t)unit_random_below(r, 1440);
	} else {
		t->has_threshold = true;
		t->threshold = (struct threshold_rule){.field = (enum trigger_field)unit_random_below(r, 12),
						       .comparison = (enum trigger_comparison)unit_random_below(r, 6),
						       .threshold = (unit_random_below(r, 2) ? -1 : 1) * random_rate(r)};
		t->has_kind = unit_random_below(r, 2);
		t->kind = t->has_kind ? SERIES_KIND_DISTRIBUTION : 0;
	}
}

static inline struct trigger random_trigger(struct unit_random *r, struct arena *arena)
{
	struct trigger t = {.id = random_text(r, arena, "ab-0", 4), .site = random_text(r, arena, "ab-0", 4), .description = STR(""), .metric = STR(""),
			    .check_in = {.name = STR(""), .cron = STR("")}, .author = STR(""),
			    .severity = (enum alert_severity)unit_random_below(r, 3), .warm_up_minutes = (int32_t)unit_random_below(r, 1441),
			    .cooldown_minutes = (int32_t)unit_random_below(r, 1441)};

	if (unit_random_below(r, 2))
		t.description = random_name(r, arena);
	random_condition(r, arena, &t);
	t.receivers = random_list(r, arena, 0, 3, &t.receivers_len);
	return t;
}

static inline int64_t random_ms(struct unit_random *r)
{
	static const int64_t units[] = {1, 1000, 60000, 3600000, 86400000};

	return units[unit_random_below(r, NR(units))] * (int64_t)unit_random_below(r, 31);
}

static inline void random_target(struct unit_random *r, struct arena *arena, struct receiver *out)
{
	if (unit_random_below(r, 2)) {
		out->has_webhook = true;
		out->webhook.url = unit_random_below(r, 2) ? STR("https://a.example/x?y=1") : STR("http://[::1]:80");
		out->webhook.secret_file = unit_random_below(r, 2) ? random_text(r, arena, "ab/", 6) : STR("");
		out->webhook.bearer_file = unit_random_below(r, 2) ? random_text(r, arena, "ab/", 6) : STR("");
		return;
	}
	out->has_mail = true;
	out->mail.server = unit_random_below(r, 2) ? STR("smtp://a:25") : STR("smtps://mail.example");
	out->mail.from = STR("a@b");
	out->mail.to = arena_calloc(arena, 2, sizeof(*out->mail.to));
	out->mail.to[0] = STR("x@y.example");
	out->mail.to[1] = STR("o'hara+1@y.example");
	out->mail.to_len = 1 + unit_random_below(r, 2);
	if (unit_random_below(r, 2)) {
		out->mail.user = random_name(r, arena);
		out->mail.password_file = STR("p");
	}
	out->mail.require_tls = unit_random_below(r, 2);
}

static inline struct receiver random_receiver(struct unit_random *r, struct arena *arena)
{
	const struct str none = STR("");
	struct receiver out = {.id = random_text(r, arena, "ab-0", 4), .webhook = {none, none, none},
			       .mail = {.server = none, .from = none, .user = none, .password_file = none, .require_tls = true}, .escalate_to = none, .author = none,
			       .only_named = unit_random_below(r, 2), .resolve = unit_random_below(r, 2), .group_wait_ms = random_ms(r),
			       .group_interval_ms = random_ms(r), .repeat_ms = random_ms(r)};

	random_target(r, arena, &out);
	out.sites = random_list(r, arena, 0, 3, &out.sites_len);
	out.severities = arena_calloc(arena, 3, sizeof(*out.severities));
	for (int i = 0; i < 3; i++)
		if (unit_random_below(r, 2))
			out.severities[out.severities_len++] = (enum alert_severity)i;
	if (unit_random_below(r, 2)) {
		out.escalate_to = STR("other");
		out.escalate_after_ms = random_ms(r);
	}
	return out;
}

#endif
