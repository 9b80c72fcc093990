/* test_sites.c - keys find their sites, and payloads their routes, through every change of the tables. */
#include "common/route.h"
#include "tests/unit/ingest/tables.h"

#define MINUTE INT64_C(60000)

static const struct route one_route[] = {{.effective_from = 0, .cell = {"main", 4}, .shards = 2}};
static const char *const key_a[] = {"mr_a", NULL}, *const key_b[] = {"mr_b", NULL}, *const keys_ab[] = {"mr_a", "mr_b", NULL},
			 *const no_keys[] = {NULL};

static struct sites *new_sites(void)
{
	struct sites *s = sites_new();
	struct err err = ERR_INIT;

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(put_cell(s, "main", 77, 12, &err), 0);
	return s;
}

START_TEST(a_key_finds_its_site)
{
	struct sites *s = new_sites();
	struct err err = ERR_INIT;

	ck_assert_ptr_null(find_key(s, "mr_a"));
	ck_assert_int_eq(put_site(s, "shop", keys_ab, one_route, 1, false, &err), 0);
	ck_assert_ptr_nonnull(find_key(s, "mr_a"));
	ck_assert_ptr_eq(find_key(s, "mr_a"), find_key(s, "mr_b"));
	ck_assert_ptr_null(find_key(s, "mr_"));
	ck_assert_ptr_null(find_key(s, ""));
	ck_assert_uint_eq(sites_count(s), 1);
	sites_free(s);
}
END_TEST

/* The hash table looks at 16 bytes; a key must agree in all 32. */
START_TEST(half_a_hash_is_no_key)
{
	struct sites *s = new_sites();
	struct err err = ERR_INIT;
	uint8_t sha256[SITES_SHA256_BYTES];

	ck_assert_int_eq(put_site(s, "shop", key_a, one_route, 1, false, &err), 0);
	sites_hash_key(str_from("mr_a"), sha256);
	ck_assert_ptr_nonnull(sites_find(s, sha256));
	for (int i = 16; i < SITES_SHA256_BYTES; i++) {
		sha256[i] ^= 1;
		ck_assert_ptr_null(sites_find(s, sha256));
		sha256[i] ^= 1;
	}
	sites_free(s);
}
END_TEST

START_TEST(keys_come_and_go_with_their_rows)
{
	struct sites *s = new_sites();
	struct err err = ERR_INIT;

	ck_assert_int_eq(put_site(s, "shop", keys_ab, one_route, 1, false, &err), 0);
	ck_assert_int_eq(put_site(s, "shop", key_b, one_route, 1, false, &err), 0);
	ck_assert_ptr_null(find_key(s, "mr_a")); /* revoked */
	ck_assert_ptr_nonnull(find_key(s, "mr_b"));
	ck_assert_int_eq(put_site(s, "shop", key_b, one_route, 1, true, &err), 0);
	ck_assert_ptr_null(find_key(s, "mr_b")); /* disabled */
	ck_assert_int_eq(put_site(s, "shop", keys_ab, one_route, 1, false, &err), 0);
	ck_assert_ptr_nonnull(find_key(s, "mr_b"));
	delete_site(s, "shop");
	ck_assert_ptr_null(find_key(s, "mr_b"));
	delete_site(s, "shop"); /* again is nothing */
	ck_assert_uint_eq(sites_count(s), 0);
	sites_free(s);
}
END_TEST

/* Which of the four keys are good, as text. */
static const char *good_keys(const struct sites *s, char out[5])
{
	static const char *const keys[] = {"mr_a", "mr_b", "mr_c", "mr_d"};
	size_t n = 0;

	for (size_t i = 0; i < NR(keys); i++)
		if (find_key(s, keys[i]))
			out[n++] = keys[i][3];
	out[n] = '\0';
	return out;
}

/* Rotation: the new key beside the old one, both are good, the old one goes. A row with more keys than millrace-ctl would write is taken as it
 * is. At each step the keys of the row are good, and no other. */
START_TEST(a_key_is_rotated)
{
	static const struct {
		const char *keys[5], *good;
	} steps[] = {{{"mr_a"}, "a"}, {{"mr_a", "mr_b"}, "ab"}, {{"mr_b"}, "b"}, {{"mr_c", "mr_b"}, "bc"}, {{"mr_c"}, "c"},
		     {{"mr_a", "mr_b", "mr_c", "mr_d"}, "abcd"}, {{"mr_d", "mr_a"}, "ad"}, {{NULL}, ""}, {{"mr_a", "mr_b"}, "ab"}};
	struct sites *s = new_sites();
	struct err err = ERR_INIT;
	char good[5];

	for (size_t i = 0; i < NR(steps); i++) {
		ck_assert_int_eq(put_site(s, "shop", steps[i].keys, one_route, 1, false, &err), 0);
		ck_assert_str_eq(good_keys(s, good), steps[i].good);
	}
	sites_free(s);
}
END_TEST

