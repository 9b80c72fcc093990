/* test_mail_body.c - the mail as it goes out, and that nothing in it can be taken for a header, an address or a mail's end. */
#include "sink/notify/mail_body.h"

#include "tests/unit/notify/incident_maker.h"
#include "tests/unit/unit.h"

static char *written(const struct notification *n, const struct mail_target *t)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_msg(mail_body_write(n, t, AT_MS + 5000, &out, &err) == 0, "%s", err.msg);
	ck_assert_ptr_null(memchr(out.p, '\0', out.len));
	buf_add(&out, "", 1);
	return (char *)out.p;
}

/* Names the place; Check has no room for two mails. */
static void must_be(const char *got, const char *wanted)
{
	size_t i = 0;

	while (got[i] && got[i] == wanted[i])
		i++;
	ck_assert_msg(got[i] == wanted[i], "byte %zu: %.60s instead of %.60s", i, got + i, wanted + i);
}

static const struct mail_target target = {.server = {"smtp://mail.example", 19}, .from = {"alerts@a.example", 16}, .to_len = 2,
					  .to = (struct str[]){{"ops@b.example", 13}, {"boss@c.example", 14}}};

#define HEX "000102030405060708090a0b0c0d0e0f"

START_TEST(a_mail_exactly)
{
	struct tag tags[] = {{STR("host"), STR("a")}, {STR("route"), STR("/x=1")}};
	struct maker m;
	struct notification n;
	struct incident_alert *over;
	char *text;

	maker_init(&m);
	over = maker_add(&m, "http.duration", tags, NR(tags));
	maker_add(&m, "http.duration", tags, 1)->value = 734.25;
	m.alerts[1].has_value = true;
	maker_close(&m, over);
	m.incident.has_acked_at = m.incident.has_acked_by = m.incident.has_ack_reason = true;
	m.incident.acked_at = AT_MS + 1000;
	m.incident.acked_by = STR("ann");
	m.incident.ack_reason = STR("on it");
	n = maker_notification(&m);
	n.sequence = 2;
	n.beyond = 4;
	text = written(&n, &target);
	must_be(text, "From: <alerts@a.example>\r\nTo: <ops@b.example>,\r\n <boss@c.example>\r\n"
			 "Subject: [FIRING:1] critical: slow-checkout on Shop\r\nDate: Thu, 19 Apr 2018 23:14:05 +0000\r\n"
			 "Message-ID: <" HEX "-ops-2@a.example>\r\nIn-Reply-To: <" HEX "-ops-1@a.example>\r\nReferences: <" HEX "-ops-1@a.example>\r\n"
			 "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
			 "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
			 "Checkout is slow\r\n\r\nCondition: p95 of http.duration > 500\r\nState: firing\r\nAlerts: 1 open of 2\r\nSince: " AT "\r\n"
			 "Acknowledged: by ann, 2018-04-19T23:14:01.000Z: on it\r\nSite: shop\r\nCell: eu\r\nTrigger: slow-checkout\r\nIncident: " HEX "\r\n"
			 "See: https://millrace.example/incidents/" HEX "\r\n\r\nOpen:\r\n  http.duration {host=3Da} since " AT ", was 734.25\r\n\r\n"
			 "Over:\r\n  http.duration {host=3Da, route=3D/x=3D1} since " AT " u=\r\nntil 2018-04-19T23:16:00.000Z\r\n  and 4 more\r\n");
	free(text);
}
END_TEST

