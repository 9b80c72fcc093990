/* control.c - see control.h.
 *
 * One table says which program obeys which action, and within which scope; messages are made from it, so that an operator is told what
 * would have been right. An id is its fields' names and values between slashes, and no name may hold a slash or an equals sign: so
 * an id can be taken apart in one way only, and no two scopes share one. */
#include "common/control.h"

#include <inttypes.h>
#include <stdio.h>

/* One field of a scope; the order is that of an id. */
enum { SCOPE_CELL, SCOPE_SITE, SCOPE_KIND, SCOPE_TRIGGER, SCOPE_FIELDS };
enum { CELL = 1 << SCOPE_CELL, SITE = 1 << SCOPE_SITE, KIND = 1 << SCOPE_KIND, TRIGGER = 1 << SCOPE_TRIGGER };

static const struct {
	const char *name;
	size_t max;
} scope_fields[SCOPE_FIELDS] = {
	[SCOPE_CELL] = {"cell", CONTROL_CELL_MAX},
	[SCOPE_SITE] = {"site", CONTROL_SITE_MAX},
	[SCOPE_KIND] = {"kind", CONTROL_KIND_MAX},
	[SCOPE_TRIGGER] = {"trigger", CONTROL_TRIGGER_MAX},
};

/* What is obeyed: all is whether the scope may be left out, fields what it may name, one or several of them. */
static const struct rule {
	enum control_program on;
	enum control_action action;
	bool all;
	unsigned int fields;
} rules[] = {
	{CONTROL_PROGRAM_INGEST, CONTROL_ACTION_CLOSE, true, CELL | SITE},
	{CONTROL_PROGRAM_INGEST, CONTROL_ACTION_ACCEPT_SHRINK, true, 0},
	{CONTROL_PROGRAM_PROCESSOR, CONTROL_ACTION_MUTE, false, CELL | SITE | TRIGGER},
	{CONTROL_PROGRAM_PROCESSOR, CONTROL_ACTION_ACCEPT_OFFSETS, false, CELL},
	{CONTROL_PROGRAM_PROCESSOR, CONTROL_ACTION_FORGET_STATE, false, CELL},
	{CONTROL_PROGRAM_SINK, CONTROL_ACTION_PAUSE, false, CELL},
	{CONTROL_PROGRAM_SINK, CONTROL_ACTION_DROP, false, SITE | KIND},
	{CONTROL_PROGRAM_NOTIFY, CONTROL_ACTION_PAUSE, true, CELL | SITE},
	{CONTROL_PROGRAM_NOTIFY, CONTROL_ACTION_DROP, true, CELL | SITE},
};

enum { NR_RULES = sizeof(rules) / sizeof(rules[0]), WORDS_SIZE = 128 };

/* Does c's scope name this field, and what? */
static bool scope_of(const struct control *c, int field, struct str *name)
{
	const bool has[SCOPE_FIELDS] = {c->has_cell, c->has_site, c->has_kind, c->has_trigger};
	const struct str names[SCOPE_FIELDS] = {c->cell, c->site, c->kind, c->trigger};

	*name = names[field];
	return has[field];
}

/* Appends "a, b" item by item; out is a string already. */
static void add_word(char out[WORDS_SIZE], const char *word)
{
	size_t len = strlen(out);

	snprintf(out + len, WORDS_SIZE - len, "%s%s", len ? ", " : "", word);
}

static int no_such_action(const struct control *c, struct err *err)
{
	char actions[WORDS_SIZE] = "";

	for (size_t i = 0; i < NR_RULES; i++)
		if (rules[i].on == c->on)
			add_word(actions, control_action_name(rules[i].action));
	return err_set(err, ERR_REJECT, "%s does not know \"%s\": it knows %s", control_program_name(c->on), control_action_name(c->action),
		       actions);
}

static int no_such_scope(const struct rule *rule, const char *wrong, struct err *err)
{
	char scopes[WORDS_SIZE] = "";

	if (rule->all)
		add_word(scopes, "all");
	for (int i = 0; i < SCOPE_FIELDS; i++)
		if (rule->fields & 1U << i)
			add_word(scopes, scope_fields[i].name);
	return err_set(err, ERR_REJECT, "%s %s %s: its scope is %s", control_program_name(rule->on), control_action_name(rule->action), wrong,
		       scopes);
}

