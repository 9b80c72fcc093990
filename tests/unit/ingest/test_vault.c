/* test_vault.c - what is in force after rows and after starts from the file, and when the file is written. */
#include "tests/unit/ingest/vault_house.h"

START_TEST(loading_is_one_step)
{
	struct house *h = house_new();

	cell(h, "main");
	put(h, 0, 1, false);
	cut(h, 0);
	put(h, 0, 1 | 2, false);
	put(h, 0, 2, false); /* key 0 was revoked long ago */
	put(h, 1, 1, false);
	cut(h, 1);
	cut(h, 2);
	tick(h, 10 * MINUTE);
	ck_assert_int_eq(h->taken, 0);
	must_be_loaded(h);
	ck_assert(!good(h, 0, 0) && good(h, 0, 1) && !good(h, 1, 0));
	ck_assert_uint_eq(sites_count(h->sites), 1);
	check_held(h, 0, 0, 0);
	put(h, 2, 1, false); /* from now on at once */
	ck_assert(good(h, 2, 0) && routed(h, 2, 0));
	house_free(h);
}
END_TEST

START_TEST(a_start_without_kafka_knows_the_sites)
{
	struct house *h = house_loaded(3);

	put(h, 1, 1 | 2, false);
	put(h, 2, 1, true);
	settle(h);
	restart(h);
	ck_assert(good(h, 0, 0) && good(h, 1, 0) && good(h, 1, 1) && !good(h, 2, 0) && !good(h, 3, 0));
	ck_assert_uint_eq(sites_count(h->sites), 3);
	ck_assert(routed(h, 0, 0));
	must_save(h); /* ends without Kafka, too */
	restart(h);
	ck_assert(good(h, 1, 1));
	house_free(h);
}
END_TEST

/* What changed while the program was away; one site of five has gone. */
START_TEST(kafka_is_right_where_the_file_is_old)
{
	struct house *h = house_loaded(5);

	put(h, 0, 1 | 2, false);
	restart(h);
	cell(h, "main");
	put(h, 0, 2, false);
	put_all(h, 1, 4);
	put(h, 5, 1, false);
	ck_assert(good(h, 0, 0) && good(h, 4, 0) && !good(h, 5, 0)); /* until all is read */
	must_be_loaded(h);
	ck_assert(!good(h, 0, 0) && good(h, 0, 1) && good(h, 3, 0) && !good(h, 4, 0) && good(h, 5, 0));
	ck_assert_uint_eq(sites_count(h->sites), 5);
	check_held(h, 0, 0, 0);
	house_free(h);
}
END_TEST

START_TEST(a_topic_made_again_takes_nothing)
{
	struct house *h = house_loaded(100);

	restart(h);
	must_be_loaded(h); /* both topics are empty */
	ck_assert_int_eq(served(h), 100);
	ck_assert(routed(h, 99, 0));
	check_held(h, 101, 100, 0);
	restart(h); /* the hold is no matter of one process */
	must_be_loaded(h);
	ck_assert_int_eq(served(h), 100);
	check_held(h, 101, 100, 0);
	tick(h, 24 * 60 * MINUTE); /* nor of time */
	ck_assert_int_eq(served(h), 100);
	put_all(h, 0, 60); /* somebody restores the topics: */
	cell(h, "main");
	check_held(h, 40, 100, 60);
	put_all(h, 60, 100);
	check_held(h, 0, 0, 0);
	cut(h, 7); /* all is as before */
	settle(h);
	ck_assert_int_eq(served(h), 99);
	house_free(h);
}
END_TEST

