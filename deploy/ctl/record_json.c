/* record_json.c - see record_json.h.
 *
 * Fields stand in three places here: the lists of what may be there, the writer, the reader. The round trip
 * of random stores (tests/unit/ctl/test_record_json.c) fails when one of them misses a field, and so does its look
 * at the schemas' fields when all of them miss it; diff_words.c is held to the same by its own test. Unknown fields are errors: a misspelt "shard" that was ignored would
 * silently be the default. */
#include "deploy/ctl/record_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/check.h"
#include "deploy/ctl/receiver_yaml.h"
#include "deploy/ctl/trigger_yaml.h"

static const char *const cell_fields[] = {"name", "partitions", "epoch", "created_at", NULL};
static const char *const route_fields[] = {"effective_from", "cell", "shards", NULL};
static const char *const key_fields[] = {"id", "sha256", "created_at", NULL};
static const char *const site_fields[] = {"id", "name", "disabled", "created_at", "routes", "keys",
					  "payloads_per_s", "samples_per_s", "series_cap", NULL};
static const char *const root_fields[] = {"format", "version", "cells", "sites", "receivers", "triggers", NULL};

void record_json_write_cell(struct json_writer *w, const char *key, const struct cell *cell)
{
	char epoch[20];

	/* As text: the number would lose its last digits in readers that know doubles only. */
	snprintf(epoch, sizeof(epoch), "%016" PRIx64, (uint64_t)cell->epoch);
	json_write_map(w, key);
	json_write_text(w, "name", cell->name);
	json_write_int(w, "partitions", cell->partitions);
	json_write_text(w, "epoch", str_from(epoch));
	json_write_int(w, "created_at", cell->created_at);
	json_write_map_end(w);
}

