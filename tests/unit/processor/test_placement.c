/* test_placement.c - where a series is in each minute, against an oracle that looks the route of a moment up and asks route_site_partitions(). */
#include "processor/placement.h"

#include <stdio.h>

#include "common/route.h"
#include "schemas/schemas.h"
#include "tests/unit/unit.h"

#define MINUTE_MS INT64_C(60000)

enum { ROUTES = 5, MINUTES = 40, PARTITIONS = 12, ROUNDS = UNIT_ROUNDS(3000) };

/* One site's row; nr_routes 0 is a tombstone. */
struct site_row {
	struct route routes[ROUTES];
	size_t nr_routes;
	const char *name;
	bool disabled;
};

static int take_row(struct placements *p, const char *key, const char *id, struct site_row *r)
{
	struct site site = {.id = str_from(id), .name = str_from(r->name), .disabled = r->disabled, .routes = r->routes, .routes_len = r->nr_routes};
	struct table_row row = {.key = str_from(key)};
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	int rc;

	ck_assert_int_eq(site_encode(&site, &bytes, &err), 0);
	if (r->nr_routes || !r->name)
		row.value = buf_str(&bytes);
	rc = placements_take(p, &row, &err);
	ck_assert_int_eq(rc < 0, err.kind != 0);
	buf_fini(&bytes);
	return rc;
}

static int take(struct placements *p, struct site_row *r)
{
	return take_row(p, "shop", "shop", r);
}

static struct placements begin(void)
{
	struct placements p = PLACEMENTS_INIT;

	p.cell = "main";
	p.partitions = PARTITIONS;
	return p;
}

static void fingerprint_of(uint64_t low, uint8_t out[SERIES_FINGERPRINT_BYTES])
{
	memset(out, 0, SERIES_FINGERPRINT_BYTES);
	for (int i = 0; i < 8; i++)
		out[8 + i] = (uint8_t)(low >> (56 - 8 * i));
}

/* The partition of cell main that a payload of a moment goes to; -1: another cell. */
static int32_t where(const struct site_row *r, int64_t t_ms, uint64_t low)
{
	const struct route *found = &r->routes[0];
	int32_t partitions[PARTITIONS];
	size_t nr;

	for (size_t i = 1; i < r->nr_routes; i++)
		if (r->routes[i].effective_from <= t_ms)
			found = &r->routes[i];
	if (!str_eq(found->cell, STR("main")))
		return -1;
	nr = route_site_partitions(STR("shop"), PARTITIONS, found->shards, partitions);
	return partitions[low % nr];
}

/* A minute is whole in one place when payloads of just before it, of its beginning and of the next one's beginning go there. */
static enum place judge(const struct site_row *r, uint64_t low, int32_t partition, int64_t minute_ms)
{
	const int64_t moments[] = {minute_ms - 1, minute_ms, minute_ms + MINUTE_MS};
	size_t here = 0;

	for (size_t i = 0; i < NR(moments); i++)
		here += where(r, moments[i], low) == partition;
	return here == NR(moments) ? PLACE_HERE : here ? PLACE_UNKNOWN : PLACE_ELSEWHERE;
}

static void make_history(struct site_row *r, struct unit_random *random)
{
	int64_t from = (int64_t)unit_random_below(random, 3) * MINUTE_MS;

	*r = (struct site_row){.nr_routes = 1 + unit_random_below(random, ROUTES), .name = "Shop"};
	for (size_t i = 0; i < r->nr_routes; i++) {
		r->routes[i] = (struct route){.effective_from = from, .cell = unit_random_below(random, 4) ? STR("main") : STR("other"),
					      .shards = 1 + (int32_t)unit_random_below(random, 3)};
		from += (int64_t)(1 + unit_random_below(random, unit_random_below(random, 3) ? 10 : 3)) * MINUTE_MS;
	}
}

