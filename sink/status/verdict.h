/* verdict.h - what one moment's facts say of each component: a state, and the sentence that says why.
 *
 * Pure. Sentences are for the public: cells are named by their titles; sites, persons and hosts never. Whether data is lost is told from offsets and retention
 * alone: lost are records that were cut before they were read, in danger those that will be cut within an hour. Thresholds: sink/status/README.md. */
#ifndef MILLRACE_STATUS_VERDICT_H
#define MILLRACE_STATUS_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/str.h"
#include "schemas/schemas.h"
#include "sink/status/facts.h"
#include "sink/status/judge.h"

enum { VERDICT_DETAIL_SIZE = 320, VERDICT_DANGER_MS = 3600000, VERDICT_STILL_MS = 60000 };

struct verdict {
	bool known;    /* false: the facts do not say; the rest is operational and empty */
	enum component_state state;
	char detail[VERDICT_DETAIL_SIZE]; /* "": nothing to say */
	struct str *cells; /* affected; in the context's arena. NULL with nr_cells > 0: memory was short */
	size_t nr_cells;
	int64_t behind_ms, waiting_records, left_ms, lost_records, recovery_ms; /* as StatusComponent has them; of several cells the worst */
	bool draining;
	double share;
};

struct verdict_ctx {
	const struct judge_conf *conf;
	const struct facts *facts;
	struct arena *arena;
};

/* share: accepted_share(). */
struct verdict verdict_push(const struct verdict_ctx *ctx, double share);

/* Over all cells. */
struct verdict verdict_processing(const struct verdict_ctx *ctx);
struct verdict verdict_alerts(const struct verdict_ctx *ctx);        /* see above */
struct verdict verdict_notifications(const struct verdict_ctx *ctx); /* see above */

/* Of one cell. */
struct verdict verdict_storage(const struct verdict_ctx *ctx, const struct facts_cell *cell);

/* What the page calls a cell: its title in page.cells, else its name. Borrowed. */
struct str verdict_cell_title(const struct verdict_ctx *ctx, struct str cell);

enum { VERDICT_DURATION_SIZE = 32 };

/* "45 s", "12 min", "3 h 20 min", "2 days 4 h". Returns out. */
const char *verdict_duration(int64_t ms, char out[VERDICT_DURATION_SIZE]);

/* Appends whether what waits is safe: "Nothing is lost: Kafka keeps it for another 2 days 21 h.", or what is in danger or lost, with numbers. For the words of
 * drafts, too. left_ms, lost_records as StatusComponent has them. */
void verdict_safety(struct buf *out, int64_t left_ms, int64_t lost_records);

#endif
