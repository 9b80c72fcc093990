/* trigger_yaml.c - see trigger_yaml.h.
 *
 * A field's own fault stands at the field; trigger_check() looks at the whole only when every field could be read, so that one mistake is told once. Its
 * message begins with the name of what is wrong, by which the line is found. */
#include "deploy/ctl/trigger_yaml.h"

#include <stdlib.h>
#include <string.h>

#include "common/cron.h"
#include "common/trigger.h"
#include "deploy/ctl/yaml_value.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static const char *const fields[] = {
	"id", "site", "description", "severity", "metric", "kind", "tags", "field", "compare", "threshold", "absent_minutes", "check_in", "warm_up_minutes",
	"cooldown_minutes", "receivers", "author", "updated_at", NULL};
static const char *const check_in_fields[] = {"name", "cron", "every_minutes", "grace_minutes", "runtime_minutes", NULL};
static const char *const selector_fields[] = {"present", "glob", NULL};

/* In the order of their enums. */
static const char *const severities[] = {"info", "warning", "critical"};
static const char *const kinds[] = {"counter", "gauge", "distribution"};
static const char *const values[] = {"count", "sum", "mean", "min", "max", "last", "p50", "p90", "p95", "p99", "rate", "error_rate"};
static const char *const comparisons[] = {">", ">=", "<", "<=", "==", "!="};

static void get_minutes(struct yaml_file *f, const struct yaml *map, const char *key, int64_t min, int32_t *out)
{
	int64_t minutes;

	if (yaml_get_int(f, map, key, min, TRIGGER_MINUTES_MAX, &minutes))
		*out = (int32_t)minutes;
}

static void take_values(struct tag_selector *s, enum selector_op op, struct str *list, size_t nr)
{
	s->op = op;
	s->values = list;
	s->values_len = nr;
}

/* {present: true}, {present: false}, {glob: "a*"}. */
static void read_selector_map(struct yaml_file *f, const struct yaml *node, struct tag_selector *s)
{
	struct str *glob = arena_alloc(&f->arena, sizeof(*glob));
	bool present;

	f->nomem |= !glob;
	if (!glob || !yaml_check_map(f, node, selector_fields))
		return;
	if (node->nr != 1)
		yaml_fail(f, node, STR_FMT ": must be one of {present: true}, {present: false} and {glob: TEXT}", STR_ARG(node->key));
	else if (yaml_get_bool(f, node, "present", &present))
		s->op = present ? SELECTOR_OP_PRESENT : SELECTOR_OP_ABSENT;
	else if (yaml_get_text(f, node, "glob", glob))
		take_values(s, SELECTOR_OP_GLOB, glob, 1);
}

static void read_selector(struct yaml_file *f, const struct yaml *tags, const struct yaml *node, struct tag_selector *s)
{
	struct str *list;
	size_t nr;

	s->key = node->key;
	if (node->type == YAML_MAP)
		read_selector_map(f, node, s);
	else if (yaml_get_texts(f, tags, node->key.p, &list, &nr))
		take_values(s, node->type == YAML_LIST ? SELECTOR_OP_ONE_OF : SELECTOR_OP_EXACT, list, nr);
}

static int by_key(const void *a, const void *b)
{
	const struct tag_selector *left = a, *right = b;

	return str_cmp(left->key, right->key);
}

/* A record has them in order, so that two of one meaning are the same bytes. */
static void read_tags(struct yaml_file *f, const struct yaml *node, struct trigger *t)
{
	if (node->type != YAML_MAP) {
		yaml_fail(f, node, "tags: must be a map of tags to what they must be");
		return;
	}
	t->tags = arena_calloc(&f->arena, node->nr, sizeof(*t->tags));
	if (!t->tags) {
		f->nomem = true;
		return;
	}
	for (const struct yaml *child = node->child; child; child = child->next)
		read_selector(f, node, child, &t->tags[t->tags_len++]);
	qsort(t->tags, t->tags_len, sizeof(*t->tags), by_key);
}

/* Three keys that need each other. An unquoted > is YAML's sign of a block of text, which is empty then. */
static void read_threshold(struct yaml_file *f, const struct yaml *map, struct trigger *t)
{
	const struct yaml *compare = yaml_get(map, "compare");
	size_t field, comparison;

	t->has_threshold = yaml_get(map, "field") || compare || yaml_get(map, "threshold");
	if (!t->has_threshold)
		return;
	if (yaml_need(f, map, "field") && yaml_get_word(f, map, "field", values, NR(values), &field))
		t->threshold.field = (enum trigger_field)field;
	if (compare && compare->type == YAML_TEXT && !compare->plain && !compare->text.len)
		yaml_fail(f, compare, "compare: must be in quotes: \">\"");
	else if (yaml_need(f, map, "compare") && yaml_get_word(f, map, "compare", comparisons, NR(comparisons), &comparison))
		t->threshold.comparison = (enum trigger_comparison)comparison;
	if (yaml_need(f, map, "threshold"))
		yaml_get_number(f, map, "threshold", &t->threshold.threshold);
}

