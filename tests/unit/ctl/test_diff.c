/* test_diff.c - changes and their words; which routes may change. */
#include "deploy/ctl/diff.h"

#include <string.h>

#include "common/receiver.h"
#include "deploy/ctl/record_json.h"
#include "tests/unit/ctl/random_store.h"

enum { MINUTE = 60000, NOW = 1000 * MINUTE };

static bool same_bytes(const struct site *a, const struct site *b)
{
	struct buf left = BUF_INIT, right = BUF_INIT;
	bool same;

	ck_assert_int_eq(site_encode(a, &left, NULL), 0);
	ck_assert_int_eq(site_encode(b, &right, NULL), 0);
	same = str_eq(buf_str(&left), buf_str(&right));
	buf_fini(&left);
	buf_fini(&right);
	return same;
}

/* Changes one field of a site; what changed may be nothing (a number drawn again). */
static void change_field(struct unit_random *r, struct site *s, struct arena *arena)
{
	struct route *route = &s->routes[unit_random_below(r, s->routes_len)];
	struct api_key *key = s->keys_len ? &s->keys[unit_random_below(r, s->keys_len)] : NULL;

	switch (unit_random_below(r, 14)) {
	case 0: s->name = random_text(r, arena, "ab", 2); break;
	case 1: s->disabled = unit_random_below(r, 2); break;
	case 2: s->created_at = (int64_t)unit_random_below(r, 3); break;
	case 3: route->cell = random_text(r, arena, "ab", 2); break;
	case 4: route->shards = (int32_t)unit_random_below(r, 3); break;
	case 5: route->effective_from = (int64_t)unit_random_below(r, 3); break;
	case 6: s->routes_len = 1 + unit_random_below(r, s->routes_len); break;
	case 7: s->keys_len = unit_random_below(r, s->keys_len + 1); break;
	case 8: if (key) key->id = random_text(r, arena, "kl", 2); break;
	case 9: if (key) key->sha256[unit_random_below(r, 32)] ^= 1; break;
	case 10: if (key) key->created_at++; break;
	case 11: s->payloads_per_s = unit_random_unit(r); break;
	case 12: s->samples_per_s = unit_random_unit(r); break;
	default: s->series_cap = (int32_t)unit_random_below(r, 3);
	}
}

static struct site deep_copy(const struct site *s, struct arena *arena)
{
	struct site copy = *s;

	copy.routes = arena_calloc(arena, s->routes_len, sizeof(*s->routes));
	copy.keys = arena_calloc(arena, s->keys_len, sizeof(*s->keys));
	memcpy(copy.routes, s->routes, s->routes_len * sizeof(*s->routes));
	if (s->keys_len)
		memcpy(copy.keys, s->keys, s->keys_len * sizeof(*s->keys));
	return copy;
}

/* Two sites are the same bytes exactly when there is nothing to say: so no field is forgotten, and none is made up. */
START_TEST(words_iff_different)
{
	struct unit_random r = unit_random_new("diff");
	struct store s = STORE_INIT;
	int same = 0, differ = 0;

	for (int round = 0; round < 4000; round++) {
		size_t nr;
		const struct store_item **sites;
		struct buf words = BUF_INIT;

		if (round % 50 == 0) {
			store_fini(&s);
			do {
				random_cells(&r, &s, 3);
				random_sites(&r, &s, 5);
			} while (s.index[STORE_SITES].len == 0);
		}
		sites = store_list(&s, STORE_SITES, &nr, NULL);
		{
			const struct site *live = &sites[unit_random_below(&r, nr)]->v.site;
			struct site wanted = deep_copy(live, &s.arena);

			for (uint64_t n = unit_random_below(&r, 3); n; n--)
				change_field(&r, &wanted, &s.arena);
			diff_site(live, &wanted, &words);
			ck_assert_msg((words.len == 0) == same_bytes(live, &wanted), "\"" STR_FMT "\"", STR_ARG(buf_str(&words)));
			same += words.len == 0;
			differ += words.len != 0;
		}
		buf_fini(&words);
		free(sites);
	}
	ck_assert_int_gt(same, 500);
	ck_assert_int_gt(differ, 1000);
	store_fini(&s);
}
END_TEST

