/* conf.c - see conf.h.
 *
 * Sources are applied in rising precedence, each value checked as it comes, so that a mistake in a value that is overridden is
 * told all the same. The targets are filled last, when nothing can be wrong any more but memory.
 *  I1  Each setting holds the text that counts so far and where it came from; a text of NULL stands for the default.
 *  I2  A secret's value, and that of a key nobody knows (it may be a misspelt secret), goes into no message and no output; and what stands in a
 *      file of its own into no message: where it does not fit, it may be another secret's. */
#include "common/conf.h"

#include <stdlib.h>
#include <string.h>

#include "common/conf_file.h"
#include "common/conf_kafka.h"
#include "common/conf_value.h"

enum { KEY_SIZE = sizeof("kafka.") + CONF_KAFKA_NAME_MAX, ENV_NAME_SIZE = sizeof("MILLRACE_") + KEY_SIZE, SOURCE_SIZE = 256 };

static const char env_prefix[] = "MILLRACE_";
static const char env_kafka_prefix[] = "MILLRACE_KAFKA_";
static const char env_file_suffix[] = "_FILE";
static const char kafka_prefix[] = "kafka.";

/* Variables with our prefix that are no settings: where the local stack's parts lie, and which build's programs the tests start. */
static const char *const env_others[] = {"MILLRACE_PARTS", "MILLRACE_TREE"};

struct setting {
	struct conf_field field;
	void *target;
	char *text; /* I1 */
	struct conf_source source;
	bool stored; /* the target holds our string */
};

struct conf {
	struct setting *settings;
	size_t nr_settings;
	bool without_kafka;
	struct conf_kafka kafka;
	char **options;
	size_t nr_options;
	char *file;
};

static size_t count_fields(const struct conf_section *section)
{
	size_t n = 0;

	while (section->fields && section->fields[n].name)
		n++;
	return n;
}

/* Rows are copied, so that a caller may make a table on its stack: program.c puts each program's own defaults into the common one. */
struct conf *conf_new(const struct conf_section *sections, size_t nr)
{
	struct conf *c = calloc(1, sizeof(*c));
	size_t n = 0;

	for (size_t i = 0; i < nr; i++)
		n += count_fields(&sections[i]);
	if (c)
		c->settings = calloc(n ? n : 1, sizeof(*c->settings));
	if (!c || !c->settings) {
		free(c);
		return NULL;
	}
	for (size_t i = 0; i < nr; i++)
		for (size_t j = 0; j < count_fields(&sections[i]); j++)
			c->settings[c->nr_settings++] = (struct setting){.field = sections[i].fields[j], .target = sections[i].target};
	return c;
}

void conf_without_kafka(struct conf *c)
{
	c->without_kafka = true;
}

/* Back to before conf_load(); targets lose their strings. */
static void forget(struct conf *c)
{
	for (size_t i = 0; i < c->nr_settings; i++) {
		struct setting *s = &c->settings[i];

		if (s->stored)
			conf_value_drop(&s->field, s->target);
		free(s->text);
		s->text = NULL;
		s->stored = false;
		s->source = (struct conf_source){.kind = CONF_SOURCE_DEFAULT};
	}
	conf_kafka_fini(&c->kafka);
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	forget(c);
	for (size_t i = 0; i < c->nr_options; i++)
		free(c->options[i]);
	free(c->options);
	free(c->settings);
	free(c->file);
	free(c);
}

int conf_set_file(struct conf *c, const char *path, struct err *err)
{
	if (c->file)
		return err_set(err, ERR_REJECT, "more than one configuration file: '%.100s' and '%.100s'", c->file, path);
	c->file = strdup(path);
	return c->file ? 0 : err_nomem(err, "a file name");
}

