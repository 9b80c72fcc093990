/* spool_house.h - a spool in a folder of its own, with a clock that stands where it is put and system calls that fail when told. */
#ifndef MILLRACE_TESTS_SPOOL_HOUSE_H
#define MILLRACE_TESTS_SPOOL_HOUSE_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/agent/spool.h"
#include "ingest/agent/spool_io.h"
#include "tests/unit/unit.h"

/* The calls from first to last (counted from 1, over the life of the house) fail with code, if they are of a kind in which. */
struct house_faults {
	unsigned long made, first, last;
	int code;
	unsigned which; /* bits by enum spool_call; 0: all */
	unsigned long fired;
};

struct house {
	char path[128], dir[160];
	struct house_faults faults;
	struct spool_io io;
	struct clock clock;
	struct log log;
	struct spool_conf conf;
};

static inline int house_fault(void *ctx, enum spool_call call)
{
	struct house_faults *f = ctx;

	f->made++;
	if (f->made < f->first || f->made > f->last || (f->which && !(f->which >> call & 1)))
		return 0;
	f->fired++;
	return f->code;
}

#define HOUSE_NOW_MS INT64_C(1795372012000)

/* Fills *h, which must not move. Bounds are wide, and free space is not asked for. */
static inline void house_init(struct house *h)
{
	const char *base = getenv("TMPDIR");

	*h = (struct house){.clock = {.test = true, .start_ms = HOUSE_NOW_MS, .speed = 0},
			    .conf = {.max_bytes = 1 << 20, .max_age_ms = 24 * CLOCK_HOUR_MS, .memory_bytes = 1 << 16}};
	snprintf(h->path, sizeof(h->path), "%s/millrace-spool-XXXXXX", base ? base : P_tmpdir);
	ck_assert_ptr_nonnull(mkdtemp(h->path));
	snprintf(h->dir, sizeof(h->dir), "%s/spool", h->path);
	h->io = (struct spool_io){house_fault, &h->faults};
	h->log = (struct log){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .program = "test"};
	h->conf.dir = h->dir;
	h->conf.io = &h->io;
}

static inline struct spool *house_open(struct house *h)
{
	struct err err = ERR_INIT;
	struct spool *s = spool_new(&h->conf, &h->clock, &h->log, &err);

	ck_assert_msg(s != NULL, "%s", err.msg);
	return s;
}

/* The calls from the n-th on, counted from now, fail, `times` of them. */
static inline void house_fail(struct house *h, unsigned long n, unsigned long times, int code)
{
	h->faults.first = h->faults.made + n;
	h->faults.last = h->faults.first + times - 1;
	h->faults.code = code;
	h->faults.fired = 0;
}

static inline void house_heal(struct house *h)
{
	h->faults.first = h->faults.last = 0;
	h->faults.which = 0;
}

/* How many files of a folder have a name that ends so (NULL: any). */
static inline int house_count(const char *dir, const char *ending)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.');

		if (e->d_name[0] != '.' && e->d_type != DT_DIR && (!ending || (dot && strcmp(dot, ending) == 0)))
			n++;
	}
	if (d)
		closedir(d);
	return n;
}

/* The name of the first file in the spool that ends so, with its folder, in out. */
static inline char *house_file(const struct house *h, const char *ending, char out[512])
{
	DIR *d = opendir(h->dir);
	struct dirent *e;

	out[0] = '\0';
	while (d && (e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.');

		if (dot && strcmp(dot, ending) == 0)
			snprintf(out, 512, "%s/%s", h->dir, e->d_name);
	}
	if (d)
		closedir(d);
	ck_assert_msg(out[0], "no file %s", ending);
	return out;
}

/* Deletes all that is in the folder name of the folder at. */
static inline void house_empty(int at, const char *name)
{
	DIR *d = fdopendir(openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || unlinkat(dirfd(d), e->d_name, 0) == 0)
			continue;
		house_empty(dirfd(d), e->d_name);
		unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	if (d)
		closedir(d);
}

static inline void house_fini(struct house *h)
{
	chmod(h->dir, 0700);
	house_empty(AT_FDCWD, h->path);
	ck_assert_int_eq(rmdir(h->path), 0);
	close(h->log.fd);
}

#endif
