/* placement.h - whose series is it in a given minute: where the routes of its site send it.
 *
 * An alert lives in the partition that its series goes to. When a site changes its shards or its cell, what is judged here until then is judged elsewhere
 * afterwards; the minute of the change, and the one before it, which payloads created behind the change bring the rest of, are nobody's to judge: each of
 * the two partitions sees a part. Kept from the rows of millrace.sites, with a site's name for people. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_PLACEMENT_H
#define MILLRACE_PROCESSOR_PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/map.h"
#include "common/series.h"
#include "common/table.h"

enum place { PLACE_HERE, PLACE_UNKNOWN, PLACE_ELSEWHERE };

/* One site. It stays where it is until placements_fini(), also when the site is deleted: rules point to it. */
struct site_place;

struct placements {
	const char *cell;     /* borrowed */
	int32_t partitions;   /* of the cell; 0: not known yet. Set by the owner */
	struct map by_site;   /* owns them */
	uint64_t version;     /* rises with each change of a site's routes, name or being disabled */
	uint64_t homes;       /* rises whenever another site is one for whose triggers this cell cares: site_place_is_home() */
	struct arena scratch;
};

#define PLACEMENTS_INIT {.by_site = MAP_INIT}

/* Frees everything. */
void placements_fini(struct placements *p);

/* Takes a row of millrace.sites; ctx is a struct placements. ERR_REJECT or ERR_RETRY: what was known stays; ERR_FATAL: memory. */
int placements_take(void *ctx, const struct table_row *row, struct err *err);

/* The site of an id; made, as one without routes, when there is none yet. NULL when memory is short. */
struct site_place *placements_get(struct placements *p, struct str site);

/* What people call it; its id when it is not known. Borrowed. */
struct str site_place_name(const struct site_place *s);

/* Has it a route to this cell, past, present or to come, or had it one since this process runs? Once true it stays so: what is open of a site that goes must
 * still be ended. */
bool site_place_is_home(const struct site_place *s);

/* May one of its series be elsewhere, or be nobody's, in the minute t_ms or a later one, as far as is known now? If not, what is here is here: nobody needs to
 * ask site_place_judge(). t_ms: the first minute that is to be judged, and states are no older than the minute before it. */
bool site_place_moves(const struct site_place *s, int64_t t_ms);

/* Is a series, or a group of events, in this partition of the cell in the minute that begins at minute_ms? A site that is deleted or disabled: PLACE_ELSEWHERE;
 * while the cell's number of partitions is not known, or memory is short: PLACE_UNKNOWN. What does not move with a change of routes is where it was. */
enum place site_place_judge(const struct placements *p, const struct site_place *s, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES],
			    int32_t partition, int64_t minute_ms);

#endif
