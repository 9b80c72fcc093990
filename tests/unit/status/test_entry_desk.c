/* test_entry_desk.c - the door for operators when Kafka is gone: what a PUT is answered, what of it reaches the fold and the main loop, what GET shows; by the
 * function, by the admin port, and with both threads at it. */
#include "sink/status/entry_desk.h"

#include <pthread.h>
#include <signal.h>

#include "common/events.h"
#include "tests/unit/common/http_client.h"
#include "tests/unit/common/token_file.h"

#define T0 INT64_C(1795734180000)
#define TOKEN "a-token-of-some-length"

struct fixture {
	struct entry_desk *desk;
	int wake_fd;
	struct buf answer;
};

static void setup(struct fixture *f, size_t room)
{
	*f = (struct fixture){.wake_fd = events_wake_fd(NULL), .answer = BUF_INIT};
	f->desk = entry_desk_new(f->wake_fd, NULL);
	entry_desk_set_room(f->desk, room);
}

static void teardown(struct fixture *f)
{
	entry_desk_free(f->desk);
	buf_fini(&f->answer);
	close(f->wake_fd);
}

static struct status_entry entry(const char *id, enum status_action action, const char *author)
{
	static const struct str components[] = {{"push", 4}, {"storage/main", 12}};

	return (struct status_entry){.incident = STR("by-hand"), .entry = str_from(id), .at = T0, .has_author = author != NULL, .author = str_from(author),
				     .action = action, .title = STR("It is \"slow\""), .text = STR("We look\nat it."), .components = (struct str *)(uintptr_t)components,
				     .components_len = 2, .has_impact = true, .impact = STATUS_IMPACT_DEGRADED};
}

static unsigned int put_bytes(struct fixture *f, struct str bytes)
{
	buf_clear(&f->answer);
	return entry_desk_answer(f->desk, ADMIN_CONTROLS_PUT, bytes, &f->answer);
}

static unsigned int put(struct fixture *f, const struct status_entry *e)
{
	struct buf b = BUF_INIT;
	unsigned int status;

	ck_assert_int_eq(status_entry_encode(e, &b, NULL), 0);
	status = put_bytes(f, buf_str(&b));
	buf_fini(&b);
	return status;
}

/* Is text all of the answer? */
static void must_answer(const struct fixture *f, const char *text)
{
	ck_assert_msg(str_eq(buf_str(&f->answer), str_from(text)), "%.*s", (int)f->answer.len, (const char *)f->answer.p);
}

static bool says(const struct fixture *f, const char *text)
{
	return f->answer.len && memmem(f->answer.p, f->answer.len, text, strlen(text)) != NULL;
}

START_TEST(a_put)
{
	struct fixture f;
	struct status_entry e = entry("0000000000000001", STATUS_ACTION_POST, "ann");
	struct buf wanted = BUF_INIT, got = BUF_INIT;

	setup(&f, 10);
	ck_assert(!entry_desk_next(f.desk, &got));
	ck_assert_uint_eq(put(&f, &e), 200);
	must_answer(&f, "{\"incident\": \"by-hand\"}\n");
	ck_assert_uint_gt(events_read(f.wake_fd), 0); /* the main loop is awake */
	ck_assert_int_eq(entry_desk_lock(f.desk)->list[0]->state, STATUS_INCIDENT_POSTED);
	entry_desk_unlock(f.desk);
	ck_assert_int_eq(status_entry_encode(&e, &wanted, NULL), 0);
	ck_assert(entry_desk_next(f.desk, &got));
	ck_assert(str_eq(buf_str(&wanted), buf_str(&got)));
	ck_assert(!entry_desk_next(f.desk, &got));
	buf_fini(&wanted);
	buf_fini(&got);
	teardown(&f);
}
END_TEST

