/* test_receiver.c - what a receiver may be: addresses by tables, records by their fields, escalations as a graph against a walk of the test's own. */
#include "common/receiver.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct { const char *url, *says; /* NULL: good */ } urls[] = {
	{"https://hooks.example.com/services/T0/B0/x?y=%20&z", NULL}, {"http://localhost:9093", NULL}, {"https://[::1]:8443/a", NULL}, {"https://[::ffff:1.2.3.4]", NULL},
	{"https://a-b_c.example./", NULL}, {"https://127.0.0.1", NULL}, {"https://h?x", NULL}, {"https://h:1/", NULL}, {"https://h:65535/", NULL},
	{"https://h/a@b", NULL}, {"https://h/:x", NULL},
	{"", "has 0 bytes"}, {"ftp://h/", "must begin with"}, {"file:///etc/passwd", "must begin with"}, {"HTTPS://h/", "must begin with"},
	{"//h/", "must begin with"}, {"https:/h", "must begin with"}, {"https://", "is no host"}, {"https:///x", "is no host"}, {"https://?x", "is no host"},
	{"https://:80/", "is no host"}, {"https://u:p@h/", "no user and password"}, {"https://u@h", "no user and password"}, {"https://h@:80", "no user and password"},
	{"https://good.example\\@evil.example/", "printable ASCII"}, {"https://h /", "printable ASCII"}, {"https://h/a b", "printable ASCII"},
	{"https://h/\r\nX: y", "printable ASCII"}, {"https://h\x7f/", "printable ASCII"}, {"https://\xc3\xa4.example/", "printable ASCII"},
	{"https://h/<x>", "printable ASCII"}, {"https://h/\"", "printable ASCII"},
	{"https://h%2e/", "is no host"}, {"https://h!x/", "is no host"}, {"https://.h/", "is no host"}, {"https://-h/", "is no host"}, {"https://[::1/", "is no host"},
	{"https://[]/", "is no host"}, {"https://[a/b]", "is no host"}, {"https://[fe80::1%25eth0]/", "is no host"}, {"https://[::1]x/", "no valid port"},
	{"https://h:/", "no valid port"}, {"https://h:0/", "no valid port"}, {"https://h:65536/", "no valid port"}, {"https://h:080/", "no valid port"},
	{"https://h:8a/", "no valid port"}, {"https://h:1:2/", "no valid port"}, {"https://h/#x", "no fragment"}, {"https://h#x", "no fragment"},
	{"smtp://h", "must begin with"},
};

START_TEST(webhook_urls)
{
	struct err err = ERR_INIT;
	int rc = receiver_check_url(str_from(urls[_i].url), &err);

	ck_assert_msg(rc == (urls[_i].says ? -1 : 0), "%s: %s", urls[_i].url, err.msg);
	ck_assert_msg(!urls[_i].says || (err.kind == ERR_REJECT && strstr(err.msg, urls[_i].says)), "%s: %s", urls[_i].url, err.msg);
}
END_TEST

/* A NUL ends no check. */
START_TEST(bytes_behind_a_nul)
{
	ck_assert_int_eq(receiver_check_url(STR("https://h\0@evil/"), NULL), -1);
	ck_assert_int_eq(receiver_check_address(STR("a@b\0\n"), NULL), -1);
	ck_assert_int_eq(receiver_check_address(STR("a\0@b"), NULL), -1);
	ck_assert_int_eq(receiver_check_server(STR("smtp://h\0"), NULL), -1);
}
END_TEST

START_TEST(lengths)
{
	char url[RECEIVER_URL_MAX + 2], host[300] = "https://", address[RECEIVER_ADDRESS_MAX + 2];

	memset(url, 'a', sizeof(url));
	memcpy(url, "https://h/", 10);
	ck_assert_int_eq(receiver_check_url((struct str){url, RECEIVER_URL_MAX}, NULL), 0);
	ck_assert_int_eq(receiver_check_url((struct str){url, RECEIVER_URL_MAX + 1}, NULL), -1);
	memset(host + 8, 'h', 254);
	ck_assert_int_eq(receiver_check_url((struct str){host, 8 + 253}, NULL), 0);
	ck_assert_int_eq(receiver_check_url((struct str){host, 8 + 254}, NULL), -1);
	memset(address, 'a', sizeof(address));
	address[1] = '@';
	ck_assert_int_eq(receiver_check_address((struct str){address, RECEIVER_ADDRESS_MAX}, NULL), 0);
	ck_assert_int_eq(receiver_check_address((struct str){address, RECEIVER_ADDRESS_MAX + 1}, NULL), -1);
}
END_TEST

