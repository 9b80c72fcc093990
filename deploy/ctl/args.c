/* args.c - see args.h.
 *
 * Words are read once, left to right. The first that is no option is the noun, the second the verb where
 * the noun has verbs, the rest are operands; an option is looked up among the global ones and, once the
 * command is known, among its own. getopt_long() is not used: it wants all options known before the first
 * word, and cannot suggest.
 *
 * Invariants:
 *  I1  values[] holds one entry for each option that may be given here, from the moment its list is known,
 *      so that asking for an option always finds an entry, given or not.
 *  I2  settings[] is owned by us, word by word; everything else borrows argv or the tables.
 *  I3  Nothing is taken in silence: a word too many, an option twice, a value where none belongs are
 *      errors. An operator's slip must not become another command than the one that was meant. */
#include "deploy/ctl/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_value.h"

static bool same_noun(const struct args_command *command, const char *noun)
{
	return strcmp(command->noun, noun) == 0;
}

enum { TITLE_SIZE = 40 };

/* The command as it is typed, without operands; one must be known. */
static const char *title(const struct args *a, char out[TITLE_SIZE])
{
	const char *verb = a->command->verb;

	snprintf(out, TITLE_SIZE, "%s%s%s", a->command->noun, verb ? " " : "", verb ? verb : "");
	return out;
}

static int min3(int a, int b, int c)
{
	int least = a < b ? a : b;

	return least < c ? least : c;
}

int args_distance(const char *a, const char *b)
{
	enum { LONGEST = 31 };
	int d[LONGEST + 1][LONGEST + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > LONGEST || lb > LONGEST)
		return LONGEST;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = (int)i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (int)j;
	for (size_t i = 1; i <= la; i++)
		for (size_t j = 1; j <= lb; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	return d[la][lb];
}

/* Remembers candidate when it is nearer to word than the best so far. Two edits are a typing error, more
 * another word. */
static void suggest(const char *word, const char *candidate, const char **best, int *best_distance)
{
	int distance = args_distance(word, candidate);

	if (distance <= 2 && distance < (int)strlen(candidate) && distance < *best_distance) {
		*best = candidate;
		*best_distance = distance;
	}
}

/* The two below are apart, as the words in question are: nouns of the table, verbs of one noun. */
static int unknown_noun(const struct args *a, const char *word, struct err *err)
{
	const char *best = NULL;
	int distance = 3;

	for (const struct args_command *c = a->commands; c->noun; c++)
		suggest(word, c->noun, &best, &distance);
	if (best)
		return err_set(err, ERR_REJECT, "unknown command \"%s\": did you mean \"%s\"?", word, best);
	return err_set(err, ERR_REJECT, "unknown command \"%s\": see millrace-ctl --help", word);
}

static int unknown_verb(const struct args *a, const char *word, struct err *err)
{
	const char *best = NULL;
	int distance = 3;

	for (const struct args_command *c = a->commands; c->noun; c++)
		if (same_noun(c, a->noun))
			suggest(word, c->verb, &best, &distance);
	if (best)
		return err_set(err, ERR_REJECT, "unknown command \"%s %s\": did you mean \"%s %s\"?", a->noun, word, a->noun, best);
	return err_set(err, ERR_REJECT, "unknown command \"%s %s\": see millrace-ctl %s --help", a->noun, word, a->noun);
}

static int add_setting(struct args *a, const char *word, struct err *err)
{
	char *copy = strdup(word);

	if (!copy)
		return err_nomem(err, "the command line");
	a->settings[a->nr_settings++] = copy;
	return 0;
}

/* Numbers with a unit or a fraction are read as those of settings are, and refused in the same words. */
static int parse_like_setting(const struct args_option *o, enum conf_type type, const char *text, struct conf_value *out, struct err *err)
{
	struct conf_field field = {.name = o->name, .type = type, .min = o->min, .max = o->max};
	char complaint[CONF_COMPLAINT_SIZE];

	if (conf_value_parse(&field, text, out, complaint) == 0)
		return 0;
	return err_set(err, ERR_REJECT, "--%s %s %s", o->name, text, complaint);
}

static int parse_int(const struct args_option *o, const char *text, int64_t *out, struct err *err)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno || end == text || *end || *out < o->min || *out > o->max)
		return err_set(err, ERR_REJECT, "--%s %s: a number from %lld to %lld", o->name, text, (long long)o->min,
			       (long long)o->max);
	return 0;
}

