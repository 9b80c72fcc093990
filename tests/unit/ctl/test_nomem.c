/* test_nomem.c - the tool when memory is short in the middle: it says so. What it must not do is take a good record for one that cannot be read, as an
 * export would be without it, or a table for empty. Each operation is walked (tests/unit/fail_alloc.h). */
#include "deploy/ctl/admin_port.h"

#include "common/control_desk.h"
#include "tests/unit/common/control_records.h"
#include "deploy/ctl/trigger_yaml.h"
#include "tests/unit/common/token_file.h"
#include "tests/unit/ctl/random_store.h"
#include "tests/unit/fail_alloc.h"

#define TOKEN "a-token-of-some-length"

static void put_cell(struct buf *out)
{
	const struct cell cell = {.name = STR("main"), .partitions = 12, .epoch = 7};

	ck_assert_int_eq(cell_encode(&cell, out, NULL), 0);
}

static void put_site(struct buf *out)
{
	static struct api_key keys[] = {{.id = {"mr_a", 4}}, {.id = {"mr_b", 4}}};
	static struct route routes[] = {{.cell = {"main", 4}, .shards = 2}};
	const struct site site = {.id = STR("shop"), .name = STR("a shop"), .keys = keys, .keys_len = NR(keys), .routes = routes, .routes_len = 1};

	ck_assert_int_eq(site_encode(&site, out, NULL), 0);
}

START_TEST(a_good_record_is_never_a_fault)
{
	struct buf cell = BUF_INIT, site = BUF_INIT;

	put_cell(&cell);
	put_site(&site);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		const struct table_row rows[] = {{.key = STR("main"), .value = buf_str(&cell)}, {.key = STR("shop"), .value = buf_str(&site)}};
		struct store s = STORE_INIT;
		struct err err = ERR_INIT;
		const struct store_item **list = NULL;
		size_t nr = 0;
		bool failed;
		int rc;

		fail_walk_begin(&w);
		rc = store_take_row(&s, STORE_CELLS, &rows[0], &err);
		if (rc == 0)
			rc = store_take_row(&s, STORE_SITES, &rows[1], &err);
		if (rc == 0)
			list = store_list(&s, STORE_SITES, &nr, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(failed ? !list && err.kind == ERR_FATAL : list && nr == 1, "%s", err.msg);
		for (int i = 0; i < STORE_KINDS; i++) {
			const struct store_item *item = store_item(&s, (enum store_kind)i, i == STORE_CELLS ? STR("main") : STR("shop"));

			ck_assert_msg(!item || !item->fault, "%s", item->fault);
		}
		ck_assert(store_take_row(&s, STORE_CELLS, &rows[0], &err) == 0 && store_take_row(&s, STORE_SITES, &rows[1], &err) == 0);
		ck_assert(store_cell(&s, STR("main")) && store_site(&s, STR("shop"))->keys_len == 2);
		free(list);
		store_fini(&s);
	}
	buf_fini(&cell);
	buf_fini(&site);
}
END_TEST

/* Against a program's own side of it, whose thread has all the memory it wants. */
START_TEST(an_operators_word_arrives_or_it_is_said)
{
	char path[TOKEN_PATH_SIZE], url[128];
	int fd = token_file(path, TOKEN, strlen(TOKEN), 0600);
	struct clock clock = still_clock();
	struct metrics *metrics = metrics_new("millrace-test");
	struct err err = ERR_INIT;
	struct controls *controls = controls_new(&clock, CONTROL_PROGRAM_INGEST, &err);
	struct admin *admin = admin_new("127.0.0.1:0", metrics, &err);
	struct token token;
	struct record r;
	struct buf record = BUF_INIT;

	ck_assert(admin && token_read(&token, path, &err) == 0);
	ck_assert_int_eq(admin_serve_controls(admin, path, control_desk_answer, controls, &err), 0);
	close(fd);
	snprintf(url, sizeof(url), "http://%s/", admin_address(admin));
	close_record(&r, "main", NULL, NOON_MS);
	ck_assert_int_eq(control_encode(&r.control, &record, NULL), 0);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct admin_port *p;
		struct buf list = BUF_INIT;
		bool put = false, listed = false, cleared = false, failed;

		err = (struct err)ERR_INIT;
		fail_walk_begin(&w);
		p = admin_port_new(url, "/controls", &token, &err);
		if (p) {
			put = admin_port_put(p, buf_str(&record), &err) == 0;
			listed = put && admin_port_list(p, &list, &err) == 0;
			cleared = listed && admin_port_clear(p, r.id, &err) == 0;
		}
		failed = fail_walk_end(&w);
		ck_assert_msg(cleared == !failed, "%s", err.msg);
		ck_assert(!failed || err.kind);
		ck_assert(p || err.kind == ERR_FATAL); /* not that the address is none */
		ck_assert(!cleared || !controls_in_force(controls, CONTROL_ACTION_CLOSE, STR("main"), STR(""), NULL));
		ck_assert(!put || cleared || controls_in_force(controls, CONTROL_ACTION_CLOSE, STR("main"), STR(""), NULL));
		buf_fini(&list);
		admin_port_free(p);
		if (put && !cleared)
			controls_clear(controls, r.control.id, NULL);
	}
	buf_fini(&record);
	admin_free(admin);
	controls_free(controls);
	metrics_free(metrics);
}
END_TEST

/* A file of which memory is short is not one with mistakes in it, nor one with less in it. */
START_TEST(a_good_file_has_no_faults)
{
	static const char text[] = "triggers:\n- {id: a, site: s, metric: m, field: p95, compare: \">\", threshold: 1, tags: {a: b, c: [d, e], f: {glob: g}}, receivers: [r]}\n"
				   "- {id: b, site: s, check_in: {name: n, cron: 0 3 * * *}}\n";

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct yaml_file f;
		struct trigger first, second;
		struct err err = ERR_INIT;
		bool read = false, failed;

		fail_walk_begin(&w);
		yaml_parse(&f, STR(text));
		if (f.root)
			read = trigger_yaml_read(&f, f.root->child->child, &first) && trigger_yaml_read(&f, f.root->child->last, &second);
		failed = fail_walk_end(&w);
		ck_assert(read == !failed);
		ck_assert_uint_eq(f.nr_faults, 0);
		ck_assert(yaml_ok(&f, "f", &err) == (failed ? -1 : 0) && (!failed || err.kind == ERR_FATAL));
		ck_assert(failed || (first.tags_len == 3 && first.tags[1].values_len == 2 && first.receivers_len == 1 && second.has_check_in));
		yaml_fini(&f);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nomem");
	TCase *tc = tcase_create("ctl");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_good_record_is_never_a_fault);
	tcase_add_test(tc, an_operators_word_arrives_or_it_is_said);
	tcase_add_test(tc, a_good_file_has_no_faults);
	return unit_main(suite);
}
