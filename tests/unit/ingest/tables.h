/* tables.h - rows of cells and sites for the tests of ingest. */
#ifndef MILLRACE_TESTS_TABLES_H
#define MILLRACE_TESTS_TABLES_H

#include <string.h>

#include "ingest/sites.h"
#include "schemas/schemas.h"
#include "tests/unit/unit.h"

/* Hands the row of a cell to a row function; what it says. */
static inline int give_cell(table_row_fn take, void *ctx, const char *name, int64_t epoch, int32_t partitions, struct err *err)
{
	struct cell cell = {.name = str_from(name), .epoch = epoch, .partitions = partitions};
	struct table_row row = {.key = str_from(name)};
	struct buf value = BUF_INIT;
	int rc;

	ck_assert_int_eq(cell_encode(&cell, &value, err), 0);
	row.value = buf_str(&value);
	rc = take(ctx, &row, err);
	buf_fini(&value);
	return rc;
}

/* Puts a cell into the table; what sites_take_cell() says. */
static inline int put_cell(struct sites *s, const char *name, int64_t epoch, int32_t partitions, struct err *err)
{
	return give_cell(sites_take_cell, s, name, epoch, partitions, err);
}

/* Hands the row of a site with these keys (NULL-terminated) and routes to a row function; what it says. */
static inline int give_site(table_row_fn take, void *ctx, const char *id, const char *const *keys, const struct route *routes,
			    size_t routes_len, bool disabled, struct err *err)
{
	struct api_key api_keys[8] = {0};
	struct site site = {.id = str_from(id), .name = str_from("a site"), .disabled = disabled, .routes_len = routes_len,
			    .routes = (struct route *)(uintptr_t)routes, .keys = api_keys};
	struct table_row row = {.key = str_from(id)};
	struct buf value = BUF_INIT;
	int rc;

	for (; *keys; keys++) {
		struct api_key *key = &api_keys[site.keys_len++];

		key->id = (struct str){*keys, strlen(*keys) < 4 ? strlen(*keys) : 4};
		sites_hash_key(str_from(*keys), key->sha256);
	}
	ck_assert_int_eq(site_encode(&site, &value, err), 0);
	row.value = buf_str(&value);
	rc = take(ctx, &row, err);
	buf_fini(&value);
	return rc;
}

/* Puts a site into the table; what sites_take_site() says. */
static inline int put_site(struct sites *s, const char *id, const char *const *keys, const struct route *routes, size_t routes_len,
			   bool disabled, struct err *err)
{
	return give_site(sites_take_site, s, id, keys, routes, routes_len, disabled, err);
}

/* The site's row, gone. */
static inline void delete_site(struct sites *s, const char *id)
{
	struct table_row row = {.key = str_from(id)};

	ck_assert_int_eq(sites_take_site(s, &row, NULL), 0);
}

/* The site that a key in clear belongs to. */
static inline struct tenant *find_key(const struct sites *s, const char *key)
{
	uint8_t sha256[SITES_SHA256_BYTES];

	sites_hash_key(str_from(key), sha256);
	return sites_find(s, sha256);
}

#endif
