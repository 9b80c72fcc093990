/* losses_file.h - where the losses stand: one file that never grows, in two copies of which one is always whole.
 *
 * Knows bytes only. A save overwrites the older copy and syncs it, so that a crash at any moment leaves the other. The file is allocated
 * when it is made: it can be written when the disk is full, which is when losses come up (not on file systems that write every block anew).
 * Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_LOSSES_FILE_H
#define MILLRACE_AGENT_LOSSES_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "ingest/agent/spool_io.h"

#define LOSSES_FILE_NAME "losses"

/* Appends the content of the newest whole copy to out and sets *generation to its number. No file, or one in which nothing was ever
 * saved: 0, nothing is appended. ERR_REJECT: there is no whole copy, but there was; ERR_RETRY: it cannot be read; ERR_FATAL: memory is
 * short. */
int losses_file_read(const struct spool_io *io, int folder_fd, uint64_t *generation, struct buf *out, struct err *err);

/* Saves content, of at most room bytes, as the copy of this generation, which is one more than the last that was read or written. room, the
 * same in all calls, is a copy's share of the file. Where the file is not there it is made, or errno is ENOENT if make says no.
 * ERR_RETRY: the copy of the generation before is still whole; call again with the same generation. */
int losses_file_write(const struct spool_io *io, int folder_fd, uint64_t generation, struct str content, size_t room, bool make,
		      struct err *err);

#endif
