/* vault_file.c - see vault_file.h.
 *
 * Layout, integers little-endian:
 *     magic (8 bytes) · u32 version
 *     rows: u8 table · u16 length of the key · u32 length of the value · key · value
 *     u64 refused_before · u32 cells · u32 sites · u32 CRC-32 (zlib's) of all bytes before it
 * The counts stand behind the rows, so that a writer needs neither to know them first nor to go back.
 *
 * The bytes go out through a buffer of 64 KiB, as a copy of the whole table would double its memory for a moment. Where the time goes
 * with 100,000 sites: 20 ms to hand 17 MB to the kernel, and then as long as the disk takes to have them. So
 * vault_file_end() starts the kernel's writing without waiting for it (sync_file_range), and the caller, whose loop must not stand still,
 * comes back for the fsync when it is done.
 *
 * The temporary name is fixed, so that a crash leaves at most one such file, which the next writing replaces. Two instances must not
 * share a path: what they write into each other's file its CRC-32 finds. */
#include "ingest/vault_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const char magic[8] = {'M', 'R', 't', 'a', 'b', 'l', 'e', 's'};

enum {
	VERSION = 1,
	HEAD_BYTES = 8 + 4,
	TAIL_BYTES = 8 + 4 + 4 + 4,
	ROW_HEAD_BYTES = 1 + 2 + 4,
	FLUSH_BYTES = 64 << 10,
	FILE_BYTES_MAX = 512 << 20, /* some two million sites; more is no table of ours, and nothing to allocate for */
};

struct vault_file {
	char *path, *temp; /* owned */
	int fd;            /* of temp; -1: nothing pending */
	int fault;         /* errno of the first write that failed; 0: none */
	struct buf out;    /* not yet written */
	uint32_t crc;      /* of what was written */
	uint64_t bytes;    /* written */
	uint32_t rows[VAULT_TABLES];
};

struct vault_file *vault_file_new(const char *path)
{
	struct vault_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fd = -1;
	f->path = strdup(path);
	if (!f->path || asprintf(&f->temp, "%s.new", path) < 0) {
		free(f->path);
		free(f);
		return NULL;
	}
	return f;
}

void vault_file_free(struct vault_file *f)
{
	if (!f)
		return;
	vault_file_abandon(f);
	buf_fini(&f->out);
	free(f->path);
	free(f->temp);
	free(f);
}

static int io_error(struct err *err, const char *what, const char *path, int code)
{
	return err_set(err, ERR_RETRY, "cannot %s %s: %s", what, path, strerror(code));
}

static void put_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_add(b, &v, sizeof(v));
}

static void put_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_add(b, &v, sizeof(v));
}

static void put_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_add(b, &v, sizeof(v));
}

/* Writes out what has gathered. */
static void flush(struct vault_file *f)
{
	size_t done = 0;

	if (!f->fault && buf_failed(&f->out))
		f->fault = ENOMEM;
	if (!f->fault && f->bytes + f->out.len > FILE_BYTES_MAX)
		f->fault = EFBIG; /* nobody would read it */
	while (!f->fault && done < f->out.len) {
		ssize_t n = write(f->fd, f->out.p + done, f->out.len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			f->fault = errno;
	}
	f->bytes += f->out.len;
	f->crc = (uint32_t)crc32_z(f->crc, f->out.p, f->out.len);
	buf_clear(&f->out);
}

int vault_file_begin(struct vault_file *f, struct err *err)
{
	vault_file_abandon(f);
	f->fd = open(f->temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return io_error(err, "create", f->temp, errno);
	f->fault = fchmod(f->fd, 0600) < 0 ? errno : 0; /* one that an earlier run left, or a strange umask */
	f->crc = 0;
	f->bytes = 0;
	memset(f->rows, 0, sizeof(f->rows));
	buf_clear(&f->out);
	buf_add(&f->out, magic, sizeof(magic));
	put_u32(&f->out, VERSION);
	return 0;
}

void vault_file_add(struct vault_file *f, enum vault_table table, struct str key, struct str value)
{
	uint8_t number = (uint8_t)table;

	buf_add(&f->out, &number, 1);
	put_u16(&f->out, (uint16_t)key.len);
	put_u32(&f->out, (uint32_t)value.len);
	buf_add(&f->out, key.p, key.len);
	buf_add(&f->out, value.p, value.len);
	f->rows[table]++;
	if (f->out.len >= FLUSH_BYTES)
		flush(f);
}

int vault_file_end(struct vault_file *f, uint64_t refused_before, struct err *err)
{
	int fault;

	put_u64(&f->out, refused_before);
	put_u32(&f->out, f->rows[VAULT_CELLS]);
	put_u32(&f->out, f->rows[VAULT_SITES]);
	flush(f);
	put_u32(&f->out, f->crc);
	flush(f);
	fault = f->fault;
	if (fault) {
		vault_file_abandon(f);
		return io_error(err, "write", f->temp, fault);
	}
	sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a hint: where it is not known, fsync() waits longer */
	return 0;
}

/* Makes a rename last: until then it is the directory's secret. */
static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
	char *name = n ? strndup(path, n) : strdup(".");
	int fd = name ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	free(name);
	return rc;
}

int vault_file_commit(struct vault_file *f, struct err *err)
{
	if (fsync(f->fd) < 0 || rename(f->temp, f->path) < 0) {
		int fault = errno;

		vault_file_abandon(f);
		return io_error(err, "write", f->path, fault);
	}
	close(f->fd);
	f->fd = -1;
	return sync_directory(f->path) < 0 ? io_error(err, "sync the directory of", f->path, errno) : 0;
}

bool vault_file_pending(const struct vault_file *f)
{
	return f->fd >= 0;
}

void vault_file_abandon(struct vault_file *f)
{
	if (f->fd < 0)
		return;
	close(f->fd);
	unlink(f->temp);
	f->fd = -1;
}

/* -1 with errno set when they are not n. */
static int read_all(int fd, uint8_t *to, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, to, n);

		if (got == 0)
			errno = EIO; /* it was cut off since its length was asked for */
		if (got == 0 || (got < 0 && errno != EINTR))
			return -1;
		to += got > 0 ? got : 0;
		n -= got > 0 ? (size_t)got : 0;
	}
	return 0;
}