static const struct { const char *entry, *author, *incident; enum status_action action; unsigned int status; const char *says; } calls[] = {
	{"0000000000000002", "ann", "by-hand", STATUS_ACTION_UPDATE, 200, "{\"incident\": \"by-hand\"}\n"},
	{"0000000000000001", "ann", "by-hand", STATUS_ACTION_POST, 200, "{\"incident\": \"by-hand\"}\n"}, /* again: it was not heard */
	{"0000000000000002", "ann", "by-hand", STATUS_ACTION_POST, 409, "it is public already: update it\n"},
	{"0000000000000002", "ann", "by-hand", STATUS_ACTION_VETO, 409, "it is public already: resolve it\n"},
	{"0000000000000002", "ann", "other", STATUS_ACTION_UPDATE, 409, "there is no such incident\n"},
	{"0000000000000002", NULL, "by-hand", STATUS_ACTION_UPDATE, 400, "author: an entry that comes by this door has one\n"},
	{"0000000000000002", "ann", "By-Hand", STATUS_ACTION_UPDATE, 400, "incident: 1 to 64 of a-z, 0-9 and - are allowed\n"},
	{"2", "ann", "by-hand", STATUS_ACTION_UPDATE, 400, "entry: 16 hex digits are needed\n"},
};

/* What is not taken changes nothing, and does not reach the main loop. */
START_TEST(answers)
{
	struct fixture f;
	struct status_entry e = entry("0000000000000001", STATUS_ACTION_POST, "ann");
	struct buf got = BUF_INIT;

	setup(&f, 10);
	ck_assert_uint_eq(put(&f, &e), 200);
	ck_assert(entry_desk_next(f.desk, &got));
	e = entry(calls[_i].entry, calls[_i].action, calls[_i].author);
	e.incident = str_from(calls[_i].incident);
	ck_assert_uint_eq(put(&f, &e), calls[_i].status);
	must_answer(&f, calls[_i].says);
	ck_assert_int_eq(entry_desk_next(f.desk, &got), _i == 0);
	ck_assert_uint_eq(entry_desk_lock(f.desk)->list[0]->nr_lines, _i == 0 ? 2 : 1);
	entry_desk_unlock(f.desk);
	buf_fini(&got);
	teardown(&f);
}
END_TEST

START_TEST(cut_off_anywhere)
{
	struct fixture f;
	struct status_entry e = entry("0000000000000001", STATUS_ACTION_POST, "ann");
	struct buf b = BUF_INIT;

	setup(&f, 10);
	ck_assert_int_eq(status_entry_encode(&e, &b, NULL), 0);
	for (size_t n = 0; n < b.len; n++) {
		ck_assert_uint_eq(put_bytes(&f, (struct str){(const char *)b.p, n}), 400);
		ck_assert_uint_gt(f.answer.len, 1);
	}
	ck_assert_uint_eq(entry_desk_lock(f.desk)->nr, 0);
	entry_desk_unlock(f.desk);
	buf_fini(&b);
	teardown(&f);
}
END_TEST

/* No more is taken than the journal has room for; what is taken on makes room; what was taken before is answered all the same. */
START_TEST(room)
{
	struct fixture f;
	struct status_entry one = entry("0000000000000001", STATUS_ACTION_POST, "ann"), two = entry("0000000000000002", STATUS_ACTION_UPDATE, "ann");
	struct buf got = BUF_INIT;

	setup(&f, 0);
	ck_assert_uint_eq(put(&f, &one), 503);
	ck_assert(says(&f, "too many wait for Kafka"));
	ck_assert_uint_eq(entry_desk_lock(f.desk)->nr, 0);
	entry_desk_unlock(f.desk);
	entry_desk_set_room(f.desk, 1);
	ck_assert_uint_eq(put(&f, &one), 200);
	ck_assert_uint_eq(put(&f, &two), 503);
	ck_assert_uint_eq(put(&f, &one), 200);
	ck_assert(entry_desk_next(f.desk, &got));
	ck_assert_uint_eq(put(&f, &two), 200);
	ck_assert_uint_eq(put(&f, &two), 200);
	ck_assert(entry_desk_next(f.desk, &got));
	ck_assert(!entry_desk_next(f.desk, &got));
	buf_fini(&got);
	teardown(&f);
}
END_TEST

