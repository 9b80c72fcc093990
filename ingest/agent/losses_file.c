/* losses_file.c - see losses_file.h.
 *
 * A copy, integers as the machine has them (little-endian; the file stays on its machine or on one like it):
 *     magic (8 bytes) · u64 generation · u64 length of the content · u64 XXH3-64 of the content and of the three fields before · content
 * Copy g % 2 stands at (g % 2) * (HEAD_BYTES + room). A file is filled with zeros and its first copy, synced and only then given its
 * name: what has the name is allocated. */
#include "ingest/agent/losses_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define TEMPORARY_NAME LOSSES_FILE_NAME ".tmp"

static const char magic[8] = "MRloss1\n";

struct head {
	char magic[8];
	uint64_t generation, len, sum;
};

enum { HEAD_BYTES = sizeof(struct head), FILE_BYTES_MAX = 8 << 20, CHUNK_BYTES = 32 << 10 };

static uint64_t sum_of(const struct head *head, const void *content)
{
	return XXH3_64bits_withSeed(content, (size_t)head->len, XXH3_64bits(head, offsetof(struct head, sum)));
}

/* Is a whole copy at the beginning of at? */
static bool whole(struct str at, struct head *head)
{
	if (at.len < HEAD_BYTES)
		return false;
	memcpy(head, at.p, HEAD_BYTES);
	return memcmp(head->magic, magic, sizeof(magic)) == 0 && head->len <= at.len - HEAD_BYTES &&
	       head->sum == sum_of(head, at.p + HEAD_BYTES);
}

static bool only_zeros(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i])
			return false;
	return true;
}

/* Finds the newer of the whole copies in a file's bytes. */
static int choose(struct str all, uint64_t *generation, struct buf *out, struct err *err)
{
	struct head best = {.generation = 0}, head;
	const char *content = NULL;

	for (size_t i = 0; i < 2; i++) {
		size_t at = i * (all.len / 2);

		if (whole((struct str){all.p + at, all.len / 2}, &head) && head.generation >= best.generation) {
			best = head;
			content = all.p + at + HEAD_BYTES;
		}
	}
	if (!content)
		return only_zeros(all) ? 0 : err_set(err, ERR_REJECT, "no copy in the file %s is whole", LOSSES_FILE_NAME);
	buf_add(out, content, (size_t)best.len);
	*generation = best.generation;
	return buf_failed(out) ? err_nomem(err, "losses") : 0;
}

static int read_open(const struct spool_io *io, int fd, uint64_t *generation, struct buf *out, struct err *err)
{
	struct buf all = BUF_INIT;
	ssize_t got = 0;
	int rc;

	while (all.len <= FILE_BYTES_MAX && buf_reserve(&all, CHUNK_BYTES)) {
		got = spool_io_read(io, fd, all.p + all.len, CHUNK_BYTES, (off_t)all.len);
		if (got <= 0)
			break;
		all.len += (size_t)got;
	}
	if (got < 0)
		rc = err_set(err, ERR_RETRY, "cannot read %s: %s", LOSSES_FILE_NAME, strerror(errno));
	else
		rc = buf_failed(&all) ? err_nomem(err, "losses") : choose(buf_str(&all), generation, out, err);
	buf_fini(&all);
	return rc;
}

int losses_file_read(const struct spool_io *io, int folder_fd, uint64_t *generation, struct buf *out, struct err *err)
{
	int fd = spool_io_open(io, folder_fd, LOSSES_FILE_NAME, O_RDONLY), rc;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, ERR_RETRY, "cannot open %s: %s", LOSSES_FILE_NAME, strerror(errno));
	rc = read_open(io, fd, generation, out, err);
	close(fd);
	return rc;
}

static int fill(const struct spool_io *io, int fd, size_t bytes)
{
	static const char zeros[CHUNK_BYTES];

	for (size_t at = 0; at < bytes; at += sizeof(zeros)) {
		size_t n = bytes - at < sizeof(zeros) ? bytes - at : sizeof(zeros);

		if (spool_io_write(io, fd, (struct str){zeros, n}, (off_t)at) < 0)
			return -1;
	}
	return 0;
}

static int overwrite(const struct spool_io *io, int folder_fd, struct str copy, off_t at, size_t bytes)
{
	int fd = spool_io_open(io, folder_fd, LOSSES_FILE_NAME, O_RDWR), rc;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 1 : -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != (off_t)bytes)
		rc = 1;
	else
		rc = spool_io_write(io, fd, copy, at) < 0 || spool_io_sync(io, fd) < 0 ? -1 : 0;
	close(fd);
	return rc;
}

/* The file before, if there is one of another size, stays until the new one has its name. */
static int make_file(const struct spool_io *io, int folder_fd, struct str copy, off_t at, size_t bytes)
{
	int fd = spool_io_open(io, folder_fd, TEMPORARY_NAME, O_RDWR | O_CREAT | O_TRUNC), code;

	if (fd < 0)
		return -1;
	if (fill(io, fd, bytes) == 0 && spool_io_write(io, fd, copy, at) == 0 && spool_io_sync(io, fd) == 0 &&
	    spool_io_rename(io, folder_fd, TEMPORARY_NAME, folder_fd, LOSSES_FILE_NAME) == 0) {
		close(fd);
		return spool_io_sync(io, folder_fd);
	}
	code = errno;
	close(fd);
	spool_io_unlink(io, folder_fd, TEMPORARY_NAME);
	errno = code;
	return -1;
}

int losses_file_write(const struct spool_io *io, int folder_fd, uint64_t generation, struct str content, size_t room,
		      bool make, struct err *err)
{
	struct head head = {.generation = generation, .len = content.len};
	struct buf copy = BUF_INIT;
	size_t bytes = 2 * (HEAD_BYTES + room);
	off_t at = (off_t)(generation % 2 * (HEAD_BYTES + room));
	int rc;

	if (content.len > room)
		return err_set(err, ERR_FATAL, "losses of %zu bytes do not fit %zu", content.len, room);
	memcpy(head.magic, magic, sizeof(magic));
	head.sum = sum_of(&head, content.p);
	buf_add(&copy, &head, sizeof(head));
	buf_add(&copy, content.p, content.len);
	if (buf_failed(&copy))
		return err_nomem(err, "losses");
	rc = overwrite(io, folder_fd, buf_str(&copy), at, bytes);
	errno = rc > 0 ? ENOENT : errno;
	if (rc > 0)
		rc = !make ? -1 : make_file(io, folder_fd, buf_str(&copy), at, bytes);
	if (rc < 0)
		err_set(err, ERR_RETRY, "cannot write %s: %s", LOSSES_FILE_NAME, strerror(errno));
	buf_fini(&copy);
	return rc;
}