int conf_set_option(struct conf *c, const char *key_value, struct err *err)
{
	char **options;
	size_t n = strspn(key_value, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	if (!strchr(key_value, '=') || key_value[0] == '=') /* no more than what may be a key is repeated (I2) */
		return err_set(err, ERR_REJECT, "--set %.*s is not KEY=VALUE", (int)(n < 100 ? n : 100), key_value);
	options = realloc(c->options, (c->nr_options + 1) * sizeof(*options));
	if (!options)
		return err_nomem(err, "an option");
	c->options = options;
	options[c->nr_options] = strdup(key_value);
	if (!options[c->nr_options])
		return err_nomem(err, "an option");
	c->nr_options++;
	return 0;
}

/* The name of a setting in the environment. */
static void env_name(const char *key, char out[ENV_NAME_SIZE])
{
	size_t n = sizeof(env_prefix) - 1;

	memcpy(out, env_prefix, n);
	for (; *key && n < ENV_NAME_SIZE - 1; key++)
		out[n++] = *key == '.' ? '_' : *key >= 'a' && *key <= 'z' ? (char)(*key - 'a' + 'A') : *key;
	out[n] = '\0';
}

static const char *describe(const struct conf *c, struct conf_source source, const char *key, char out[SOURCE_SIZE])
{
	switch (source.kind) {
	case CONF_SOURCE_DEFAULT:
		return "default";
	case CONF_SOURCE_FILE:
		snprintf(out, SOURCE_SIZE, "%.200s:%d", c->file, source.line);
		return out;
	case CONF_SOURCE_ENV:
		env_name(key, out);
		return out;
	case CONF_SOURCE_ENV_FILE:
		env_name(key, out);
		snprintf(out + strlen(out), SOURCE_SIZE - strlen(out), "%s", env_file_suffix);
		return out;
	case CONF_SOURCE_OPTION:
		return "--set";
	}
	return "nowhere";
}

static const char *setting_text(const struct setting *s)
{
	return s->text ? s->text : s->field.def ? s->field.def : "";
}

/* The value is cut, so that key, source and range always find room in the message. */
static int reject_value(const struct conf *c, const struct setting *s, const char *text, struct conf_source source, const char *why,
			struct err *err)
{
	char where[SOURCE_SIZE];

	if ((s->field.type == CONF_SECRET || source.kind == CONF_SOURCE_ENV_FILE) && *text)
		text = "(set)";
	if (source.kind == CONF_SOURCE_DEFAULT && !*text)
		return err_set(err, ERR_REJECT, "key %s is not set, and its default '' %s", s->field.name, why);
	return err_set(err, ERR_REJECT, "key %s = '%.100s' from %s %s", s->field.name, text,
		       describe(c, source, s->field.name, where), why);
}

/* A walk over some thirty rows, once a setting that is given. */
static struct setting *find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->nr_settings; i++)
		if (strcmp(c->settings[i].field.name, name) == 0)
			return &c->settings[i];
	return NULL;
}

/* Likewise, of a key that has no row. */
static int reject_kafka(const struct conf *c, const struct conf_kafka_entry *entry, const char *key, const char *why, struct err *err)
{
	bool secret = conf_kafka_is_secret(entry->name) || entry->source.kind == CONF_SOURCE_ENV_FILE;
	char where[SOURCE_SIZE];

	return err_set(err, ERR_REJECT, "key %s = '%.100s' from %s %s", key, secret ? "(set)" : entry->text, describe(c, entry->source, key, where), why);
}

int conf_reject(const struct conf *c, const char *name, const char *why, struct err *err)
{
	const struct setting *s = find(c, name);
	bool kafka = strncmp(name, kafka_prefix, sizeof(kafka_prefix) - 1) == 0;
	const struct conf_kafka_entry *entry = kafka ? conf_kafka_find(&c->kafka, name + sizeof(kafka_prefix) - 1) : NULL;

	if (entry)
		return reject_kafka(c, entry, name, why, err);
	if (!s)
		return err_set(err, ERR_REJECT, "key %s %s", name, why);
	return reject_value(c, s, setting_text(s), s->source, why, err);
}

