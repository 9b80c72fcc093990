/* budget.c - see budget.h.
 *
 * Invariants: live <= total - total/10; backlog was at most max(total/10, (total - live)/2) when it was last taken for, and may be
 * above it only because live has grown since; live + backlog <= total. */
#include "ingest/budget.h"

enum { BACKLOG_SHARE = 10 };

static int64_t limit_of(const struct budget *b, enum traffic kind)
{
	int64_t tenth = b->total_bytes / BACKLOG_SHARE, half;

	if (kind == TRAFFIC_LIVE)
		return b->total_bytes - tenth;
	half = (b->total_bytes - b->held_bytes[TRAFFIC_LIVE]) / 2;
	return half > tenth ? half : tenth;
}

bool budget_take(struct budget *b, enum traffic kind, int64_t bytes)
{
	/* Differences, so that no sum can overflow. */
	if (bytes > b->total_bytes - b->held_bytes[TRAFFIC_LIVE] - b->held_bytes[TRAFFIC_BACKLOG] ||
	    bytes > limit_of(b, kind) - b->held_bytes[kind])
		return false;
	b->held_bytes[kind] += bytes;
	return true;
}

void budget_give(struct budget *b, enum traffic kind, int64_t bytes)
{
	b->held_bytes[kind] -= bytes;
}
