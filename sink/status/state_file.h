/* state_file.h - what millrace-status keeps on its disk (schemas/status_state.avsc), so that a page is served when Kafka is gone.
 *
 * Written whole to a new file, synced, renamed; with a checksum (XXH3-64) behind the record. A file that is cut, damaged or of a newer version is
 * told of and not used. Not thread-safe. */
#ifndef MILLRACE_STATUS_STATE_FILE_H
#define MILLRACE_STATUS_STATE_FILE_H

#include "common/arena.h"
#include "common/err.h"
#include "schemas/schemas.h"

/* Reads DIR/status.state. 1: *out is filled, what it points to lives in arena; 0: there is none; -1 with *err set. */
int state_file_read(const char *dir, struct arena *arena, struct status_state *out, struct err *err);

/* The same of a file's bytes. 0, or -1 with *err set: ERR_REJECT, they are none of ours, cut off, or damaged. */
int state_file_parse(struct str all, struct arena *arena, struct status_state *out, struct err *err);

/* Replaces it. ERR_RETRY: disk full or the like; the file of before stays. */
int state_file_write(const char *dir, const struct status_state *state, struct err *err);

#endif