/* The file's bytes, to be freed by the caller. 1: there is no file. */
static int slurp(const char *path, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe that stands there holds nobody up */
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return errno == ENOENT ? 1 : io_error(err, "open", path, errno);
	if (fstat(fd, &st) < 0)
		rc = io_error(err, "look at", path, errno);
	else if (!S_ISREG(st.st_mode) || st.st_size < HEAD_BYTES + TAIL_BYTES || st.st_size > FILE_BYTES_MAX)
		rc = err_set(err, ERR_REJECT, "%s is no file of tables: it has %lld bytes", path, (long long)st.st_size);
	else if (!buf_reserve(out, (size_t)st.st_size))
		rc = err_nomem(err, "the file of tables");
	else if (read_all(fd, out->p, (size_t)st.st_size) < 0)
		rc = io_error(err, "read", path, errno);
	else
		out->len = (size_t)st.st_size;
	close(fd);
	return rc;
}

static uint32_t get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

struct file_row {
	uint8_t table;
	struct str key, value;
};

/* Takes a row off the front of [*p, end). False when none fits there. */
static bool next_row(const uint8_t **p, const uint8_t *end, struct file_row *row)
{
	const uint8_t *at = *p;
	uint64_t left = (uint64_t)(end - at);
	uint16_t key_len;

	if (left < ROW_HEAD_BYTES)
		return false;
	memcpy(&key_len, at + 1, sizeof(key_len));
	row->table = at[0];
	row->key = (struct str){(const char *)at + ROW_HEAD_BYTES, le16toh(key_len)};
	row->value = (struct str){row->key.p + row->key.len, get_u32(at + 3)};
	if (row->table >= VAULT_TABLES || row->key.len + (uint64_t)row->value.len > left - ROW_HEAD_BYTES)
		return false;
	*p = (const uint8_t *)row->value.p + row->value.len;
	return true;
}

/* What is wrong with a whole file; NULL: nothing. */
static const char *find_fault(const struct buf *file)
{
	const uint8_t *p = file->p + HEAD_BYTES, *end = file->p + file->len, *tail = end - TAIL_BYTES;
	uint32_t rows[VAULT_TABLES] = {0};
	struct file_row row;

	if (memcmp(file->p, magic, sizeof(magic)) != 0)
		return "it does not begin as one";
	if (get_u32(file->p + sizeof(magic)) != VERSION)
		return "it is of another version";
	if ((uint32_t)crc32_z(0, file->p, file->len - 4) != get_u32(end - 4))
		return "its CRC-32 does not fit";
	while (p < tail) {
		if (!next_row(&p, tail, &row))
			return "a row is malformed";
		rows[row.table]++;
	}
	if (rows[VAULT_CELLS] != get_u32(tail + 8) || rows[VAULT_SITES] != get_u32(tail + 12))
		return "it holds another number of rows than it says";
	return NULL;
}

int vault_file_read(const struct vault_file *f, vault_file_fn take, void *ctx, uint64_t *refused_before, struct err *err)
{
	struct buf file = BUF_INIT;
	int rc = slurp(f->path, &file, err);
	const char *fault = rc == 0 ? find_fault(&file) : NULL;

	if (fault) {
		rc = err_set(err, ERR_REJECT, "%s is no file of tables: %s", f->path, fault);
	} else if (rc == 0) {
		const uint8_t *p = file.p + HEAD_BYTES, *tail = file.p + file.len - TAIL_BYTES;
		struct file_row row;

		memcpy(refused_before, tail, sizeof(*refused_before));
		*refused_before = le64toh(*refused_before);
		while (rc == 0 && next_row(&p, tail, &row))
			rc = take(ctx, row.table, row.key, row.value, err);
	}
	buf_fini(&file);
	return rc < 0 ? -1 : 0;
}