START_TEST(minutes_are_placed_as_an_oracle_says)
{
	struct unit_random random = unit_random_new("placement");
	size_t seen[3] = {0}, still = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct placements p = begin();
		uint64_t low = unit_random_next(&random);
		uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
		const struct site_place *s;
		struct site_row r;
		int32_t partition;

		fingerprint_of(low, fingerprint);
		make_history(&r, &random);
		ck_assert_int_eq(take(&p, &r), 0);
		s = placements_get(&p, STR("shop"));
		partition = where(&r, (int64_t)unit_random_below(&random, MINUTES) * MINUTE_MS, low);
		if (partition < 0)
			partition = (int32_t)unit_random_below(&random, PARTITIONS);
		for (int64_t minute = 0; minute < MINUTES; minute++) {
			enum place got = site_place_judge(&p, s, fingerprint, partition, minute * MINUTE_MS);
			enum place wanted = judge(&r, low, partition, minute * MINUTE_MS);

			ck_assert_msg(got == wanted, "round %d, minute %d: %d, wanted %d", round, (int)minute, got, wanted);
			seen[got]++;
			/* what does not move is, in all minutes to come, where it was in the one before */
			if (site_place_moves(s, minute * MINUTE_MS))
				continue;
			still++;
			for (int64_t m = minute; m < MINUTES; m++)
				ck_assert_int_eq(judge(&r, low, partition, m * MINUTE_MS) == PLACE_HERE, where(&r, minute * MINUTE_MS - 1, low) == partition);
		}
		placements_fini(&p);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_msg(seen[i] > 1000, "%zu of place %d", seen[i], i);
	ck_assert_uint_gt(still, 1000);
}
END_TEST

/* One change at minute 10, from main to other: the minutes from which on something moves, and one that has none. */
START_TEST(what_moves_is_asked_about_until_it_has_gone)
{
	struct placements p = begin();
	struct site_row r = {.routes = {{0, STR("other"), 1}, {10 * MINUTE_MS, STR("main"), 2}}, .nr_routes = 2};
	struct site_place *s = placements_get(&p, STR("shop"));

	ck_assert(site_place_moves(s, 0) && !site_place_is_home(s));
	ck_assert_int_eq(take(&p, &r), 0);
	ck_assert(site_place_is_home(s) && p.homes == 1);
	ck_assert(site_place_moves(s, 0) && site_place_moves(s, 9 * MINUTE_MS) && site_place_moves(s, 11 * MINUTE_MS));
	ck_assert(!site_place_moves(s, 12 * MINUTE_MS) && !site_place_moves(s, 100 * MINUTE_MS));
	r.routes[1].cell = STR("third");
	ck_assert_int_eq(take(&p, &r), 0);
	ck_assert(site_place_moves(s, 100 * MINUTE_MS) && site_place_is_home(s) && p.homes == 1);
	r = (struct site_row){.routes = {{0, STR("main"), 1}}, .nr_routes = 1};
	ck_assert_int_eq(take(&p, &r), 0);
	ck_assert(!site_place_moves(s, 0));
	placements_fini(&p);
}
END_TEST

START_TEST(sites_that_are_off_are_elsewhere)
{
	struct placements p = begin();
	struct site_row r = {.routes = {{0, STR("main"), PARTITIONS}}, .nr_routes = 1, .name = "The shop", .disabled = true}, none = {.name = ""};
	struct site_place *s = placements_get(&p, STR("shop"));
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	uint64_t version = p.version;

	fingerprint_of(5, fingerprint);
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 5, MINUTE_MS), PLACE_ELSEWHERE);
	ck_assert(str_eq(site_place_name(s), STR("shop")));
	ck_assert_int_eq(take(&p, &r), 0);
	ck_assert(p.version > version && str_eq(site_place_name(s), STR("The shop")));
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 5, MINUTE_MS), PLACE_ELSEWHERE);
	ck_assert(site_place_moves(s, MINUTE_MS));
	r.disabled = false;
	ck_assert_int_eq(take(&p, &r), 0);
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 5, MINUTE_MS), PLACE_HERE);
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 6, MINUTE_MS), PLACE_ELSEWHERE);
	version = p.version;
	ck_assert_int_eq(take(&p, &none), 0);
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 5, MINUTE_MS), PLACE_ELSEWHERE);
	ck_assert(p.version > version && site_place_is_home(s) && site_place_moves(s, 0) && placements_get(&p, STR("shop")) == s);
	placements_fini(&p);
}
END_TEST

