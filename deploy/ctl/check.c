/* check.c - see check.h.
 *
 * Messages name what is wrong, the value, and what is allowed, so that they can be printed as they are; who
 * reads a file puts line and path before them (json_wrap). Checks of a record by itself come first, then
 * those that need others beside it. */
#include "deploy/ctl/check.h"

#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/route.h"
#include "deploy/ctl/printable.h"

/* A name that stands in topics, group ids and file names: lower case letters, digits and dashes are safe in
 * all of them. */
static int check_slug(const char *what, struct str s, size_t max, struct err *err)
{
	if (s.len < 1 || s.len > max)
		return err_set(err, ERR_REJECT, "%s \"%.*s\" has %zu characters: 1 to %zu are allowed", what,
			       (int)(s.len < 80 ? s.len : 80), s.p, s.len, max);
	for (size_t i = 0; i < s.len; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-'))
			return err_set(err, ERR_REJECT, "%s \"" STR_FMT "\": only a-z, 0-9 and - are allowed", what, STR_ARG(s));
	return 0;
}

int check_cell_name(struct str name, struct err *err)
{
	return check_slug("cell name", name, CHECK_CELL_NAME_MAX, err);
}

int check_site_id(struct str id, struct err *err)
{
	return check_slug("site id", id, CHECK_SITE_ID_MAX, err);
}

int check_site_name(struct str name, struct err *err)
{
	if (name.len < 1 || name.len > CHECK_SITE_NAME_MAX)
		return err_set(err, ERR_REJECT, "a site's name has %zu bytes: 1 to %d are allowed", name.len, CHECK_SITE_NAME_MAX);
	if (!str_is_utf8(name))
		return err_set(err, ERR_REJECT, "a site's name must be UTF-8");
	if (printable_has_control(name))
		return err_set(err, ERR_REJECT, "a site's name may hold no control characters");
	return 0;
}

int check_cell(const struct cell *cell, struct err *err)
{
	if (check_cell_name(cell->name, err) < 0)
		return -1;
	if (cell->partitions < 1 || cell->partitions > ROUTE_PARTITIONS_MAX)
		return err_set(err, ERR_REJECT, "cell " STR_FMT ": %d partitions: 1 to %d are allowed", STR_ARG(cell->name),
			       (int)cell->partitions, ROUTE_PARTITIONS_MAX);
	return 0;
}

/* Readers find a payload's route by the last effective_from that is not after its created_at; that needs
 * the order to be strict, and there to be at least one. Full minutes: a window must not be split between
 * two cells. */
static int check_routes(const struct site *site, struct err *err)
{
	if (site->routes_len < 1 || site->routes_len > CHECK_ROUTES_MAX)
		return err_set(err, ERR_REJECT, "%zu routes: 1 to %d are allowed", site->routes_len, CHECK_ROUTES_MAX);
	for (size_t i = 0; i < site->routes_len; i++) {
		const struct route *r = &site->routes[i];

		if (check_cell_name(r->cell, err) < 0)
			return -1;
		if (r->shards < 1 || r->shards > ROUTE_PARTITIONS_MAX)
			return err_set(err, ERR_REJECT, "%d shards: 1 to %d are allowed", (int)r->shards, ROUTE_PARTITIONS_MAX);
		if (r->effective_from < 0 || r->effective_from % CLOCK_MINUTE_MS)
			return err_set(err, ERR_REJECT, "a route is effective from %lld: that is no full minute",
				       (long long)r->effective_from);
		if (i && r->effective_from <= site->routes[i - 1].effective_from)
			return err_set(err, ERR_REJECT, "routes must be in the order of their times, each later than the one before");
	}
	return 0;
}

/* Wider than the ids we make (mr_ and eight characters), as an export may come from elsewhere; but it must
 * be something an operator can type after `key revoke`. */
static bool key_id_valid(struct str id)
{
	if (id.len < 1 || id.len > CHECK_KEY_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (id.p[i] <= 0x20 || id.p[i] >= 0x7f)
			return false;
	return true;
}

static int check_keys(const struct site *site, struct err *err)
{
	if (site->keys_len > CHECK_KEYS_MAX)
		return err_set(err, ERR_REJECT, "%zu keys: at most %d are allowed", site->keys_len, CHECK_KEYS_MAX);
	for (size_t i = 0; i < site->keys_len; i++) {
		const struct api_key *k = &site->keys[i];

		if (!key_id_valid(k->id))
			return err_set(err, ERR_REJECT, "a key's id has %zu bytes: 1 to %d printable ASCII characters are allowed",
				       k->id.len, CHECK_KEY_ID_MAX);
		for (size_t j = 0; j < i; j++)
			if (str_eq(k->id, site->keys[j].id) || memcmp(k->sha256, site->keys[j].sha256, sizeof(k->sha256)) == 0)
				return err_set(err, ERR_REJECT, "key " STR_FMT " stands there twice", STR_ARG(k->id));
	}
	return 0;
}

static int check_limits(const struct site *site, struct err *err)
{
	if (!isfinite(site->payloads_per_s) || !isfinite(site->samples_per_s) || site->payloads_per_s < 0 || site->samples_per_s < 0)
		return err_set(err, ERR_REJECT, "a rate is a finite number, not negative");
	if (site->series_cap < 0)
		return err_set(err, ERR_REJECT, "series_cap is %d: it cannot be negative", (int)site->series_cap);
	return 0;
}

int check_site(const struct site *site, struct err *err)
{
	if (check_site_id(site->id, err) < 0)
		return -1;
	if (check_site_name(site->name, err) < 0 || check_routes(site, err) < 0 || check_keys(site, err) < 0 ||
	    check_limits(site, err) < 0)
		return err_wrap(err, "site " STR_FMT, STR_ARG(site->id));
	return 0;
}

int check_site_routes(const struct site *site, const struct store *s, struct err *err)
{
	for (size_t i = 0; i < site->routes_len; i++) {
		const struct route *r = &site->routes[i];
		const struct cell *cell = store_cell(s, r->cell);

		if (!cell)
			return err_set(err, ERR_REJECT, "site " STR_FMT ": there is no cell \"" STR_FMT "\" (see millrace-ctl cell list)",
				       STR_ARG(site->id), STR_ARG(r->cell));
		if (r->shards > cell->partitions)
			return err_set(err, ERR_REJECT, "site " STR_FMT ": %d shards, but cell " STR_FMT " has %d partitions",
				       STR_ARG(site->id), (int)r->shards, STR_ARG(r->cell), (int)cell->partitions);
	}
	return 0;
}

int check_trigger_site(const struct trigger *trigger, const struct store *s, struct err *err)
{
	if (store_site(s, trigger->site))
		return 0;
	return err_set(err, ERR_REJECT, "site: there is no site \"" STR_FMT "\" (see millrace-ctl site list)", STR_ARG(trigger->site));
}

/* Enters one site's keys into seen; a hash that is there already is an error. */
static int add_hashes(struct map *seen, const struct store_item *item, struct err *err)
{
	for (size_t i = 0; i < item->v.site.keys_len; i++) {
		const struct api_key *k = &item->v.site.keys[i];
		struct str hash = {(const char *)k->sha256, sizeof(k->sha256)};
		uint8_t key[MAP_KEY_BYTES];
		const struct store_item *other;

		map_key_of(hash, key);
		other = map_get(seen, key);
		if (other)
			return err_set(err, ERR_REJECT, "sites " STR_FMT " and " STR_FMT " have the same key " STR_FMT,
				       STR_ARG(other->key), STR_ARG(item->key), STR_ARG(k->id));
		if (map_put(seen, key, (void *)(uintptr_t)item) < 0)
			return err_nomem(err, "a list of keys");
	}
	return 0;
}

/* By a map of the hashes: with a hundred thousand sites, each against each would take minutes. */
int check_key_hashes(const struct store *s, struct err *err)
{
	struct map seen = MAP_INIT;
	size_t nr;
	const struct store_item **sites = store_list(s, STORE_SITES, &nr, err);
	int rc = sites ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < nr; i++)
		if (!sites[i]->fault)
			rc = add_hashes(&seen, sites[i], err);
	map_fini(&seen);
	free(sites);
	return rc;
}
