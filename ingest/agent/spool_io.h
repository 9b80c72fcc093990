/* spool_io.h - the system calls of the spool, in one place where a test can make each of them fail.
 *
 * Names are relative to a folder's descriptor, and no call follows a symbolic link or leaves a descriptor to a child. Every call is retried on
 * EINTR and fails as the system's does: -1 and errno. */
#ifndef MILLRACE_AGENT_SPOOL_IO_H
#define MILLRACE_AGENT_SPOOL_IO_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "common/str.h"

enum spool_call {
	SPOOL_CALL_OPEN,
	SPOOL_CALL_CREATE, /* an open that may make a file */
	SPOOL_CALL_READ,
	SPOOL_CALL_WRITE,
	SPOOL_CALL_SYNC,
	SPOOL_CALL_RENAME,
	SPOOL_CALL_UNLINK,
	SPOOL_CALL_TRUNCATE,
	SPOOL_CALL_STAT,
	SPOOL_CALL_MKDIR,
	SPOOL_CALL_LIST,
	SPOOL_CALL_SPACE,
	SPOOL_CALL_LOCK,
};

struct spool_io {
	int (*fault)(void *ctx, enum spool_call call); /* NULL: none. Asked before each call: its errno, or 0 to let it happen */
	void *ctx;
};

/* A file or folder of the folder at (AT_FDCWD: of the process's); flags as of open(2). A new file has mode 0600. */
int spool_io_open(const struct spool_io *io, int at, const char *name, int flags);

/* Reads n bytes from offset; fewer: the file ends. Returns how many, or -1. */
ssize_t spool_io_read(const struct spool_io *io, int fd, void *out, size_t n, off_t offset);

/* Writes all of s at offset: 0, or -1 when some or none of it was written. */
int spool_io_write(const struct spool_io *io, int fd, struct str s, off_t offset);

/* As the system's calls of these names: 0, or -1 with errno set. What is particular stands beside. */
int spool_io_sync(const struct spool_io *io, int fd);                                               /* a file or a folder; waits */
int spool_io_rename(const struct spool_io *io, int from, const char *name, int to, const char *as); /* replaces what is there */
int spool_io_unlink(const struct spool_io *io, int at, const char *name);                           /* removes a file */
int spool_io_truncate(const struct spool_io *io, int fd, off_t bytes);                              /* cuts or extends */
int spool_io_stat(const struct spool_io *io, int at, const char *name, struct stat *out);           /* of a link itself */
int spool_io_mkdir(const struct spool_io *io, int at, const char *name);                            /* mode 0700; there already: 0 */
int spool_io_space(const struct spool_io *io, int fd, struct statvfs *out);                         /* of fd's file system */
int spool_io_lock(const struct spool_io *io, int fd); /* exclusive, until all copies of fd are closed; EWOULDBLOCK: another has it */

/* The folder's entries from the first on, to be ended by closedir(); fd stays the caller's. NULL: errno. */
DIR *spool_io_list(const struct spool_io *io, int fd);

/* The next regular file or link whose name does not begin with a dot, or NULL at the end (errno 0) or on failure. */
const char *spool_io_next(DIR *dir);

#endif
