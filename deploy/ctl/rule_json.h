/* rule_json.h - triggers and receivers as JSON: what lists print, exports hold, and the operator log keeps.
 *
 * The names and shapes are those of operators' files, and JSON is YAML: what was written here is read by trigger_yaml.h and receiver_yaml.h, and gives the same
 * record, author and updated_at apart, which are for information. Here also stands the one list of what a change can be about (diff.h). */
#ifndef MILLRACE_CTL_RULE_JSON_H
#define MILLRACE_CTL_RULE_JSON_H

#include <stddef.h>

#include "common/err.h"
#include "deploy/ctl/json_write.h"
#include "deploy/ctl/store.h"

/* A member of a record: its name, and what writes it ("key": its value); nothing where the record has none of it. */
struct rule_field {
	const char *name;
	void (*write)(struct json_writer *w, const char *key, const void *record);
};

/* All members of a kind, STORE_TRIGGERS or STORE_RECEIVERS, but author and updated_at; the row behind the last one is {0}. Constant. */
const struct rule_field *rule_json_fields(enum store_kind kind);

enum { RULE_DURATION_SIZE = 32 };

/* A duration as files spell it, in the largest unit that it is a multiple of ("90s", "4h", "0s"); returns out. */
const char *rule_json_duration(int64_t ms, char out[RULE_DURATION_SIZE]);

/* Writes a struct trigger or struct receiver as an object: the next element of the array that is open, or member "key". */
void rule_json_write(struct json_writer *w, const char *key, enum store_kind kind, const void *record);

/* Writes all readable ones of a store, sorted, as the array "triggers" or "receivers". site: of this one only; NULL: all. */
int rule_json_write_all(struct json_writer *w, enum store_kind kind, const struct store *s, const char *site, struct err *err);

#endif