START_TEST(words_of_a_change)
{
	struct route routes[] = {{0, STR("main"), 2}}, others[] = {{0, STR("main"), 2}, {NOW, STR("eu"), 3}};
	struct api_key keys[] = {{.id = STR("mr_a"), .sha256 = {1}}, {.id = STR("mr_b")}}, swapped[] = {{.id = STR("mr_b")}, {.id = STR("mr_a"), .sha256 = {1}}};
	struct site live = {.id = STR("s"), .name = STR("S"), .routes = routes, .routes_len = 1, .keys = keys, .keys_len = 2};
	struct site wanted = live;
	struct buf words = BUF_INIT;

	wanted.name = STR("T");
	wanted.disabled = true;
	wanted.routes = others;
	wanted.routes_len = 2;
	wanted.keys = &swapped[1];
	wanted.keys_len = 1;
	wanted.payloads_per_s = 2.5;
	diff_site(&live, &wanted, &words);
	buf_add(&words, "", 1);
	ck_assert_str_eq((char *)words.p, "name \"S\" -> \"T\", disabled false -> true, number of routes 1 -> 2, routes[1] from 60000000 on: cell eu, "
			 "3 shards, key mr_b gone, payloads_per_s 0 -> 2.5");
	buf_clear(&words);
	wanted = live;
	wanted.keys = swapped;
	diff_site(&live, &wanted, &words);
	ck_assert(str_eq(buf_str(&words), STR("keys in another order")));
	buf_fini(&words);
}
END_TEST

/* Routes as effective times in minutes; -1 ends. NOW is minute 1000; 1015 is the first that may still change. */
static const struct { int live[4], wanted[4]; bool good; } route_cases[] = {
	{{0, -1}, {0, -1}, true},
	{{0, -1}, {0, 1015, -1}, true},
	{{0, -1}, {0, 1014, -1}, false},
	{{0, -1}, {0, 500, -1}, false},
	{{0, -1}, {1020, -1}, false},
	{{0, -1}, {60, -1}, false},
	{{0, 900, -1}, {0, -1}, false},
	{{0, 1010, -1}, {0, -1}, false},
	{{0, 1015, -1}, {0, -1}, true},
	{{0, 1015, -1}, {0, 1030, -1}, true},
	{{0, 1010, -1}, {0, 1010, 1016, -1}, true},
	{{0, 2000, -1}, {0, 1500, 2000, -1}, true},
};

static size_t fill_routes(const int *minutes, struct route *out)
{
	size_t n = 0;

	for (; minutes[n] >= 0; n++)
		out[n] = (struct route){(int64_t)minutes[n] * MINUTE, STR("m"), 2};
	return n;
}

START_TEST(which_routes_may_change)
{
	struct route live_routes[4], wanted_routes[4];
	struct site live = {.id = STR("s"), .routes = live_routes, .routes_len = fill_routes(route_cases[_i].live, live_routes)};
	struct site wanted = {.id = STR("s"), .routes = wanted_routes, .routes_len = fill_routes(route_cases[_i].wanted, wanted_routes)};
	struct err err = ERR_INIT;
	int rc = diff_check_routes(&live, &wanted, NOW, &err);

	ck_assert_msg(rc == (route_cases[_i].good ? 0 : -1), "case %d: %s", _i, err.msg);
	if (route_cases[_i].good) {
		wanted_routes[0].shards = 3; /* the one in force since ever */
		ck_assert_int_eq(diff_check_routes(&live, &wanted, NOW, &err), -1);
	}
}
END_TEST

static void put_cell(struct store *s, struct str name, int32_t partitions, int64_t created_at, int64_t epoch)
{
	struct cell cell = {.name = name, .partitions = partitions, .created_at = created_at, .epoch = epoch};

	ck_assert_int_eq(store_put_cell(s, &cell, NULL), 0);
}

static void put_site(struct store *s, struct str id, struct str name, int64_t created_at)
{
	struct site site = {.id = id, .name = name, .created_at = created_at, .routes_len = 1};

	site.routes = arena_alloc(&s->arena, sizeof(*site.routes));
	*site.routes = (struct route){0, STR("main"), 2};
	ck_assert_int_eq(store_put_site(s, &site, NULL), 0);
}

