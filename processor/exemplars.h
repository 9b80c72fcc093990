/* exemplars.h - which events of a minute are kept to stand for their group.
 *
 *   errors        the first EXEMPLARS_ERRORS_MAX of each group and minute, in the order in which they are taken
 *   transactions  the EXEMPLARS_TRANSACTIONS_MAX slowest of each group and minute; of equally slow ones the earlier
 *   markers, check-ins   all of each minute, up to EXEMPLARS_SITE_MAX of a site and kind
 * A group is one of a site. Minutes close as windows do; what is kept then goes out, once. An event whose minute has been closed begins another
 * group of that minute, which goes out with the next closing: so there may be more of a minute than said above, but none twice. A site has at most
 * EXEMPLARS_GROUPS_MAX of these at a time; nothing is kept of those beyond. Markers and check-ins are counted apart: they are few, and a flood of errors
 * must not cost a site its signs of life. While memory is crowded no new groups are made but theirs, of open minutes.
 *
 * Invariants:
 *  I1  All of it is a pure function of the snapshot it was restored from, the events added since, and the closings and flushes; but for groups that were
 *      not made while memory was crowded.
 *  I2  A group is there from its first event until its minute is closed, and remembers how many were kept, and how slow: what a flush has
 *      moved out counts on. So of a group and minute no more errors go out than without flushes; of transactions, which cannot be taken back, one for each
 *      slower one that comes later.
 *  I3  Groups are in the order of their making, specimens in that of their events: so it is the same after a restore.
 * Not thread-safe: its task owns it. */
#ifndef MILLRACE_PROCESSOR_EXEMPLARS_H
#define MILLRACE_PROCESSOR_EXEMPLARS_H

#include "common/map.h"
#include "processor/specimens.h"

enum {
	EXEMPLARS_ERRORS_MAX = 3,
	EXEMPLARS_TRANSACTIONS_MAX = 3,
	EXEMPLARS_SITE_MAX = 100,
	EXEMPLARS_SITE_BYTES_MAX = 64, /* of a site's id, as every specimen has it */
	EXEMPLARS_GROUPS_MAX = 50000,  /* of a site, of all minutes, at a time: they take 8 MiB that no flush frees; by site or by group */
};

struct exemplar_site {
	struct str id;       /* points behind this struct */
	size_t nr_groups[2]; /* of errors and transactions; [1]: of markers and check-ins. It leaves with the last one */
};

/* What is known of one group in one minute. Of markers and check-ins, all of a site are one. */
struct exemplar_group {
	struct exemplar_group *next; /* (I3) */
	struct specimen *first;      /* held */
	int64_t minute_ms;
	double slowest[EXEMPLARS_TRANSACTIONS_MAX]; /* of transactions: how slow those are that were kept, nr of them, slowest first */
	uint32_t nr, nr_held; /* kept so far (I2), and of these still here */
	uint8_t kind;
	uint8_t group[EXEMPLAR_FINGERPRINT_BYTES]; /* zeroes for markers and check-ins */
	struct exemplar_site *site;
};

/* Starts zeroed. Constant outside of exemplars.c. */
struct exemplars {
	struct map groups; /* by XXH3-128 of minute, kind, group and site's key; owns them */
	struct map sites;  /* by XXH3-128 of its id; owns them */
	struct exemplar_group *first, *last;
	size_t nr_held, held_bytes; /* specimens */
	size_t group_bytes; /* of groups and sites */
	int64_t oldest_ms; /* the first minute that is open and has a group, which may be all that is left of it; 0: none has */
	int64_t late_ms;   /* the watermark when the first was added whose minute was closed, since the last closing; 0: none was */
	bool crowded;      /* exemplars_crowd(); not in the snapshot */
};

/* Frees everything. */
void exemplars_fini(struct exemplars *e);

/* When an event comes. */
struct exemplars_now {
	int64_t closed_ms;    /* minutes that start before are closed */
	int64_t watermark_ms; /* the partition's */
};

/* Adds an event, its time and its one detail already checked, of a site whose id is not longer than it may be. dropped, by kind, is counted up: of an event that
 * is not kept, and of one that gives way. 1 when it was late, 0 when not, -1 with ERR_FATAL when memory is short: nothing may be saved any more
 * then. */
int exemplars_add(struct exemplars *e, struct str site, const struct event *event, const struct exemplars_now *now, uint64_t *dropped,
		  struct err *err);

/* The kind of a checked event. */
enum exemplar_kind exemplar_kind_of(const struct event *event);

/* Memory is short, or not any more: groups are what no flush frees. */
void exemplars_crowd(struct exemplars *e, bool crowded);

/* About how many go out when all minutes that start before closed_ms are closed at this watermark, and it is time: 0, or more; 1 where only groups go, of which a
 * flush has moved all out. */
size_t exemplars_due(const struct exemplars *e, int64_t closed_ms, int64_t watermark_ms);

/* Closes all minutes that start before closed_ms: what is held of them goes to the end of out. */
void exemplars_close(struct exemplars *e, int64_t closed_ms, struct specimens *out);

/* Makes room: all that is held goes to out, marked as flushed, and nothing is closed. */
void exemplars_flush(struct exemplars *e, struct specimens *out);

/* Bytes allocated; of these, held_bytes would leave with a flush. */
size_t exemplars_bytes(const struct exemplars *e);

/* Appends all of it: late_ms; groups in order (kind, minute, site, group, nr, of transactions the slowest; specimens: of transactions the duration;
 * bytes). Equal states make equal bytes. Failure is sticky in out. */
void exemplars_encode(const struct exemplars *e, struct buf *out);

/* Fills e, zeroed, from hostile bytes. -1 with a fault in r, or with *err set when memory is short; e is good for exemplars_fini() only then. */
int exemplars_decode(struct exemplars *e, struct codec_reader *r, int64_t closed_ms, struct err *err);

#endif
