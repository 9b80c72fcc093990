/* series_caps.h - how many series a site may have in a partition, and what becomes of those beyond.
 *
 * A series that is new to the partition is admitted or refused when its record is read. The samples of a refused one are counted in the site's
 * overflow series of its kind, `__overflow__` without tags, so that the totals of the site stay exact. Series that are known are not asked
 * about, nor is anything of other sites.
 *
 * Invariants:
 *  I1  A site's nr_series is the number of its series in the table that this struct lives in, but for overflow series, which are always admitted
 *      and count for nothing. So it is right after a restore without standing in the snapshot.
 *  I2  Other caps come into force in series_caps_close() only, and stand in the snapshot until then. A lower one refuses what is new, and sends
 *      nothing away that is known.
 *  I3  "Known" is what is in memory: the outbox of a checkpoint that is not committed yet holds series that a restored task does not know. So which
 *      of a site's series are refused may depend on a restore, and on crowded at any time. What is counted in all never does.
 *  I4  A site whose record has a series_cap goes by that (site_limits.h) instead of site_max: by what it said when the site came, or at the last closing.
 * Two sites whose ids have the same XXH3-128 share a count: ids are an operator's choice. Not thread-safe: the table's owner owns it. */
#ifndef MILLRACE_PROCESSOR_SERIES_CAPS_H
#define MILLRACE_PROCESSOR_SERIES_CAPS_H

#include "common/codec.h"
#include "common/map.h"
#include "common/series.h"
#include "processor/site_limits.h"

#define SERIES_CAPS_OVERFLOW_NAME "__overflow__"

enum { SERIES_CAPS_LIMIT = 100000000 /* the highest cap */ };

enum series_caps_verdict {
	SERIES_ADMITTED,
	SERIES_OVER_SITE,   /* the site has site_max */
	SERIES_OVER_RECORD, /* the record has brought record_max new ones */
	SERIES_OVER_MEMORY, /* memory is short, and the site has its share */
	NR_SERIES_CAPS_VERDICTS
};

/* What was refused: how often a series, by verdict, and how many samples went to overflow series for it. */
struct series_caps_refused {
	uint64_t series[NR_SERIES_CAPS_VERDICTS]; /* of SERIES_ADMITTED: always 0 */
	uint64_t samples;
};

struct series_caps_site {
	struct series_caps_site *next;
	struct str id;      /* points behind this struct */
	size_t nr_series;   /* (I1) */
	size_t nr_held;     /* and overflow series */
	int64_t max;        /* its own cap, as its record said at the last closing or when it came; 0: the settings' */
	int64_t told_ms;    /* watermark of the last notice; not in the snapshot */
	struct series_caps_refused refused; /* since then */
};

/* Zero is a good one, without caps: before the first checkpoint of a partition, at which nothing has been read, there are none of anybody's choice
 * yet. */
struct series_caps {
	struct map by_site;             /* by XXH3-128 of the id; borrows the sites */
	struct series_caps_site *sites; /* owns them; a site leaves in series_caps_close(), when nothing of it is left to hold or tell */
	const struct site_limits *limits; /* borrowed; NULL: none has a cap of its own. Its owner's choice, not in the snapshot */
	int64_t site_max, record_max;   /* 0: none */
	size_t bytes;                   /* of the sites */
	size_t nr_series;               /* of all sites */
	size_t usual;                   /* how many a site had on average at the last closing; not in the snapshot */
	bool crowded;                   /* series_caps_crowd(); not in the snapshot */
	size_t share;                   /* while crowded: how many series a site may have */
};

/* Frees everything. */
void series_caps_fini(struct series_caps *c);

/* Is a new series to be made? *nr_new: how many new ones its record has brought, with this one afterwards. */
enum series_caps_verdict series_caps_admit(const struct series_caps *c, const struct series_id *id, size_t *nr_new);

/* The overflow series of a site and kind; *id borrows site. */
void series_caps_overflow(struct str site, uint8_t kind, struct series_id *id, uint8_t fingerprint[SERIES_FINGERPRINT_BYTES]);

/* Memory is short, or is not any more, says whoever knows. While it is, a site may have as many series as the sites had on average when it began to
 * be, or at the closing before if that was more, as a flush in between lets go of everybody's: who has more is why, and the others' must come back.
 * So their number at most doubles. A restore begins anew: what was said before it was said of nothing. */
void series_caps_crowd(struct series_caps *c, bool crowded);

/* Is it an overflow series? Of id only name and tags_len are looked at. */
bool series_caps_is_overflow(const struct series_id *id);

/* A series of a site has been made, admitted or restored. -1 when memory is short: it does not count then. */
int series_caps_enter(struct series_caps *c, struct str site, bool overflow);

/* A series that has entered is gone. */
void series_caps_leave(struct series_caps *c, struct str site, bool overflow);

/* Adds what was refused of a site that holds a series, as its overflow series does. */
void series_caps_note(struct series_caps *c, struct str site, const struct series_caps_refused *refused);

/* What a checkpoint does (rule A): puts caps into force, and forgets sites of which nothing is left. */
void series_caps_close(struct series_caps *c, int64_t watermark_ms, int64_t site_max, int64_t record_max);

/* Is it time for a notice of this site: anything refused, and none for an hour of the watermark? Then *refused is what to tell, and told. */
bool series_caps_tell(struct series_caps_site *site, int64_t watermark_ms, struct series_caps_refused *refused);

/* Bytes allocated. */
size_t series_caps_bytes(const struct series_caps *c);

/* Appends the caps in force. Failure is sticky in out. */
void series_caps_encode(const struct series_caps *c, struct buf *out);

/* Reads them, from hostile bytes; a fault is r's. */
void series_caps_decode(struct series_caps *c, struct codec_reader *r);

#endif