/* Changes as "+cell a ~site b", in order. */
static void list_changes(const struct diff *d, char *out, size_t size)
{
	size_t at = 0;

	*out = '\0';
	for (size_t i = 0; i < d->nr && at < size; i++) {
		const struct diff_change *c = &d->changes[i];
		struct str key = (c->wanted ? c->wanted : c->live)->key;

		at += (size_t)snprintf(out + at, size - at, "%s%c%s " STR_FMT, i ? " " : "", "+~-"[c->op], c->kind == STORE_CELLS ? "cell" : "site",
				       STR_ARG(key));
	}
}

START_TEST(changes_between_stores)
{
	struct store live = STORE_INIT, wanted = STORE_INIT;
	struct diff d = DIFF_INIT;
	struct err err = ERR_INIT;
	char text[256];

	put_cell(&live, STR("main"), 12, 5, 99);
	put_cell(&live, STR("old"), 3, 5, 98);
	put_site(&live, STR("same"), STR("Same"), 7);
	put_site(&live, STR("shop"), STR("Shop"), 7);
	put_site(&live, STR("gone"), STR("Gone"), 7);
	put_cell(&wanted, STR("main"), 12, RECORD_JSON_NO_TIME, 0);
	put_cell(&wanted, STR("eu"), 3, RECORD_JSON_NO_TIME, 0);
	put_site(&wanted, STR("same"), STR("Same"), RECORD_JSON_NO_TIME);
	put_site(&wanted, STR("shop"), STR("Shop 2"), 7);
	put_site(&wanted, STR("new"), STR("New"), 8);
	ck_assert_int_eq(diff_complete(&wanted, &live, NOW, &err), 0);
	ck_assert_int_eq(store_cell(&wanted, STR("main"))->created_at, 5);
	ck_assert_int_eq(store_cell(&wanted, STR("main"))->epoch, 99); /* the live one, whatever the file said */
	ck_assert_int_eq(store_cell(&wanted, STR("eu"))->created_at, NOW);
	ck_assert_int_eq(store_cell(&wanted, STR("eu"))->epoch, 0);
	ck_assert_int_eq(diff_make(&d, &live, &wanted, false, NOW, &err), 0);
	list_changes(&d, text, sizeof(text));
	ck_assert_str_eq(text, "+cell eu +site new ~site shop");
	diff_fini(&d);
	ck_assert_int_eq(diff_make(&d, &live, &wanted, true, NOW, &err), 0);
	list_changes(&d, text, sizeof(text));
	ck_assert_str_eq(text, "+cell eu -cell old +site new ~site shop -site gone");
	ck_assert_uint_eq(d.count[DIFF_ADD], 2);
	ck_assert_uint_eq(d.count[DIFF_CHANGE], 1);
	ck_assert_uint_eq(d.count[DIFF_REMOVE], 2);
	diff_fini(&d);
	put_cell(&wanted, STR("main"), 13, 5, 0);
	ck_assert_int_eq(diff_make(&d, &live, &wanted, false, NOW, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "cell main has 12 partitions, fixed for its life"));
	diff_fini(&d);
	store_fini(&live);
	store_fini(&wanted);
}
END_TEST

/* A store equals itself, and applying twice changes nothing. */
START_TEST(nothing_to_do)
{
	struct unit_random r = unit_random_new("diff nothing");

	for (int round = 0; round < 100; round++) {
		struct store s = STORE_INIT;
		struct diff d = DIFF_INIT;
		struct err err = ERR_INIT;

		random_cells(&r, &s, 4);
		random_sites(&r, &s, 8);
		/* A year in which no route is about to begin. */
		ck_assert_msg(diff_make(&d, &s, &s, true, INT64_C(1) << 50, &err) == 0, "%s", err.msg);
		ck_assert_uint_eq(d.nr, 0);
		diff_fini(&d);
		store_fini(&s);
	}
}
END_TEST

