/* test_receivers.c - rows of receivers, and which incidents are for whom. */
#include "sink/notify/receivers.h"

#include "tests/unit/unit.h"

static const struct str shop = {"shop", 4}, other = {"other", 5};

static struct receiver plain(const char *id)
{
	return (struct receiver){
		.id = str_from(id), .has_webhook = true, .webhook = {STR("https://a.example/"), STR(""), STR("")}, .group_wait_ms = 30000,
		.group_interval_ms = 300000, .repeat_ms = 0, .escalate_to = STR(""), .author = STR("ann"),
	};
}

static int take(struct receivers *rs, const char *key, const struct receiver *r, struct err *err)
{
	struct buf value = BUF_INIT;
	struct table_row row = {.key = str_from(key)};
	int rc;

	if (r) {
		ck_assert_int_eq(receiver_encode(r, &value, NULL), 0);
		row.value = buf_str(&value);
	}
	rc = receivers_take(rs, &row, err);
	buf_fini(&value);
	return rc;
}

static const struct {
	const char *what;
	bool only_named, for_shop, for_other, critical, named, names_another, gets;
} cases[] = {
	{"all by default", .gets = true},
	{"its site", .for_shop = true, .gets = true},
	{"another site", .for_other = true, .gets = false},
	{"one of its sites", .for_shop = true, .for_other = true, .gets = true},
	{"not its severity", .critical = true, .gets = false},
	{"only by name", .only_named = true, .gets = false},
	{"by name", .only_named = true, .named = true, .gets = true},
	{"by name, whatever its sites and severities", .for_other = true, .critical = true, .named = true, .gets = true},
	{"the trigger names somebody else", .names_another = true, .gets = false},
	{"and it, too", .names_another = true, .named = true, .gets = true},
};

START_TEST(who_gets_it)
{
	enum alert_severity critical = ALERT_SEVERITY_CRITICAL;
	struct str sites[2], names[2];
	struct incident incident = {.site = shop, .severity = ALERT_SEVERITY_WARNING, .receivers = names};
	struct receiver r = plain("ops");

	r.only_named = cases[_i].only_named;
	r.sites = sites;
	if (cases[_i].for_other)
		sites[r.sites_len++] = other;
	if (cases[_i].for_shop)
		sites[r.sites_len++] = shop;
	r.severities = &critical;
	r.severities_len = cases[_i].critical;
	if (cases[_i].names_another)
		names[incident.receivers_len++] = STR("opsy");
	if (cases[_i].named)
		names[incident.receivers_len++] = STR("ops");
	ck_assert_msg(receiver_gets(&r, &incident) == cases[_i].gets, "%s", cases[_i].what);
}
END_TEST

START_TEST(severities_are_a_list)
{
	enum alert_severity two[] = {ALERT_SEVERITY_INFO, ALERT_SEVERITY_CRITICAL};
	struct incident incident = {.site = shop};
	struct receiver r = plain("ops");

	r.severities = two;
	r.severities_len = 2;
	for (int s = 0; s < 3; s++) {
		incident.severity = (enum alert_severity)s;
		ck_assert_int_eq(receiver_gets(&r, &incident), s != ALERT_SEVERITY_WARNING);
	}
}
END_TEST

START_TEST(rows)
{
	static const char *const ids[] = {"m", "a", "z", "b", "m"};
	struct receivers rs = RECEIVERS_INIT;
	struct receiver_row *row;
	struct err err = ERR_INIT;
	struct receiver r;
	char seen[8] = "";
	size_t at = 0;

	for (size_t i = 0; i < NR(ids); i++) {
		r = plain(ids[i]);
		r.repeat_ms = (int64_t)i * 60000;
		ck_assert_msg(take(&rs, ids[i], &r, &err) == 0, "%s", err.msg);
	}
	while ((row = receivers_next(&rs, &at)))
		strncat(seen, row->r.id.p, row->r.id.len);
	ck_assert_str_eq(seen, "abmz");
	ck_assert_int_eq(receivers_find(&rs, STR("m"))->r.repeat_ms, 4 * 60000);
	ck_assert_ptr_null(receivers_find(&rs, STR("c")));
	ck_assert_int_eq(take(&rs, "b", NULL, &err), 0);
	ck_assert_int_eq(take(&rs, "nobody", NULL, &err), 0);
	ck_assert_ptr_null(receivers_find(&rs, STR("b")));
	ck_assert_ptr_nonnull(receivers_find(&rs, STR("z")));
	receivers_fini(&rs);
}
END_TEST

