/* conf.c - see conf.h.
 *
 * Sources are applied in rising precedence, each value checked as it comes, so that a mistake in a value that is overridden is
 * told all the same. The targets are filled last, when nothing can be wrong any more but memory.
 *  I1  Each setting holds the text that counts so far and where it came from; a text of NULL stands for the default.
 *  I2  c->kafka is sorted by name, no name twice.
 *  I3  A secret's value, and that of a key nobody knows (it may be a misspelt secret), goes into no message and no output. */
#include "common/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf_value.h"
#include "common/str.h"

enum {
	FILE_BYTES_MAX = 1 << 20,
	NAME_MAX_BYTES = 100,
	KAFKA_SETTINGS_MAX = 256,
	SOURCE_SIZE = 256,
};

static const char env_prefix[] = "MILLRACE_";
static const char env_kafka_prefix[] = "MILLRACE_KAFKA_";
static const char kafka_prefix[] = "kafka.";

/* Variables with our prefix that are no settings: where the local stack's parts lie. */
static const char *const env_others[] = {"MILLRACE_PARTS"};

enum source_kind { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENV, SOURCE_OPTION };

struct source {
	enum source_kind kind;
	int line; /* of the file */
};

struct setting {
	struct conf_field field;
	void *target;
	char *text; /* I1 */
	struct source source;
	bool stored; /* the target holds our string */
};

struct kafka_setting {
	char *name, *text;
	struct source source;
};

struct conf {
	struct setting *settings;
	size_t nr_settings;
	struct kafka_setting *kafka;
	size_t nr_kafka;
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
		s->source = (struct source){.kind = SOURCE_DEFAULT};
	}
	for (size_t i = 0; i < c->nr_kafka; i++) {
		free(c->kafka[i].name);
		free(c->kafka[i].text);
	}
	free(c->kafka);
	c->kafka = NULL;
	c->nr_kafka = 0;
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

	if (!strchr(key_value, '=') || key_value[0] == '=')
		return err_set(err, ERR_REJECT, "--set '%.100s' is not KEY=VALUE", key_value);
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
static void env_name(const char *key, char out[NAME_MAX_BYTES + sizeof(env_prefix)])
{
	size_t n = sizeof(env_prefix) - 1;

	memcpy(out, env_prefix, n);
	for (; *key && n < NAME_MAX_BYTES + sizeof(env_prefix) - 1; key++)
		out[n++] = *key == '.' ? '_' : *key >= 'a' && *key <= 'z' ? (char)(*key - 'a' + 'A') : *key;
	out[n] = '\0';
}

static const char *describe(const struct conf *c, struct source source, const char *key, char out[SOURCE_SIZE])
{
	switch (source.kind) {
	case SOURCE_DEFAULT:
		return "default";
	case SOURCE_FILE:
		snprintf(out, SOURCE_SIZE, "%.200s:%d", c->file, source.line);
		return out;
	case SOURCE_ENV:
		env_name(key, out);
		return out;
	case SOURCE_OPTION:
		return "--set";
	}
	return "nowhere";
}

static const char *setting_text(const struct setting *s)
{
	return s->text ? s->text : s->field.def ? s->field.def : "";
}

static int reject_value(const struct conf *c, const struct setting *s, const char *text, struct source source, const char *why,
			struct err *err)
{
	char where[SOURCE_SIZE];

	if (s->field.type == CONF_SECRET && *text)
		text = "(set)";
	if (source.kind == SOURCE_DEFAULT && !*text)
		return err_set(err, ERR_REJECT, "key %s is not set, and its default '' %s", s->field.name, why);
	return err_set(err, ERR_REJECT, "key %s = '%.100s' from %s %s", s->field.name, text,
		       describe(c, source, s->field.name, where), why);
}

static struct setting *find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->nr_settings; i++)
		if (strcmp(c->settings[i].field.name, name) == 0)
			return &c->settings[i];
	return NULL;
}

int conf_reject(const struct conf *c, const char *name, const char *why, struct err *err)
{
	const struct setting *s = find(c, name);

	if (!s)
		return err_set(err, ERR_REJECT, "key %s %s", name, why);
	return reject_value(c, s, setting_text(s), s->source, why, err);
}

/* In a file a key stands once: which of two was meant, nobody can know. Over the sources, and among options, the later one counts. */
static int check_repeated(const struct conf *c, const char *key, struct source before, struct source now, struct err *err)
{
	if (before.kind != SOURCE_FILE || now.kind != SOURCE_FILE)
		return 0;
	return err_set(err, ERR_REJECT, "key %s stands twice in %.200s: lines %d and %d", key, c->file, before.line, now.line);
}