bool conf_is_option(const struct conf *c, const char *name)
{
	const struct setting *s = find(c, name);

	return s && s->source.kind == CONF_SOURCE_OPTION;
}

/* Is one of them a variable, the other a file that a variable names? */
static bool is_env_twice(struct conf_source before, struct conf_source now)
{
	return (before.kind == CONF_SOURCE_ENV && now.kind == CONF_SOURCE_ENV_FILE) ||
	       (before.kind == CONF_SOURCE_ENV_FILE && now.kind == CONF_SOURCE_ENV);
}

/* In a file, and in the environment, a key stands once: which of two was meant, nobody can know. Over the sources, and among options, the later
 * one counts. */
static int check_repeated(const struct conf *c, const char *key, struct conf_source before, struct conf_source now, struct err *err)
{
	char one[SOURCE_SIZE], other[SOURCE_SIZE];

	if (is_env_twice(before, now))
		return err_set(err, ERR_REJECT, "key %s is set twice: by %s and by %s", key, describe(c, before, key, one),
			       describe(c, now, key, other));
	if (before.kind != CONF_SOURCE_FILE || now.kind != CONF_SOURCE_FILE)
		return 0;
	return err_set(err, ERR_REJECT, "key %s stands twice in %.200s: lines %d and %d", key, c->file, before.line, now.line);
}

static int replace(char **text, const char *with, struct err *err)
{
	char *copy = strdup(with);

	if (!copy)
		return err_nomem(err, "a setting");
	free(*text);
	*text = copy;
	return 0;
}

static int apply_kafka(struct conf *c, const char *key, const char *text, struct conf_source source, struct err *err)
{
	const char *name = key + sizeof(kafka_prefix) - 1;
	const struct conf_kafka_entry *before;
	char where[SOURCE_SIZE];

	if (!conf_kafka_name_valid(name))
		return err_set(err, ERR_REJECT, "key '%.120s' from %s: Kafka's client knows no such name", key,
			       describe(c, source, key, where));
	before = conf_kafka_find(&c->kafka, name);
	if (before && check_repeated(c, key, before->source, source, err) < 0)
		return -1;
	return conf_kafka_set(&c->kafka, name, text, source, err);
}

static int apply_setting(struct conf *c, struct setting *s, const char *text, struct conf_source source, struct err *err)
{
	char complaint[CONF_COMPLAINT_SIZE];
	struct conf_value value;

	if (check_repeated(c, s->field.name, s->source, source, err) < 0)
		return -1;
	if (conf_value_parse(&s->field, text, &value, complaint) < 0)
		return reject_value(c, s, text, source, complaint, err);
	s->source = source;
	return replace(&s->text, text, err);
}

static int apply(struct conf *c, const char *key, const char *text, struct conf_source source, struct err *err)
{
	struct setting *s;
	char where[SOURCE_SIZE];

	if (!c->without_kafka && strncmp(key, kafka_prefix, sizeof(kafka_prefix) - 1) == 0)
		return apply_kafka(c, key, text, source, err);
	s = find(c, key);
	if (!s)
		return err_set(err, ERR_REJECT, "unknown key '%.100s' from %s", key, describe(c, source, key, where));
	return apply_setting(c, s, text, source, err);
}

static int apply_entry(void *ctx, const char *key, const char *text, int line, struct err *err)
{
	return apply(ctx, key, text, (struct conf_source){CONF_SOURCE_FILE, line}, err);
}

