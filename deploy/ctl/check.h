/* check.h - what names, cells and sites may look like.
 *
 * One place for the rules of schemas/README.md, so that what `add` refuses, `apply` refuses too. The
 * readers (ingest, processor) may rely on every record that millrace-ctl wrote. Pure functions; errors are
 * ERR_REJECT. */
#ifndef MILLRACE_CTL_CHECK_H
#define MILLRACE_CTL_CHECK_H

#include "common/err.h"
#include "common/str.h"
#include "deploy/ctl/store.h"
#include "schemas/schemas.h"

enum {
	CHECK_CELL_NAME_MAX = 32,
	CHECK_SITE_ID_MAX = 64,
	CHECK_SITE_NAME_MAX = 255,
	CHECK_KEYS_MAX = 2, /* two live keys a site: enough to change one without a gap */
	CHECK_ROUTES_MAX = 256,
	CHECK_KEY_ID_MAX = 64,
};

/* A cell's name: [a-z0-9-]{1,32}. */
int check_cell_name(struct str name, struct err *err);

/* A site's id: [a-z0-9-]{1,64}. */
int check_site_id(struct str id, struct err *err);

/* A site's name: 1 to 255 bytes of UTF-8 without control characters. */
int check_site_name(struct str name, struct err *err);

/* A whole Cell: name and partitions. */
int check_cell(const struct cell *cell, struct err *err);

/* A whole Site by itself: names, routes (full minutes, ascending, at least one), keys (at most two, no id
 * or hash twice), limits. */
int check_site(const struct site *site, struct err *err);

/* A site among the others: each route's cell exists and has that many partitions. */
int check_site_routes(const struct site *site, const struct store *s, struct err *err);

/* A trigger among the others: its site exists. */
int check_trigger_site(const struct trigger *trigger, const struct store *s, struct err *err);

/* No key hash stands at two sites (ingest finds the site by it). *err names both. */
int check_key_hashes(const struct store *s, struct err *err);

#endif
