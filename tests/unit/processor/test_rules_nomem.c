/* test_rules_nomem.c - triggers, sites and closures when memory is short: ERR_FATAL, as a row that is lost must end the process; what was known stays, and
 * nothing leaks. Each operation is walked (tests/unit/fail_alloc.h). */
#include "processor/closures.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/processor/triggers.h"

/* With all that a trigger may have. */
static struct trigger full_trigger(void)
{
	static struct str values[] = {{"a*", 2}, {"b", 1}, {"c", 1}};
	static struct tag_selector selectors[] = {{{"env", 3}, SELECTOR_OP_GLOB, values, 1}, {{"host", 4}, SELECTOR_OP_ONE_OF, values + 1, 2}};
	struct trigger t = plain_trigger("shop", "t", "m");

	t.tags = selectors;
	t.tags_len = 2;
	return t;
}

/* Fails with ERR_FATAL where an allocation failed, and not else. */
static void expect(bool failed, int rc, const struct err *err)
{
	ck_assert_msg(rc == 0 ? !err->kind : failed && err->kind == ERR_FATAL, "%d: %s", rc, err->msg);
}

static struct rulebook *book_of(struct placements *p)
{
	p->cell = "main";
	p->partitions = 12;
	ck_assert_int_eq(take_site(p, "shop", "main", NULL), 0);
	return rulebook_new(p);
}

START_TEST(a_row_is_taken_or_not)
{
	const struct trigger t = full_trigger();
	struct buf bytes = BUF_INIT;

	ck_assert_int_eq(trigger_encode(&t, &bytes, NULL), 0);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct placements p = PLACEMENTS_INIT;
		struct rulebook *b = book_of(&p);
		struct err err = ERR_INIT;
		int rc;

		fail_walk_begin(&w);
		rc = rulebook_take(b, &(struct table_row){.key = STR("t"), .value = buf_str(&bytes)}, &err);
		expect(fail_walk_end(&w), rc, &err);
		ck_assert_uint_eq(rulebook_rules(b, NULL)->nr, rc == 0);
		rulebook_free(b);
		placements_fini(&p);
	}
	buf_fini(&bytes);
}
END_TEST

START_TEST(rules_are_made_whole_or_not)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		const struct trigger t = full_trigger();
		struct placements p = PLACEMENTS_INIT;
		struct rulebook *b = book_of(&p);
		struct rules *old = rulebook_rules(b, NULL), *r;
		struct err err = ERR_INIT;
		bool failed;

		ck_assert_int_eq(take_trigger(b, "t", &t, NULL), 0);
		fail_walk_begin(&w);
		r = rulebook_rules(b, &err);
		failed = fail_walk_end(&w);
		expect(failed, r ? 0 : -1, &err);
		ck_assert(r || (rulebook_changed(b) && old->nr == 0));
		ck_assert(rulebook_rules(b, NULL)->nr == 1);
		rulebook_free(b);
		placements_fini(&p);
	}
}
END_TEST

/* A set that could not be kept is found the next time. */
START_TEST(a_series_is_matched_again)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		const struct tag tags[] = {{STR("env"), STR("ab")}, {STR("host"), STR("c")}};
		const struct series_id id = {.site = STR("shop"), .name = STR("m"), .tags = tags, .tags_len = 2};
		struct placements p = PLACEMENTS_INIT;
		struct rulebook *b = book_of(&p);
		struct trigger t = full_trigger();
		char id_text[] = "t-a";
		struct rules *r;
		uint32_t set, sets[20];
		bool failed;
		size_t nr;

		ck_assert_int_eq(take_trigger(b, "t", &t, NULL), 0);
		t.tags_len = 0;
		for (int i = 0; i < 20; i++) { /* so many that the list of sets must grow */
			char metric[] = "m-a";

			metric[2] = id_text[2] = (char)('a' + i);
			t.id = str_from(id_text);
			t.metric = str_from(metric);
			ck_assert_int_eq(take_trigger(b, id_text, &t, NULL), 0);
		}
		r = rulebook_rules(b, NULL);
		fail_walk_begin(&w);
		set = rules_match(r, &id);
		for (int i = 0; i < 20; i++) {
			char metric[] = "m-a";

			metric[2] = (char)('a' + i);
			sets[i] = rules_match(r, &(struct series_id){.site = STR("shop"), .name = str_from(metric)});
		}
		failed = fail_walk_end(&w);
		for (int i = 0; i < 20; i++)
			ck_assert(sets[i] != RULES_NONE && (sets[i] || failed));
		ck_assert(set != RULES_NONE && (set || failed));
		set = rules_match(r, &id);
		ck_assert(rules_set(r, set, &nr)[0] == (uint32_t)rules_find(r, STR("shop"), STR("t")) && nr == 1);
		rulebook_free(b);
		placements_fini(&p);
	}
}
END_TEST

START_TEST(a_site_is_taken_or_not)
{
	struct route routes[2] = {{0, STR("main"), 2}, {600000, STR("main"), 3}};
	const struct site site = {.id = STR("shop"), .name = STR("Shop"), .routes = routes, .routes_len = 2};
	struct buf bytes = BUF_INIT;

	ck_assert_int_eq(site_encode(&site, &bytes, NULL), 0);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES] = {0};
		struct placements p = PLACEMENTS_INIT;
		struct err err = ERR_INIT;
		struct site_place *s;
		bool failed;
		int rc;

		p.cell = "main";
		p.partitions = 12;
		fail_walk_begin(&w);
		rc = placements_take(&p, &(struct table_row){.key = STR("shop"), .value = buf_str(&bytes)}, &err);
		if (rc == 0) {
			enum place place;

			s = placements_get(&p, STR("shop"));
			place = site_place_judge(&p, s, fingerprint, 0, 0);
			failed = fail_walk_end(&w);
			ck_assert(failed || place == site_place_judge(&p, s, fingerprint, 0, 0));
			ck_assert(place == site_place_judge(&p, s, fingerprint, 0, 0) || place == PLACE_UNKNOWN);
		} else {
			failed = fail_walk_end(&w);
		}
		expect(failed, rc, &err);
		placements_fini(&p);
	}
	buf_fini(&bytes);
}
END_TEST

START_TEST(a_closure_is_kept_or_not)
{
	const struct control c = {.id = STR("ingest/close"), .on = CONTROL_PROGRAM_INGEST, .action = CONTROL_ACTION_CLOSE, .reason = STR("r"),
				  .author = STR("a"), .created_at = 1000, .expires_at = 2000};
	struct buf bytes = BUF_INIT;

	ck_assert_int_eq(control_encode(&c, &bytes, NULL), 0);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct err err = ERR_INIT;
		struct closures *cl;
		int rc = 0;

		fail_walk_begin(&w);
		cl = closures_new("main");
		if (cl)
			rc = closures_take_control(cl, &(struct table_row){.key = c.id, .value = buf_str(&bytes)}, &err);
		expect(fail_walk_end(&w), rc, &err);
		ck_assert(!cl || closures_cover(cl, STR("shop"), 1500, 1600) == (rc == 0));
		closures_free(cl);
	}
	buf_fini(&bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rules without memory");
	TCase *tc = tcase_create("nomem");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_row_is_taken_or_not);
	tcase_add_test(tc, rules_are_made_whole_or_not);
	tcase_add_test(tc, a_series_is_matched_again);
	tcase_add_test(tc, a_site_is_taken_or_not);
	tcase_add_test(tc, a_closure_is_kept_or_not);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
