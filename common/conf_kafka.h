/* conf_kafka.h - the kafka.* settings: names that librdkafka judges, not we; a part of conf.c.
 *
 * Invariant: at[] is sorted by name, no name twice. */
#ifndef MILLRACE_CONF_KAFKA_H
#define MILLRACE_CONF_KAFKA_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum { CONF_KAFKA_NAME_MAX = 100, CONF_KAFKA_NR_MAX = 256 };

/* Where a setting's text came from. */
enum conf_source_kind { CONF_SOURCE_DEFAULT, CONF_SOURCE_FILE, CONF_SOURCE_ENV, CONF_SOURCE_ENV_FILE, CONF_SOURCE_OPTION };
struct conf_source {
	enum conf_source_kind kind;
	int line; /* of the file */
};

struct conf_kafka_entry {
	char *name; /* without "kafka." */
	char *text;
	struct conf_source source;
};

struct conf_kafka {
	struct conf_kafka_entry *at;
	size_t nr;
};

#define CONF_KAFKA_INIT {0}

/* Frees all entries; the list is as after CONF_KAFKA_INIT. */
void conf_kafka_fini(struct conf_kafka *k);

/* 1 to CONF_KAFKA_NAME_MAX of a-z 0-9 . _ -? Everything librdkafka has is, and such a name can be printed. */
bool conf_kafka_name_valid(const char *name);

/* The entry of a name, or NULL. */
struct conf_kafka_entry *conf_kafka_find(const struct conf_kafka *k, const char *name);

/* Sets the text and source of a name, new or not; copies. ERR_REJECT: more than CONF_KAFKA_NR_MAX names. ERR_FATAL: out of memory. */
int conf_kafka_set(struct conf_kafka *k, const char *name, const char *text, struct conf_source source, struct err *err);

/* Does the name mean a secret, whose text must not be shown? */
bool conf_kafka_is_secret(const char *name);

#endif
