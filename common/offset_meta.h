/* offset_meta.h - what stands beside a committed offset: "v1 epoch=E id=N snapshot=OFFSET bytes=B at=P".
 *
 * It ties the three parts of a checkpoint together: the committed offset, the snapshot in the state topic, and the position that
 * the snapshot belongs to. All numbers are decimal; the epoch is signed, the others are not negative. Parsing is strict: nobody but
 * a processor writes here, so whatever is not exactly of this form was not made by a checkpoint. millrace-ctl reads it, too.
 * Pure functions. */
#ifndef MILLRACE_OFFSET_META_H
#define MILLRACE_OFFSET_META_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum { OFFSET_META_SIZE = 160 };

struct offset_meta {
	int64_t epoch;
	int64_t id;       /* of the snapshot: 1 for the first of a partition, one more with each */
	int64_t snapshot; /* offset of its first chunk in the state topic */
	int64_t bytes;    /* of all its chunks' bodies */
	int64_t at;       /* position in the input: the first record that is not in the snapshot */
};

/* Writes the line into out and returns out. */
const char *offset_meta_format(const struct offset_meta *meta, char out[OFFSET_META_SIZE]);

/* Reads a line. ERR_REJECT when it is a newer version's, or not one of ours; out is written on success only. */
int offset_meta_parse(struct str line, struct offset_meta *out, struct err *err);

/* Is a line, which offset_meta_parse() refused, one of a version that comes after ours? */
bool offset_meta_is_newer(struct str line);

#endif
