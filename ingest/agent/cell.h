/* cell.h - what one series was told in one slot. Not thread-safe: the store owns it. */
#ifndef MILLRACE_AGENT_CELL_H
#define MILLRACE_AGENT_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hist.h"
#include "ingest/agent/dense.h"
#include "ingest/agent/members.h"
#include "ingest/agent/cause.h"
#include "ingest/agent/store.h"

struct cell {
	struct cell *next; /* of the same series, an older slot */
	int64_t slot_ms;   /* its start */
	int64_t last_at;
	uint64_t count;    /* weights; of a set none */
	double sum, min, max, last;
	union {
		struct hist hist;       /* of a distribution */
		struct members members; /* of a set */
	} of;
};

/* What a cell is told: kind is that of its series (never STORE_GAUGE_ADD). */
struct cell_sample {
	enum store_kind kind;
	double value;         /* finite */
	uint64_t weight;      /* at least 1 */
	uint64_t member_hash; /* of a set */
	int64_t t_ms;
	bool may_grow;        /* is there memory for more than the cell has? */
};

/* Takes a sample. CAUSE_NONE, CAUSE_RANGE or CAUSE_MEMORY; nothing has changed unless it is the first. */
enum cause cell_add(struct cell *c, const struct cell_sample *s);

/* Writes what the cell says; a histogram's lists are d's. The cell has taken a sample. */
void cell_point(const struct cell *c, enum store_kind kind, struct dense *d, struct store_point *out);

/* Bytes allocated beside the cell. */
static inline size_t cell_heap_bytes(const struct cell *c, enum store_kind kind)
{
	return kind == STORE_DISTRIBUTION ? hist_bytes(&c->of.hist) : kind == STORE_SET ? members_bytes(&c->of.members) : 0;
}

/* Frees them. */
void cell_fini(struct cell *c, enum store_kind kind);

#endif