/* Turns MILLRACE_KAFKA_A_B into kafka.a.b. -1: a byte that no such name has, or nothing behind the prefix. */
static int kafka_key_of(const char *name, size_t len, char key[KEY_SIZE])
{
	size_t at = sizeof(kafka_prefix) - 1, skip = sizeof(env_kafka_prefix) - 1;

	if (len <= skip || len - skip > CONF_KAFKA_NAME_MAX)
		return -1;
	memcpy(key, kafka_prefix, at);
	for (size_t i = skip; i < len; i++) {
		char c = name[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_')
			return -1;
		key[at++] = c == '_' ? '.' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	key[at] = '\0';
	return 0;
}

/* Ours, but no setting? */
static bool is_other(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(env_others) / sizeof(env_others[0]); i++)
		if (strlen(env_others[i]) == len && memcmp(env_others[i], name, len) == 0)
			return true;
	return false;
}

/* The row's key that a name in the environment stands for, or NULL. Names are compared in the environment's form, since MILLRACE_A_B may
 * be a.b as well as a_b. */
static const char *row_key_of(const struct conf *c, const char *name, size_t len)
{
	char row[ENV_NAME_SIZE];

	for (size_t i = 0; i < c->nr_settings; i++) {
		env_name(c->settings[i].field.name, row);
		if (strlen(row) == len && memcmp(row, name, len) == 0)
			return c->settings[i].field.name;
	}
	return NULL;
}

/* Likewise, kafka.* among them; those are made in room. */
static const char *key_of(const struct conf *c, const char *name, size_t len, char room[KEY_SIZE])
{
	if (!c->without_kafka && strncmp(name, env_kafka_prefix, sizeof(env_kafka_prefix) - 1) == 0 && kafka_key_of(name, len, room) == 0)
		return room;
	return row_key_of(c, name, len);
}

/* The key whose text a file holds that this name's value names, or NULL. No property of librdkafka ends with .file, and a row of ours that does is
 * asked before. */
static const char *file_key_of(const struct conf *c, const char *name, size_t len, char room[KEY_SIZE])
{
	size_t suffix = sizeof(env_file_suffix) - 1;

	if (len <= suffix || memcmp(name + len - suffix, env_file_suffix, suffix) != 0)
		return NULL;
	return key_of(c, name, len - suffix, room);
}

static int apply_text_file(struct conf *c, const char *key, const char *path, struct err *err)
{
	const struct conf_source source = {.kind = CONF_SOURCE_ENV_FILE};
	struct buf text = BUF_INIT;
	char where[SOURCE_SIZE];
	int rc = conf_file_text(path, &text, err);

	if (rc == 0)
		rc = apply(c, key, (const char *)text.p, source, err);
	else
		err_wrap(err, "key %s from %s", key, describe(c, source, key, where));
	buf_fini(&text);
	return rc;
}

/* One "MILLRACE_...=value". A name that stands for nothing is an error as in a file: a misspelt one would leave the default in force
 * without a word. */
static int apply_variable(struct conf *c, const char *variable, struct err *err)
{
	size_t len = strcspn(variable, "=");
	const char *text = variable[len] ? variable + len + 1 : "", *key = row_key_of(c, variable, len);
	char room[KEY_SIZE];

	if (is_other(variable, len))
		return 0;
	if (!key) {
		key = file_key_of(c, variable, len, room);
		if (key)
			return apply_text_file(c, key, text, err);
		key = key_of(c, variable, len, room);
	}
	if (key)
		return apply(c, key, text, (struct conf_source){.kind = CONF_SOURCE_ENV}, err);
	return err_set(err, ERR_REJECT, "unknown key: the environment's '%.*s' stands for no setting", (int)(len < 100 ? len : 100),
		       variable);
}

static int apply_environment(struct conf *c, char *const *list, struct err *err)
{
	for (; list && *list; list++)
		if (strncmp(*list, env_prefix, sizeof(env_prefix) - 1) == 0 && apply_variable(c, *list, err) < 0)
			return -1;
	return 0;
}

static int apply_option(struct conf *c, const char *option, struct err *err)
{
	char *key = strdup(option), *equals;
	int rc;

	if (!key)
		return err_nomem(err, "an option");
	equals = strchr(key, '=');
	*equals = '\0';
	rc = apply(c, key, equals + 1, (struct conf_source){.kind = CONF_SOURCE_OPTION}, err);
	free(key);
	return rc;
}

/* From the text, which was parsed before when it was applied: only a default meets its range here, and only when nothing overrides it. So
 * a setting that must be set is one whose default is out of range. */
static int store(const struct conf *c, struct setting *s, struct err *err)
{
	char complaint[CONF_COMPLAINT_SIZE];
	struct conf_value value;

	if (conf_value_parse(&s->field, setting_text(s), &value, complaint) < 0)
		return reject_value(c, s, setting_text(s), s->source, complaint, err);
	if (conf_value_store(&s->field, &value, s->target) < 0)
		return err_nomem(err, "a setting");
	s->stored = true;
	return 0;
}

int conf_load(struct conf *c, char *const *environ_list, struct err *err)
{
	int rc;

	forget(c);
	rc = c->file ? conf_file_read(c->file, apply_entry, c, err) : 0;
	if (rc == 0)
		rc = apply_environment(c, environ_list, err);
	for (size_t i = 0; rc == 0 && i < c->nr_options; i++)
		rc = apply_option(c, c->options[i], err);
	for (size_t i = 0; rc == 0 && i < c->nr_settings; i++)
		rc = store(c, &c->settings[i], err);
	if (rc < 0)
		forget(c);
	return rc;
}

/* One line, whatever the text holds: a PEM has line breaks. */
static void print_line(FILE *out, const char *key, const char *text, const char *source)
{
	fprintf(out, "%s = ", key);
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			fprintf(out, "\\x%02x", (unsigned char)*text);
		else
			fputc(*text, out);
	}
	fprintf(out, "  # %s\n", source);
}

