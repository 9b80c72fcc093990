/* test_check.c - what names, cells and sites may look like, as tables. */
#include "deploy/ctl/check.h"

#include <math.h>
#include <string.h>

#include "tests/unit/unit.h"

static const struct { const char *name; size_t len; bool cell, site; } slugs[] = {
	{"main", 4, true, true},
	{"a", 1, true, true},
	{"0-9", 3, true, true},
	{"-", 1, true, true},
	{"abcdefghijklmnopqrstuvwxyz-01234", 32, true, true},
	{"abcdefghijklmnopqrstuvwxyz-012345", 33, false, true},
	{"abcdefghijklmnopqrstuvwxyz-01234abcdefghijklmnopqrstuvwxyz-01234", 64, false, true},
	{"abcdefghijklmnopqrstuvwxyz-01234abcdefghijklmnopqrstuvwxyz-012345", 65, false, false},
	{"", 0, false, false},
	{"Main", 4, false, false},
	{"a_b", 3, false, false},
	{"a.b", 3, false, false},
	{"a b", 3, false, false},
	{"a\0b", 3, false, false},
	{"\xc3\xa4", 2, false, false},
};

START_TEST(slug_table)
{
	struct str name = {slugs[_i].name, slugs[_i].len};
	struct err err = ERR_INIT;

	ck_assert_int_eq(check_cell_name(name, &err), slugs[_i].cell ? 0 : -1);
	ck_assert_int_eq(err.kind, slugs[_i].cell ? 0 : ERR_REJECT);
	ck_assert_int_eq(check_site_id(name, NULL), slugs[_i].site ? 0 : -1);
}
END_TEST

START_TEST(site_names)
{
	char longest[CHECK_SITE_NAME_MAX + 2];

	memset(longest, 'x', sizeof(longest));
	ck_assert_int_eq(check_site_name(STR("The Sh\xc3\xb6p & Co. \xf0\x9f\x9b\x92"), NULL), 0);
	ck_assert_int_eq(check_site_name((struct str){longest, CHECK_SITE_NAME_MAX}, NULL), 0);
	ck_assert_int_eq(check_site_name((struct str){longest, CHECK_SITE_NAME_MAX + 1}, NULL), -1);
	ck_assert_int_eq(check_site_name(STR(""), NULL), -1);
	ck_assert_int_eq(check_site_name(STR("a\nb"), NULL), -1);
	ck_assert_int_eq(check_site_name(STR("a\x1b[31m"), NULL), -1);
	ck_assert_int_eq(check_site_name(STR("a\x7f"), NULL), -1);
	ck_assert_int_eq(check_site_name(STR("a\xff"), NULL), -1);
	ck_assert_int_eq(check_site_name(STR("a\xc2\x9b" "31m"), NULL), -1); /* CSI in one character */
	ck_assert_int_eq(check_site_name(STR("a\xc2\xa0z"), NULL), 0);
	ck_assert_int_eq(check_site_name(STR("a\0b"), NULL), -1);
}
END_TEST

static const struct { int32_t partitions; bool good; } partitions[] = {
	{1, true}, {12, true}, {1024, true}, {0, false}, {-1, false}, {1025, false}, {INT32_MIN, false}, {INT32_MAX, false}};

START_TEST(cell_partitions)
{
	struct cell cell = {.name = STR("main"), .partitions = partitions[_i].partitions};
	struct err err = ERR_INIT;

	ck_assert_int_eq(check_cell(&cell, &err), partitions[_i].good ? 0 : -1);
	if (!partitions[_i].good)
		ck_assert_ptr_nonnull(strstr(err.msg, "cell main"));
}
END_TEST

/* A good site, and what can be wrong with it, one thing at a time. */
struct specimen {
	struct route routes[3];
	struct api_key keys[3];
	struct site site;
};

static void specimen_init(struct specimen *s)
{
	*s = (struct specimen){
		.routes = {{0, STR("main"), 2}, {600000, STR("eu"), 4}, {660000, STR("main"), 12}},
		.keys = {{.id = STR("mr_a"), .sha256 = {1}}, {.id = STR("mr_b"), .sha256 = {2}}, {.id = STR("mr_c"), .sha256 = {3}}},
		.site = {.id = STR("shop"), .name = STR("Shop"), .routes_len = 3, .keys_len = 2},
	};
	s->site.routes = s->routes;
	s->site.keys = s->keys;
}

