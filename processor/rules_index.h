/* rules_index.h - which triggers a series has, without asking all of them; and sets of triggers, each kept once. For rules.c alone. */
#ifndef MILLRACE_PROCESSOR_RULES_INDEX_H
#define MILLRACE_PROCESSOR_RULES_INDEX_H

#include "processor/rules.h"

struct rules_index;

/* Of nr rules, which are borrowed until rules_index_free(), as is all that they point to. NULL when memory is short. */
struct rules_index *rules_index_new(const struct rule *rule, size_t nr);

/* NULL is a no-op. */
void rules_index_free(struct rules_index *x);

/* As rules_match(), rules_set() and rules_bytes(). */
uint32_t rules_index_match(struct rules_index *x, const struct series_id *id);
const uint32_t *rules_index_set(const struct rules_index *x, uint32_t set, size_t *nr); /* see above */
size_t rules_index_bytes(const struct rules_index *x); /* see above */

#endif