/* What text means as a value of its option's type; nothing for those that are texts. */
static int parse_value(struct args_value *v, const char *text, struct err *err)
{
	struct conf_value value = {0};

	switch (v->option->type) {
	case ARGS_INT:
		return parse_int(v->option, text, &v->number, err);
	case ARGS_MS:
		if (parse_like_setting(v->option, CONF_MS, text, &value, err) < 0)
			return -1;
		v->number = value.integer;
		return 0;
	case ARGS_RATE:
		if (parse_like_setting(v->option, CONF_NUM, text, &value, err) < 0)
			return -1;
		v->rate = value.number;
		return 0;
	default:
		return 0;
	}
}

/* Makes entries for a list of options, filled with their defaults (I1). Defaults are not checked against
 * their ranges: they stand in our own tables, and a unit test walks those. */
static void add_options(struct args *a, const struct args_option *options)
{
	for (const struct args_option *o = options; o && o->name; o++) {
		struct args_value *v = &a->values[a->nr_values];

		if (o->type == ARGS_SETTING || o->type == ARGS_INSTEAD || a->nr_values == ARGS_OPTIONS_MAX)
			continue;
		*v = (struct args_value){.option = o, .text = o->def};
		if (o->def)
			parse_value(v, o->def, NULL);
		a->nr_values++;
	}
}

/* Is this operand the one that takes any number? */
static bool takes_any(const char *operand)
{
	size_t len = operand ? strlen(operand) : 0;

	return len > 2 && strcmp(operand + len - 2, "..") == 0;
}

/* "[ID]" may be left out. */
static bool is_optional(const char *operand)
{
	return operand[0] == '[';
}

static int take_operand(struct args *a, const char *word, struct err *err)
{
	const char *operand = a->nr_operands < ARGS_OPERANDS_MAX ? a->command->operands[a->nr_operands] : NULL;
	char name[TITLE_SIZE];

	if (!operand)
		return err_set(err, ERR_REJECT, "\"%s\" is one word too many for \"%s\"", word, title(a, name));
	if (takes_any(operand))
		a->rest[a->nr_rest++] = word;
	else
		a->operands[a->nr_operands++] = word;
	return 0;
}

/* Takes a word that is no option: noun, verb or operand, whichever is next. A noun without verbs is a
 * command by itself; the table never has both for one noun. */
static int take_word(struct args *a, const char *word, struct err *err)
{
	const struct args_command *c = a->commands;

	if (a->command)
		return take_operand(a, word, err);
	while (c->noun && (!same_noun(c, a->noun ? a->noun : word) || (a->noun && strcmp(c->verb, word) != 0)))
		c++;
	if (!c->noun)
		return a->noun ? unknown_verb(a, word, err) : unknown_noun(a, word, err);
	if (!a->noun)
		a->noun = c->noun;
	else
		a->command = c;
	if (!c->verb)
		a->command = c;
	if (a->command)
		add_options(a, c->options);
	return 0;
}

