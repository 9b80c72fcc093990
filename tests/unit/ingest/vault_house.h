/* vault_house.h - a vault for its tests, with the real tables of sites.c behind its doors.
 *
 * What is asked is what a client would see: which keys are good. Sites are numbers here, and so are their keys. */
#ifndef MILLRACE_TESTS_VAULT_HOUSE_H
#define MILLRACE_TESTS_VAULT_HOUSE_H

#include "ingest/vault.h"
#include "tests/unit/ingest/folder.h"
#include "tests/unit/ingest/tables.h"

#define MINUTE INT64_C(60000)

enum { KEYS = 3 };

static const struct route to_main[] = {{.effective_from = 0, .cell = {"main", 4}, .shards = 2}};

/* A vault, what stands behind it, and its clock. */
struct house {
	struct folder folder;
	struct sites *sites;
	struct vault *vault;
	int64_t now_ms;
	int taken;           /* rows that went through the doors */
	enum err_kind fault; /* doors refuse with this; 0: they do not */
};

static inline int door_cell(void *ctx, const struct table_row *row, struct err *err)
{
	struct house *h = ctx;

	h->taken++;
	return h->fault ? err_set(err, h->fault, "the door is shut") : sites_take_cell(h->sites, row, err);
}

static inline int door_site(void *ctx, const struct table_row *row, struct err *err)
{
	struct house *h = ctx;

	h->taken++;
	return h->fault ? err_set(err, h->fault, "the door is shut") : sites_take_site(h->sites, row, err);
}

static inline void house_open(struct house *h, const char *file)
{
	h->sites = sites_new();
	h->vault = vault_new(&(struct vault_doors){door_cell, door_site, h}, file);
	h->taken = 0;
	ck_assert(h->sites && h->vault);
}

static inline struct house *house_new(void)
{
	struct house *h = calloc(1, sizeof(*h));

	h->folder = folder_new();
	h->now_ms = 1000000;
	house_open(h, h->folder.file);
	return h;
}

static inline void house_close(struct house *h)
{
	vault_free(h->vault);
	sites_free(h->sites);
}

static inline void house_free(struct house *h)
{
	house_close(h);
	folder_remove(&h->folder);
	free(h);
}

static inline void must_load_file(struct house *h)
{
	struct err err = ERR_INIT;

	ck_assert_msg(vault_load_file(h->vault, &err) == 0, "%s", err.msg);
}

static inline void must_be_loaded(struct house *h)
{
	struct err err = ERR_INIT;

	ck_assert_msg(vault_loaded(h->vault, h->now_ms, &err) == 0, "%s", err.msg);
}

static inline void tick(struct house *h, int64_t ms)
{
	struct err err = ERR_INIT;

	h->now_ms += ms;
	ck_assert_msg(vault_tick(h->vault, h->now_ms, &err) == 0, "%s", err.msg);
}

static inline void must_save(struct house *h)
{
	struct err err = ERR_INIT;

	ck_assert_msg(vault_save(h->vault, &err) == 0, "%s", err.msg);
}

/* A new process that has the file, and nothing from Kafka yet. */
static inline void restart(struct house *h)
{
	must_save(h);
	house_close(h);
	house_open(h, h->folder.file);
	must_load_file(h);
}

static const char *id_of(int n, char out[16])
{
	snprintf(out, 16, "site-%d", n);
	return out;
}

static const char *key_of(int n, int k, char out[16])
{
	snprintf(out, 16, "mr_%d_%d", n, k);
	return out;
}

/* Site n's row, with the keys whose bits are set. */
static inline void put(struct house *h, int n, unsigned keys, bool disabled)
{
	char id[16], text[KEYS][16];
	const char *list[KEYS + 1] = {NULL};
	struct err err = ERR_INIT;
	size_t len = 0;

	for (int k = 0; k < KEYS; k++)
		if (keys & 1u << k)
			list[len++] = key_of(n, k, text[k]);
	ck_assert_msg(give_site(vault_take_site, h->vault, id_of(n, id), list, to_main, 1, disabled, &err) == 0, "%s", err.msg);
}

static inline void cut(struct house *h, int n)
{
	char id[16];

	ck_assert_int_eq(vault_take_site(h->vault, &(struct table_row){.key = str_from(id_of(n, id))}, NULL), 0);
}

static inline void cell(struct house *h, const char *name)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(give_cell(vault_take_cell, h->vault, name, 7, 12, &err), 0);
}

static inline bool good(const struct house *h, int n, int k)
{
	char key[16];

	return find_key(h->sites, key_of(n, k, key)) != NULL;
}

static inline void check_held(const struct house *h, size_t rows, size_t before, size_t after)
{
	struct vault_shrink shrink;

	ck_assert_uint_eq(vault_shrink_held(h->vault, &shrink), rows);
	ck_assert_msg(shrink.rows == rows && shrink.before == before && shrink.after == after, "%zu rows, %zu to %zu", shrink.rows,
		      shrink.before, shrink.after);
}

/* Lets removals wait until they are judged. */
static inline void settle(struct house *h)
{
	tick(h, 10);
	tick(h, VAULT_QUIET_MS);
}

static inline void put_all(struct house *h, int from, int to)
{
	for (int n = from; n < to; n++)
		put(h, n, 1, false);
}

/* How many sites answer to their first key. */
static inline int served(const struct house *h)
{
	int count = 0;

	for (int n = 0; n < 200; n++)
		count += good(h, n, 0);
	return count;
}

static inline bool routed(struct house *h, int n, int64_t at_ms)
{
	struct split_route out;
	struct refusal no;
	char key[16];
	struct tenant *t = find_key(h->sites, key_of(n, 0, key));

	return t && sites_route(h->sites, t, at_ms, &out, &no) == 0;
}

/* A vault that follows Kafka, with cell main and so many sites. */
static inline struct house *house_loaded(int sites)
{
	struct house *h = house_new();

	must_load_file(h);
	cell(h, "main");
	put_all(h, 0, sites);
	must_be_loaded(h);
	ck_assert_int_eq(served(h), sites);
	return h;
}

#endif
