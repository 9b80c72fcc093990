/* conf.h - settings: one table row each, four sources, clear errors.
 *
 * A setting's value is, in rising precedence: its default, the file of --config (lines "key = value", # starts a comment line),
 * the environment (MILLRACE_ + upper case, dots as underscores), --set key=value. An unknown key in any source (in the
 * environment: any name that starts with MILLRACE_), and a value out of its range, is an ERR_REJECT that names key, value,
 * range and source. Keys beginning with "kafka." are kept as they are for librdkafka (common/kafka.h);
 * from the environment, MILLRACE_KAFKA_BOOTSTRAP_SERVERS means kafka.bootstrap.servers. A program that has no Kafka knows none of
 * them (conf_without_kafka()).
 *
 * A variable's text may stand in a file of its own, where a secret is readable for the program alone: MILLRACE_MONGO_URI_FILE=/run/secrets/uri
 * is mongo.uri, and MILLRACE_KAFKA_SASL_PASSWORD_FILE is kafka.sasl.password (conf_file_text() says how it is read). A setting whose own name
 * ends so means itself: MILLRACE_KEY_FILE is key.file. ERR_REJECT: a file that cannot be read, is empty or too large, or holds a NUL byte;
 * the variable beside the one that names its file. */
#ifndef MILLRACE_CONF_H
#define MILLRACE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

enum conf_type {
	CONF_END = 0,
	CONF_STR,    /* char *; min and max bound its length in bytes */
	CONF_SECRET, /* char *, printed as "(set)" */
	CONF_INT,    /* int64_t */
	CONF_NUM,    /* double */
	CONF_BYTES,  /* int64_t; "64Mi", "4KiB", "1000" */
	CONF_MS,     /* int64_t milliseconds; "250ms", "5s", "10m", "2h", "14d"; a bare number is milliseconds */
	CONF_BOOL,   /* bool; "true" or "false" */
};

struct conf_field {
	const char *name;
	enum conf_type type;
	size_t offset; /* of the member in the section's target */
	const char *def; /* default, in the same syntax as a file's */
	int64_t min, max;
	const char *help;
};

/* Rows of one struct of settings; the last row is {0}. Target is filled by conf_load() and freed by conf_free(). */
struct conf_section {
	const struct conf_field *fields;
	void *target;
};

struct conf;

/* An empty configuration over nr sections; copies the array and the rows, borrows their strings and the targets until conf_free(). NULL: out of memory. */
struct conf *conf_new(const struct conf_section *sections, size_t nr);

/* From now on a kafka.* key is an unknown one, and --help has none. Call before conf_load(). */
void conf_without_kafka(struct conf *c);

/* Frees the strings in the targets too; NULL is a no-op. */
void conf_free(struct conf *c);

/* Remembers --config's file and, in order, each --set's "key=value"; copies. Applied by conf_load(). */
int conf_set_file(struct conf *c, const char *path, struct err *err);
int conf_set_option(struct conf *c, const char *key_value, struct err *err); /* see above */

/* Reads all sources and fills every target. environ is an array of "NAME=value" ended by NULL. On failure the targets hold
 * nothing that may be used. */
int conf_load(struct conf *c, char *const *environ_list, struct err *err);

/* An ERR_REJECT about a setting that only its program can judge: "key NAME = 'VALUE' from SOURCE WHY", a kafka.* one among
 * them; a secret's value is masked. Always -1. Use after conf_load(). */
int conf_reject(const struct conf *c, const char *name, const char *why, struct err *err);

/* Was the setting given by --set, and so is it in the process list for everybody to read? Use after conf_load(). */
bool conf_is_option(const struct conf *c, const char *name);

/* Prints every setting as "key = value  # source", sections in order, then the kafka.* ones; secrets are masked (a kafka.* key
 * that holds "password" or "secret" or "key.pem" counts as one). */
void conf_print(const struct conf *c, FILE *out);

/* Prints a table of all settings for --help: name, default, range, help. */
void conf_print_help(const struct conf *c, FILE *out);

/* The i-th kafka.* setting, without the prefix, sorted by name: 1 and borrowed strings, or 0 when there are no more. */
int conf_kafka_at(const struct conf *c, size_t i, const char **name, const char **value);

#endif
