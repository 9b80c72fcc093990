/* test_admission.c - each refusal before the body by name, and a budget that always balances. */
#include "ingest/admission.h"
#include "tests/unit/ingest/tables.h"

enum { MAX_BODY = 1000, BUDGET = 2500 };

static const struct route one_route[] = {{.effective_from = 0, .cell = {"main", 4}, .shards = 2}};

struct gate {
	struct account account; /* without metrics: handles are NULL, which counts nothing */
	struct sites *sites;
	struct admission admission;
};

static void gate_init(struct gate *g)
{
	struct err err = ERR_INIT;

	*g = (struct gate){.sites = sites_new()};
	ck_assert_int_eq(put_site(g->sites, "shop", (const char *const[]){"mr_good", NULL}, one_route, 1, false, &err), 0);
	ck_assert_int_eq(put_site(g->sites, "off", (const char *const[]){"mr_off", NULL}, one_route, 1, true, &err), 0);
	g->admission = (struct admission){.sites = g->sites, .account = &g->account, .max_body_bytes = MAX_BODY,
					  .budget_bytes = BUDGET, .tables_loaded = true, .tables_fresh = true};
}

static void gate_fini(struct gate *g)
{
	sites_free(g->sites);
}

#define GOOD .method = "POST", .path = "/v1/push", .content_type = "application/json", .content_length = "10"

static const struct {
	struct admission_head head;
	enum reason reason; /* NR_REASONS: let in */
} heads[] = {
	{{GOOD, .authorization = "Bearer mr_good"}, NR_REASONS},
	{{GOOD, .authorization = "bearer  mr_good"}, NR_REASONS},
	{{GOOD, .x_api_key = "mr_good"}, NR_REASONS},
	{{GOOD, .api_key = "mr_good"}, NR_REASONS},
	{{GOOD, .authorization = "Basic eDp5", .x_api_key = "mr_good"}, NR_REASONS}, /* a proxy's own */
	{{GOOD}, REASON_UNAUTHORIZED},
	{{GOOD, .authorization = "Bearer "}, REASON_UNAUTHORIZED},
	{{GOOD, .authorization = "Bearer mr_bad", .x_api_key = "mr_good"}, REASON_UNAUTHORIZED}, /* the first one counts */
	{{GOOD, .authorization = "mr_good"}, REASON_UNAUTHORIZED},
	{{GOOD, .x_api_key = "mr_off"}, REASON_UNAUTHORIZED},
	{{GOOD, .x_api_key = "mr_good "}, REASON_UNAUTHORIZED},
	{{.method = "POST", .path = "/v1/pus", .x_api_key = "mr_good"}, REASON_NOT_FOUND},
	{{.method = "GET", .path = "/"}, REASON_NOT_FOUND},
	{{.method = "POST", .path = "/v1/push/"}, REASON_NOT_FOUND},
	{{.method = "GET", .path = "/v1/push"}, REASON_METHOD_NOT_ALLOWED},
	{{.method = "PUT", .path = "/v1/push", .x_api_key = "mr_good"}, REASON_METHOD_NOT_ALLOWED},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good"}, REASON_UNSUPPORTED_TYPE},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .content_type = "text/plain"}, REASON_UNSUPPORTED_TYPE},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .content_type = "application/jsonx"}, REASON_UNSUPPORTED_TYPE},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .content_type = ""}, REASON_UNSUPPORTED_TYPE},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .content_type = "Application/JSON; charset=utf-8"}, NR_REASONS},
	{{GOOD, .x_api_key = "mr_good", .content_encoding = "gzip"}, REASON_UNSUPPORTED_ENCODING},
	{{GOOD, .x_api_key = "mr_good", .content_encoding = ""}, REASON_UNSUPPORTED_ENCODING},
	{{GOOD, .x_api_key = "mr_good", .content_encoding = "Identity"}, NR_REASONS},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .content_type = "application/json", .content_length = "1000"},
	 NR_REASONS},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .content_type = "application/json", .content_length = "1001"},
	 REASON_BODY_TOO_LARGE},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .content_type = "application/json",
	  .content_length = "99999999999999999999999"},
	 REASON_BODY_TOO_LARGE},
};