START_TEST(bad_rows)
{
	struct receivers rs = RECEIVERS_INIT;
	struct err err = ERR_INIT;
	struct receiver r = plain("ops");
	struct table_row row = {.key = STR("ops"), .value = STR("\0\0\0\0\16junk")};

	ck_assert_int_eq(take(&rs, "ops", &r, &err), 0);
	ck_assert_int_eq(receivers_take(&rs, &row, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	row.value = STR("\0\0\0\1\1junk");
	ck_assert_int_eq(receivers_take(&rs, &row, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_int_eq(take(&rs, "spo", &r, &err), -1); /* the key is not its id */
	ck_assert_int_eq(err.kind, ERR_REJECT);
	r.has_webhook = false;
	ck_assert_int_eq(take(&rs, "ops", &r, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert(receivers_find(&rs, STR("ops"))->r.has_webhook); /* that of before */
	receivers_fini(&rs);
}
END_TEST

START_TEST(bounded)
{
	struct receivers rs = RECEIVERS_INIT;
	struct err err = ERR_INIT;
	char id[16];

	for (int i = 0; i <= RECEIVERS_MAX; i++) {
		struct receiver r;

		snprintf(id, sizeof(id), "r%d", i);
		r = plain(id);
		ck_assert_int_eq(take(&rs, id, &r, &err), i < RECEIVERS_MAX ? 0 : -1);
	}
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(take(&rs, "r7", NULL, &err), 0);
	ck_assert_int_eq(take(&rs, id, &(struct receiver){0}, &err), -1);
	receivers_fini(&rs);
}
END_TEST

/* One that goes while its jobs are under way, and comes back: they are counted all along. */
START_TEST(under_way)
{
	struct receivers rs = RECEIVERS_INIT;
	struct receiver r = plain("ops");
	size_t at = 0;

	ck_assert_int_eq(take(&rs, "ops", &r, NULL), 0);
	receivers_begin(&rs, STR("ops"));
	receivers_begin(&rs, STR("ops"));
	receivers_begin(&rs, STR("nobody"));
	ck_assert_int_eq(take(&rs, "ops", NULL, NULL), 0);
	ck_assert_ptr_null(receivers_find(&rs, STR("ops")));
	ck_assert_ptr_null(receivers_next(&rs, &at));
	receivers_end(&rs, STR("ops"));
	ck_assert_int_eq(take(&rs, "ops", &r, NULL), 0);
	ck_assert_uint_eq(receivers_find(&rs, STR("ops"))->under_way, 1);
	ck_assert_int_eq(take(&rs, "ops", NULL, NULL), 0);
	receivers_end(&rs, STR("ops"));
	ck_assert_uint_eq(rs.rows.len, 0);
	receivers_end(&rs, STR("ops"));
	ck_assert_int_eq(take(&rs, "ops", &r, NULL), 0);
	receivers_begin(&rs, STR("ops"));
	receivers_end_all(&rs);
	ck_assert_uint_eq(receivers_find(&rs, STR("ops"))->under_way, 0);
	receivers_begin(&rs, STR("ops"));
	ck_assert_int_eq(take(&rs, "ops", NULL, NULL), 0);
	receivers_end_all(&rs);
	ck_assert_uint_eq(rs.rows.len, 0);
	receivers_fini(&rs);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("receivers");
	TCase *tc = tcase_create("receivers");

	tcase_add_loop_test(tc, who_gets_it, 0, NR(cases));
	tcase_add_test(tc, severities_are_a_list);
	tcase_add_test(tc, rows);
	tcase_add_test(tc, bad_rows);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, under_way);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