void conf_print(const struct conf *c, FILE *out)
{
	char where[SOURCE_SIZE], key[KEY_SIZE];

	for (size_t i = 0; i < c->nr_settings; i++) {
		const struct setting *s = &c->settings[i];
		const char *text = setting_text(s);

		print_line(out, s->field.name, s->field.type == CONF_SECRET && *text ? "(set)" : text,
			   describe(c, s->source, s->field.name, where));
	}
	for (size_t i = 0; i < c->kafka.nr; i++) {
		const struct conf_kafka_entry *k = &c->kafka.at[i];

		snprintf(key, sizeof(key), "%s%s", kafka_prefix, k->name);
		print_line(out, key, conf_kafka_is_secret(k->name) && *k->text ? "(set)" : k->text, describe(c, k->source, key, where));
	}
}

void conf_print_help(const struct conf *c, FILE *out)
{
	char range[CONF_RANGE_SIZE];

	fprintf(out, "%-28s %-16s %-20s %s\n", "setting", "default", "range", "what it is");
	for (size_t i = 0; i < c->nr_settings; i++) {
		const struct conf_field *f = &c->settings[i].field;

		fprintf(out, "%-28s %-16s %-20s %s\n", f->name, f->def ? f->def : "", conf_value_range(f, range), f->help ? f->help : "");
	}
	if (!c->without_kafka)
		fprintf(out, "%-28s %-16s %-20s %s\n", "kafka.*", "", "", "handed to librdkafka");
	fputs("\nA setting is what the last of these says: its default; the file of --config, lines \"key = value\", # for comments;\n"
	      "the environment, MILLRACE_ and the name in upper case with _ for every dot; --set KEY=VALUE. The range of a text is its\n"
	      "length. A variable with _FILE behind its name gives the file that holds the text, such as a secret: MILLRACE_CELL_FILE=/run/cell.\n",
	      out);
	if (!c->without_kafka)
		fputs("MILLRACE_KAFKA_A_B means kafka.a.b, so a property of librdkafka with an underscore in its name can only stand\n"
		      "in the file or in --set. ",
		      out);
	fputs("Other names that start with MILLRACE_ are refused, but for MILLRACE_PARTS and MILLRACE_TREE, which are make's.\n", out);
}

int conf_kafka_at(const struct conf *c, size_t i, const char **name, const char **value)
{
	if (i >= c->kafka.nr)
		return 0;
	*name = c->kafka.at[i].name;
	*value = c->kafka.at[i].text;
	return 1;
}