/* The row for an option's name (len bytes) or letter, or NULL. */
static const struct args_option *find_option(const struct args_option *options, const char *name, size_t len, char letter)
{
	for (const struct args_option *o = options; o && o->name; o++)
		if (letter ? o->letter == letter : strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

/* An option nobody knows. Before the command is known only global options can be: "--cell main site add x"
 * is told so, as it would be hard to see otherwise. */
static int unknown_option(const struct args *a, const char *word, struct err *err)
{
	const struct args_option *lists[] = {a->globals, a->command ? a->command->options : NULL};
	const char *best = NULL, *name = word + strspn(word, "-");
	char command[TITLE_SIZE];
	int distance = 3;

	for (int i = 0; i < 2; i++)
		for (const struct args_option *o = lists[i]; o && o->name; o++)
			suggest(name, o->name, &best, &distance);
	if (best)
		return err_set(err, ERR_REJECT, "unknown option %s: did you mean --%s?", word, best);
	if (!a->command)
		return err_set(err, ERR_REJECT, "unknown option %s: a command's own options stand behind its name", word);
	return err_set(err, ERR_REJECT, "unknown option %s: see millrace-ctl %s --help", word, title(a, command));
}

static struct args_value *find_value(struct args *a, const struct args_option *o)
{
	for (int i = 0; i < a->nr_values; i++)
		if (a->values[i].option == o)
			return &a->values[i];
	abort(); /* add_options() has put it there */
}

/* Stores a value, checked by its type. Twice is an error, not "the last one wins": with two different
 * values, one of them was a mistake. */
static int set_value(struct args *a, const struct args_option *o, const char *text, struct err *err)
{
	struct args_value *v = find_value(a, o);

	if (v->given && o->type != ARGS_LIST)
		return err_set(err, ERR_REJECT, "--%s stands there twice", o->name);
	if ((o->type == ARGS_TEXT || o->type == ARGS_NEEDED || o->type == ARGS_LIST) && !*text)
		return err_set(err, ERR_REJECT, "--%s is empty", o->name);
	if (o->type == ARGS_LIST)
		a->listed[a->nr_listed++] = (struct args_listed){o, text};
	if (parse_value(v, text, err) < 0)
		return -1;
	v->text = text;
	v->given = true;
	return 0;
}

/* --kafka is the one setting with a short name of its own. */
static int add_kafka(struct args *a, const char *brokers, struct err *err)
{
	char *setting;

	if (asprintf(&setting, "kafka.bootstrap.servers=%s", brokers) < 0)
		return err_nomem(err, "the command line");
	if (add_setting(a, "--set", err) < 0) {
		free(setting);
		return -1;
	}
	a->settings[a->nr_settings++] = setting;
	return 0;
}

/* Keeps an option for program_init(), as two words, whichever way it was written. */
static int take_setting(struct args *a, const struct args_option *o, const char *text, struct err *err)
{
	char name[40];

	a->instead |= o->type == ARGS_INSTEAD;
	snprintf(name, sizeof(name), "--%s", o->name);
	return add_setting(a, name, err) < 0 || (text && add_setting(a, text, err) < 0) ? -1 : 0;
}

/* Takes the option at argv[*at], and its value, which may be the next word. Long names are written out in
 * full: an abbreviation that is unique today may not be so in the next version, and stands in somebody's
 * script. */
static int take_option(struct args *a, int argc, char **argv, int *at, struct err *err)
{
	const char *word = argv[*at], *name = word + 2, *text = NULL;
	size_t len = word[1] == '-' ? strcspn(name, "=") : 0;
	char letter = word[1] == '-' || word[2] ? 0 : word[1];
	const struct args_option *o = find_option(a->globals, name, len, letter);

	if (letter == 'h' || (len == 4 && strcmp(name, "help") == 0)) {
		a->help = true;
		return 0;
	}
	if (!o && a->command)
		o = find_option(a->command->options, name, len, letter);
	if (!o || (!len && !letter))
		return unknown_option(a, word, err);
	if (len && name[len] == '=')
		text = name + len + 1;
	if (text && !o->metavar)
		return err_set(err, ERR_REJECT, "--%s takes no value", o->name);
	if (o->metavar && !text) {
		if (*at + 1 >= argc)
			return err_set(err, ERR_REJECT, "--%s needs a value: %s", o->name, o->metavar);
		text = argv[++*at];
	}
	if (o->type == ARGS_SETTING || o->type == ARGS_INSTEAD)
		return take_setting(a, o, text, err);
	if (set_value(a, o, text ? text : "", err) < 0)
		return -1;
	return strcmp(o->name, "kafka") == 0 ? add_kafka(a, text, err) : 0;
}

/* A duration without a default cannot be left out. */
static bool is_needed(const struct args_option *o)
{
	return o->type == ARGS_NEEDED || (o->type == ARGS_MS && !o->def);
}

/* After the last word: is the command whole? */
static int check_complete(const struct args *a, struct err *err)
{
	const char *next = a->command ? a->command->operands[a->nr_operands] : NULL;
	char name[TITLE_SIZE];

	if (!a->noun)
		return err_set(err, ERR_REJECT, "no command: see millrace-ctl --help");
	if (!a->command)
		return err_set(err, ERR_REJECT, "\"%s\" needs a verb: see millrace-ctl %s --help", a->noun, a->noun);
	if (next && !takes_any(next) && !is_optional(next))
		return err_set(err, ERR_REJECT, "\"%s\" needs %s: see its --help", title(a, name), next);
	for (int i = 0; i < a->nr_values; i++)
		if (is_needed(a->values[i].option) && !a->values[i].given)
			return err_set(err, ERR_REJECT, "\"%s\" needs --%s %s", title(a, name), a->values[i].option->name,
				       a->values[i].option->metavar);
	return 0;
}

int args_parse(struct args *a, const struct args_command *commands, const struct args_option *globals, int argc, char **argv,
	       struct err *err)
{
	bool options = true;

	*a = (struct args){.commands = commands, .globals = globals};
	/* Each word yields at most two settings ("--kafka=X" becomes "--set" and its value); the name, two
	 * of args_prefer(), the end. */
	a->settings = calloc((size_t)(argc > 0 ? argc : 1) * 2 + 4, sizeof(*a->settings));
	a->rest = calloc((size_t)(argc > 0 ? argc : 1), sizeof(*a->rest));
	a->listed = calloc((size_t)(argc > 0 ? argc : 1), sizeof(*a->listed));
	if (!a->settings || !a->rest || !a->listed)
		return err_nomem(err, "the command line");
	if (add_setting(a, "millrace-ctl", err) < 0)
		return -1;
	add_options(a, globals);
	for (int i = 1; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0)
			options = false;
		else if (options && argv[i][0] == '-' && argv[i][1]) {
			if (take_option(a, argc, argv, &i, err) < 0)
				return -1;
		} else if (take_word(a, argv[i], err) < 0) {
			return -1;
		}
	}
	return a->help || a->instead ? 0 : check_complete(a, err);
}

int args_prefer(struct args *a, const char *key_value, struct err *err)
{
	int nr = a->nr_settings;
	char *added[2];

	if (add_setting(a, "--set", err) < 0 || add_setting(a, key_value, err) < 0)
		return -1;
	memcpy(added, &a->settings[nr], sizeof(added));
	memmove(&a->settings[3], &a->settings[1], (size_t)(nr - 1) * sizeof(*a->settings));
	memcpy(&a->settings[1], added, sizeof(added));
	return 0;
}

void args_fini(struct args *a)
{
	for (int i = 0; i < a->nr_settings; i++)
		free(a->settings[i]);
	free(a->settings);
	free(a->rest);
	free(a->listed);
	*a = (struct args){0};
}

/* NULL: the command has no such option. */
static const struct args_value *look_up(const struct args *a, const char *name)
{
	for (int i = 0; i < a->nr_values; i++)
		if (strcmp(a->values[i].option->name, name) == 0)
			return &a->values[i];
	return NULL;
}

static const struct args_value *named_value(const struct args *a, const char *name)
{
	const struct args_value *v = look_up(a, name);

	if (!v)
		abort();
	return v;
}

const char *args_text(const struct args *a, const char *name)
{
	return named_value(a, name)->text;
}

const char *args_next(const struct args *a, const char *name, int *at)
{
	const struct args_option *option = named_value(a, name)->option;

	while (*at < a->nr_listed) {
		const struct args_listed *l = &a->listed[(*at)++];

		if (l->option == option)
			return l->text;
	}
	return NULL;
}

int64_t args_int(const struct args *a, const char *name)
{
	return named_value(a, name)->number;
}

double args_rate(const struct args *a, const char *name)
{
	return named_value(a, name)->rate;
}

bool args_given(const struct args *a, const char *name)
{
	return named_value(a, name)->given;
}

bool args_given_here(const struct args *a, const char *name)
{
	const struct args_value *v = look_up(a, name);

	return v && v->given;
}
