/* check_ins.h - the latest signs of life of the jobs that check in.
 *
 * Of each job, which is a site's name of check-ins and known by its group (schemas/README.md, Groups): when it started, finished and beat last, in event time,
 * whatever order the events come in. Kept whether or not a trigger asks, as a trigger may be made later. A site has at most CHECK_INS_SITE_MAX jobs in a
 * partition, those beyond are not remembered; a job that nobody asks about is forgotten CHECK_INS_LIFE_MS after its last sign.
 *
 * All of it is a pure function of the snapshot and the events and closings since. Not thread-safe: its task owns it. */
#ifndef MILLRACE_PROCESSOR_CHECK_INS_H
#define MILLRACE_PROCESSOR_CHECK_INS_H

#include "common/codec.h"
#include "common/map.h"
#include "schemas/schemas.h"

enum { CHECK_INS_SITE_MAX = 10000, CHECK_INS_SITE_BYTES_MAX = 64 };

#define CHECK_INS_LIFE_MS INT64_C(49 * 3600000)

struct check_in_site {
	size_t nr; /* jobs; it leaves with the last one */
	size_t len;
	char id[];
};

/* One job. Times are 0 for never. */
struct check_in {
	uint8_t group[MAP_KEY_BYTES];
	int64_t start_ms, finish_ms, beat_ms;
	struct check_in_site *site;
};

/* Starts zeroed. */
struct check_ins {
	struct map by_group; /* owns the jobs */
	struct map sites;    /* by XXH3-128 of the id; owns them */
	size_t bytes;        /* allocated, without the maps' slots */
	uint64_t refused;    /* signs of jobs beyond the cap, since the assignment */
};

/* Frees everything. */
void check_ins_fini(struct check_ins *c);

/* Takes a sign of life; copies. -1 with ERR_FATAL when memory is short. */
int check_ins_take(struct check_ins *c, struct str site, const uint8_t group[MAP_KEY_BYTES], enum check_in_event what, int64_t t_ms, struct err *err);

/* The job of a group, or NULL. Borrowed until the next change. */
const struct check_in *check_ins_get(const struct check_ins *c, const uint8_t group[MAP_KEY_BYTES]);

/* The latest of its signs; 0: none. job may be NULL. */
int64_t check_in_latest_ms(const struct check_in *job);

/* Forgets what is too old at a watermark, but for the groups that are keys of wanted. */
void check_ins_close(struct check_ins *c, int64_t watermark_ms, const struct map *wanted);

/* Bytes allocated. */
size_t check_ins_bytes(const struct check_ins *c);

/* Appends all of it; equal states make equal bytes. Failure is sticky in out. */
void check_ins_encode(const struct check_ins *c, struct buf *out);

/* Fills c, zeroed, from hostile bytes. -1 with a fault in r, or with *err set when memory is short; c is good for check_ins_fini() only then. */
int check_ins_decode(struct check_ins *c, struct codec_reader *r, struct err *err);

#endif