/* The number of partitions may come late, and is asked for anew. */
START_TEST(unknown_partitions_are_unknown_places)
{
	struct placements p = begin();
	struct site_row r = {.routes = {{0, STR("main"), 50}}, .nr_routes = 1, .name = ""};
	struct site_place *s = placements_get(&p, STR("shop"));
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];

	fingerprint_of(29, fingerprint);
	p.partitions = 0;
	ck_assert_int_eq(take(&p, &r), 0);
	ck_assert(str_eq(site_place_name(s), STR("shop")));
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 5, MINUTE_MS), PLACE_UNKNOWN);
	p.partitions = 24;
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 5, MINUTE_MS), PLACE_HERE);
	p.partitions = 12;
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 5, MINUTE_MS), PLACE_HERE);
	p.partitions = 28;
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 5, MINUTE_MS), PLACE_ELSEWHERE);
	placements_fini(&p);
}
END_TEST

START_TEST(bad_rows_change_nothing)
{
	struct placements p = begin();
	struct site_row good = {.routes = {{0, STR("main"), 1}}, .nr_routes = 1, .name = "Shop"}, bad = good, none = {.name = NULL};
	char id[70];
	uint64_t version;

	ck_assert_int_eq(take(&p, &good), 0);
	version = p.version;
	bad.name = "Bad";
	ck_assert_int_eq(take_row(&p, "shop", "other", &bad), -1);
	ck_assert_int_eq(take_row(&p, "Shop", "Shop", &bad), -1);
	bad.routes[0].shards = 0;
	ck_assert_int_eq(take(&p, &bad), -1);
	bad.routes[0].shards = ROUTE_PARTITIONS_MAX + 1;
	ck_assert_int_eq(take(&p, &bad), -1);
	ck_assert_int_eq(take(&p, &none), -1); /* a row without routes */
	memset(id, 'a', sizeof(id));
	ck_assert_ptr_null(placements_get(&p, (struct str){id, sizeof(id)}));
	ck_assert(p.version == version && str_eq(site_place_name(placements_get(&p, STR("shop"))), STR("Shop")));
	placements_fini(&p);
}
END_TEST

/* Long names are cut between two characters; routes may stand in any order. */
START_TEST(rows_are_made_usable)
{
	struct placements p = begin();
	struct site_row r = {.routes = {{20 * MINUTE_MS, STR("other"), 1}, {0, STR("main"), PARTITIONS}}, .nr_routes = 2};
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct site_place *s;
	char name[301];

	for (int i = 0; i < 300; i++)
		name[i] = "\xe2\x82\xac"[(i + 2) % 3];
	name[0] = 'x';
	name[300] = '\0';
	r.name = name + 0;
	name[298] = '\0'; /* x and 99 euros */
	fingerprint_of(3, fingerprint);
	ck_assert_int_eq(take(&p, &r), 0);
	s = placements_get(&p, STR("shop"));
	ck_assert_uint_eq(site_place_name(s).len, 253);
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 3, 10 * MINUTE_MS), PLACE_HERE);
	ck_assert_int_eq(site_place_judge(&p, s, fingerprint, 3, 30 * MINUTE_MS), PLACE_ELSEWHERE);
	placements_fini(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("placement");
	TCase *tc = tcase_create("placement");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, minutes_are_placed_as_an_oracle_says);
	tcase_add_test(tc, what_moves_is_asked_about_until_it_has_gone);
	tcase_add_test(tc, sites_that_are_off_are_elsewhere);
	tcase_add_test(tc, unknown_partitions_are_unknown_places);
	tcase_add_test(tc, bad_rows_change_nothing);
	tcase_add_test(tc, rows_are_made_usable);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
