/* state_file.c - see state_file.h.
 *
 * The file: magic (8 bytes), length of the record (8 bytes, little-endian), XXH3-64 of magic, length and record (8 bytes, little-endian), the record, a StatusState in the
 * wire format. A newer build's record has another schema id, which its decoder tells. */
#include "sink/status/state_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define FILE_NAME "status.state"
#define TEMPORARY_NAME FILE_NAME ".new"

static const char magic[8] = "MRstat1\n";

struct head {
	char magic[8];
	uint64_t len, sum;
};

enum { FILE_BYTES_MAX = 64 << 20, CHUNK_BYTES = 64 << 10 };

static uint64_t sum_of(const struct head *head, const void *record)
{
	return XXH3_64bits_withSeed(record, le64toh(head->len), XXH3_64bits(head, offsetof(struct head, sum)));
}

static int open_folder(const char *dir, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		err_set(err, ERR_RETRY, "status.dir %.100s: %s", dir, strerror(errno));
	return fd;
}

static int read_all(int fd, struct buf *out, struct err *err)
{
	while (out->len <= FILE_BYTES_MAX && buf_reserve(out, CHUNK_BYTES)) {
		ssize_t got = read(fd, out->p + out->len, CHUNK_BYTES);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, ERR_RETRY, "cannot read " FILE_NAME ": %s", strerror(errno));
		if (got == 0)
			return 0;
		out->len += (size_t)got;
	}
	return buf_failed(out) ? err_nomem(err, "the state") : err_set(err, ERR_REJECT, FILE_NAME " has over %d MiB", FILE_BYTES_MAX >> 20);
}

int state_file_parse(struct str all, struct arena *arena, struct status_state *out, struct err *err)
{
	struct head head;
	struct str record;

	if (all.len < sizeof(head))
		return err_set(err, ERR_REJECT, FILE_NAME " is cut off");
	memcpy(&head, all.p, sizeof(head));
	if (memcmp(head.magic, magic, sizeof(magic)) != 0)
		return err_set(err, ERR_REJECT, FILE_NAME " is no state, or a newer build's");
	if (le64toh(head.len) != all.len - sizeof(head) || le64toh(head.sum) != sum_of(&head, all.p + sizeof(head)))
		return err_set(err, ERR_REJECT, FILE_NAME " is damaged");
	record = arena_str(arena, (struct str){all.p + sizeof(head), all.len - sizeof(head)}); /* what is decoded borrows it */
	if (!record.p)
		return err_nomem(err, "the state");
	*out = (struct status_state){0};
	return status_state_decode(record, arena, out, err) < 0 ? err_wrap(err, FILE_NAME) : 0;
}

int state_file_read(const char *dir, struct arena *arena, struct status_state *out, struct err *err)
{
	struct buf all = BUF_INIT;
	int folder = open_folder(dir, err), fd, rc;

	if (folder < 0)
		return -1;
	fd = openat(folder, FILE_NAME, O_RDONLY | O_CLOEXEC);
	close(folder);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(err, ERR_RETRY, "cannot open " FILE_NAME ": %s", strerror(errno));
	rc = read_all(fd, &all, err);
	close(fd);
	if (rc == 0)
		rc = state_file_parse(buf_str(&all), arena, out, err);
	buf_fini(&all);
	return rc == 0 ? 1 : -1;
}

static int write_all(int fd, struct str s)
{
	while (s.len) {
		ssize_t n = write(fd, s.p, s.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s = (struct str){s.p + n, s.len - (size_t)n};
	}
	return 0;
}

/* A whole new file takes the old one's name, or the old one stays. */
static int replace(int folder, struct str all)
{
	int fd = openat(folder, TEMPORARY_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), code;
	bool written;

	if (fd < 0)
		return -1;
	written = write_all(fd, all) == 0 && fsync(fd) == 0;
	code = errno;
	close(fd);
	if (written && renameat(folder, TEMPORARY_NAME, folder, FILE_NAME) == 0)
		return fsync(folder);
	code = written ? errno : code;
	unlinkat(folder, TEMPORARY_NAME, 0); /* a full disk wants the room */
	errno = code;
	return -1;
}

int state_file_write(const char *dir, const struct status_state *state, struct err *err)
{
	struct head head = {.len = 0};
	struct buf all = BUF_INIT;
	int folder = open_folder(dir, err), rc = -1;

	if (folder < 0)
		return -1;
	memcpy(head.magic, magic, sizeof(magic));
	buf_add(&all, &head, sizeof(head));
	if (status_state_encode(state, &all, err) == 0) {
		head.len = htole64(all.len - sizeof(head));
		head.sum = htole64(sum_of(&head, all.p + sizeof(head)));
		memcpy(all.p, &head, sizeof(head));
		rc = replace(folder, buf_str(&all));
		if (rc < 0)
			err_set(err, ERR_RETRY, "cannot write %.100s/" FILE_NAME ": %s", dir, strerror(errno));
	}
	buf_fini(&all);
	close(folder);
	return rc;
}