static void read_check_in(struct yaml_file *f, const struct yaml *node, struct trigger *t)
{
	struct check_in_rule *c = &t->check_in;
	struct cron cron;
	struct err err = ERR_INIT;

	t->has_check_in = true;
	if (!yaml_check_map(f, node, check_in_fields))
		return;
	if (yaml_need(f, node, "name"))
		yaml_get_text(f, node, "name", &c->name);
	get_minutes(f, node, "every_minutes", 1, &c->every_minutes);
	get_minutes(f, node, "grace_minutes", 0, &c->grace_minutes);
	get_minutes(f, node, "runtime_minutes", 0, &c->runtime_minutes);
	if (!yaml_get(node, "cron") == !yaml_get(node, "every_minutes"))
		yaml_fail(f, node, "check_in: needs one of cron and every_minutes");
	else if (yaml_get_text(f, node, "cron", &c->cron) && cron_parse(c->cron, &cron, &err) < 0)
		yaml_fail(f, yaml_get(node, "cron"), "%s", err.msg);
	if (yaml_get(node, "runtime_minutes") && yaml_get(node, "every_minutes"))
		yaml_fail(f, yaml_get(node, "runtime_minutes"), "runtime_minutes: goes with cron: a heartbeat has no end");
}

static void read_condition(struct yaml_file *f, const struct yaml *node, struct trigger *t)
{
	const struct yaml *tags = yaml_get(node, "tags"), *check_in = yaml_get(node, "check_in");
	size_t kind;

	if (yaml_get_word(f, node, "kind", kinds, NR(kinds), &kind)) {
		t->has_kind = true;
		t->kind = (enum series_kind)kind;
	}
	if (tags)
		read_tags(f, tags, t);
	read_threshold(f, node, t);
	t->has_absent_minutes = yaml_get(node, "absent_minutes") != NULL;
	get_minutes(f, node, "absent_minutes", 1, &t->absent_minutes);
	if (check_in)
		read_check_in(f, check_in, t);
	if (t->has_threshold + t->has_absent_minutes + t->has_check_in != 1)
		yaml_fail(f, node, "needs one of threshold (with field and compare), absent_minutes and check_in");
	if (!check_in && yaml_need(f, node, "metric"))
		yaml_get_text(f, node, "metric", &t->metric);
	if (check_in && yaml_get(node, "metric"))
		yaml_fail(f, yaml_get(node, "metric"), "metric: does not go with check_in");
}

static void read_who(struct yaml_file *f, const struct yaml *node, struct trigger *t)
{
	size_t severity;

	if (yaml_need(f, node, "id"))
		yaml_get_text(f, node, "id", &t->id);
	if (yaml_need(f, node, "site"))
		yaml_get_text(f, node, "site", &t->site);
	yaml_get_text(f, node, "description", &t->description);
	if (yaml_get_word(f, node, "severity", severities, NR(severities), &severity))
		t->severity = (enum alert_severity)severity;
	get_minutes(f, node, "warm_up_minutes", 0, &t->warm_up_minutes);
	get_minutes(f, node, "cooldown_minutes", 0, &t->cooldown_minutes);
	yaml_get_texts(f, node, "receivers", &t->receivers, &t->receivers_len);
}

/* Its id stands before what it says; in a file the line names it. */
static void check(struct yaml_file *f, const struct yaml *node, const struct trigger *t)
{
	struct err err = ERR_INIT;
	struct str message;

	if (trigger_check(t, &err) == 0)
		return;
	message = str_from(err.msg);
	if (str_take(&message, "trigger ") && t->id.len + 2 <= message.len)
		message.p += t->id.len + 2;
	yaml_fail(f, yaml_locate(node, message.p), "%s", message.p);
}

bool trigger_yaml_read(struct yaml_file *f, const struct yaml *node, struct trigger *out)
{
	struct trigger t = {.severity = ALERT_SEVERITY_WARNING, .warm_up_minutes = 1, .cooldown_minutes = 1,
			    .id = STR(""), .site = STR(""), .description = STR(""), .metric = STR(""), .author = STR(""),
			    .check_in = {.name = STR(""), .cron = STR("")}};
	size_t before = f->nr_faults;

	if (!yaml_check_map(f, node, fields))
		return false;
	read_who(f, node, &t);
	read_condition(f, node, &t);
	if (f->nr_faults == before && !f->nomem)
		check(f, node, &t);
	if (f->nr_faults != before || f->nomem)
		return false;
	*out = t;
	return true;
}
