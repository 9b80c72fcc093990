/* yaml_value.h - values of a YAML tree, each read as what it should be.
 *
 * A reader asks for keys of a map by name. False means that there is nothing to take: the key is not there, or what is there is wrong and is a fault of
 * the file now; *out is left alone then, so that it may hold the default. Pure but for the file's faults. */
#ifndef MILLRACE_CTL_YAML_VALUE_H
#define MILLRACE_CTL_YAML_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "deploy/ctl/yaml_read.h"

/* Is node a map with no other keys than these (ended by NULL)? Each other one is a fault, with a "did you mean". False when it is no map. */
bool yaml_check_map(struct yaml_file *f, const struct yaml *node, const char *const *known);

/* The value of a key of a map, or NULL. */
const struct yaml *yaml_get(const struct yaml *map, const char *key);

/* Likewise, and it is a fault when there is none. */
const struct yaml *yaml_need(struct yaml_file *f, const struct yaml *map, const char *key);

/* Text as it is spelt, of a node itself: 8080 and true are text too, a null and nothing at all are not. */
bool yaml_text(struct yaml_file *f, const struct yaml *node, struct str *out);

/* Text of a key. */
bool yaml_get_text(struct yaml_file *f, const struct yaml *map, const char *key, struct str *out);

/* The node that a message begins with the path of ("check_in: cron: ..", "webhook.url: .."), as far down from node as the path leads. */
const struct yaml *yaml_locate(const struct yaml *node, const char *message);

/* A whole number within [min, max], in decimal digits. */
bool yaml_get_int(struct yaml_file *f, const struct yaml *map, const char *key, int64_t min, int64_t max, int64_t *out);

/* A finite number. */
bool yaml_get_number(struct yaml_file *f, const struct yaml *map, const char *key, double *out);

/* true or false. */
bool yaml_get_bool(struct yaml_file *f, const struct yaml *map, const char *key, bool *out);

/* 0s, 250ms, 30s, 10m, 2h, 14d: in milliseconds, within [0, max_ms]. */
bool yaml_get_ms(struct yaml_file *f, const struct yaml *map, const char *key, int64_t max_ms, int64_t *out);

/* The index of one of nr words; else it names them. */
bool yaml_word(struct yaml_file *f, const struct yaml *node, const char *const *words, size_t nr, size_t *out);
bool yaml_get_word(struct yaml_file *f, const struct yaml *map, const char *key, const char *const *words, size_t nr, size_t *out); /* see above */

/* A list of texts, one text for a list of one included, without repetitions; the array is the file's. */
bool yaml_get_texts(struct yaml_file *f, const struct yaml *map, const char *key, struct str **out, size_t *nr);

#endif