static const struct { const char *url; bool good; } servers[] = {
	{"smtp://mail.example:587", true}, {"smtps://mail.example:465", true}, {"smtp://h", true}, {"smtp://[::1]:25", true},
	{"smtp://h/", false}, {"smtp://h/x", false}, {"smtp://h?x", false}, {"smtp://h#", false}, {"smtp://u:p@h", false}, {"https://h", false}, {"mail.example", false},
	{"smtp://", false}, {"smtp://h:0", false}, {"smtp://h\n", false},
};

START_TEST(mail_servers)
{
	ck_assert_msg((receiver_check_server(str_from(servers[_i].url), NULL) == 0) == servers[_i].good, "%s", servers[_i].url);
}
END_TEST

static const struct { const char *address; bool good; } addresses[] = {
	{"a@b", true}, {"first.last+tag@mail.example.com", true}, {"o'hara@example.com", true}, {"a_b-c@d-e.example", true},
	{"", false}, {"a", false}, {"@b", false}, {"a@", false}, {"a@b@c", false}, {"a b@c", false}, {"a@b c", false}, {"a@b\n", false}, {"a@b\r\nBcc: x@y", false},
	{"<a@b>", false}, {"A <a@b>", false}, {"\"a b\"@c", false}, {"a,b@c", false}, {"a@b,c@d", false}, {"a;b@c", false}, {"a@.b", false}, {"a@-b", false},
	{"a(x)@b", false}, {"a@[1.2.3.4]", false}, {"\xc3\xa4@b", false}, {"a@\xc3\xa4", false}, {"a@b\t", false}, {"a:b@c", false},
};

START_TEST(mail_addresses)
{
	ck_assert_msg((receiver_check_address(str_from(addresses[_i].address), NULL) == 0) == addresses[_i].good, "%s", addresses[_i].address);
}
END_TEST

/* One that is good, with arrays that a test may change. */
struct sample {
	struct receiver r;
	struct str to[RECEIVER_TO_MAX + 1], sites[2];
	enum alert_severity severities[4];
};

static void fill(struct sample *s, bool mail)
{
	const struct str none = STR("");

	memset(s, 0, sizeof(*s));
	s->r = (struct receiver){.id = STR("ops"), .has_webhook = !mail, .webhook = {STR("https://h/"), STR("ops.key"), STR("")}, .has_mail = mail,
				 .mail = {.server = STR("smtp://h:25"), .from = STR("a@b"), .to = s->to, .to_len = 2, .user = STR("u"), .password_file = STR("p/w")},
				 .sites = s->sites, .sites_len = 2, .severities = s->severities, .severities_len = 2, .group_wait_ms = 30000,
				 .group_interval_ms = 0, .repeat_ms = RECEIVER_DURATION_MAX_MS, .escalate_to = STR("boss"), .escalate_after_ms = 1, .author = none};
	for (size_t i = 0; i < NR(s->to); i++)
		s->to[i] = STR("x@y");
	s->sites[0] = STR("shop");
	s->sites[1] = STR("s-2");
	s->severities[0] = ALERT_SEVERITY_CRITICAL;
	s->severities[1] = ALERT_SEVERITY_INFO;
}