START_TEST(the_list)
{
	struct fixture f;
	struct status_entry draft = entry("0000000000000001", STATUS_ACTION_DRAFT, NULL), update = entry("0000000000000002", STATUS_ACTION_UPDATE, "ann \"x\"");
	struct status_incidents *incidents;

	setup(&f, 10);
	ck_assert_uint_eq(entry_desk_answer(f.desk, ADMIN_CONTROLS_LIST, STR(""), &f.answer), 200);
	must_answer(&f, "{\"incidents\": []}\n");
	draft.has_publish_at = true;
	draft.publish_at = T0 + 600000;
	incidents = entry_desk_lock(f.desk);
	ck_assert_int_eq(status_incidents_take(incidents, &draft, NULL), 1);
	ck_assert_int_eq(status_incidents_take(incidents, &update, NULL), 0); /* refused, and kept */
	entry_desk_unlock(f.desk);
	buf_clear(&f.answer);
	ck_assert_uint_eq(entry_desk_answer(f.desk, ADMIN_CONTROLS_LIST, STR(""), &f.answer), 200);
	must_answer(&f, "{\"incidents\": [{\"id\": \"by-hand\", \"state\": \"draft\", \"phase\": \"investigating\", \"impact\": \"degraded\", \"edited\": false, "
			"\"opened_at\": 1795734180000, \"posted_at\": 0, \"ended_at\": 0, \"publish_at\": 1795734780000, \"recovery_at\": 0, "
			"\"title\": \"It is \\\"slow\\\"\", \"components\": [\"push\", \"storage/main\"], \"entries\": ["
			"{\"entry\": \"0000000000000001\", \"at\": 1795734180000, \"action\": \"draft\", \"refused\": false, \"author\": null, "
			"\"text\": \"We look\\u000aat it.\"}, "
			"{\"entry\": \"0000000000000002\", \"at\": 1795734180000, \"action\": \"update\", \"refused\": true, \"author\": \"ann \\\"x\\\"\", "
			"\"text\": \"We look\\u000aat it.\"}]}]}\n");
	teardown(&f);
}
END_TEST

START_TEST(clear_is_no_call)
{
	struct fixture f;

	setup(&f, 10);
	ck_assert_uint_eq(entry_desk_answer(f.desk, ADMIN_CONTROLS_CLEAR, STR("by-hand"), &f.answer), 405);
	ck_assert(says(&f, "add another"));
	teardown(&f);
	entry_desk_free(NULL);
}
END_TEST

START_TEST(rows)
{
	struct fixture f;
	struct status_entry e = entry("0000000000000001", STATUS_ACTION_POST, NULL);
	struct table_row row = {.key = STR("by-hand/0000000000000001")};
	struct buf b = BUF_INIT, got = BUF_INIT;

	setup(&f, 10);
	ck_assert_int_eq(status_entry_encode(&e, &b, NULL), 0);
	row.value = buf_str(&b);
	ck_assert_int_eq(entry_desk_take_row(f.desk, &row, NULL), 0);
	ck_assert_uint_eq(entry_desk_lock(f.desk)->nr, 1);
	entry_desk_unlock(f.desk);
	ck_assert(!entry_desk_next(f.desk, &got)); /* Kafka has it */
	row.key = STR("other/0000000000000001");
	ck_assert_int_eq(entry_desk_take_row(f.desk, &row, NULL), -1);
	entry_desk_lock(f.desk); /* it was let go */
	entry_desk_unlock(f.desk);
	buf_fini(&b);
	buf_fini(&got);
	teardown(&f);
}
END_TEST

