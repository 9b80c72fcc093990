/* folder.h - a folder of a test's own, with the one file that it is about. */
#ifndef MILLRACE_TESTS_FOLDER_H
#define MILLRACE_TESTS_FOLDER_H

#include <sys/stat.h>
#include <unistd.h>

#include "common/str.h"
#include "tests/unit/unit.h"

struct folder {
	char path[128], file[160], temp[176];
};

static inline struct folder folder_new(void)
{
	const char *base = getenv("TMPDIR");
	struct folder f;

	snprintf(f.path, sizeof(f.path), "%s/millrace-vault-XXXXXX", base ? base : P_tmpdir);
	ck_assert_ptr_nonnull(mkdtemp(f.path));
	snprintf(f.file, sizeof(f.file), "%s/tables", f.path);
	snprintf(f.temp, sizeof(f.temp), "%s.new", f.file);
	return f;
}

static inline void folder_remove(const struct folder *f)
{
	unlink(f->file);
	unlink(f->temp);
	ck_assert_int_eq(rmdir(f->path), 0); /* nothing else was left there */
}

/* The file's bytes, to be ended by buf_fini(). */
static inline struct buf folder_read(const struct folder *f)
{
	struct buf b = BUF_INIT;
	FILE *in = fopen(f->file, "rb");
	uint8_t chunk[4096];
	size_t n;

	ck_assert_ptr_nonnull(in);
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		buf_add(&b, chunk, n);
	fclose(in);
	return b;
}

static inline void folder_write(const struct folder *f, const void *bytes, size_t n)
{
	FILE *out = fopen(f->file, "wb");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
	ck_assert_int_eq(fclose(out), 0);
}

static inline bool folder_has(const char *path)
{
	return access(path, F_OK) == 0;
}

#endif
