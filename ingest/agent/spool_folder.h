/* spool_folder.h - spool.dir: its lock, its listing, and rejected/, where what cannot be sent is set aside.
 *
 * One agent a folder: the lock is the kernel's and ends with the process; a folder that is copied is another folder, with another lock.
 * Files whose names do not end like the spool's are left alone. Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_SPOOL_FOLDER_H
#define MILLRACE_AGENT_SPOOL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "ingest/agent/spool_file.h"

enum { SPOOL_ASIDE_FILES_MAX = 100, SPOOL_ASIDE_BYTES_MAX = 16 << 20 }; /* of rejected/; the oldest are deleted */

struct spool_folder {
	const struct spool_io *io;
	int fd, lock_fd; /* -1: not open */
};

#define SPOOL_FOLDER_CLOSED {.fd = -1, .lock_fd = -1}

/* Opens dir, which is made with mode 0700 if its parent is there, and takes its lock. ERR_FATAL: another process has it, or dir is no
 * folder; ERR_RETRY: it cannot be opened now. */
int spool_folder_open(struct spool_folder *f, const struct spool_io *io, const char *dir, struct err *err);

/* Closes it and gives the lock back; a closed one: a no-op. */
void spool_folder_close(struct spool_folder *f);

/* Was the folder last used in another run of the machine, or is it a copy? Then what its files' stages say may be out of date. */
bool spool_folder_moved(const struct spool_folder *f);

/* Notes that it is used here, from now on, as well as that can be noted. */
void spool_folder_settle(const struct spool_folder *f);

/* All names of ours, in order of creation, in *out (to be freed). Files with our endings but
 * other names are set aside; *aside counts them. ERR_RETRY, ERR_FATAL (memory). */
int spool_folder_list(const struct spool_folder *f, struct spool_label **out, size_t *nr, size_t *aside, struct err *err);

/* Moves a file to rejected/ and puts "." and ending behind its name; deletes the oldest there beyond the bounds. Where rejected/ cannot be
 * written the file is deleted. -1 with errno: it is still there. */
int spool_folder_set_aside(const struct spool_folder *f, const char *name, const char *ending);

#endif
