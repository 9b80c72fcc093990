/* conf_fixture.h - a configuration of two sections, and a file that has no name on disk, for the tests of settings and of their files. */
#ifndef MILLRACE_TEST_CONF_FIXTURE_H
#define MILLRACE_TEST_CONF_FIXTURE_H

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/conf.h"
#include "tests/unit/unit.h"

struct settings {
	char *cell, *uri, *name;
	int64_t docs, budget, interval, offset;
	double ratio;
	bool ordered;
};

static const struct conf_field fields[] = {
	{"cell", CONF_STR, offsetof(struct settings, cell), "main", 1, 8, "the cell"},
	{"mongo.uri", CONF_SECRET, offsetof(struct settings, uri), "", 0, 40, "where the database is"},
	{"batch.max_docs", CONF_INT, offsetof(struct settings, docs), "1000", 1, 100000, "documents a bulk write"},
	{"memory.budget", CONF_BYTES, offsetof(struct settings, budget), "256Mi", 1 << 20, INT64_C(1) << 36, "memory"},
	{"flush.interval", CONF_MS, offsetof(struct settings, interval), "5s", 100, 3600000, "how often"},
	{0},
};
static const struct conf_field more_fields[] = {
	{"name", CONF_STR, offsetof(struct settings, name), NULL, 0, 0, "anything"},
	{"offset", CONF_INT, offsetof(struct settings, offset), "0", -5, 0, "up to nothing"},
	{"ratio", CONF_NUM, offsetof(struct settings, ratio), "0.5", 0, 2, "a share"},
	{"ordered", CONF_BOOL, offsetof(struct settings, ordered), "false", 0, 0, "yes or no"},
	{0},
};

/* A configuration and a file that has no name on disk. */
struct fixture {
	struct settings settings;
	struct conf *conf;
	int fd;
	char path[32];
	struct err err;
};

static void fixture_init(struct fixture *f)
{
	const struct conf_section sections[] = {{fields, &f->settings}, {more_fields, &f->settings}};

	memset(&f->settings, 0xa5, sizeof(f->settings)); /* nothing may be read from or freed in a fresh target */
	f->err = (struct err)ERR_INIT;
	f->conf = conf_new(sections, NR(sections));
	f->fd = memfd_create("conf", MFD_CLOEXEC);
	if (!f->conf || f->fd < 0) /* not an assertion of Check's: in a loop each costs a write */
		ck_abort_msg("no fixture");
	snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd);
}

static void fixture_fini(struct fixture *f)
{
	conf_free(f->conf);
	close(f->fd);
}

/* Replaces FILE in a wanted message, not that of a variable's name, by the path that only the fixture knows. */
static void check_message(const struct fixture *f, const char *wanted)
{
	char text[1024] = "";
	const char *at = strstr(wanted, "FILE");

	while (at && at > wanted && at[-1] == '_')
		at = strstr(at + 1, "FILE");
	if (at)
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - wanted), wanted, f->path, at + 4);
	else
		snprintf(text, sizeof(text), "%s", wanted);
	ck_assert_str_eq(f->err.msg, text);
	ck_assert_int_eq(f->err.kind, ERR_REJECT);
}

static void load(struct fixture *f, char *const *environment)
{
	ck_assert_msg(conf_load(f->conf, environment, &f->err) == 0, "%s", f->err.msg);
}

/* What print (conf_print or conf_print_help) says; the caller frees. */
static char *printed(const struct conf *c, void (*print)(const struct conf *c, FILE *out))
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	print(c, out);
	fclose(out);
	return text;
}

#endif