START_TEST(the_first_refers_to_none)
{
	struct maker m;
	struct notification n;
	char *text;

	maker_init(&m);
	m.incident.state = INCIDENT_STATE_RESOLVED;
	m.incident.has_resolved_at = true;
	m.incident.resolved_at = AT_MS + 60000;
	m.incident.behind_opened = 3;
	n = maker_notification(&m);
	text = written(&n, &target);
	ck_assert_ptr_null(strstr(text, "References:"));
	ck_assert_ptr_nonnull(strstr(text, "\r\nMessage-ID: <" HEX "-ops-1@a.example>\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\nSubject: [RESOLVED] critical: slow-checkout on Shop\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\nUntil: 2018-04-19T23:15:00.000Z\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "while processing was behind, 3 al"));
	free(text);
}
END_TEST

static const struct {
	const char *name, *subject; /* of the site */
} subjects[] = {
	{"Caf\xc3\xa9", "=?utf-8?Q?=5BFIRING=3A0=5D_critical=3A_slow-checkout_on_Caf=C3=A9?="},
	{"x\r\nBcc: evil@x.example", "[FIRING:0] critical: slow-checkout on x  Bcc: evil@x.example"},
	{"=?utf-8?Q?a?=", "=?utf-8?Q?=5BFIRING=3A0=5D_critical=3A_slow-checkout_on_=3D=3Futf?=\r\n =?utf-8?Q?-8=3FQ=3Fa=3F=3D?="},
	{"\xff", "[FIRING:0] critical: slow-checkout on ?"},
};

START_TEST(a_subject_is_one_header)
{
	struct maker m;
	struct notification n;
	char *text, wanted[400];

	maker_init(&m);
	m.incident.site_name = str_from(subjects[_i].name);
	n = maker_notification(&m);
	text = written(&n, &target);
	snprintf(wanted, sizeof(wanted), "\r\nSubject: %s\r\nDate: ", subjects[_i].subject);
	ck_assert_msg(strstr(text, wanted) != NULL, "%s", text);
	free(text);
}
END_TEST

/* A receiver's id is nothing but a word, whatever it is. */
START_TEST(an_id_is_a_word)
{
	struct maker m;
	struct notification n;
	char *text;

	maker_init(&m);
	n = maker_notification(&m);
	n.receiver = STR("a\r\nBcc: <x@y>");
	text = written(&n, &target);
	ck_assert_ptr_nonnull(strstr(text, "\r\nMessage-ID: <" HEX "-a__Bcc___x_y_-1@a.example>\r\n"));
	free(text);
}
END_TEST

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes quoted-printable, checking its rules. */
static char *unquoted(const char *text)
{
	char *out = malloc(strlen(text) + 1);
	size_t n = 0, column = 0;

	for (const char *p = text; *p;) {
		ck_assert(*p == '\r' || (*p >= ' ' && *p <= '~'));
		ck_assert_msg(column > 0 || *p != '.', "a dot begins a line");
		if (p[0] == '=' && p[1] == '\r') {
			ck_assert_int_eq(p[2], '\n');
			ck_assert_uint_lt(column, 76);
			column = 0;
			p += 3;
		} else if (*p == '\r') {
			ck_assert_int_eq(p[1], '\n');
			ck_assert(column == 0 || p[-1] != ' ');
			out[n++] = '\n';
			column = 0;
			p += 2;
		} else if (*p == '=') {
			ck_assert(nibble(p[1]) >= 0 && nibble(p[2]) >= 0);
			out[n++] = (char)(nibble(p[1]) << 4 | nibble(p[2]));
			column += 3;
			p += 3;
		} else {
			out[n++] = *p++;
			column++;
		}
		ck_assert_uint_le(column, 76);
	}
	out[n] = '\0';
	return out;
}

static void add_piece(char *text, size_t size, const char *piece)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s", piece);
}

/* Wherever the break falls: no encoded word begins or ends inside of a character (RFC 2047 5). */
START_TEST(encoded_words_are_of_whole_characters)
{
	for (int before = 0; before < 6; before++) {
		char name[64] = "", bytes[200];
		struct maker m;
		struct notification n;
		char *text, *at;
		int words = 0;

		for (int i = 0; i < before; i++)
			add_piece(name, sizeof(name), "x");
		for (int i = 0; i < 20; i++)
			add_piece(name, sizeof(name), "\xc3\xa4");
		maker_init(&m);
		m.incident.site_name = str_from(name);
		n = maker_notification(&m);
		text = written(&n, &target);
		for (at = strstr(text, "=?utf-8?Q?"); at; at = strstr(at, "=?utf-8?Q?"), words++) {
			size_t len = 0;

			for (at += 10; strncmp(at, "?=", 2) != 0; at++) {
				bytes[len++] = *at;
				if (*at == '=') {
					bytes[len - 1] = (char)(nibble(at[1]) << 4 | nibble(at[2]));
					at += 2;
				}
			}
			ck_assert(str_is_utf8((struct str){bytes, len}));
		}
		ck_assert_int_ge(words, 3);
		free(text);
	}
}
END_TEST

/* Hostile strings in all places: the head has the lines that it has, none too long, and the text says what they said. */
START_TEST(any_text_is_only_text)
{
	static const char *const pieces[] = {"\r\n.\r\n", "\nBcc: x@y.example\n", "=", " ", ".", "\xc3\xa4", "\xe2\x82\xac", "From ", "x", "-- ", "\t", "?=",
					     "0123456789012345678901234567890123456789"};
	struct unit_random r = unit_random_new("mail");

	for (int round = 0; round < 300; round++) {
		char description[1200] = "", value[700] = "", wanted[1300];
		struct tag tags[1];
		struct maker m;
		struct notification n;
		char *text, *body, *plain;
		int lines = 0;

		for (uint64_t i = unit_random_below(&r, 12); i > 0; i--)
			add_piece(description, sizeof(description), pieces[unit_random_below(&r, NR(pieces))]);
		for (uint64_t i = unit_random_below(&r, 12); i > 0; i--)
			add_piece(value, sizeof(value), pieces[unit_random_below(&r, NR(pieces))]);
		tags[0] = (struct tag){STR("k"), str_from(value)};
		maker_init(&m);
		m.incident.description = str_from(description);
		m.incident.site_name = m.incident.trigger = str_from(value);
		maker_add(&m, "m", tags, 1);
		n = maker_notification(&m);
		text = written(&n, &target);
		body = strstr(text, "\r\n\r\n");
		for (char *p = text; p < body; p = strstr(p, "\r\n") + 2) {
			size_t len = (size_t)(strstr(p, "\r\n") - p);

			lines += *p != ' '; /* not a folded one */
			ck_assert_uint_le(len, 76);
			ck_assert_ptr_null(memchr(p, '\n', len));
			ck_assert_msg(strncmp(p, "Bcc", 3) != 0, "%s", text);
		}
		ck_assert_int_eq(lines, 9);
		plain = unquoted(body + 4);
		snprintf(wanted, sizeof(wanted), "%s\n\n", description);
		for (char *p = wanted; *p && p + 2 < wanted + strlen(wanted); p++)
			if (*p < ' ' && *p > 0)
				*p = ' ';
		if (description[0])
			ck_assert_msg(strncmp(plain, wanted, strlen(wanted)) == 0, "%s\n---\n%s", plain, wanted);
		ck_assert_msg(strstr(plain, "\nOpen:\n  m {k=") != NULL, "%s", plain);
		free(plain);
		free(text);
	}
}
END_TEST

static const struct {
	const char *address;
	bool valid;
} addresses[] = {
	{"a@b", true},
	{"first.last+tag@sub.example.com", true},
	{"", false},
	{"a", false},
	{"@b", false},
	{"a@", false},
	{"a@b@c", false},
	{"a b@c", false},
	{"a@b\r\nRCPT TO:<x@y>", false},
	{"a@b>", false},
	{"<a@b", false},
	{"a@b,c@d", false},
	{"\"a\"@b", false},
	{"a@[127.0.0.1]", false},
	{"a\xc3\xa4@b", false},
	{"a@b;c", false},
	{"a:b@c", false},
};

START_TEST(addresses_are_checked)
{
	struct str one[] = {str_from(addresses[_i].address)};
	struct mail_target from = target, to = target;
	struct maker m;
	struct notification n;
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	maker_init(&m);
	n = maker_notification(&m);
	ck_assert_int_eq(mail_address_valid(one[0]), addresses[_i].valid);
	from.from = one[0];
	to.to = one;
	to.to_len = 1;
	ck_assert_int_eq(mail_body_write(&n, &from, AT_MS, &out, &err), addresses[_i].valid ? 0 : -1);
	ck_assert_int_eq(mail_body_write(&n, &to, AT_MS, &out, &err), addresses[_i].valid ? 0 : -1);
	ck_assert(addresses[_i].valid || err.kind == ERR_REJECT);
	buf_fini(&out);
}
END_TEST

START_TEST(recipients_are_bounded)
{
	struct str many[MAIL_TO_MAX + 1];
	struct mail_target t = target;
	struct maker m;
	struct notification n;
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	char longest[MAIL_ADDRESS_MAX + 2];

	for (size_t i = 0; i < NR(many); i++)
		many[i] = STR("a@b");
	maker_init(&m);
	n = maker_notification(&m);
	t.to = many;
	t.to_len = MAIL_TO_MAX;
	ck_assert_int_eq(mail_body_write(&n, &t, AT_MS, &out, &err), 0);
	t.to_len++;
	ck_assert_int_eq(mail_body_write(&n, &t, AT_MS, &out, &err), -1);
	t.to_len = 0;
	ck_assert_int_eq(mail_body_write(&n, &t, AT_MS, &out, &err), -1);
	memset(longest, 'a', sizeof(longest));
	longest[1] = '@';
	ck_assert(mail_address_valid((struct str){longest, MAIL_ADDRESS_MAX}));
	ck_assert(!mail_address_valid((struct str){longest, MAIL_ADDRESS_MAX + 1}));
	buf_fini(&out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mail_body");
	TCase *tc = tcase_create("mail_body");

	tcase_add_test(tc, a_mail_exactly);
	tcase_add_test(tc, the_first_refers_to_none);
	tcase_add_loop_test(tc, a_subject_is_one_header, 0, NR(subjects));
	tcase_add_test(tc, an_id_is_a_word);
	tcase_add_test(tc, encoded_words_are_of_whole_characters);
	tcase_add_test(tc, any_text_is_only_text);
	tcase_add_loop_test(tc, addresses_are_checked, 0, NR(addresses));
	tcase_add_test(tc, recipients_are_bounded);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