/* Where name stands or belongs (I2). */
static size_t find_kafka(const struct conf *c, const char *name)
{
	size_t at = 0;

	while (at < c->nr_kafka && strcmp(c->kafka[at].name, name) < 0)
		at++;
	return at;
}

/* Makes an entry at index at, without text. */
static int insert_kafka(struct conf *c, size_t at, const char *name, struct err *err)
{
	struct kafka_setting *kafka;
	char *copy;

	if (c->nr_kafka == KAFKA_SETTINGS_MAX)
		return err_set(err, ERR_REJECT, "more than %d kafka.* keys", KAFKA_SETTINGS_MAX);
	kafka = realloc(c->kafka, (c->nr_kafka + 1) * sizeof(*kafka));
	if (!kafka)
		return err_nomem(err, "a kafka.* key");
	c->kafka = kafka;
	copy = strdup(name);
	if (!copy)
		return err_nomem(err, "a kafka.* key");
	memmove(kafka + at + 1, kafka + at, (c->nr_kafka - at) * sizeof(*kafka));
	kafka[at] = (struct kafka_setting){.name = copy};
	c->nr_kafka++;
	return 0;
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

/* librdkafka judges names and values; here it is only made sure that the name can be printed. */
static int apply_kafka(struct conf *c, const char *key, const char *text, struct source source, struct err *err)
{
	const char *name = key + sizeof(kafka_prefix) - 1;
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
	char where[SOURCE_SIZE];
	size_t at;

	if (n == 0 || name[n] || n > NAME_MAX_BYTES)
		return err_set(err, ERR_REJECT, "key %.120s from %s is not a name that Kafka's client could know", key,
			       source.kind == SOURCE_ENV ? "the environment" : describe(c, source, key, where));
	at = find_kafka(c, name);
	if (at == c->nr_kafka || strcmp(c->kafka[at].name, name) != 0) {
		if (insert_kafka(c, at, name, err) < 0)
			return -1;
	} else if (check_repeated(c, key, c->kafka[at].source, source, err) < 0) {
		return -1;
	}
	c->kafka[at].source = source;
	return replace(&c->kafka[at].text, text, err);
}

static int apply_setting(struct conf *c, struct setting *s, const char *text, struct source source, struct err *err)
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

static int apply(struct conf *c, const char *key, const char *text, struct source source, struct err *err)
{
	struct setting *s;
	char where[SOURCE_SIZE];

	if (strncmp(key, kafka_prefix, sizeof(kafka_prefix) - 1) == 0)
		return apply_kafka(c, key, text, source, err);
	s = find(c, key);
	if (!s)
		return err_set(err, ERR_REJECT, "unknown key '%.100s' from %s", key, describe(c, source, key, where));
	return apply_setting(c, s, text, source, err);
}

/* Cuts white space off both ends, in place; a carriage return of a file from elsewhere is white space. */
static char *trim(char *text)
{
	static const char blanks[] = " \t\r";
	size_t n;

	text += strspn(text, blanks);
	n = strlen(text);
	while (n > 0 && strchr(blanks, text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

/* Takes one line apart, in place. */
static int apply_line(struct conf *c, char *line, int number, struct err *err)
{
	char *equals;

	line = trim(line);
	if (*line == '\0' || *line == '#')
		return 0;
	equals = strchr(line, '=');
	if (!equals || equals == line)
		return err_set(err, ERR_REJECT, "%.200s:%d is not \"key = value\"", c->file, number);
	*equals = '\0';
	return apply(c, trim(line), trim(equals + 1), (struct source){SOURCE_FILE, number}, err);
}

/* Reads the file into text, with a NUL behind it. */
static int read_file(const char *path, struct buf *text, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 0;

	while (fd >= 0 && text->len <= FILE_BYTES_MAX) {
		uint8_t *to = buf_reserve(text, 4096);

		n = to ? read(fd, to, 4096) : 0;
		if (n <= 0 && !(n < 0 && errno == EINTR))
			break;
		text->len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		err_set(err, ERR_REJECT, "cannot read configuration file '%.200s': %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	if (text->len > FILE_BYTES_MAX)
		return err_set(err, ERR_REJECT, "configuration file '%.200s' is larger than %d bytes", path, FILE_BYTES_MAX);
	buf_add(text, "", 1);
	return buf_failed(text) ? err_nomem(err, "the configuration file") : 0;
}

static int apply_file(struct conf *c, struct err *err)
{
	struct buf text = BUF_INIT;
	int number = 0, rc = c->file ? read_file(c->file, &text, err) : 0;

	for (size_t at = 0, n; rc == 0 && at + 1 < text.len; at += n + 1) { /* the last byte is the NUL */
		char *line = (char *)text.p + at, *newline = memchr(line, '\n', text.len - 1 - at);

		n = newline ? (size_t)(newline - line) : text.len - 1 - at;
		number++;
		line[n] = '\0';
		if (strlen(line) != n)
			rc = err_set(err, ERR_REJECT, "%.200s:%d holds a NUL byte", c->file, number);
		else
			rc = apply_line(c, line, number, err);
	}
	buf_fini(&text);
	return rc;
}

/* Turns MILLRACE_KAFKA_A_B into kafka.a.b. -1: a byte that no such name has, or nothing behind the prefix. */
static int kafka_key_of(const char *name, size_t len, char key[NAME_MAX_BYTES])
{
	size_t at = sizeof(kafka_prefix) - 1, skip = sizeof(env_kafka_prefix) - 1;

	if (len <= skip || len - skip + at >= NAME_MAX_BYTES)
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

static bool is_other(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(env_others) / sizeof(env_others[0]); i++)
		if (strlen(env_others[i]) == len && memcmp(env_others[i], name, len) == 0)
			return true;
	return false;
}

/* One "MILLRACE_...=value". */
static int apply_variable(struct conf *c, const char *variable, struct err *err)
{
	const struct source source = {.kind = SOURCE_ENV};
	size_t len = strcspn(variable, "=");
	const char *text = variable[len] ? variable + len + 1 : "";
	char name[NAME_MAX_BYTES + sizeof(env_prefix)], key[NAME_MAX_BYTES];

	if (is_other(variable, len))
		return 0;
	if (strncmp(variable, env_kafka_prefix, sizeof(env_kafka_prefix) - 1) == 0 && kafka_key_of(variable, len, key) == 0)
		return apply_kafka(c, key, text, source, err);
	for (size_t i = 0; i < c->nr_settings; i++) {
		env_name(c->settings[i].field.name, name);
		if (strlen(name) == len && memcmp(name, variable, len) == 0)
			return apply_setting(c, &c->settings[i], text, source, err);
	}
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
	rc = apply(c, key, equals + 1, (struct source){.kind = SOURCE_OPTION}, err);
	free(key);
	return rc;
}

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
	rc = apply_file(c, err);
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
static void print_line(FILE *out, const char *prefix, const char *key, const char *text, const char *source)
{
	fprintf(out, "%s%s = ", prefix, key);
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

static bool kafka_is_secret(const char *name)
{
	return strstr(name, "password") || strstr(name, "secret") || strstr(name, "key.pem");
}

void conf_print(const struct conf *c, FILE *out)
{
	char where[SOURCE_SIZE], key[NAME_MAX_BYTES + sizeof(kafka_prefix)];

	for (size_t i = 0; i < c->nr_settings; i++) {
		const struct setting *s = &c->settings[i];
		const char *text = setting_text(s);

		print_line(out, "", s->field.name, s->field.type == CONF_SECRET && *text ? "(set)" : text,
			   describe(c, s->source, s->field.name, where));
	}
	for (size_t i = 0; i < c->nr_kafka; i++) {
		const struct kafka_setting *k = &c->kafka[i];

		snprintf(key, sizeof(key), "%s%s", kafka_prefix, k->name);
		print_line(out, "", key, kafka_is_secret(k->name) && *k->text ? "(set)" : k->text, describe(c, k->source, key, where));
	}
}

void conf_print_help(const struct conf *c, FILE *out)
{
	char range[CONF_RANGE_SIZE];

	fprintf(out, "%-28s %-16s %-20s %s\n", "setting", "default", "range", "");
	for (size_t i = 0; i < c->nr_settings; i++) {
		const struct conf_field *f = &c->settings[i].field;

		fprintf(out, "%-28s %-16s %-20s %s\n", f->name, f->def ? f->def : "", conf_value_range(f, range), f->help ? f->help : "");
	}
	fprintf(out, "%-28s %-16s %-20s %s\n", "kafka.*", "", "", "handed to librdkafka");
	fputs("\nA setting comes from, each before the ones above it: its default; the file of --config, lines of \"key = value\";\n"
	      "the environment, MILLRACE_ and the name in upper case with _ for every dot; --set KEY=VALUE.\n"
	      "MILLRACE_KAFKA_A_B means kafka.a.b: a property of librdkafka with an underscore can only stand in the file or in --set.\n",
	      out);
}

int conf_kafka_at(const struct conf *c, size_t i, const char **name, const char **value)
{
	if (i >= c->nr_kafka)
		return 0;
	*name = c->kafka[i].name;
	*value = c->kafka[i].text;
	return 1;
}