static void spoil(struct specimen *s, int what)
{
	switch (what) {
	case 0: s->site.routes_len = 0; break;
	case 1: s->site.routes_len = CHECK_ROUTES_MAX + 1; break;
	case 2: s->routes[1].effective_from = 600001; break;
	case 3: s->routes[0].effective_from = -60000; break;
	case 4: s->routes[1].effective_from = 0; break;
	case 5: s->routes[2].effective_from = 540000; break;
	case 6: s->routes[1].shards = 0; break;
	case 7: s->routes[1].shards = 1025; break;
	case 8: s->routes[0].cell = STR("Main"); break;
	case 9: s->site.keys_len = 3; break;
	case 10: s->keys[1].id = STR("mr_a"); break;
	case 11: s->keys[1].sha256[0] = 1; break;
	case 12: s->keys[0].id = STR(""); break;
	case 13: s->keys[0].id = STR("a b"); break;
	case 14: s->site.payloads_per_s = -1; break;
	case 15: s->site.samples_per_s = NAN; break;
	case 16: s->site.samples_per_s = INFINITY; break;
	case 17: s->site.series_cap = -1; break;
	case 18: s->site.name = STR("\n"); break;
	case 19: s->site.id = STR("Shop"); break;
	default: ck_abort();
	}
}

enum { SPOILS = 20 };

START_TEST(site_specimen)
{
	struct specimen s;
	struct err err = ERR_INIT;

	specimen_init(&s);
	ck_assert_msg(check_site(&s.site, &err) == 0, "%s", err.msg);
	spoil(&s, _i);
	ck_assert_msg(check_site(&s.site, &err) == -1, "spoil %d was taken", _i);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strcasestr(err.msg, "shop"));
}
END_TEST

START_TEST(routes_need_cells)
{
	struct cell cells[] = {{.name = STR("main"), .partitions = 12}, {.name = STR("eu"), .partitions = 3}};
	struct store store = STORE_INIT;
	struct err err = ERR_INIT;
	struct specimen s;

	specimen_init(&s);
	ck_assert_int_eq(store_put_cell(&store, &cells[0], &err), 0);
	ck_assert_int_eq(check_site_routes(&s.site, &store, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "there is no cell \"eu\""));
	ck_assert_int_eq(store_put_cell(&store, &cells[1], &err), 0);
	ck_assert_int_eq(check_site_routes(&s.site, &store, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "4 shards, but cell eu has 3 partitions"));
	s.routes[1].shards = 3;
	ck_assert_int_eq(check_site_routes(&s.site, &store, &err), 0);
	store_fini(&store);
}
END_TEST

START_TEST(one_hash_two_sites)
{
	struct store store = STORE_INIT;
	struct err err = ERR_INIT;
	struct specimen a, b;

	specimen_init(&a);
	specimen_init(&b);
	b.site.id = STR("blog");
	b.keys[0].sha256[0] = 9;
	b.keys[1].sha256[0] = 8;
	ck_assert_int_eq(store_put_site(&store, &a.site, &err), 0);
	ck_assert_int_eq(store_put_site(&store, &b.site, &err), 0);
	ck_assert_int_eq(check_key_hashes(&store, &err), 0);
	b.keys[1].sha256[0] = 1; /* that of a's first */
	ck_assert_int_eq(check_key_hashes(&store, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "blog"));
	ck_assert_ptr_nonnull(strstr(err.msg, "shop"));
	store_fini(&store);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/check");
	TCase *t = tcase_create("check");

	tcase_add_loop_test(t, slug_table, 0, NR(slugs));
	tcase_add_test(t, site_names);
	tcase_add_loop_test(t, cell_partitions, 0, NR(partitions));
	tcase_add_loop_test(t, site_specimen, 0, SPOILS);
	tcase_add_test(t, routes_need_cells);
	tcase_add_test(t, one_hash_two_sites);
	suite_add_tcase(s, t);
	return unit_main(s);
}
