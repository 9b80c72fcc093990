/* test_delivery_mail.c - mail to a server of a few lines: what is said to it, what its replies come to, and that no password goes in plain text. */
#include "tests/unit/notify/delivery_bench.h"

/* One connection after the other; replies may be set by the command's first four letters. */
struct smtp {
	int fd, client, port;
	struct buf in, said, mail; /* said: all commands; mail: the last one's text */
	bool in_data;
	const char *greeting, *ehlo, *auth, *start, *to, *data; /* data: the reply behind the text, start: to DATA */
	size_t connections;
};

static void smtp_init(struct smtp *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	*s = (struct smtp){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .client = -1, .greeting = "220 test\r\n",
			   .ehlo = "250 test\r\n", .auth = "334 \r\n", .start = "354 go on\r\n", .to = "250 yes\r\n", .data = "250 taken\r\n"};
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(s->fd, 4), 0);
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
}

static void smtp_fini(struct smtp *s)
{
	close(s->fd);
	if (s->client >= 0)
		close(s->client);
	buf_fini(&s->in);
	buf_fini(&s->said);
	buf_fini(&s->mail);
}

static const char *smtp_reply(struct smtp *s, const char *line)
{
	if (strncmp(line, "EHLO", 4) == 0)
		return s->ehlo;
	if (strncmp(line, "RCPT", 4) == 0)
		return strstr(line, "nobody@") ? "550 no such user\r\n" : s->to;
	if (strncmp(line, "DATA", 4) == 0) {
		s->in_data = true;
		buf_clear(&s->mail);
		return s->start;
	}
	if (strncmp(line, "QUIT", 4) == 0)
		return NULL; /* nobody is to wait for it */
	if (strncmp(line, "AUTH", 4) == 0)
		return s->auth;
	if (strncmp(line, "AG1lAHBhc3Mtd29yZA==", 20) == 0 || /* me, pass-word */
	    strncmp(line, "AG1lQGNvcnAuZXhhbXBsZQBwYXNzLXdvcmQ=", 36) == 0) /* me@corp.example */
		return "235 yes\r\n";
	return "250 yes\r\n";
}

static void smtp_line(struct smtp *s, const char *line, size_t len)
{
	char text[1200];
	const char *reply = NULL;

	ck_assert_uint_lt(len, sizeof(text));
	memcpy(text, line, len);
	text[len] = '\0';
	if (!s->in_data) {
		buf_add(&s->said, text, len);
		reply = smtp_reply(s, text);
	} else if (strcmp(text, ".\r\n") == 0) {
		s->in_data = false;
		reply = s->data;
	} else {
		buf_add(&s->mail, text + (text[0] == '.'), len - (text[0] == '.'));
	}
	if (reply)
		ck_assert_int_eq(send(s->client, reply, strlen(reply), MSG_NOSIGNAL), (ssize_t)strlen(reply));
}