static void write_routes(struct json_writer *w, const struct site *site)
{
	json_write_array(w, "routes");
	for (size_t i = 0; i < site->routes_len; i++) {
		json_write_map(w, NULL);
		json_write_int(w, "effective_from", site->routes[i].effective_from);
		json_write_text(w, "cell", site->routes[i].cell);
		json_write_int(w, "shards", site->routes[i].shards);
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

/* Hashes are public in the sense that a key of 256 random bits cannot be found from one; still, files get
 * mode 0600. */
static void write_keys(struct json_writer *w, const struct site *site)
{
	json_write_array(w, "keys");
	for (size_t i = 0; i < site->keys_len; i++) {
		json_write_map(w, NULL);
		json_write_text(w, "id", site->keys[i].id);
		json_write_hex(w, "sha256", site->keys[i].sha256, sizeof(site->keys[i].sha256));
		json_write_int(w, "created_at", site->keys[i].created_at);
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

void record_json_write_site(struct json_writer *w, const char *key, const struct site *site)
{
	json_write_map(w, key);
	json_write_text(w, "id", site->id);
	json_write_text(w, "name", site->name);
	json_write_bool(w, "disabled", site->disabled);
	json_write_int(w, "created_at", site->created_at);
	write_routes(w, site);
	write_keys(w, site);
	json_write_number(w, "payloads_per_s", site->payloads_per_s);
	json_write_number(w, "samples_per_s", site->samples_per_s);
	json_write_int(w, "series_cap", site->series_cap);
	json_write_map_end(w);
}

int record_json_write_cells(struct json_writer *w, const struct store *s, struct err *err)
{
	size_t nr;
	const struct store_item **cells = store_list(s, STORE_CELLS, &nr, err);

	if (!cells)
		return -1;
	json_write_array(w, "cells");
	for (size_t i = 0; i < nr; i++)
		if (!cells[i]->fault)
			record_json_write_cell(w, NULL, &cells[i]->v.cell);
	json_write_array_end(w);
	free(cells);
	return 0;
}

int record_json_write_sites(struct json_writer *w, const struct store *s, struct err *err)
{
	size_t nr;
	const struct store_item **sites = store_list(s, STORE_SITES, &nr, err);

	if (!sites)
		return -1;
	json_write_array(w, "sites");
	for (size_t i = 0; i < nr; i++)
		if (!sites[i]->fault)
			record_json_write_site(w, NULL, &sites[i]->v.site);
	json_write_array_end(w);
	free(sites);
	return 0;
}

/* A whole number that fits 32 bits; what it may be beyond that, check.h says. */
static int read_int32(const struct json *object, const char *key, int32_t *out, struct err *err)
{
	int64_t number;

	if (json_get_int(object, key, INT32_MIN, INT32_MAX, &number, err) < 0)
		return -1;
	*out = (int32_t)number;
	return 0;
}

/* A record made by hand need not know when it was made; diff_complete() fills it in. */
static int read_time(const struct json *object, int64_t *out, struct err *err)
{
	*out = RECORD_JSON_NO_TIME;
	return json_get(object, "created_at") ? json_get_int(object, "created_at", 0, INT64_MAX, out, err) : 0;
}

static int read_cell(const struct json *node, struct store *out, struct err *err)
{
	struct cell cell = {.epoch = 0}; /* the file's is only checked to be a field that may be there */

	if (json_check_fields(node, cell_fields, err) < 0 || json_get_text(node, "name", &cell.name, err) < 0 ||
	    read_int32(node, "partitions", &cell.partitions, err) < 0 || read_time(node, &cell.created_at, err) < 0)
		return -1;
	if (check_cell(&cell, err) < 0)
		return json_wrap(node, err);
	if (store_item(out, STORE_CELLS, cell.name))
		return json_fail(node, err, "cell " STR_FMT " stands there twice", STR_ARG(cell.name));
	return store_put_cell(out, &cell, err);
}

static int read_routes(const struct json *node, struct site *site, struct store *out, struct err *err)
{
	const struct json *routes;

	if (json_get_array(node, "routes", &routes, err) < 0)
		return -1;
	site->routes = arena_calloc(&out->arena, routes->nr, sizeof(*site->routes));
	if (!site->routes)
		return err_nomem(err, "a site's routes");
	for (const struct json *r = routes->child; r; r = r->next) {
		struct route *route = &site->routes[site->routes_len++];

		if (json_check_fields(r, route_fields, err) < 0 ||
		    json_get_int(r, "effective_from", 0, INT64_MAX, &route->effective_from, err) < 0 ||
		    json_get_text(r, "cell", &route->cell, err) < 0 || read_int32(r, "shards", &route->shards, err) < 0)
			return -1;
	}
	return 0;
}

/* Lower case only, as export writes it: equal records have equal text. */
static int read_hash(const struct json *object, uint8_t out[32], struct err *err)
{
	static const char digits[] = "0123456789abcdef";
	struct str text;

	if (json_get_text(object, "sha256", &text, err) < 0)
		return -1;
	if (text.len != 64)
		return json_fail(json_get(object, "sha256"), err, "must be 64 hexadecimal digits");
	for (size_t i = 0; i < 64; i++) {
		const char *digit = text.p[i] ? strchr(digits, text.p[i]) : NULL;

		if (!digit)
			return json_fail(json_get(object, "sha256"), err, "must be 64 hexadecimal digits, lower case");
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - digits));
	}
	return 0;
}

static int read_keys(const struct json *node, struct site *site, struct store *out, struct err *err)
{
	const struct json *keys;

	if (!json_get(node, "keys"))
		return 0;
	if (json_get_array(node, "keys", &keys, err) < 0)
		return -1;
	site->keys = arena_calloc(&out->arena, keys->nr, sizeof(*site->keys));
	if (!site->keys)
		return err_nomem(err, "a site's keys");
	for (const struct json *k = keys->child; k; k = k->next) {
		struct api_key *key = &site->keys[site->keys_len++];

		if (json_check_fields(k, key_fields, err) < 0 || json_get_text(k, "id", &key->id, err) < 0 ||
		    read_hash(k, key->sha256, err) < 0 || read_time(k, &key->created_at, err) < 0)
			return -1;
	}
	return 0;
}

static int read_limits(const struct json *node, struct site *site, struct err *err)
{
	if (json_get(node, "payloads_per_s") && json_get_number(node, "payloads_per_s", &site->payloads_per_s, err) < 0)
		return -1;
	if (json_get(node, "samples_per_s") && json_get_number(node, "samples_per_s", &site->samples_per_s, err) < 0)
		return -1;
	return json_get(node, "series_cap") ? read_int32(node, "series_cap", &site->series_cap, err) : 0;
}

static int read_site(const struct json *node, struct store *out, struct err *err)
{
	struct site site = {0};

	if (json_check_fields(node, site_fields, err) < 0 || json_get_text(node, "id", &site.id, err) < 0)
		return -1;
	site.name = site.id;
	if (json_get(node, "name") && json_get_text(node, "name", &site.name, err) < 0)
		return -1;
	if (json_get(node, "disabled") && json_get_bool(node, "disabled", &site.disabled, err) < 0)
		return -1;
	if (read_time(node, &site.created_at, err) < 0 || read_routes(node, &site, out, err) < 0 ||
	    read_keys(node, &site, out, err) < 0 || read_limits(node, &site, err) < 0)
		return -1;
	if (check_site(&site, err) < 0)
		return json_wrap(node, err);
	if (store_item(out, STORE_SITES, site.id))
		return json_fail(node, err, "site " STR_FMT " stands there twice", STR_ARG(site.id));
	return store_put_site(out, &site, err);
}

/* The record's bytes go into the store, as a row from Kafka would: what was read lives no longer than the entry's tree. */
static int put_rule(struct store *out, enum store_kind kind, struct yaml_file *f, struct err *err)
{
	struct buf value = BUF_INIT;
	struct table_row row = {0};
	struct trigger trigger;
	struct receiver receiver;
	int rc = 1;

	if (kind == STORE_TRIGGERS && trigger_yaml_read(f, f->root, &trigger)) {
		row.key = trigger.id;
		rc = trigger_encode(&trigger, &value, err);
	} else if (kind == STORE_RECEIVERS && receiver_yaml_read(f, f->root, &receiver)) {
		row.key = receiver.id;
		rc = receiver_encode(&receiver, &value, err);
	}
	row.value = buf_str(&value);
	if (rc == 0 && store_item(out, kind, row.key))
		yaml_fail(f, f->root, "id: " STR_FMT " stands there twice", STR_ARG(row.key));
	else if (rc == 0)
		rc = store_take_row(out, kind, &row, err);
	buf_fini(&value);
	return rc < 0 ? -1 : 0;
}

/* Triggers and receivers have one reader for both languages (yaml_read.h). */
static int read_rule(const struct json *node, enum store_kind kind, struct store *out, struct err *err)
{
	struct yaml_file f;
	int rc = 0;

	yaml_from_json(&f, node);
	if (f.root)
		rc = put_rule(out, kind, &f, err);
	if (rc == 0 && f.nomem)
		rc = err_nomem(err, "an export");
	else if (rc == 0 && f.nr_faults)
		rc = err_set(err, ERR_REJECT, "line %d, %s[%zu]: %s", f.faults[0].line, kind == STORE_TRIGGERS ? "triggers" : "receivers", node->index,
			     f.faults[0].text);
	yaml_fini(&f);
	return rc;
}

/* Exports of before there were such records have no list. */
static int read_rules(const struct json *root, const char *key, enum store_kind kind, struct store *out, struct err *err)
{
	const struct json *list;

	if (!json_get(root, key))
		return 0;
	if (json_get_array(root, key, &list, err) < 0)
		return -1;
	for (const struct json *node = list->child; node; node = node->next)
		if (read_rule(node, kind, out, err) < 0)
			return -1;
	return 0;
}

/* Another format, or a newer version of ours, is refused before anything in it is believed. */
static int read_head(const struct json *root, struct err *err)
{
	struct str format;
	int64_t version;

	if (json_check_fields(root, root_fields, err) < 0 || json_get_text(root, "format", &format, err) < 0)
		return -1;
	if (!str_eq(format, STR(RECORD_JSON_FORMAT)))
		return json_fail(json_get(root, "format"), err, "must be \"" RECORD_JSON_FORMAT "\"");
	if (json_get_int(root, "version", 1, INT32_MAX, &version, err) < 0)
		return -1;
	if (version != RECORD_JSON_VERSION)
		return json_fail(json_get(root, "version"), err, "%lld: this millrace-ctl reads version %d", (long long)version,
				 RECORD_JSON_VERSION);
	return 0;
}

int record_json_read_store(const struct json *root, struct store *out, struct err *err)
{
	const struct json *cells, *sites;

	if (read_head(root, err) < 0 || json_get_array(root, "cells", &cells, err) < 0 || json_get_array(root, "sites", &sites, err) < 0)
		return -1;
	for (const struct json *node = cells->child; node; node = node->next)
		if (read_cell(node, out, err) < 0)
			return -1;
	for (const struct json *node = sites->child; node; node = node->next)
		if (read_site(node, out, err) < 0)
			return -1;
	if (read_rules(root, "receivers", STORE_RECEIVERS, out, err) < 0 || read_rules(root, "triggers", STORE_TRIGGERS, out, err) < 0)
		return -1;
	return check_key_hashes(out, err);
}
