/* test_account.c - samples are conserved site by site, and labels are bounded. */
#include "ingest/account.h"

#include "tests/unit/ingest/gate.h"

static void count_all(struct account *a, struct str site, uint64_t n)
{
	struct tally t = {.accepted = n, .rejected = 5, .ignored = {[PAYLOAD_IGNORED_LOG] = 4}, .truncated_samples = 7, .truncated_payloads = 2,
			  .rejected_by = {[REASON_NAME_EMPTY] = 2, [REASON_TIME_TOO_OLD] = 3},
			  .events = {[PAYLOAD_TRANSACTION] = 4, [PAYLOAD_CHECK_IN] = 1}};

	account_receive(a, site, &t);
	account_accept(a, site, &t);
	account_receive(a, site, &t);
	account_refuse(a, site, REASON_OVER_BUDGET, &t);
	account_refuse(a, site, REASON_BAD_JSON, NULL);
}

START_TEST(received_is_what_became_of_it)
{
	struct gate g = {.metrics = metrics_new("millrace-ingest")};
	struct account *a = account_new(g.metrics, 10);
	const char *shop = "site=\"shop\"";

	count_all(a, STR("shop"), 10);
	count_all(a, STR("other-one"), 1000);
	ck_assert_double_eq(gate_figure(&g, "received_samples_total", shop), 30);
	ck_assert_double_eq(gate_figure(&g, "accepted_samples_total", shop), 10);
	ck_assert_double_eq(gate_figure(&g, "rejected_samples_total", shop), 5);
	ck_assert_double_eq(gate_figure(&g, "rejected_samples_total", "reason=\"time_too_old\""), 6);
	ck_assert_double_eq(gate_figure(&g, "refused_samples_total", shop), 15);
	ck_assert_double_eq(gate_figure(&g, "refused_requests_total", shop), 2);
	ck_assert_double_eq(gate_figure(&g, "truncated_samples_total", shop), 7);
	ck_assert_double_eq(gate_figure(&g, "truncated_payloads_total", shop), 2);
	ck_assert_double_eq(gate_figure(&g, "ignored_records_total", "reason=\"log_without_exception\""), 8);
	ck_assert_double_eq(gate_figure(&g, "ignored_records_total", "reason=\"span_outside_transactions\""), 0);
	ck_assert_double_eq(gate_figure(&g, "received_samples_total", NULL),
			    gate_figure(&g, "accepted_samples_total", NULL) + gate_figure(&g, "rejected_samples_total", NULL) +
				    gate_figure(&g, "refused_samples_total", NULL));
	ck_assert_double_eq(gate_figure(&g, "events_total", shop), 5); /* accepted ones only */
	ck_assert_double_eq(gate_figure(&g, "events_total", "kind=\"transaction\""), 8);
	ck_assert_double_eq(gate_figure(&g, "events_total", "kind=\"check_in\""), 2);
	ck_assert_double_eq(gate_figure(&g, "events_total", "kind=\"error\""), 0);
	ck_assert_uint_eq(account_accepted(a), 1010);
	ck_assert_uint_eq(account_accepted_requests(a), 2);
	ck_assert_uint_eq(account_unavailable_requests(a), 2); /* over budget; JSON that is none is not our fault */
	account_free(a);
	metrics_free(g.metrics);
}
END_TEST

START_TEST(a_tally_is_what_the_payload_holds)
{
	struct payload p = {.accepted = 9, .rejected = 3, .rejected_by = {[REASON_DURATION_INVALID] = 3},
			    .accepted_events = {[PAYLOAD_ERROR] = 2, [PAYLOAD_CHECK_IN] = 5}};
	struct tally t = account_tally(&p);

	ck_assert(t.accepted == 9 && t.rejected == 3 && t.rejected_by[REASON_DURATION_INVALID] == 3);
	ck_assert(t.events[PAYLOAD_ERROR] == 2 && t.events[PAYLOAD_TRANSACTION] == 0 && t.events[PAYLOAD_CHECK_IN] == 5);
}
END_TEST

START_TEST(sites_beyond_the_bound_share_one_label)
{
	struct gate g = {.metrics = metrics_new("millrace-ingest")};
	struct account *a = account_new(g.metrics, 3);
	struct tally t = {.accepted = 1};
	char id[16];

	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "site-%d", i);
		account_accept(a, str_from(id), &t);
	}
	ck_assert_double_eq(gate_figure(&g, "accepted_samples_total", "site=\"site-2\""), 1);
	ck_assert_double_eq(gate_figure(&g, "accepted_samples_total", "site=\"site-3\""), 0);
	ck_assert_double_eq(gate_figure(&g, "accepted_samples_total", "site=\"__other__\""), 97);
	account_free(a);
	metrics_free(g.metrics);
}
END_TEST

START_TEST(who_has_no_site_is_counted_too)
{
	struct gate g = {.metrics = metrics_new("millrace-ingest")};
	struct account *a = account_new(g.metrics, 0);

	account_refuse(a, STR(""), REASON_UNAUTHORIZED, NULL);
	ck_assert_double_eq(gate_figure(&g, "refused_requests_total", "site=\"__none__\""), 1);
	account_add(a, ACCOUNT_RECORDS, 3);
	account_set(a, ACCOUNT_SITES, 9);
	ck_assert_double_eq(gate_figure(&g, "records_total", NULL), 3);
	ck_assert_double_eq(gate_figure(&g, "sites", NULL), 9);
	account_add(NULL, ACCOUNT_RECORDS, 3);
	account_free(NULL);
	account_free(a);
	metrics_free(g.metrics);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("account");
	TCase *tc = tcase_create("account");

	tcase_add_test(tc, received_is_what_became_of_it);
	tcase_add_test(tc, a_tally_is_what_the_payload_holds);
	tcase_add_test(tc, sites_beyond_the_bound_share_one_label);
	tcase_add_test(tc, who_has_no_site_is_counted_too);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