static void set_id(struct sample *s) { s->r.id = STR("Ops"); }
static void set_no_id(struct sample *s) { s->r.id = STR(""); }
static void set_both(struct sample *s) { s->r.has_webhook = s->r.has_mail = true; }
static void set_none(struct sample *s) { s->r.has_webhook = s->r.has_mail = false; }
static void set_url(struct sample *s) { s->r.webhook.url = STR("https://u@h"); }
static void set_secret(struct sample *s) { s->r.webhook.secret_file = STR("a\nb"); }
static void set_up(struct sample *s) { s->r.webhook.bearer_file = STR("keys/../../etc/shadow"); }
static void set_up_alone(struct sample *s) { s->r.webhook.secret_file = STR(".."); }
static void set_server(struct sample *s) { s->r.mail.server = STR("h"); }
static void set_from(struct sample *s) { s->r.mail.from = STR("a"); }
static void set_to(struct sample *s) { s->to[1] = STR("a@b\n"); }
static void set_to_nobody(struct sample *s) { s->r.mail.to_len = 0; }
static void set_to_many(struct sample *s) { s->r.mail.to_len = RECEIVER_TO_MAX + 1; }
static void set_user(struct sample *s) { s->r.mail.user = STR(""); }
static void set_password(struct sample *s) { s->r.mail.password_file = STR(""); }
static void set_user_lines(struct sample *s) { s->r.mail.user = STR("u\r\n"); }
static void set_site(struct sample *s) { s->sites[1] = STR("a b"); }
static void set_severity(struct sample *s) { s->severities[1] = (enum alert_severity)3; }
static void set_severity_twice(struct sample *s) { s->severities[1] = ALERT_SEVERITY_CRITICAL; }
static void set_wait(struct sample *s) { s->r.group_wait_ms = -1; }
static void set_interval(struct sample *s) { s->r.group_interval_ms = RECEIVER_DURATION_MAX_MS + 1; }
static void set_repeat(struct sample *s) { s->r.repeat_ms = INT64_MAX; }
static void set_after(struct sample *s) { s->r.escalate_after_ms = RECEIVER_DURATION_MAX_MS + 1; }
static void set_after_alone(struct sample *s) { s->r.escalate_to = STR(""); }
static void set_itself(struct sample *s) { s->r.escalate_to = STR("ops"); }
static void set_nobody(struct sample *s) { s->r.escalate_to = STR("b!"); }

static const struct { void (*set)(struct sample *s); bool mail; const char *says; } records[] = {
	{set_id, false, "id: \"Ops\""}, {set_no_id, false, "id: "}, {set_both, false, "exactly one of webhook and mail"}, {set_none, false, "exactly one of webhook and mail"},
	{set_url, false, "webhook.url: may hold no user"}, {set_secret, false, "webhook.secret_file: must be one line"},
	{set_up, false, "webhook.bearer_file: may not lead upwards"}, {set_up_alone, false, "webhook.secret_file: may not lead upwards"},
	{set_server, true, "mail.server: must begin with"}, {set_from, true, "mail.from: an address has 1 bytes"}, {set_to, true, "mail.to: \"a@b"},
	{set_to_nobody, true, "mail.to: 0 addresses"}, {set_to_many, true, "mail.to: 51 addresses"}, {set_user, true, "mail.password_file: user and password_file"},
	{set_password, true, "mail.user: user and password_file"}, {set_user_lines, true, "mail.user: must be one line"}, {set_site, false, "sites: \"a b\""},
	{set_severity, false, "severities: "}, {set_severity_twice, true, "severities: "}, {set_wait, false, "group_wait: -1 ms"},
	{set_interval, false, "group_interval: "}, {set_repeat, true, "repeat: "}, {set_after, false, "escalate_after: "},
	{set_after_alone, false, "escalate_after: goes with escalate_to"}, {set_itself, false, "escalate_to: is itself"}, {set_nobody, false, "escalate_to: \"b!\""},
};

