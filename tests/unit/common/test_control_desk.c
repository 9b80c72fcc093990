/* test_control_desk.c - controls through a real admin port, and what is told of them: on the mock cluster and in the log. */
#include "common/control_desk.h"

#include <yajl/yajl_tree.h>

#include "tests/unit/common/control_records.h"
#include "tests/unit/common/http_client.h"
#include "tests/unit/common/kafka_mock.h"
#include "tests/unit/common/token_file.h"

#define TOKEN "a-token-of-some-length"

enum { WAIT_MS = 20000 };

/* An ingest's controls and its admin port. */
struct fixture {
	struct clock clock;
	struct controls *controls;
	struct metrics *metrics;
	struct admin *admin;
	int port, token_fd;
};

static void setup(struct fixture *f)
{
	struct err err = ERR_INIT;
	char path[TOKEN_PATH_SIZE];

	f->clock = still_clock();
	f->controls = controls_new(&f->clock, CONTROL_PROGRAM_INGEST, &err);
	f->metrics = metrics_new("millrace-test");
	f->admin = admin_new("127.0.0.1:0", f->metrics, &err);
	ck_assert_msg(f->controls && f->admin, "%s", err.msg);
	f->port = (int)strtol(strchr(admin_address(f->admin), ':') + 1, NULL, 10);
	f->token_fd = token_file(path, TOKEN, strlen(TOKEN), 0600);
	ck_assert_msg(admin_serve_controls(f->admin, path, control_desk_answer, f->controls, &err) == 0, "%s", err.msg);
}

static void teardown(struct fixture *f)
{
	admin_free(f->admin);
	metrics_free(f->metrics);
	controls_free(f->controls);
	close(f->token_fd);
}

static int request(struct fixture *f, const char *line, struct str body, struct answer *a)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN "\r\nContent-Length: %zu\r\n\r\n", line, body.len);
	buf_add(&text, body.p, body.len);
	http_ask(f->port, (const char *)text.p, text.len, a);
	buf_fini(&text);
	return a->status;
}

static int put(struct fixture *f, const struct control *c, struct answer *a)
{
	struct buf value = BUF_INIT;
	int status;

	ck_assert_int_eq(control_encode(c, &value, NULL), 0);
	status = request(f, "PUT /controls", buf_str(&value), a);
	buf_fini(&value);
	return status;
}

static bool closed(struct fixture *f, const char *site)
{
	return controls_in_force(f->controls, CONTROL_ACTION_CLOSE, STR("main"), str_from(site), NULL);
}

/* In force as soon as the answer is there, and cleared as soon. */
START_TEST(set_and_cleared)
{
	struct record r;
	struct fixture f;
	struct answer a;

	setup(&f);
	ck_assert_int_eq(put(&f, close_record(&r, NULL, "shop", NOON_MS), &a), 204);
	ck_assert(closed(&f, "shop") && !closed(&f, "blog"));
	ck_assert_int_eq(put(&f, close_record(&r, NULL, NULL, NOON_MS), &a), 204);
	ck_assert(closed(&f, "blog"));
	ck_assert_int_eq(request(&f, "DELETE /controls?id=ingest%2fclose", STR(""), &a), 204);
	ck_assert(closed(&f, "shop") && !closed(&f, "blog"));
	ck_assert_int_eq(request(&f, "DELETE /controls?id=ingest/close/site=shop", STR(""), &a), 204);
	ck_assert(!closed(&f, "shop"));
	ck_assert_int_eq(request(&f, "DELETE /controls?id=ingest/close/site=shop", STR(""), &a), 404);
	ck_assert_str_eq(a.body, "no control \"ingest/close/site=shop\" is in force\n");
	teardown(&f);
}
END_TEST

