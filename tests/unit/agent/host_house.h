/* host_house.h - a reader of host metrics over a tree of a test's own, and all that it said. */
#ifndef MILLRACE_TESTS_HOST_HOUSE_H
#define MILLRACE_TESTS_HOST_HOUSE_H

#include <math.h>

#include "ingest/agent/host.h"
#include "tests/unit/agent/tree.h"

enum { HOUSE_SAMPLES_MAX = 4096 };

#define HOUSE_T_MS INT64_C(1795372000000)

struct house_sample {
	enum host_kind kind;
	char name[64], tags[320];
	double value;
};

struct house {
	struct tree tree;
	struct host *host;
	struct log log;
	FILE *said;
	struct house_sample *samples; /* of the last reading */
	size_t len;
};

static inline void house_open(struct house *h, int (*fs)(const char *, struct statvfs *))
{
	struct err err = ERR_INIT;

	*h = (struct house){.tree = tree_new(), .said = tmpfile(), .samples = calloc(HOUSE_SAMPLES_MAX, sizeof(*h->samples))};
	ck_assert(h->said && h->samples);
	h->log = (struct log){.fd = fileno(h->said), .program = "test"};
	h->host = host_new(&(struct host_conf){.root = h->tree.root, .name = "web-7", .statvfs = fs}, &h->log, &err);
	ck_assert_ptr_nonnull(h->host);
}

static inline void house_free(struct house *h)
{
	host_free(h->host);
	fclose(h->said);
	free(h->samples);
	tree_remove(&h->tree);
}

/* Whatever is reported must be fit to be a sample. */
static inline void house_take(void *ctx, const struct host_sample *s)
{
	struct house *h = ctx;
	struct house_sample *to = &h->samples[h->len++];

	ck_assert_uint_lt(h->len, HOUSE_SAMPLES_MAX);
	ck_assert_uint_lt(s->name.len, sizeof(to->name));
	ck_assert_uint_lt(s->tags.len, sizeof(to->tags));
	ck_assert_int_eq(s->t_ms, HOUSE_T_MS);
	ck_assert_msg(isfinite(s->value) && s->value >= 0, "%.*s: %g", (int)s->name.len, s->name.p, s->value);
	ck_assert(str_is_utf8(s->tags) && memcmp(s->tags.p, "host:web-7", 10) == 0);
	to->kind = s->kind;
	memcpy(to->name, s->name.p, s->name.len);
	to->name[s->name.len] = '\0';
	memcpy(to->tags, s->tags.p, s->tags.len);
	to->tags[s->tags.len] = '\0';
	to->value = s->value;
	for (size_t i = 0; i + 1 < h->len; i++)
		ck_assert_msg(strcmp(h->samples[i].name, to->name) || strcmp(h->samples[i].tags, to->tags), "twice: %s %s", to->name, to->tags);
}

static inline void house_read(struct house *h)
{
	h->len = 0;
	host_read(h->host, HOUSE_T_MS, house_take, h);
}

/* more: tags behind host's, "" for none. NULL: there is no such sample. */
static inline const struct house_sample *house_find(const struct house *h, const char *name, const char *more)
{
	char tags[320];

	snprintf(tags, sizeof(tags), "host:web-7%s%s", *more ? "," : "", more);
	for (size_t i = 0; i < h->len; i++)
		if (strcmp(h->samples[i].name, name) == 0 && strcmp(h->samples[i].tags, tags) == 0)
			return &h->samples[i];
	return NULL;
}

static inline void house_expect(const struct house *h, enum host_kind kind, const char *name, const char *more, double value)
{
	const struct house_sample *s = house_find(h, name, more);

	ck_assert_msg(s != NULL, "%s %s is missing", name, more);
	ck_assert_msg(s->kind == kind, "%s %s: kind", name, more);
	ck_assert_msg(fabs(s->value - value) <= 1e-9 * fabs(value), "%s %s: %.17g, not %.17g", name, more, s->value, value);
}

static inline void house_expect_none(const struct house *h, const char *name, const char *more)
{
	ck_assert_msg(!house_find(h, name, more), "%s %s is there", name, more);
}

/* Samples whose name begins so. */
static inline size_t house_count(const struct house *h, const char *prefix)
{
	size_t n = 0;

	for (size_t i = 0; i < h->len; i++)
		n += strncmp(h->samples[i].name, prefix, strlen(prefix)) == 0;
	return n;
}

/* Lines of the log with this text in them. */
static inline int house_said(const struct house *h, const char *text)
{
	char line[1024];
	int n = 0;

	rewind(h->said);
	while (fgets(line, sizeof(line), h->said))
		n += strstr(line, text) != NULL;
	return n;
}

#endif
