/* rules.h - the triggers of this cell's sites, made ready to be asked about two hundred thousand series a minute.
 *
 * A rulebook follows millrace.triggers; what it says at a time is a struct rules, which never changes, so that each partition can go from one to the next at a
 * checkpoint of its own (checkpoint.h, rule A). Series are matched once: the triggers that one has are a set, sets are few, and a series keeps the number
 * of its set. Sets are found when they are first needed, which is the only thing in it that grows. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_RULES_H
#define MILLRACE_PROCESSOR_RULES_H

#include "common/arena.h"
#include "common/cron.h"
#include "common/table.h"
#include "common/trigger.h"
#include "processor/placement.h"

/* One trigger. */
struct rule {
	struct trigger trigger;   /* its strings live as long as the rules */
	uint64_t revision;        /* trigger_revision() */
	const struct site_place *place;
	uint8_t group[SERIES_FINGERPRINT_BYTES]; /* of its check-in's events; zeros of others */
	struct cron cron;         /* of a cron check-in */
};

enum {
	RULES_UNMATCHED = 0,
	RULES_NONE = 1,       /* the empty set */
	RULEBOOK_MAX = TRIGGERS_MAX,
};

struct rules {
	uint64_t version;      /* of the rulebook when it was made */
	const struct rule *rule; /* nr of them, by site, then id */
	size_t nr;
	const uint32_t *check_ins; /* which of them are about check-ins */
	size_t nr_check_ins;
	struct rules_index *index; /* private, as what follows */
	struct arena arena;        /* owns what rule and check_ins point to */
	unsigned refs;
};

struct rulebook;

/* Borrows placements, which it asks for places, until rulebook_free(). NULL when memory is short. */
struct rulebook *rulebook_new(struct placements *placements);

/* Rules that are still held stay good, but for their places. NULL is a no-op. */
void rulebook_free(struct rulebook *b);

/* Takes a row of millrace.triggers; ctx is a struct rulebook. ERR_REJECT: not a good one, or more than RULEBOOK_MAX: what was known of that id stays;
 * ERR_RETRY: newer; ERR_FATAL: memory. */
int rulebook_take(void *ctx, const struct table_row *row, struct err *err);

/* Has it changed since the last rulebook_rules(), in what this cell cares for? So it has before the first. */
bool rulebook_changed(const struct rulebook *b);

/* What holds now, of all sites whose home this cell is (site_place_is_home()); made anew when it has changed. Borrowed until the next call; who keeps it
 * calls rules_hold(). NULL when memory is short. */
struct rules *rulebook_rules(struct rulebook *b, struct err *err);

/* One more holder, and one less; NULL is a no-op. */
struct rules *rules_hold(struct rules *r);
void rules_drop(struct rules *r); /* see above */

/* The number of the set of rules that a series has, from RULES_NONE on. 0 when memory is short. Looks at triggers of its site and metric one of whose selectors, the
 * rarest that can be looked up, agrees: a tag's value, the literal beginning of a glob, or where it has none the end. Of globs that have neither it asks each. */
uint32_t rules_match(struct rules *r, const struct series_id *id);

/* The rules of a set, as indices into r->rule, ascending: *nr of them. Borrowed until the next rules_match(). */
const uint32_t *rules_set(const struct rules *r, uint32_t set, size_t *nr);

/* The index of a site's trigger, or -1. */
int64_t rules_find(const struct rules *r, struct str site, struct str id);

/* Bytes allocated, for the account of memory. */
size_t rules_bytes(const struct rules *r);

#endif
