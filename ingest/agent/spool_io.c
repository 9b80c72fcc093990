/* spool_io.c - see spool_io.h.
 *
 * A fault is asked for once a call, not once a system call behind it, so that a test's "the N-th call fails" means the same on every
 * machine. A write that is made to fail writes half of its bytes first: that is what a full disk and a power failure leave. */
#include "ingest/agent/spool_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* Is the call to fail? Then errno says how. */
static bool fails(const struct spool_io *io, enum spool_call call)
{
	int code = io && io->fault ? io->fault(io->ctx, call) : 0;

	if (code)
		errno = code;
	return code != 0;
}

int spool_io_open(const struct spool_io *io, int at, const char *name, int flags)
{
	int fd;

	if (fails(io, flags & O_CREAT ? SPOOL_CALL_CREATE : SPOOL_CALL_OPEN))
		return -1;
	do
		fd = openat(at, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (fd < 0 && errno == EINTR);
	return fd;
}

ssize_t spool_io_read(const struct spool_io *io, int fd, void *out, size_t n, off_t offset)
{
	size_t done = 0;

	if (fails(io, SPOOL_CALL_READ))
		return -1;
	while (done < n) {
		ssize_t got = pread(fd, (char *)out + done, n - done, offset + (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static int write_all(int fd, struct str s, off_t offset)
{
	for (size_t done = 0; done < s.len;) {
		ssize_t put = pwrite(fd, s.p + done, s.len - done, offset + (off_t)done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			errno = put == 0 ? EIO : errno;
			return -1;
		}
		done += (size_t)put;
	}
	return 0;
}

int spool_io_write(const struct spool_io *io, int fd, struct str s, off_t offset)
{
	if (fails(io, SPOOL_CALL_WRITE)) {
		int code = errno;

		write_all(fd, (struct str){s.p, s.len / 2}, offset);
		errno = code;
		return -1;
	}
	return write_all(fd, s, offset);
}

int spool_io_sync(const struct spool_io *io, int fd)
{
	int rc;

	if (fails(io, SPOOL_CALL_SYNC))
		return -1;
	do
		rc = fsync(fd);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int spool_io_rename(const struct spool_io *io, int from, const char *name, int to, const char *as)
{
	return fails(io, SPOOL_CALL_RENAME) ? -1 : renameat(from, name, to, as);
}

int spool_io_unlink(const struct spool_io *io, int at, const char *name)
{
	return fails(io, SPOOL_CALL_UNLINK) ? -1 : unlinkat(at, name, 0);
}

int spool_io_truncate(const struct spool_io *io, int fd, off_t bytes)
{
	int rc;

	if (fails(io, SPOOL_CALL_TRUNCATE))
		return -1;
	do
		rc = ftruncate(fd, bytes);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int spool_io_stat(const struct spool_io *io, int at, const char *name, struct stat *out)
{
	return fails(io, SPOOL_CALL_STAT) ? -1 : fstatat(at, name, out, AT_SYMLINK_NOFOLLOW);
}

int spool_io_mkdir(const struct spool_io *io, int at, const char *name)
{
	if (fails(io, SPOOL_CALL_MKDIR))
		return -1;
	return mkdirat(at, name, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

int spool_io_space(const struct spool_io *io, int fd, struct statvfs *out)
{
	int rc;

	if (fails(io, SPOOL_CALL_SPACE))
		return -1;
	do
		rc = fstatvfs(fd, out);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int spool_io_lock(const struct spool_io *io, int fd)
{
	return fails(io, SPOOL_CALL_LOCK) ? -1 : flock(fd, LOCK_EX | LOCK_NB);
}

DIR *spool_io_list(const struct spool_io *io, int fd)
{
	int own = fails(io, SPOOL_CALL_LIST) ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);

	if (!dir && own >= 0) {
		int code = errno;

		close(own);
		errno = code;
	}
	return dir;
}

const char *spool_io_next(DIR *dir)
{
	struct dirent *d;

	errno = 0;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && (d->d_type == DT_REG || d->d_type == DT_LNK || d->d_type == DT_UNKNOWN))
			return d->d_name;
	return NULL;
}