static void smtp_turn(struct smtp *s)
{
	char bytes[4096];
	const char *end;
	ssize_t n;

	if (s->client < 0 && (s->client = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		s->connections++;
		s->in_data = false;
		buf_clear(&s->in);
		send(s->client, s->greeting, strlen(s->greeting), MSG_NOSIGNAL);
	}
	if (s->client < 0)
		return;
	n = recv(s->client, bytes, sizeof(bytes), 0);
	if (n > 0)
		buf_add(&s->in, bytes, (size_t)n);
	while (s->in.len && (end = memmem(s->in.p, s->in.len, "\r\n", 2))) {
		size_t len = (size_t)(end + 2 - (const char *)s->in.p);

		smtp_line(s, (const char *)s->in.p, len);
		memmove(s->in.p, s->in.p + len, s->in.len - len);
		s->in.len -= len;
	}
	if (n == 0) {
		close(s->client);
		s->client = -1;
	}
}

struct mail_bench {
	struct bench b; /* its HTTP server is idle */
	struct smtp smtp;
	char url[64], dir[40];
	struct str to[3]; /* the first is one that the server does not know */
	struct receiver receiver; /* to the other two */
};

static void open_mail(struct mail_bench *m, bool allow_plain)
{
	const struct delivery_conf conf = {.allow_http = allow_plain, .allow_networks = "127.0.0.1", .timeout_ms = BENCH_TIMEOUT_MS, .secrets_dir = m->dir};
	char path[64];
	FILE *f;

	bench_init(&m->b, NULL, NULL, 0);
	smtp_init(&m->smtp);
	snprintf(m->dir, sizeof(m->dir), "/tmp/millrace-mail-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(m->dir));
	snprintf(path, sizeof(path), "%s/password", m->dir);
	f = fopen(path, "w");
	ck_assert(f && fputs("pass-word\n", f) >= 0 && fclose(f) == 0);
	delivery_free(m->b.d);
	bench_open(&m->b, &conf);
	snprintf(m->url, sizeof(m->url), "smtp://127.0.0.1:%d", m->smtp.port);
	m->to[0] = STR("nobody@b.example");
	m->to[1] = STR("ops@b.example");
	m->to[2] = STR("boss@c.example");
	m->receiver = (struct receiver){.id = STR("mail"), .has_mail = true, .escalate_to = STR(""), .author = STR(""),
					.mail = {.server = str_from(m->url), .from = STR("alerts@a.example"), .to = m->to + 1, .to_len = 2,
						 .user = STR(""), .password_file = STR("")}};
}

static void close_mail(struct mail_bench *m)
{
	char command[64];

	bench_fini(&m->b);
	smtp_fini(&m->smtp);
	snprintf(command, sizeof(command), "rm -rf %s", m->dir);
	ck_assert_int_eq(system(command), 0);
}

static void turn_mail(struct mail_bench *m)
{
	int64_t began = clock_mono_ms();

	smtp_turn(&m->smtp);
	bench_turn(&m->b);
	ck_assert_int_lt(clock_mono_ms() - began, BENCH_AT_ONCE_MS); /* it never waits */
}

static bool was_said(const struct mail_bench *m, const char *text)
{
	return m->smtp.said.len && memmem(m->smtp.said.p, m->smtp.said.len, text, strlen(text));
}

static void submit_mail(struct mail_bench *m)
{
	bench_submit_to(&m->b, &m->receiver, "shop", 1, 1);
}

START_TEST(a_mail_is_taken)
{
	struct mail_bench m;

	open_mail(&m, false);
	submit_mail(&m);
	while (m.b.nr_done == 0)
		turn_mail(&m);
	ck_assert_int_eq(m.b.done[0].outcome, DELIVERY_DELIVERED);
	ck_assert(was_said(&m, "MAIL FROM:<alerts@a.example>"));
	ck_assert(was_said(&m, "RCPT TO:<ops@b.example>\r\nRCPT TO:<boss@c.example>\r\nDATA\r\n"));
	ck_assert(!was_said(&m, "AUTH"));
	ck_assert(str_eq((struct str){(char *)m.smtp.mail.p, 26}, STR("From: <alerts@a.example>\r\n")));
	ck_assert_ptr_nonnull(memmem(m.smtp.mail.p, m.smtp.mail.len, "\r\n\r\nCheckout is slow", 20));
	ck_assert_uint_eq(m.smtp.connections, 1);
	close_mail(&m);
}
END_TEST

/* plain: is plain text allowed? */
static const struct {
	const char *greeting, *ehlo, *to, *data;
	bool tls, user, plain;
	enum delivery_outcome outcome;
	const char *said, *unsaid;
} cases[] = {
	{NULL, NULL, NULL, "554 no\r\n", false, false, false, DELIVERY_GAVE_UP, "DATA", NULL},
	{NULL, NULL, NULL, "451 later\r\n", false, false, false, DELIVERY_CANCELLED, "DATA", NULL},
	{NULL, NULL, "550 no\r\n", NULL, false, false, false, DELIVERY_GAVE_UP, "RCPT", "DATA"},
	{NULL, NULL, "450 later\r\n", NULL, false, false, false, DELIVERY_CANCELLED, "RCPT", "DATA"},
	{"554 no\r\n", NULL, NULL, NULL, false, false, false, DELIVERY_GAVE_UP, NULL, "MAIL"},
	{"421 later\r\n", NULL, NULL, NULL, false, false, false, DELIVERY_CANCELLED, NULL, "MAIL"},
	{"", NULL, NULL, NULL, false, false, false, DELIVERY_CANCELLED, NULL, "MAIL"}, /* silence */
	{NULL, NULL, NULL, NULL, true, false, true, DELIVERY_CANCELLED, "EHLO", "MAIL"}, /* no STARTTLS, and it is required */
	{NULL, "250-test\r\n250 AUTH PLAIN LOGIN\r\n", NULL, NULL, false, true, false, DELIVERY_CANCELLED, "EHLO", "AUTH"},
	{NULL, "250-test\r\n250 AUTH PLAIN LOGIN\r\n", NULL, NULL, false, true, true, DELIVERY_DELIVERED, "AUTH", NULL},
};

START_TEST(replies_mean_what_they_mean)
{
	struct mail_bench m;

	open_mail(&m, cases[_i].plain);
	m.smtp.greeting = cases[_i].greeting ? cases[_i].greeting : m.smtp.greeting;
	m.smtp.ehlo = cases[_i].ehlo ? cases[_i].ehlo : m.smtp.ehlo;
	m.smtp.to = cases[_i].to ? cases[_i].to : m.smtp.to;
	m.smtp.data = cases[_i].data ? cases[_i].data : m.smtp.data;
	m.receiver.mail.require_tls = cases[_i].tls;
	m.receiver.mail.user = cases[_i].user ? STR("me") : STR("");
	m.receiver.mail.password_file = STR("password");
	submit_mail(&m);
	while (m.b.nr_done == 0 && bench_stats(&m.b).attempts == 0)
		turn_mail(&m);
	if (m.b.nr_done == 0)
		delivery_cancel(m.b.d, NULL, NULL); /* it would be tried again */
	ck_assert_msg(m.b.done[0].outcome == cases[_i].outcome, "%d: %s", (int)m.b.done[0].outcome, m.b.done[0].error);
	ck_assert(cases[_i].outcome == DELIVERY_DELIVERED || m.b.done[0].error[0]);
	ck_assert(!cases[_i].said || was_said(&m, cases[_i].said));
	ck_assert(!cases[_i].unsaid || !was_said(&m, cases[_i].unsaid));
	ck_assert_ptr_null(strstr(m.b.done[0].error, "pass-word"));
	close_mail(&m);
}
END_TEST

/* Wherever a mail server falls silent: webhooks go out meanwhile, and the end is not held up. */
START_TEST(one_that_hangs_holds_up_nobody)
{
	static const char *const fine[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
	static const char *const silent_at[] = {"greeting", "EHLO", "RCPT", "DATA"};
	const char *at = silent_at[_i];
	struct mail_bench m;
	int64_t began;

	open_mail(&m, true);
	m.b.answers = fine;
	m.b.nr_answers = 1;
	*(_i == 0 ? &m.smtp.greeting : _i == 1 ? &m.smtp.ehlo : _i == 2 ? &m.smtp.to : &m.smtp.data) = "";
	submit_mail(&m);
	while (m.smtp.connections == 0 || (_i && !was_said(&m, at)) || (_i == 3 && m.smtp.in_data))
		turn_mail(&m);
	bench_submit(&m.b, "ops", 2, 1);
	began = clock_mono_ms();
	while (m.b.nr_done == 0)
		turn_mail(&m);
	ck_assert_int_lt(clock_mono_ms() - began, BENCH_AT_ONCE_MS);
	ck_assert_str_eq(m.b.done[0].receiver, "ops");
	while (bench_stats(&m.b).failed_attempts == 0)
		turn_mail(&m);
	ck_assert_int_lt(clock_mono_ms() - began, BENCH_TIMEOUT_MS + BENCH_AT_ONCE_MS);
	while (bench_stats(&m.b).in_flight == 0)
		turn_mail(&m);
	turn_mail(&m);
	began = clock_mono_ms();
	delivery_free(m.b.d);
	m.b.d = NULL;
	ck_assert_int_lt(clock_mono_ms() - began, BENCH_AT_ONCE_MS);
	close_mail(&m);
}
END_TEST

/* What a server offers besides passwords would have libcurl ask the house's Kerberos, and fail. */
START_TEST(a_password_is_a_password)
{
	static const char *const offers[] = {"250 AUTH GSSAPI PLAIN\r\n", "250 AUTH GSSAPI NTLM EXTERNAL PLAIN LOGIN\r\n", "250 AUTH NTLM PLAIN\r\n",
					     "250 AUTH XOAUTH2 OAUTHBEARER PLAIN\r\n"};
	struct mail_bench m;

	open_mail(&m, true);
	m.smtp.ehlo = offers[_i];
	m.receiver.mail.user = STR("me@corp.example");
	m.receiver.mail.password_file = STR("password");
	submit_mail(&m);
	while (m.b.nr_done == 0 && bench_stats(&m.b).attempts == 0)
		turn_mail(&m);
	ck_assert(was_said(&m, "AUTH PLAIN"));
	ck_assert_uint_eq(m.b.nr_done, 1);
	ck_assert_int_eq(m.b.done[0].outcome, DELIVERY_DELIVERED);
	close_mail(&m);
}
END_TEST

START_TEST(a_login_that_is_refused_is_the_end)
{
	struct mail_bench m;

	open_mail(&m, true);
	m.smtp.ehlo = "250 AUTH PLAIN\r\n";
	m.smtp.auth = _i ? "334 \r\n334 \r\n334 \r\n" : "535 no\r\n";
	m.receiver.mail.user = STR("me");
	m.receiver.mail.password_file = STR("password");
	submit_mail(&m);
	while (m.b.nr_done == 0 && bench_stats(&m.b).attempts == 0)
		turn_mail(&m);
	ck_assert(!was_said(&m, "MAIL"));
	close_mail(&m);
}
END_TEST

/* A server that says yes to what it has not had yet has not taken it. */
START_TEST(what_was_not_sent_is_not_taken)
{
	struct mail_bench m;

	open_mail(&m, false);
	if (_i == 0)
		m.smtp.to = "250 yes\r\n250 yes\r\n354 go on\r\n250 taken\r\n";
	else
		m.smtp.start = "354 go on\r\n250 taken\r\n";
	submit_mail(&m);
	while (m.b.nr_done == 0 && bench_stats(&m.b).attempts == 0)
		turn_mail(&m);
	ck_assert_uint_eq(m.b.nr_done, 0);
	close_mail(&m);
}
END_TEST

START_TEST(a_password_is_not_quoted)
{
	static const struct {
		const char *reply, *error;
	} told[] = {{"550 nobody comes in by pass-word\r\n", "the mail server said 550"}, {"pass-word?\r\n", "the mail server broke off, or fell silent"},
		    {"what?\r\n", "the mail server broke off, or fell silent: what?"}};
	struct mail_bench m;

	open_mail(&m, true);
	m.smtp.ehlo = "250 AUTH PLAIN\r\n";
	m.smtp.to = told[_i].reply;
	m.receiver.mail.user = STR("me");
	m.receiver.mail.password_file = STR("password");
	submit_mail(&m);
	while (m.b.nr_done == 0 && bench_stats(&m.b).attempts == 0)
		turn_mail(&m);
	delivery_cancel(m.b.d, NULL, NULL);
	ck_assert_str_eq(m.b.done[0].error, told[_i].error);
	close_mail(&m);
}
END_TEST

/* Replies byte by byte, of many lines, and things that are none. */
static const struct {
	const char *reply; /* to RCPT */
	enum delivery_outcome outcome;
	const char *error;
} replies[] = {
	{"250-one\r\n250-two\r\n250 three\r\n", DELIVERY_DELIVERED, ""},
	{"250\r\n", DELIVERY_DELIVERED, ""},
	{"251 will forward\n", DELIVERY_DELIVERED, ""},
	{"550-one\r\n550 two \x1b[1m\r\n", DELIVERY_GAVE_UP, "the mail server said 550 two [1m"},
	{"452 full\r\n", DELIVERY_CANCELLED, "the mail server said 452 full"},
	{"hello\r\n", DELIVERY_CANCELLED, "broke off"},
	{"250_\r\n", DELIVERY_CANCELLED, "broke off"},
	{"999 no\r\n", DELIVERY_CANCELLED, "broke off"},
	{"354 what\r\n", DELIVERY_CANCELLED, "said 354"},
};

START_TEST(replies_are_read)
{
	struct mail_bench m;

	open_mail(&m, false);
	m.smtp.to = replies[_i].reply;
	submit_mail(&m);
	while (m.b.nr_done == 0 && bench_stats(&m.b).attempts == 0)
		turn_mail(&m);
	if (m.b.nr_done == 0)
		delivery_cancel(m.b.d, NULL, NULL);
	ck_assert_msg(m.b.done[0].outcome == replies[_i].outcome, "%s", m.b.done[0].error);
	ck_assert_msg(strstr(m.b.done[0].error, replies[_i].error) != NULL, "%s", m.b.done[0].error);
	close_mail(&m);
}
END_TEST

/* Line after line without an end, and one line without one. */
START_TEST(a_reply_is_bounded)
{
	char text[3000] = "";
	struct mail_bench m;
	int64_t began;

	open_mail(&m, false);
	began = clock_mono_ms();
	if (_i == 0)
		for (int i = 0; i < 150; i++)
			memcpy(text + i * 10, "250-more\r\n", 11);
	else
		memset(text, '2', 2000);
	m.smtp.to = "250 yes\r\n250 yes\r\n354 go on\r\n250 taken\r\n";
	submit_mail(&m);
	while (bench_stats(&m.b).attempts == 0)
		turn_mail(&m);
	ck_assert_int_lt(clock_mono_ms() - began, BENCH_AT_ONCE_MS);
	delivery_cancel(m.b.d, NULL, NULL);
	ck_assert_msg(strstr(m.b.done[0].error, "broke off") != NULL, "%s", m.b.done[0].error);
	close_mail(&m);
}
END_TEST

START_TEST(one_that_is_unknown_leaves_the_others_theirs)
{
	struct mail_bench m;

	open_mail(&m, false);
	m.receiver.mail.to = m.to;
	m.receiver.mail.to_len = 3;
	submit_mail(&m);
	while (m.b.nr_done == 0)
		turn_mail(&m);
	ck_assert_int_eq(m.b.done[0].outcome, DELIVERY_DELIVERED);
	ck_assert_uint_gt(m.smtp.mail.len, 0);
	close_mail(&m);
}
END_TEST

/* It is refused for good only if all of them are. */
START_TEST(some_that_may_come_later_are_tried_again)
{
	struct mail_bench m;

	open_mail(&m, false);
	m.smtp.to = "450 later\r\n";
	m.receiver.mail.to = m.to;
	m.receiver.mail.to_len = 3;
	submit_mail(&m);
	while (bench_stats(&m.b).attempts == 0)
		turn_mail(&m);
	ck_assert_uint_eq(m.b.nr_done, 0);
	ck_assert_uint_eq(bench_stats(&m.b).queued, 1);
	ck_assert(!was_said(&m, "DATA"));
	close_mail(&m);
}
END_TEST

static const struct {
	const char *server, *from, *to, *error;
} bad[] = {
	{"http://127.0.0.1", NULL, NULL, "not smtp"},
	{"smtp://127.0.0.1/x", NULL, NULL, "more than a host"},
	{NULL, "a@b\r\nRCPT TO:<x@y>", NULL, "sender"},
	{NULL, NULL, "a@b>\r\nDATA", "address 1"},
};

START_TEST(bad_targets_are_given_up)
{
	struct mail_bench m;
	struct str to[1];

	open_mail(&m, false);
	m.receiver.mail.server = bad[_i].server ? str_from(bad[_i].server) : m.receiver.mail.server;
	m.receiver.mail.from = bad[_i].from ? str_from(bad[_i].from) : m.receiver.mail.from;
	to[0] = str_from(bad[_i].to);
	m.receiver.mail.to = bad[_i].to ? to : m.receiver.mail.to;
	m.receiver.mail.to_len = bad[_i].to ? 1 : 2;
	submit_mail(&m);
	while (m.b.nr_done == 0)
		turn_mail(&m);
	ck_assert_int_eq(m.b.done[0].outcome, DELIVERY_GAVE_UP);
	ck_assert_msg(strstr(m.b.done[0].error, bad[_i].error) != NULL, "%s", m.b.done[0].error);
	ck_assert_uint_eq(m.smtp.connections, 0);
	close_mail(&m);
}
END_TEST

START_TEST(the_guard_is_the_same)
{
	const struct delivery_conf conf = {.allow_networks = ""};
	struct mail_bench m;

	open_mail(&m, true);
	delivery_free(m.b.d);
	bench_open(&m.b, &conf);
	submit_mail(&m);
	while (bench_stats(&m.b).attempts == 0)
		turn_mail(&m);
	ck_assert_uint_eq(m.smtp.connections, 0);
	ck_assert_uint_eq(bench_stats(&m.b).refused_addresses, 1);
	close_mail(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("delivery_mail");
	TCase *tc = tcase_create("delivery_mail");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_mail_is_taken);
	tcase_add_loop_test(tc, replies_mean_what_they_mean, 0, NR(cases));
	tcase_add_loop_test(tc, one_that_hangs_holds_up_nobody, 0, 4);
	tcase_add_loop_test(tc, a_password_is_a_password, 0, 4);
	tcase_add_loop_test(tc, a_login_that_is_refused_is_the_end, 0, 2);
	tcase_add_loop_test(tc, what_was_not_sent_is_not_taken, 0, 2);
	tcase_add_loop_test(tc, a_password_is_not_quoted, 0, 3);
	tcase_add_loop_test(tc, replies_are_read, 0, NR(replies));
	tcase_add_loop_test(tc, a_reply_is_bounded, 0, 2);
	tcase_add_test(tc, one_that_is_unknown_leaves_the_others_theirs);
	tcase_add_test(tc, some_that_may_come_later_are_tried_again);
	tcase_add_loop_test(tc, bad_targets_are_given_up, 0, NR(bad));
	tcase_add_test(tc, the_guard_is_the_same);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
