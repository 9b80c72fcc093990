/* test_status.c - the figures: the same in the JSON and among the metrics, and the socket that tells them. */
#include "ingest/agent/status.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "ingest/agent/status_socket.h"
#include "tests/unit/unit.h"

static struct status some_status(void)
{
	struct status s = {.version = "1", .host = "web-7", .url = "https://push.example", .now_ms = 1795372000000, .spool_state = "disk"};

	memcpy(s.agent_id, "0123", 5);
	s.spool.payloads = 3;
	s.spool.oldest_ms = s.now_ms - 5000;
	s.push.accepted_payloads = 7;
	s.last_seq = 41;
	s.push.last_accepted_ms = s.now_ms - 1000;
	return s;
}

static yajl_val parse(const struct status *s, struct buf *text)
{
	char why[256] = "";
	yajl_val root;

	buf_clear(text);
	status_json(s, text);
	ck_assert(!buf_failed(text));
	buf_add(text, "", 1);
	root = yajl_tree_parse((const char *)text->p, why, sizeof(why));
	ck_assert_msg(root != NULL, "%s in %s", why, text->p);
	return root;
}

static yajl_val at(yajl_val v, const char *a, const char *b)
{
	const char *path[] = {a, b, NULL};

	v = yajl_tree_get(v, path, yajl_t_any);
	ck_assert_msg(v != NULL, "no %s", a);
	return v;
}

START_TEST(json)
{
	struct status s = some_status();
	struct buf text = BUF_INIT;
	yajl_val root = parse(&s, &text);

	ck_assert_str_eq(YAJL_GET_STRING(at(root, "state", NULL)), "ok");
	ck_assert_str_eq(YAJL_GET_STRING(at(root, "agent_id", NULL)), "0123");
	ck_assert_int_eq(YAJL_GET_INTEGER(at(root, "last_seq", NULL)), 41);
	ck_assert_int_eq(YAJL_GET_INTEGER(at(root, "spool", "payloads")), 3);
	ck_assert_int_eq(YAJL_GET_INTEGER(at(root, "spool", "oldest_age_ms")), 5000);
	ck_assert_str_eq(YAJL_GET_STRING(at(root, "spool", "oldest")), "2026-11-22T18:26:35.000Z");
	ck_assert(YAJL_IS_NULL(at(root, "push", "last_failed")));
	ck_assert(YAJL_IS_FALSE(at(root, "push", "key_refused")));
	yajl_tree_free(root);
	s.host = "\xff";
	root = parse(&s, &text);
	ck_assert_str_eq(YAJL_GET_STRING(at(root, "host", NULL)), "");
	yajl_tree_free(root);
	buf_fini(&text);
}
END_TEST

START_TEST(trouble)
{
	struct status s = some_status();

	snprintf(s.push.last_error, sizeof(s.push.last_error), "no route");
	ck_assert_str_eq(status_trouble(&s), "ok"); /* a moment ago one went through */
	s.push.last_accepted_ms = s.now_ms - 6 * 60000;
	ck_assert(strstr(status_trouble(&s), "Push API"));
	s.spool.state = SPOOL_FULL;
	ck_assert(strstr(status_trouble(&s), "disk"));
	s.push.key_refused = true;
	ck_assert(strstr(status_trouble(&s), "key"));
}
END_TEST

static double value_of(struct metrics *metrics, const char *name)
{
	struct buf text = BUF_INIT;
	char *line;
	double value;

	metrics_render(metrics, &text);
	buf_add(&text, "", 1);
	line = strstr((char *)text.p, name);
	ck_assert_msg(line != NULL, "no %s", name);
	value = strtod(line + strlen(name), NULL);
	buf_fini(&text);
	return value;
}

START_TEST(among_metrics)
{
	struct metrics *metrics = metrics_new("millrace-agent");
	struct status_metrics *m = status_metrics_new(metrics);
	struct status s = some_status();

	status_metrics_set(m, &s);
	status_metrics_set(m, &s);
	ck_assert(value_of(metrics, "\nmillrace_agent_spool_payloads ") == 3);
	ck_assert(value_of(metrics, "\nmillrace_agent_accepted_payloads_total ") == 7);
	ck_assert(value_of(metrics, "\nmillrace_agent_spool_oldest_age_seconds ") == 5);
	s.push.accepted_payloads = 9;
	s.spool.payloads = 1;
	status_metrics_set(m, &s);
	ck_assert(value_of(metrics, "\nmillrace_agent_spool_payloads ") == 1);
	ck_assert(value_of(metrics, "\nmillrace_agent_accepted_payloads_total ") == 9);
	status_metrics_set(NULL, &s);
	status_metrics_free(m);
	metrics_free(metrics);
}
END_TEST

static void wait_for_one(struct status_socket *s, int *client)
{
	int clients[STATUS_SOCKET_CLIENTS_A_TURN];

	while (status_socket_accept(s, clients) == 0)
		usleep(1000);
	*client = clients[0];
}

/* One that asks in a process of its own, while this one answers. */
static void ask_and_tell(struct status_socket *s, const char *path)
{
	struct err err = ERR_INIT;
	FILE *out = tmpfile();
	char answer[64] = "";
	int client, how;
	pid_t child = fork();

	if (child == 0)
		_exit(status_socket_ask(path, out, &err) == 0 && fflush(out) == 0 ? 0 : 1);
	wait_for_one(s, &client);
	status_socket_tell(client, STR("hello\n"));
	ck_assert_int_eq(waitpid(child, &how, 0), child);
	ck_assert_int_eq(how, 0);
	ck_assert_int_eq((int)pread(fileno(out), answer, sizeof(answer), 0), 6);
	ck_assert_str_eq(answer, "hello\n");
	fclose(out);
}

START_TEST(socket_tells)
{
	char path[64] = "/tmp/millrace-status-XXXXXX";
	struct status_socket s = STATUS_SOCKET_INIT, second = STATUS_SOCKET_INIT;
	struct err err = ERR_INIT;
	struct stat st;
	int fd = mkstemp(path), client;

	close(fd);
	ck_assert_int_eq(status_socket_open(&s, path, &err), -1); /* a file that is no socket */
	ck_assert_int_eq(stat(path, &st), 0);
	status_socket_close(&s);
	unlink(path);
	ck_assert_msg(status_socket_open(&s, path, &err) == 0, "%s", err.msg);
	ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	ck_assert_int_eq(status_socket_open(&second, path, &err), -1);
	ck_assert(strstr(err.msg, "somebody listens"));
	wait_for_one(&s, &client); /* the one that looked, and has gone */
	status_socket_tell(client, STR("nobody reads this"));
	ask_and_tell(&s, path);
	close(s.fd); /* as after kill -9 */
	ck_assert_int_eq(status_socket_ask(path, stderr, &err), -1);
	ck_assert_msg(status_socket_open(&second, path, &err) == 0, "%s", err.msg);
	status_socket_close(&second);
	ck_assert_int_lt(stat(path, &st), 0);
}
END_TEST

START_TEST(no_socket)
{
	struct status_socket s = STATUS_SOCKET_INIT;
	int clients[STATUS_SOCKET_CLIENTS_A_TURN];
	struct err err = ERR_INIT;

	ck_assert_int_eq(status_socket_open(&s, "", &err), 0);
	ck_assert_uint_eq(status_socket_accept(&s, clients), 0);
	status_socket_close(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("agent status");
	TCase *tc = tcase_create("status");

	tcase_add_test(tc, json);
	tcase_add_test(tc, trouble);
	tcase_add_test(tc, among_metrics);
	tcase_add_test(tc, socket_tells);
	tcase_add_test(tc, no_socket);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