START_TEST(a_row_that_is_not_understood_is_no_deletion)
{
	struct house *h = house_loaded(1);
	struct table_row junk = {.key = STR("site-0"), .value = STR("junk")}, newer = {.key = STR("site-0"), .value = STR("\0\0\1\0\0x")};
	struct err err = ERR_INIT;

	restart(h);
	ck_assert_int_eq(vault_take_site(h->vault, &junk, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(vault_take_site(h->vault, &newer, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	cell(h, "main");
	must_be_loaded(h);
	ck_assert(good(h, 0, 0));
	ck_assert_int_eq(vault_take_site(h->vault, &junk, &err), -1);
	ck_assert_int_eq(vault_take_cell(h->vault, &junk, &err), -1);
	settle(h);
	ck_assert(good(h, 0, 0));
	check_held(h, 0, 0, 0);
	house_free(h);
}
END_TEST

/* Where two sites list one key, the later row has it: after a start from the file, too. */
START_TEST(the_file_keeps_the_order)
{
	static const char *const keys[] = {"mr_0_0", NULL};
	struct house *h = house_loaded(0);
	struct err err = ERR_INIT;
	struct split_route route;
	struct refusal no;

	for (int i = 0; i < 20; i++) {
		char id[16];

		give_site(vault_take_site, h->vault, id_of(i * 7 % 20, id), keys, to_main, 1, false, &err);
		restart(h);
		ck_assert_int_eq(sites_route(h->sites, find_key(h->sites, keys[0]), 0, &route, &no), 0);
		ck_assert(str_eq(route.site, str_from(id)));
		must_save(h);
		for (int j = 0; j <= i; j++)
			give_site(vault_take_site, h->vault, id_of(j * 7 % 20, id), keys, to_main, 1, false, &err);
		cell(h, "main");
		must_be_loaded(h);
	}
	house_free(h);
}
END_TEST

START_TEST(the_file_is_written_now_and_then)
{
	struct house *h = house_loaded(5);

	tick(h, 10);
	ck_assert(folder_has(h->folder.temp) && !folder_has(h->folder.file));
	tick(h, 999);
	ck_assert(!folder_has(h->folder.file));
	tick(h, 1);
	ck_assert(folder_has(h->folder.file) && !folder_has(h->folder.temp));
	put(h, 5, 1, false);
	tick(h, VAULT_SAVE_EVERY_MS - 1001);
	ck_assert(!folder_has(h->folder.temp));
	tick(h, 1);
	ck_assert(folder_has(h->folder.temp));
	put(h, 6, 1, false); /* while it is on its way: the next one has it */
	tick(h, 1000);
	tick(h, VAULT_SAVE_EVERY_MS);
	tick(h, 1000);
	tick(h, 60 * MINUTE);
	ck_assert(!folder_has(h->folder.temp)); /* nothing changed since */
	house_close(h); /* killed: what was written must do */
	house_open(h, h->folder.file);
	must_load_file(h);
	ck_assert_int_eq(served(h), 7);
	house_free(h);
}
END_TEST

START_TEST(a_save_needs_no_tick)
{
	struct house *h = house_loaded(5);

	tick(h, 10); /* one is half done */
	put(h, 5, 1, false);
	restart(h);
	ck_assert_int_eq(served(h), 6);
	cell(h, "main");
	put_all(h, 0, 6);
	must_be_loaded(h);
	tick(h, 10); /* whole, but not committed */
	restart(h);
	ck_assert_int_eq(served(h), 6);
	house_free(h);
}
END_TEST

START_TEST(a_disk_that_fails_is_tried_again)
{
	struct house *h = house_loaded(5);
	struct err err = ERR_INIT;

	ck_assert_int_eq(rmdir(h->folder.path), 0);
	h->now_ms += 10;
	ck_assert_int_eq(vault_tick(h->vault, h->now_ms, &err), -1);
	ck_assert_msg(err.kind == ERR_RETRY && strstr(err.msg, h->folder.file), "%s", err.msg);
	tick(h, VAULT_SAVE_EVERY_MS - 1); /* not all the time */
	put(h, 5, 1, false);
	ck_assert_int_eq(vault_tick(h->vault, h->now_ms + 1, &err), -1);
	ck_assert_int_eq(vault_save(h->vault, &err), -1);
	ck_assert_int_eq(mkdir(h->folder.path, 0700), 0);
	tick(h, VAULT_SAVE_EVERY_MS + 1);
	unlink(h->folder.temp); /* lost between writing and commit */
	ck_assert_int_eq(vault_tick(h->vault, h->now_ms += 1000, &err), -1);
	tick(h, VAULT_SAVE_EVERY_MS);
	tick(h, 1000);
	house_close(h);
	house_open(h, h->folder.file);
	must_load_file(h);
	ck_assert_int_eq(served(h), 6);
	house_free(h);
}
END_TEST

START_TEST(a_damaged_file_is_done_without)
{
	struct house *h = house_new();
	struct err err = ERR_INIT;

	folder_write(&h->folder, "MRtables and then something else", 32);
	ck_assert_int_eq(vault_load_file(h->vault, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_uint_eq(sites_count(h->sites), 0);
	cell(h, "main");
	put_all(h, 0, 3);
	must_be_loaded(h);
	restart(h);
	ck_assert_int_eq(served(h), 3);
	house_free(h);
}
END_TEST

START_TEST(no_path_is_no_file)
{
	struct house *h = house_new();

	house_close(h);
	house_open(h, "");
	must_load_file(h);
	cell(h, "main");
	put_all(h, 0, 3);
	must_be_loaded(h);
	tick(h, 10 * MINUTE);
	must_save(h);
	ck_assert_int_eq(served(h), 3);
	house_free(h);
}
END_TEST

/* A door that refuses a row leaves the one before in force, here and in the file, and the other rows are tried. */
START_TEST(a_shut_door_loses_one_row)
{
	struct house *h = house_loaded(5);
	char id[16];
	struct table_row row = {.key = str_from(id_of(0, id))};
	struct err err = ERR_INIT;
	const char *const keys[] = {NULL};

	h->fault = ERR_REJECT;
	ck_assert_int_eq(give_site(vault_take_site, h->vault, "site-7", keys, to_main, 1, false, &err), -1);
	ck_assert_int_eq(vault_take_site(h->vault, &row, &err), 0);
	cut(h, 1);
	ck_assert_int_eq(vault_tick(h->vault, h->now_ms += 10, &err), 0);
	h->taken = 0;
	ck_assert_int_eq(vault_tick(h->vault, h->now_ms += VAULT_QUIET_MS, &err), -1);
	ck_assert(h->taken == 2 && err.kind == ERR_REJECT);
	h->fault = 0;
	settle(h);
	ck_assert_int_eq(served(h), 5);
	restart(h);
	ck_assert_int_eq(served(h), 5);
	ck_assert_uint_eq(sites_count(h->sites), 5);
	house_free(h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vault");
	TCase *tc = tcase_create("vault");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, loading_is_one_step);
	tcase_add_test(tc, a_start_without_kafka_knows_the_sites);
	tcase_add_test(tc, kafka_is_right_where_the_file_is_old);
	tcase_add_test(tc, a_topic_made_again_takes_nothing);
	tcase_add_test(tc, a_row_that_is_not_understood_is_no_deletion);
	tcase_add_test(tc, the_file_keeps_the_order);
	tcase_add_test(tc, the_file_is_written_now_and_then);
	tcase_add_test(tc, a_save_needs_no_tick);
	tcase_add_test(tc, a_disk_that_fails_is_tried_again);
	tcase_add_test(tc, a_damaged_file_is_done_without);
	tcase_add_test(tc, no_path_is_no_file);
	tcase_add_test(tc, a_shut_door_loses_one_row);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