START_TEST(one_field_wrong)
{
	struct sample s;
	struct err err = ERR_INIT;

	fill(&s, records[_i].mail);
	ck_assert_msg(receiver_check(&s.r, &err) == 0, "%s", err.msg);
	records[_i].set(&s);
	ck_assert_int_eq(receiver_check(&s.r, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strncmp(err.msg, records[_i].says, strlen(records[_i].says)) == 0 || strstr(err.msg, records[_i].says), "%s", err.msg);
}
END_TEST

/* Dots that lead nowhere up are names. */
START_TEST(paths_that_stay)
{
	static const char *const paths[] = {"", "a", "a/b", "/run/secrets/x", "a..b", "..a", "a..", "...", "./a", "a//b"};
	struct sample s;

	for (size_t i = 0; i < NR(paths); i++) {
		fill(&s, false);
		s.r.webhook.secret_file = str_from(paths[i]);
		ck_assert_msg(receiver_check(&s.r, NULL) == 0, "%s", paths[i]);
	}
}
END_TEST

enum { NODES = 24, NOBODY = -1, GONE = -2 };

struct graph {
	struct receiver nodes[NODES];
	char ids[NODES][16];
	int to[NODES];
	int asked;
};

static const struct receiver *find(void *ctx, struct str id)
{
	struct graph *g = ctx;

	ck_assert_int_lt(g->asked++, RECEIVER_CHAIN_MAX + 2);
	for (int i = 0; i < NODES; i++)
		if (str_eq(g->nodes[i].id, id))
			return &g->nodes[i];
	return NULL;
}

static void link_nodes(struct graph *g, int i, int to)
{
	snprintf(g->ids[i], sizeof(g->ids[i]), "n%d", i);
	g->to[i] = to;
	g->nodes[i].id = str_from(g->ids[i]);
	g->nodes[i].escalate_to = to == NOBODY ? STR("") : STR("gone");
}

/* By the numbers, not the names. */
static bool chain_is_good(const struct graph *g, int from)
{
	int at = from, steps = 0;

	for (; g->to[at] != NOBODY; steps++) {
		if (g->to[at] == GONE || g->to[at] == from || steps == RECEIVER_CHAIN_MAX)
			return false;
		at = g->to[at];
	}
	return true;
}

START_TEST(escalations)
{
	struct unit_random r = unit_random_new("receiver");
	int good = 0, bad = 0;

	for (int round = 0; round < 3000; round++) {
		struct graph g = {.asked = 0};
		uint64_t wild = 1 + unit_random_below(&r, 30); /* the fewer go anywhere, the longer the ways */

		for (int i = 0; i < NODES; i++) {
			int to = unit_random_below(&r, wild) == 0 ? (int)unit_random_below(&r, NODES) : i + 1 < NODES ? i + 1 : NOBODY;

			link_nodes(&g, i, unit_random_below(&r, 12) == 0 ? NOBODY : unit_random_below(&r, 40) == 0 ? GONE : to);
		}
		for (int i = 0; i < NODES; i++)
			if (g.to[i] >= 0)
				g.nodes[i].escalate_to = g.nodes[g.to[i]].id;
		for (int i = 0; i < NODES; i++) {
			struct err err = ERR_INIT;
			bool want = chain_is_good(&g, i);

			g.asked = 0;
			ck_assert_msg((receiver_check_chain(&g.nodes[i], find, &g, &err) == 0) == want, "%d: %s", i, err.msg);
			ck_assert(want || (err.kind == ERR_REJECT && strncmp(err.msg, "escalate_to: ", 13) == 0));
			good += want;
			bad += !want;
		}
	}
	ck_assert_int_gt(good, 1000);
	ck_assert_int_gt(bad, 1000);
}
END_TEST

/* Three in a circle, one that leads into it, one that leads to nobody. */
START_TEST(words_of_escalations)
{
	static const int to[NODES] = {1, 2, 0, 0, GONE, NOBODY, 4};
	static const char *const says[] = {"leads back to \"n0\" itself", "leads back to \"n1\" itself", "leads back to \"n2\" itself", "in a circle",
					   "there is no receiver \"gone\"", NULL, "there is no receiver \"gone\", to which the way leads"};
	struct graph g = {.asked = 0};

	for (int i = 0; i < NODES; i++)
		link_nodes(&g, i, i < (int)NR(says) ? to[i] : NOBODY);
	for (int i = 0; i < (int)NR(says); i++)
		if (to[i] >= 0)
			g.nodes[i].escalate_to = g.nodes[to[i]].id;
	for (size_t i = 0; i < NR(says); i++) {
		struct err err = ERR_INIT;

		g.asked = 0;
		ck_assert_int_eq(receiver_check_chain(&g.nodes[i], find, &g, &err), says[i] ? -1 : 0);
		ck_assert_msg(!says[i] || strstr(err.msg, says[i]), "%zu: %s", i, err.msg);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("receiver");
	TCase *tc = tcase_create("receivers");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, webhook_urls, 0, NR(urls));
	tcase_add_test(tc, bytes_behind_a_nul);
	tcase_add_test(tc, lengths);
	tcase_add_loop_test(tc, mail_servers, 0, NR(servers));
	tcase_add_loop_test(tc, mail_addresses, 0, NR(addresses));
	tcase_add_loop_test(tc, one_field_wrong, 0, NR(records));
	tcase_add_test(tc, paths_that_stay);
	tcase_add_test(tc, escalations);
	tcase_add_test(tc, words_of_escalations);
	return unit_main(suite);
}