/* By the port: the token, the path, and no /controls beside it. */
START_TEST(by_the_port)
{
	static const struct { const char *head; int status; const char *body; } requests[] = {
		{"GET /status-entries HTTP/1.1\r\nHost: x\r\n\r\n", 401, "admin.token_file"},
		{"GET /status-entries HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN "\r\n\r\n", 200, "{\"incidents\": []}"},
		{"GET /controls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN "\r\n\r\n", 404, "not found"},
		{"PUT /status-entries HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN "\r\nContent-Length: 3\r\n\r\nabc", 400, ""},
		{"PUT /status-entries HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 401, ""},
		{"DELETE /status-entries?id=x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN "\r\n\r\n", 405, "add another"},
		{"POST /status-entries HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN "\r\n\r\n", 405, "method not allowed"},
	};
	struct fixture f;
	struct metrics *metrics = metrics_new("millrace-test");
	struct admin *admin = admin_new("127.0.0.1:0", metrics, NULL);
	char path[TOKEN_PATH_SIZE];
	int fd = token_file(path, TOKEN "\n", strlen(TOKEN) + 1, 0600), port = (int)strtol(strchr(admin_address(admin), ':') + 1, NULL, 10);
	struct answer a;

	signal(SIGPIPE, SIG_IGN);
	setup(&f, 10);
	http_ask(port, requests[1].head, strlen(requests[1].head), &a);
	ck_assert_int_eq(a.status, 404); /* it is not served yet */
	ck_assert_int_eq(admin_serve_desk(admin, ENTRY_DESK_PATH, path, entry_desk_answer, f.desk, NULL), 0);
	for (size_t k = 0; k < NR(requests); k++) {
		http_ask(port, requests[k].head, strlen(requests[k].head), &a);
		ck_assert_msg(a.status == requests[k].status && strstr(a.body, requests[k].body), "%s: %d %s", requests[k].head, a.status, a.body);
	}
	admin_free(admin);
	metrics_free(metrics);
	close(fd);
	teardown(&f);
}
END_TEST

enum { PUTS = 500 };

static void *put_many(void *ctx)
{
	struct fixture *f = ctx;
	struct buf answer = BUF_INIT;

	for (int k = 0; k < PUTS; k++) {
		char id[STATUS_ENTRY_ID_SIZE];
		struct status_entry e = entry(id, STATUS_ACTION_UPDATE, "ann");
		struct buf b = BUF_INIT;

		snprintf(id, sizeof(id), "%016x", k + 100);
		e.entry = str_from(id);
		status_entry_encode(&e, &b, NULL);
		while (entry_desk_answer(f->desk, ADMIN_CONTROLS_PUT, buf_str(&b), &answer) == 503)
			entry_desk_answer(f->desk, ADMIN_CONTROLS_LIST, STR(""), &answer);
		buf_clear(&answer);
		buf_fini(&b);
	}
	buf_fini(&answer);
	return NULL;
}

/* The port's thread brings, the main loop reads rows, takes on, and gives room: all arrives once, in order. */
START_TEST(two_threads)
{
	struct fixture f;
	struct status_entry e = entry("0000000000000001", STATUS_ACTION_POST, "ann");
	struct buf got = BUF_INIT;
	pthread_t thread;
	char wanted[STATUS_ENTRY_ID_SIZE];

	setup(&f, 4);
	ck_assert_uint_eq(put(&f, &e), 200);
	ck_assert(entry_desk_next(f.desk, &got));
	ck_assert_int_eq(pthread_create(&thread, NULL, put_many, &f), 0);
	for (int nr = 0; nr < PUTS;) {
		if (!entry_desk_next(f.desk, &got)) {
			entry_desk_set_room(f.desk, 1 + (size_t)nr % 4);
			continue;
		}
		snprintf(wanted, sizeof(wanted), "%016x", nr++ + 100);
		ck_assert_ptr_nonnull(memmem(got.p, got.len, wanted, strlen(wanted)));
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(entry_desk_lock(f.desk)->list[0]->nr_lines, PUTS + 1);
	entry_desk_unlock(f.desk);
	buf_fini(&got);
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("entry_desk");
	TCase *tc = tcase_create("entry_desk");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_put);
	tcase_add_loop_test(tc, answers, 0, NR(calls));
	tcase_add_test(tc, cut_off_anywhere);
	tcase_add_test(tc, room);
	tcase_add_test(tc, the_list);
	tcase_add_test(tc, clear_is_no_call);
	tcase_add_test(tc, rows);
	tcase_add_test(tc, by_the_port);
	tcase_add_test(tc, two_threads);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