START_TEST(refused)
{
	static const char newer[] = "\0\0\0\x27\x0f" "body";
	struct record r;
	struct fixture f;
	struct answer a;

	setup(&f);
	ck_assert_int_eq(request(&f, "PUT /controls", STR(""), &a), 400);
	ck_assert_int_eq(request(&f, "PUT /controls", STR("{\"id\": \"ingest/close\"}"), &a), 400);
	ck_assert_int_eq(request(&f, "PUT /controls", STR(newer), &a), 400);
	close_record(&r, NULL, NULL, NOON_MS)->id = STR("ingest/close/site=shop");
	ck_assert_int_eq(put(&f, &r.control, &a), 400);
	ck_assert_ptr_nonnull(strstr(a.body, "but its fields make \"ingest/close\"\n"));
	ck_assert_int_eq(put(&f, close_record(&r, NULL, NULL, NOON_MS - HOUR_MS), &a), 400);
	ck_assert_ptr_nonnull(strstr(a.body, "has expired"));
	ck_assert(!closed(&f, "shop"));
	ck_assert_int_eq(put(&f, close_record(&r, NULL, NULL, NOON_MS), &a), 204);
	close_record(&r, NULL, NULL, NOON_MS - 1)->reason = STR("older");
	ck_assert_int_eq(put(&f, &r.control, &a), 409);
	ck_assert_str_eq(a.body, "control ingest/close was set later than this by the admin port: that holds\n");
	teardown(&f);
}
END_TEST

/* A text of the list's i-th control, by an independent parser. */
static const char *text_of(yajl_val list, size_t i, const char *key)
{
	return YAJL_GET_STRING(yajl_tree_get(list->u.array.values[i], (const char *[]){key, NULL}, yajl_t_string));
}

START_TEST(listed)
{
	struct record r;
	struct fixture f;
	struct answer a;
	yajl_val root, controls;
	char why[256];

	setup(&f);
	ck_assert_int_eq(request(&f, "GET /controls", STR(""), &a), 200);
	ck_assert_str_eq(a.body, "{\"controls\": []}\n");
	close_record(&r, "main", "shop", NOON_MS)->reason = STR("\"caf\xc3\xa9\" \\ / {}");
	ck_assert_int_eq(put(&f, &r.control, &a), 204);
	ck_assert_int_eq(put(&f, close_record(&r, NULL, NULL, NOON_MS), &a), 204);
	ck_assert_int_eq(request(&f, "GET /controls", STR(""), &a), 200);
	root = yajl_tree_parse(a.body, why, sizeof(why));
	ck_assert_msg(root != NULL, "%s: %s", why, a.body);
	controls = yajl_tree_get(root, (const char *[]){"controls", NULL}, yajl_t_array);
	ck_assert_uint_eq(controls->u.array.len, 2);
	ck_assert_str_eq(text_of(controls, 0, "id"), "ingest/close");
	ck_assert_str_eq(text_of(controls, 0, "author"), "ann");
	ck_assert_ptr_null(yajl_tree_get(controls->u.array.values[0], (const char *[]){"site", NULL}, yajl_t_any));
	ck_assert_str_eq(text_of(controls, 1, "id"), "ingest/close/cell=main/site=shop");
	ck_assert_str_eq(text_of(controls, 1, "on"), "ingest");
	ck_assert_str_eq(text_of(controls, 1, "action"), "close");
	ck_assert_str_eq(text_of(controls, 1, "cell"), "main");
	ck_assert_str_eq(text_of(controls, 1, "site"), "shop");
	ck_assert_str_eq(text_of(controls, 1, "reason"), "\"caf\xc3\xa9\" \\ / {}");
	ck_assert_int_eq(YAJL_GET_INTEGER(yajl_tree_get(controls->u.array.values[1], (const char *[]){"expires_at", NULL}, yajl_t_number)),
			 NOON_MS + HOUR_MS);
	yajl_tree_free(root);
	teardown(&f);
}
END_TEST

/* The next record of a topic of the mock cluster, while the program's loop turns; NULL after wait_ms. */
static rd_kafka_message_t *next(rd_kafka_t *rk, struct report *report, int wait_ms)
{
	for (int64_t until = clock_mono_ms() + wait_ms; clock_mono_ms() < until;) {
		rd_kafka_message_t *message;

		report_poll(report, NULL, 0);
		message = rd_kafka_consumer_poll(rk, 20);
		if (message && !message->err)
			return message;
		if (message)
			rd_kafka_message_destroy(message);
	}
	return NULL;
}

static rd_kafka_t *reader_of(const struct mock *m, const char *topic)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	rd_kafka_conf_set(conf, "group.id", "test", NULL, 0);
	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(m->cluster), NULL, 0);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
	ck_assert_ptr_nonnull(rk);
	rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
	ck_assert_int_eq(rd_kafka_assign(rk, list), 0);
	rd_kafka_topic_partition_list_destroy(list);
	return rk;
}

