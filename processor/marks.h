/* marks.h - up to where the state topic's partitions may be deleted, and how far they have been.
 *
 * A partition's mark is the offset of its last but one snapshot: that one stays, as it is the one that counts while the outcome of the last
 * checkpoint is unknown. Pure bookkeeping; knows no Kafka. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_MARKS_H
#define MILLRACE_PROCESSOR_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/offset_meta.h"

struct mark {
	int64_t before; /* what lies before it may go; 0: nothing may */
	int64_t asked;  /* what the request that is under way asks for; 0: it does not name this partition */
	int64_t low;    /* where the partition began when we last heard; 0: never heard */
};

struct marks {
	int32_t nr;
	struct mark *by_partition; /* zeroed where a partition is not ours */
};

/* For nr partitions. -1 with ERR_FATAL when memory is short. */
int marks_init(struct marks *m, int32_t nr, struct err *err);
void marks_fini(struct marks *m); /* zeroed is fine */

/* A checkpoint is known to be committed: its snapshot is present, and former the one before it (id 0: there was none, or nobody knows). */
void marks_committed(struct marks *m, int32_t partition, const struct offset_meta *former, const struct offset_meta *present);

/* The partition is ours no more. */
void marks_forget(struct marks *m, int32_t partition);

/* Is there something to delete in this partition? Its mark, which now counts as asked for; 0: there is not. */
int64_t marks_ask(struct marks *m, int32_t partition);

/* The broker has done what was asked, and the partition begins at low now. Returns how many offsets that is more than when we heard before. */
int64_t marks_done(struct marks *m, int32_t partition, int64_t low);

/* What was asked came to nothing: it is asked again with the next. */
void marks_failed(struct marks *m, int32_t partition);

#endif