START_TEST(unreadable_records_are_replaced)
{
	struct store live = STORE_INIT, wanted = STORE_INIT;
	struct table_row row = {.key = STR("main"), .value = STR("junk")};
	struct diff d = DIFF_INIT;
	struct buf words = BUF_INIT;

	ck_assert_int_eq(store_take_row(&live, STORE_CELLS, &row, NULL), 0);
	put_cell(&wanted, STR("main"), 12, 5, 0);
	ck_assert_int_eq(diff_make(&d, &live, &wanted, false, NOW, NULL), 0);
	ck_assert_uint_eq(d.nr, 1);
	ck_assert_int_eq(d.changes[0].op, DIFF_CHANGE);
	diff_describe(&d.changes[0], &words);
	ck_assert(str_eq(buf_str(&words), STR("in place of a record that cannot be read")));
	buf_fini(&words);
	diff_fini(&d);
	store_fini(&live);
	store_fini(&wanted);
}
END_TEST

/* Neither replaced nor removed, also when nothing is to be made of it but a list. */
START_TEST(newer_records_are_refused)
{
	static const enum store_kind kinds[] = {STORE_CELLS, STORE_RECEIVERS};
	const struct table_row row = {.key = STR("main"), .value = STR("\0\0\0\x27\x0f" "abc")};

	for (int round = 0; round < 4; round++) {
		enum store_kind kind = kinds[round % 2];
		struct store live = STORE_INIT, wanted = STORE_INIT;
		struct diff d = DIFF_INIT;
		struct err err = ERR_INIT;
		bool prune = round >= 2;

		ck_assert_int_eq(store_take_row(&live, kind, &row, NULL), 0);
		if (!prune && kind == STORE_CELLS)
			put_cell(&wanted, STR("main"), 12, 5, 0);
		else if (!prune)
			ck_assert_int_eq(store_put_receiver(&wanted, &(struct receiver){.id = STR("main")}, NULL), 0);
		ck_assert_int_eq(kind == STORE_CELLS ? diff_make(&d, &live, &wanted, prune, NOW, &err)
						     : diff_make_rules(&d, kind, &live, &wanted, prune, NULL, &err), -1);
		ck_assert_ptr_nonnull(strstr(err.msg, "\"main\" was written by a newer millrace-ctl"));
		ck_assert_uint_eq(d.nr, 0);
		diff_fini(&d);
		store_fini(&live);
		store_fini(&wanted);
	}
}
END_TEST

/* Of receivers as of triggers; what is there may change, and go. */
START_TEST(no_more_than_programs_take)
{
	static const struct { int live, more, prune, rc; } cases[] = {
		{RECEIVERS_MAX, 0, 0, 0}, {RECEIVERS_MAX, 1, 0, -1}, {RECEIVERS_MAX, 1, 1, -1}, {RECEIVERS_MAX - 2, 2, 0, 0}, {RECEIVERS_MAX - 2, 3, 0, -1}};
	char ids[RECEIVERS_MAX + 3][16];

	for (size_t i = 0; i < NR(ids); i++)
		snprintf(ids[i], sizeof(ids[i]), "r%zu", i);
	for (size_t c = 0; c < NR(cases); c++) {
		struct store live = STORE_INIT, wanted = STORE_INIT;
		struct diff d = DIFF_INIT;
		struct err err = ERR_INIT;

		for (int i = 0; i < cases[c].live; i++)
			ck_assert_int_eq(store_put_receiver(&live, &(struct receiver){.id = str_from(ids[i])}, NULL), 0);
		for (int i = cases[c].live - 1; i < cases[c].live + cases[c].more; i++)
			ck_assert_int_eq(store_put_receiver(&wanted, &(struct receiver){.id = str_from(ids[i])}, NULL), 0);
		ck_assert_msg(diff_make_rules(&d, STORE_RECEIVERS, &live, &wanted, cases[c].prune, NULL, &err) == cases[c].rc, "%zu: %s", c, err.msg);
		ck_assert(cases[c].rc == 0 || strstr(err.msg, "programs take 1000"));
		diff_fini(&d);
		store_fini(&live);
		store_fini(&wanted);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/diff");
	TCase *t = tcase_create("diff");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, words_iff_different);
	tcase_add_test(t, words_of_a_change);
	tcase_add_loop_test(t, which_routes_may_change, 0, NR(route_cases));
	tcase_add_test(t, changes_between_stores);
	tcase_add_test(t, nothing_to_do);
	tcase_add_test(t, unreadable_records_are_replaced);
	tcase_add_test(t, newer_records_are_refused);
	tcase_add_test(t, no_more_than_programs_take);
	suite_add_tcase(s, t);
	return unit_main(s);
}