START_TEST(names_each_refusal)
{
	struct gate g;
	struct ticket t = {0};
	struct refusal no = {.reason = NR_REASONS};
	int rc;

	gate_init(&g);
	rc = admission_enter(&g.admission, &heads[_i].head, &t, &no);
	ck_assert_msg(rc == (heads[_i].reason == NR_REASONS ? 0 : -1) && no.reason == heads[_i].reason, "case %d: %d, %s", _i, rc,
		      no.detail);
	if (rc < 0)
		ck_assert_int_eq(g.admission.inflight_bytes, 0);
	admission_release(&g.admission, &t);
	ck_assert_int_eq(g.admission.inflight_bytes, 0);
	gate_fini(&g);
}
END_TEST

static const struct admission_head good = {GOOD, .x_api_key = "mr_good"}, unknown = {GOOD, .x_api_key = "mr_new"};

/* A 401 makes agents give up: it is for those whose key is surely unknown. */
START_TEST(no_401_without_a_true_table)
{
	struct gate g;
	struct ticket t = {0};
	struct refusal no;

	gate_init(&g);
	g.admission.tables_loaded = false;
	ck_assert_int_eq(admission_enter(&g.admission, &unknown, &t, &no), -1);
	ck_assert_int_eq(no.reason, REASON_TABLES_NOT_LOADED);
	ck_assert_int_eq(admission_enter(&g.admission, &good, &t, &no), -1);
	ck_assert_int_eq(no.reason, REASON_TABLES_NOT_LOADED);
	g.admission.tables_loaded = true;
	g.admission.tables_fresh = false;
	ck_assert_int_eq(admission_enter(&g.admission, &unknown, &t, &no), -1);
	ck_assert_int_eq(no.reason, REASON_TABLES_NOT_LOADED);
	ck_assert_int_eq(admission_enter(&g.admission, &good, &t, &no), 0); /* a known key is known */
	g.admission.draining = true;
	ck_assert_int_eq(admission_enter(&g.admission, &good, &t, &no), -1);
	ck_assert_int_eq(no.reason, REASON_DRAINING);
	gate_fini(&g);
}
END_TEST

START_TEST(a_key_revoked_on_the_way_is_told)
{
	struct gate g;
	struct ticket t = {0};
	struct refusal no;

	gate_init(&g);
	ck_assert_int_eq(admission_enter(&g.admission, &good, &t, &no), 0);
	ck_assert_ptr_nonnull(admission_tenant(&g.admission, &t, &no));
	delete_site(g.sites, "shop");
	ck_assert_ptr_null(admission_tenant(&g.admission, &t, &no));
	ck_assert_int_eq(no.reason, REASON_UNAUTHORIZED);
	gate_fini(&g);
}
END_TEST

START_TEST(the_budget_is_kept_and_given_back)
{
	struct gate g;
	struct ticket a = {0}, b = {0}, c = {0};
	struct admission_head large = good;
	struct refusal no;

	large.content_length = "1000";
	gate_init(&g);
	ck_assert_int_eq(admission_enter(&g.admission, &large, &a, &no), 0);
	ck_assert_int_eq(admission_enter(&g.admission, &large, &b, &no), 0);
	ck_assert_int_eq(admission_enter(&g.admission, &large, &c, &no), -1);
	ck_assert_int_eq(no.reason, REASON_OVER_BUDGET);
	ck_assert_int_eq(g.admission.inflight_bytes, 2000);
	ck_assert_int_eq(admission_charge(&g.admission, &a, 500, &no), 0); /* to the last byte */
	ck_assert_int_eq(admission_charge(&g.admission, &b, 1, &no), -1);
	ck_assert_int_eq(admission_charge(&g.admission, &b, INT64_MAX, &no), -1);
	ck_assert_int_eq(b.charged_bytes, 1000);
	admission_release(&g.admission, &a);
	admission_release(&g.admission, &a);
	ck_assert_int_eq(g.admission.inflight_bytes, 1000);
	ck_assert_int_eq(admission_enter(&g.admission, &large, &c, &no), 0);
	admission_release(&g.admission, &b);
	admission_release(&g.admission, &c);
	ck_assert_int_eq(g.admission.inflight_bytes, 0);
	gate_fini(&g);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admission");
	TCase *tc = tcase_create("admission");

	tcase_add_loop_test(tc, names_each_refusal, 0, (int)NR(heads));
	tcase_add_test(tc, no_401_without_a_true_table);
	tcase_add_test(tc, a_key_revoked_on_the_way_is_told);
	tcase_add_test(tc, the_budget_is_kept_and_given_back);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