/* The alphabet of cells and sites, without those two characters that ids are built with. */
static int check_name(int field, struct str name, struct err *err)
{
	bool good = name.len >= 1 && name.len <= scope_fields[field].max;

	for (size_t i = 0; good && i < name.len; i++)
		good = (name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '-';
	if (good)
		return 0;
	return err_set(err, ERR_REJECT, "%s \"%.*s\" is no name of one: 1 to %zu of a-z, 0-9 and - are allowed", scope_fields[field].name,
		       (int)(name.len < 80 ? name.len : 80), name.p, scope_fields[field].max);
}

static int check_scope(const struct control *c, struct err *err)
{
	const struct rule *rule = rules;
	bool any = false;

	while (rule < rules + NR_RULES && (rule->on != c->on || rule->action != c->action))
		rule++;
	if (rule == rules + NR_RULES)
		return no_such_action(c, err);
	for (int i = 0; i < SCOPE_FIELDS; i++) {
		char wrong[WORDS_SIZE];
		struct str name;

		if (!scope_of(c, i, &name))
			continue;
		any = true;
		snprintf(wrong, sizeof(wrong), "takes no %s", scope_fields[i].name);
		if (!(rule->fields & 1U << i))
			return no_such_scope(rule, wrong, err);
		if (check_name(i, name, err) < 0)
			return -1;
	}
	return any || rule->all ? 0 : no_such_scope(rule, "is for nothing at all", err);
}

int control_make_id(const struct control *c, char out[CONTROL_ID_SIZE], struct err *err)
{
	struct str name;
	int n;

	if (check_scope(c, err) < 0)
		return -1;
	n = snprintf(out, CONTROL_ID_SIZE, "%s/%s", control_program_name(c->on), control_action_name(c->action));
	for (int i = 0; i < SCOPE_FIELDS; i++)
		if (scope_of(c, i, &name))
			n += snprintf(out + n, CONTROL_ID_SIZE - (size_t)n, "/%s=" STR_FMT, scope_fields[i].name, STR_ARG(name));
	return 0;
}

/* It stands in logs, answers and on screens: one line of UTF-8, without C0, DEL and C1. */
static int check_text(const char *what, struct str s, size_t max, struct err *err)
{
	if (s.len < 1 || s.len > max)
		return err_set(err, ERR_REJECT, "the %s has %zu bytes: 1 to %zu are allowed", what, s.len, max);
	if (!str_is_utf8(s))
		return err_set(err, ERR_REJECT, "the %s must be UTF-8", what);
	if (!str_is_line(s))
		return err_set(err, ERR_REJECT, "the %s may hold no control characters", what);
	return 0;
}

/* Subtraction cannot overflow once neither is negative. */
static int check_times(const struct control *c, struct err *err)
{
	if (c->created_at < 0 || c->expires_at <= c->created_at)
		return err_set(err, ERR_REJECT, "it expires at %" PRId64 " and was made at %" PRId64 ": that is no time to live",
			       c->expires_at, c->created_at);
	if (c->expires_at - c->created_at > CONTROL_LIFE_MAX_MS)
		return err_set(err, ERR_REJECT, "it would be in force for longer than 30 days");
	return 0;
}

int control_check(const struct control *c, struct err *err)
{
	char id[CONTROL_ID_SIZE];

	if (control_make_id(c, id, err) < 0)
		return -1;
	if (!str_eq(c->id, str_from(id)))
		return err_set(err, ERR_REJECT, "its id is \"%.*s\", but its fields make \"%s\"", (int)(c->id.len < 80 ? c->id.len : 80),
			       c->id.p, id);
	if (check_text("reason", c->reason, CONTROL_REASON_MAX, err) < 0 || check_text("author", c->author, CONTROL_AUTHOR_MAX, err) < 0 ||
	    check_times(c, err) < 0)
		return err_wrap(err, "control %s", id);
	return 0;
}

int control_find_program(struct str name, enum control_program *out, struct err *err)
{
	char names[WORDS_SIZE] = "";
	const char *known;

	for (int i = 0; (known = control_program_name((enum control_program)i)) != NULL; i++) {
		if (str_eq(name, str_from(known))) {
			*out = (enum control_program)i;
			return 0;
		}
		add_word(names, known);
	}
	return err_set(err, ERR_REJECT, "no program \"" STR_FMT "\" obeys controls: there are %s", STR_ARG(name), names);
}

int control_find_action(struct str name, enum control_action *out, struct err *err)
{
	char names[WORDS_SIZE] = "";
	const char *known;

	for (int i = 0; (known = control_action_name((enum control_action)i)) != NULL; i++) {
		if (str_eq(name, str_from(known))) {
			*out = (enum control_action)i;
			return 0;
		}
		add_word(names, known);
	}
	return err_set(err, ERR_REJECT, "there is no action \"" STR_FMT "\": there are %s", STR_ARG(name), names);
}