/* What a row is judged to be without being taken: the same as when it is. */
START_TEST(reading_takes_nothing)
{
	struct sites *s = new_sites();
	struct arena scratch = ARENA_INIT;
	struct site site = {.id = str_from("shop"), .routes = (struct route *)(uintptr_t)one_route, .routes_len = 1}, got;
	struct cell cell = {.name = str_from("c-1"), .partitions = 5}, got_cell;
	struct buf value = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(site_encode(&site, &value, &err), 0);
	ck_assert_int_eq(sites_read_site(&(struct table_row){.key = STR("shop"), .value = buf_str(&value)}, &scratch, &got, &err), 0);
	ck_assert(str_eq(got.id, STR("shop")) && got.routes_len == 1 && got.keys_len == 0);
	ck_assert_int_eq(sites_read_site(&(struct table_row){.key = STR("shoq"), .value = buf_str(&value)}, &scratch, &got, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(sites_read_cell(&(struct table_row){.key = STR("shop"), .value = buf_str(&value)}, &scratch, &got_cell, &err), -1);
	buf_clear(&value);
	ck_assert_int_eq(cell_encode(&cell, &value, &err), 0);
	ck_assert_int_eq(sites_read_cell(&(struct table_row){.key = STR("c-1"), .value = buf_str(&value)}, &scratch, &got_cell, &err), 0);
	ck_assert_int_eq(got_cell.partitions, 5);
	ck_assert_uint_eq(sites_count(s), 0);
	arena_fini(&scratch);
	buf_fini(&value);
	sites_free(s);
}
END_TEST

/* The site whose key this is, or "". */
static const char *owner_of(struct sites *s, const char *key)
{
	struct tenant *t = find_key(s, key);
	struct split_route route = {0};
	struct refusal no;

	return t && sites_route(s, t, 1, &route, &no) == 0 ? route.site.p : "";
}

/* A key that moves between sites stays good, whichever of the two rows comes first: a 401 makes agents give up. */
START_TEST(a_key_that_moves_stays_good)
{
	struct sites *s = new_sites();
	struct err err = ERR_INIT;

	ck_assert_int_eq(put_site(s, "old", key_a, one_route, 1, false, &err), 0);
	ck_assert_int_eq(put_site(s, "new", keys_ab, one_route, 1, false, &err), 0); /* gains it first */
	ck_assert_str_eq(owner_of(s, "mr_a"), "new");
	delete_site(s, "old");
	ck_assert_str_eq(owner_of(s, "mr_a"), "new");
	ck_assert_str_eq(owner_of(s, "mr_b"), "new");
	ck_assert_int_eq(put_site(s, "new", key_b, one_route, 1, false, &err), 0); /* loses it first */
	ck_assert_ptr_null(find_key(s, "mr_a"));
	ck_assert_int_eq(put_site(s, "third", key_a, one_route, 1, false, &err), 0);
	ck_assert_str_eq(owner_of(s, "mr_a"), "third");
	sites_free(s);
}
END_TEST

/* Thousands of sites rewritten in random order: the table agrees with a plain list of who has which key. */
START_TEST(many_changes_keep_the_table_true)
{
	enum { SITES = 300, CHANGES = 5000 };
	struct unit_random r = unit_random_new("many_changes_keep_the_table_true");
	struct sites *s = new_sites();
	struct err err = ERR_INIT;
	int version[SITES] = {0}; /* 0: not there */

	for (int i = 0; i < CHANGES; i++) {
		int n = (int)unit_random_below(&r, SITES);
		char id[32], key[64];

		snprintf(id, sizeof(id), "site-%d", n);
		if (unit_random_below(&r, 4) == 0) {
			delete_site(s, id);
			version[n] = 0;
			continue;
		}
		snprintf(key, sizeof(key), "mr_%d_%d", n, ++version[n]);
		ck_assert_int_eq(put_site(s, id, (const char *const[]){key, NULL}, one_route, 1, false, &err), 0);
	}
	for (int n = 0; n < SITES; n++)
		for (int v = 1; v < 40; v++) {
			char key[64];

			snprintf(key, sizeof(key), "mr_%d_%d", n, v);
			ck_assert_int_eq(find_key(s, key) != NULL, v == version[n]);
		}
	sites_free(s);
}
END_TEST

static const struct route history[] = {
	{.effective_from = 200 * MINUTE, .cell = {"big", 3}, .shards = 3}, /* written in any order */
	{.effective_from = 100 * MINUTE, .cell = {"main", 4}, .shards = 2},
	{.effective_from = 300 * MINUTE, .cell = {"main", 4}, .shards = 5},
};

static const struct {
	int64_t at_ms;
	const char *topic;
	size_t shards;
	int64_t since_ms;
} routed[] = {
	{0, "millrace.c.main.samples", 2, 100 * MINUTE}, /* older than all: the earliest */
	{100 * MINUTE, "millrace.c.main.samples", 2, 100 * MINUTE},
	{200 * MINUTE - 1, "millrace.c.main.samples", 2, 100 * MINUTE},
	{200 * MINUTE, "millrace.c.big.samples", 3, 200 * MINUTE},
	{300 * MINUTE - 1, "millrace.c.big.samples", 3, 200 * MINUTE},
	{300 * MINUTE, "millrace.c.main.samples", 5, 300 * MINUTE},
	{INT64_MAX, "millrace.c.main.samples", 5, 300 * MINUTE},
};

START_TEST(history_picks_the_route_of_the_time)
{
	struct sites *s = new_sites();
	struct err err = ERR_INIT;
	struct split_route out;
	struct refusal no;
	int32_t expected[8];

	ck_assert_int_eq(put_cell(s, "big", 78, 64, &err), 0);
	ck_assert_int_eq(put_site(s, "shop", key_a, history, NR(history), false, &err), 0);
	ck_assert_int_eq(sites_route(s, find_key(s, "mr_a"), routed[_i].at_ms, &out, &no), 0);
	ck_assert_str_eq(out.topic, routed[_i].topic);
	ck_assert(strstr(out.events_topic, ".events") && strncmp(out.topic, out.events_topic, strlen(out.topic) - strlen("samples")) == 0);
	ck_assert(str_eq(out.site, str_from("shop")));
	ck_assert_uint_eq(out.partitions_len, routed[_i].shards);
	ck_assert_int_eq(out.since_ms, routed[_i].since_ms);
	route_site_partitions(str_from("shop"), strstr(out.topic, "big") ? 64 : 12, (int32_t)routed[_i].shards, expected);
	ck_assert_mem_eq(out.partitions, expected, out.partitions_len * sizeof(*expected));
	sites_free(s);
}
END_TEST

/* What producers make ready for: both topics of each cell that has any. */
START_TEST(topics_are_those_of_made_cells)
{
	static const char main_topics[] = "millrace.c.main.samples\0millrace.c.main.events";
	struct sites *s = sites_new();
	struct err err = ERR_INIT;
	struct buf topics = BUF_INIT;
	unsigned version = sites_cells_version(s);

	ck_assert(put_cell(s, "main", 7, 12, &err) == 0 && put_cell(s, "unmade", 0, 12, &err) == 0);
	ck_assert_uint_ne(sites_cells_version(s), version);
	sites_topics(s, &topics);
	ck_assert(str_eq(buf_str(&topics), (struct str){main_topics, sizeof(main_topics)}));
	ck_assert_int_eq(put_cell(s, "big", 7, 64, &err), 0);
	buf_clear(&topics);
	sites_topics(s, &topics);
	ck_assert_uint_eq(topics.len, sizeof(main_topics) + sizeof("millrace.c.big.samples") + sizeof("millrace.c.big.events"));
	buf_fini(&topics);
	sites_free(s);
}
END_TEST

START_TEST(no_route_without_a_made_cell)
{
	struct sites *s = sites_new();
	struct err err = ERR_INIT;
	struct split_route out;
	struct refusal no = {.reason = NR_REASONS};
	struct table_row gone = {.key = str_from("main")};

	ck_assert_int_eq(put_site(s, "shop", key_a, one_route, 1, false, &err), 0);
	ck_assert_int_eq(sites_route(s, find_key(s, "mr_a"), 0, &out, &no), -1);
	ck_assert_int_eq(no.reason, REASON_NO_ROUTE);
	ck_assert_int_eq(put_cell(s, "main", 0, 12, &err), 0); /* written, but its topics are not made */
	ck_assert_int_eq(sites_route(s, find_key(s, "mr_a"), 0, &out, &no), -1);
	ck_assert_int_eq(put_cell(s, "main", -5, 12, &err), 0); /* any other 64 bits are an epoch */
	ck_assert_int_eq(sites_route(s, find_key(s, "mr_a"), 0, &out, &no), 0);
	ck_assert_int_eq(put_cell(s, "main", 9, 1, &err), 0);
	ck_assert_int_eq(sites_route(s, find_key(s, "mr_a"), 0, &out, &no), 0);
	ck_assert(out.partitions_len == 1 && out.partitions[0] == 0); /* the cached list was for another number */
	ck_assert_int_eq(sites_take_cell(s, &gone, NULL), 0);
	ck_assert_int_eq(sites_route(s, find_key(s, "mr_a"), 0, &out, &no), -1);
	sites_free(s);
}
END_TEST

START_TEST(a_bad_row_leaves_the_last_one_in_force)
{
	static const struct route bad[] = {{.cell = {"main", 4}, .shards = 0},
					   {.cell = {"main", 4}, .shards = 1025},
					   {.cell = {"", 0}, .shards = 1},
					   {.cell = {"Main", 4}, .shards = 1},
					   {.cell = {"a.b", 3}, .shards = 1}};
	struct sites *s = new_sites();
	struct err err = ERR_INIT;
	struct split_route out;
	struct refusal no;
	struct table_row junk = {.key = str_from("shop"), .value = str_from("junk")};

	ck_assert_int_eq(put_site(s, "shop", key_a, one_route, 1, false, &err), 0);
	for (size_t i = 0; i < NR(bad); i++)
		ck_assert_int_eq(put_site(s, "shop", key_b, &bad[i], 1, false, &err), -1);
	ck_assert_int_eq(put_site(s, "shop", key_b, one_route, 0, false, &err), -1);
	ck_assert_int_eq(put_site(s, "Shop", key_b, one_route, 1, false, &err), -1);
	ck_assert_int_eq(put_site(s, "", key_b, one_route, 1, false, &err), -1);
	ck_assert_int_eq(sites_take_site(s, &junk, &err), -1);
	ck_assert_int_eq(put_cell(s, "main", 1, 0, &err), -1);
	ck_assert_int_eq(put_cell(s, "main", 1, ROUTE_PARTITIONS_MAX + 1, &err), -1);
	ck_assert_int_eq(put_cell(s, "a.b", 1, 1, &err), -1);
	ck_assert_ptr_null(find_key(s, "mr_b"));
	ck_assert_int_eq(sites_route(s, find_key(s, "mr_a"), 0, &out, &no), 0);
	ck_assert_uint_eq(out.partitions_len, 2);
	ck_assert_int_eq(put_site(s, "shop", no_keys, one_route, 1, false, &err), 0);
	ck_assert_ptr_null(find_key(s, "mr_a"));
	sites_free(s);
}
END_TEST

/* Whoever holds a tenant keeps what it has used up, through new rows and its last one. */
START_TEST(a_held_tenant_outlives_its_rows)
{
	struct sites *s = new_sites();
	struct err err = ERR_INIT;
	struct tenant *t;

	ck_assert_int_eq(put_site(s, "shop", key_a, one_route, 1, false, &err), 0);
	t = find_key(s, "mr_a");
	sites_hold(t);
	sites_use(t)->inflight.held_bytes[TRAFFIC_LIVE] = 77;
	ck_assert_int_eq(put_site(s, "shop", key_b, history, NR(history), false, &err), 0);
	ck_assert_ptr_eq(find_key(s, "mr_b"), t);
	ck_assert(str_eq(sites_cell(t, 200 * MINUTE), STR("big")) && str_eq(sites_cell(t, 0), STR("main")));
	delete_site(s, "shop");
	ck_assert_int_eq(sites_use(t)->inflight.held_bytes[TRAFFIC_LIVE], 77);
	ck_assert(str_eq(sites_id(t), STR("shop")));
	ck_assert_int_eq(put_site(s, "shop", key_a, one_route, 1, false, &err), 0);
	ck_assert_ptr_ne(find_key(s, "mr_a"), t); /* another one of that name */
	sites_release(t);
	sites_free(s);
}
END_TEST

START_TEST(a_row_under_another_key_is_refused)
{
	struct sites *s = new_sites();
	struct err err = ERR_INIT;
	struct cell cell = {.name = str_from("main"), .epoch = 5, .partitions = 3};
	struct buf value = BUF_INIT;
	struct table_row row = {.key = str_from("other")};

	ck_assert_int_eq(cell_encode(&cell, &value, &err), 0);
	row.value = buf_str(&value);
	ck_assert_int_eq(sites_take_cell(s, &row, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	buf_fini(&value);
	sites_free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sites");
	TCase *tc = tcase_create("sites");

	tcase_add_test(tc, a_key_finds_its_site);
	tcase_add_test(tc, half_a_hash_is_no_key);
	tcase_add_test(tc, keys_come_and_go_with_their_rows);
	tcase_add_test(tc, a_key_is_rotated);
	tcase_add_test(tc, reading_takes_nothing);
	tcase_add_test(tc, a_key_that_moves_stays_good);
	tcase_add_test(tc, many_changes_keep_the_table_true);
	tcase_add_loop_test(tc, history_picks_the_route_of_the_time, 0, (int)NR(routed));
	tcase_add_test(tc, topics_are_those_of_made_cells);
	tcase_add_test(tc, no_route_without_a_made_cell);
	tcase_add_test(tc, a_bad_row_leaves_the_last_one_in_force);
	tcase_add_test(tc, a_held_tenant_outlives_its_rows);
	tcase_add_test(tc, a_row_under_another_key_is_refused);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