static void must_beat(rd_kafka_t *beats, struct report *report, size_t nr, const char *id)
{
	rd_kafka_message_t *message = next(beats, report, WAIT_MS);
	struct arena arena = ARENA_INIT;
	struct heartbeat beat;

	ck_assert_ptr_nonnull(message);
	ck_assert_int_eq(heartbeat_decode((struct str){message->payload, message->len}, &arena, &beat, NULL), 0);
	ck_assert_uint_eq(beat.controls_len, nr);
	if (nr)
		ck_assert(str_eq(beat.controls[0], str_from(id)));
	arena_fini(&arena);
	rd_kafka_message_destroy(message);
}

static void must_note(rd_kafka_t *notices, struct report *report, const char *event, const char *text)
{
	rd_kafka_message_t *message = next(notices, report, WAIT_MS);
	struct arena arena = ARENA_INIT;
	struct notice notice;

	ck_assert_ptr_nonnull(message);
	ck_assert_int_eq(notice_decode((struct str){message->payload, message->len}, &arena, &notice, NULL), 0);
	ck_assert_msg(str_eq(notice.event, str_from(event)), STR_FMT, STR_ARG(notice.event));
	ck_assert_msg(str_eq(notice.text, str_from(text)), STR_FMT, STR_ARG(notice.text));
	ck_assert(notice.has_author && str_eq(notice.author, STR("ann")));
	ck_assert(notice.has_site && str_eq(notice.site, STR("shop")) && !notice.has_cell);
	arena_fini(&arena);
	rd_kafka_message_destroy(message);
}

/* Log, notice and heartbeat, once for each change, at once; a beat is due each minute only. */
START_TEST(news)
{
	static const char id[] = "ingest/close/site=shop";
	rd_kafka_t *beats, *notices;
	struct report *report;
	struct mock m;
	struct err err = ERR_INIT;
	struct record r;
	struct fixture f;
	char log[4096];

	setup(&f);
	mock_init(&m);
	mock_topic(&m, "millrace.heartbeats", 1);
	mock_topic(&m, "millrace.notices", 1);
	beats = reader_of(&m, "millrace.heartbeats");
	notices = reader_of(&m, "millrace.notices");
	report = report_new(&m.program, f.admin, NULL, &err);
	ck_assert_msg(report != NULL, "%s", err.msg);
	control_desk_follow(f.controls, report, &m.program.log);
	must_beat(beats, report, 0, NULL);
	ck_assert_int_eq(controls_put(f.controls, close_record(&r, NULL, "shop", NOON_MS), &err), CONTROLS_DONE);
	control_desk_follow(f.controls, report, &m.program.log);
	control_desk_follow(f.controls, report, &m.program.log);
	must_beat(beats, report, 1, id);
	must_note(notices, report, "control_set", "control ingest/close/site=shop is in force until 2026-11-22T19:26:40.000Z: a fire (ann)");
	f.clock.start_ms += HOUR_MS;
	control_desk_follow(f.controls, report, &m.program.log);
	must_beat(beats, report, 0, NULL);
	must_note(notices, report, "control_expired", "control ingest/close/site=shop has expired: a fire (ann)");
	controls_put(f.controls, close_record(&r, NULL, "shop", NOON_MS + HOUR_MS), &err);
	control_desk_follow(f.controls, report, &m.program.log);
	controls_clear(f.controls, STR("ingest/close/site=shop"), &err);
	control_desk_follow(f.controls, report, &m.program.log);
	must_beat(beats, report, 0, NULL);
	ck_assert_ptr_null(next(beats, report, 300));
	must_note(notices, report, "control_set", "control ingest/close/site=shop is in force until 2026-11-22T20:26:40.000Z: a fire (ann)");
	must_note(notices, report, "control_cleared", "control ingest/close/site=shop was cleared: a fire (ann)");
	ck_assert_ptr_null(next(notices, report, 300));
	program_log(&m.program, log, sizeof(log));
	ck_assert_int_eq(count_of(log, "event=control_set"), 2);
	ck_assert_int_eq(count_of(log, "event=control_expired control=\"ingest/close/site=shop\" source=clock reason=\"a fire\" author=ann"), 1);
	ck_assert_int_eq(count_of(log, "event=control_cleared control=\"ingest/close/site=shop\" source=\"admin port\""), 1);
	report_free(report, 5000);
	rd_kafka_destroy(beats);
	rd_kafka_destroy(notices);
	mock_fini(&m);
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_desk");
	TCase *tc = tcase_create("control_desk");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, set_and_cleared);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, listed);
	tcase_add_test(tc, news);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
