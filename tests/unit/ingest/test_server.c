/* test_server.c - requests as bytes on a socket, and the bytes that come back, turn by turn, so that what meets only once in a million turns
 * meets here each time. Kafka is librdkafka's mock cluster. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/events.h"
#include "ingest/listen.h"
#include "ingest/server.h"
#include "tests/unit/common/kafka_mock.h"
#include "tests/unit/ingest/gate.h"
#include "tests/unit/ingest/wire_text.h"

#define BODY "{\"metrics\":[{\"name\":\"m\",\"kind\":\"gauge\",\"points\":[{\"v\":1}]}]}"
#define LINE "POST /v1/push HTTP/1.1\r\nHost: x\r\nX-Api-Key: mr_good\r\nContent-Type: application/json\r\n"
#define STRANGER "POST /v1/push HTTP/1.1\r\nHost: x\r\nX-Api-Key: mr_nobody\r\nContent-Type: application/json\r\n"
#define AUTH "GET /v1/auth HTTP/1.1\r\nHost: x\r\nX-Api-Key: mr_good\r\n"
#define OTLP(door, type) "POST /v1/" door " HTTP/1.1\r\nHost: x\r\nX-Api-Key: mr_good\r\nContent-Type: application/" type "\r\n"
#define OTLP_PB OTLP("metrics", "x-protobuf")
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"

enum { MAX_BODY = 1000, BUDGET = 1 << 20, PATIENCE_MS = 30000, TURN_MS = 5, BODY_TIMEOUT_MS = 300 };

struct house {
	struct mock mock;
	struct ingest_conf conf;
	struct gate gate;
	struct otlp_rules otlp;
	struct producer *producer;
	struct push *push;
	struct server *server;
	int wake_fd, listen_fd;
	char address[LISTEN_ADDRESS_SIZE];
};

static void house_init(struct house *h)
{
	static char none[] = "", address[] = "127.0.0.1:0";
	struct err err = ERR_INIT;

	memset(h, 0, sizeof(*h));
	mock_init(&h->mock);
	mock_topic(&h->mock, "millrace.c.main.samples", 12);
	h->conf = (struct ingest_conf){.listen = address, .threads = 1, .max_body_bytes = MAX_BODY, .max_record_bytes = 100000,
				       .inflight_budget_bytes = BUDGET, .message_timeout_ms = 20000, .stall_timeout_ms = 10000,
				       .connections_max = 100, .header_timeout_ms = 10000, .body_timeout_ms = BODY_TIMEOUT_MS,
				       .idle_timeout_ms = 10000, .tls_cert_file = none, .tls_key_file = none, .tls_client_ca_file = none};
	gate_init(&h->gate, MAX_BODY, BUDGET);
	h->wake_fd = events_wake_fd(&err);
	h->producer = producer_new(&h->mock.program, &h->conf, h->wake_fd, &err);
	h->push = push_new(&(struct push_rooms){h->gate.admission, h->producer, h->gate.account, &h->otlp, NULL, NULL},
			   &(struct push_limits){.decoded_bytes = 1 << 20, .inflated_bytes = 20000, .inflate_ratio = 100, .record_bytes = 100000});
	h->listen_fd = listen_open(address, h->address, &err);
	ck_assert_msg(h->producer && h->push && h->listen_fd >= 0, "%s", err.msg);
	h->server = server_new(&(struct server_rooms){h->gate.admission, h->push, h->producer, h->gate.account}, &h->conf, h->listen_fd, &err);
	ck_assert_msg(h->server != NULL, "%s", err.msg);
}

/* The server goes as in a lane: before the producer, which ends the jobs. */
static void house_fini(struct house *h)
{
	server_free(h->server);
	producer_free(h->producer);
	push_free(h->push);
	gate_fini(&h->gate);
	close(h->listen_fd);
	close(h->wake_fd);
	mock_fini(&h->mock);
}

static void turn(struct house *h)
{
	struct err err = ERR_INIT;
	int fds[SERVER_FDS];
	struct pollfd polled[2];

	server_fds(h->server, fds);
	polled[0] = (struct pollfd){.fd = h->wake_fd, .events = POLLIN};
	polled[1] = (struct pollfd){.fd = fds[0], .events = POLLIN};
	poll(polled, 2, server_timeout_ms(h->server) < TURN_MS ? server_timeout_ms(h->server) : TURN_MS);
	events_read(h->wake_fd);
	producer_poll(h->producer, &err);
	server_run(h->server);
}

static int dial(const struct house *h)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(strrchr(h->address, ':') + 1, NULL, 10)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Appends what has come; false when the other side has closed. */
static bool hear(int fd, struct buf *out)
{
	char piece[4096];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT)) > 0)
		buf_add(out, piece, (size_t)n);
	return n < 0;
}

/* Sends a head, and gives turns until the server has a request of it. */
static int begin(struct house *h, const char *head)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	int fd = dial(h);

	say(fd, head);
	while (server_requests(h->server) == 0) {
		ck_assert(clock_mono_ms() < deadline);
		turn(h);
	}
	return fd;
}

/* How many answers there are in what was heard. */
static int answers_in(const struct buf *heard)
{
	const char *at = (const char *)heard->p, *end = at + heard->len;
	int n = 0;

	for (; at < end && (at = memmem(at, (size_t)(end - at), "HTTP/1.1 ", 9)) != NULL; at += 9)
		n++;
	return n;
}

static void check_said(const struct buf *heard, const char *wanted)
{
	ck_assert_msg(memmem(heard->p, heard->len, wanted, strlen(wanted)) != NULL, "wanted %s, heard %.*s", wanted, (int)heard->len,
		      heard->p ? (char *)heard->p : "");
}

/* What a client that sends this hears until it is hung up on. */
static const struct {
	const char *sent, *status, *text; /* text: in it, too */
} one_answer[] = {
	/* Not even a length with a blank before its colon: a proxy may read it otherwise, and see another end (RFC 9112, 5.1). */
	{LINE "Content-Length : 4\r\n\r\nGET ", "HTTP/1.1 400", "bad_framing"},
	{LINE "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400", "bad_framing"},
	{AUTH "Content-Length: 1001\r\n\r\n", "HTTP/1.1 413", "body_too_large"},
	{AUTH "Content-Length: 9223372036854775807\r\n\r\n", "HTTP/1.1 413", "body_too_large"},
	/* libmicrohttpd's own answer, and none of ours behind it. */
	{LINE CHUNKED "zz\r\n", "HTTP/1.1 400", "chunked encoding"},
	/* What would wait for the body's end, of bodies that have none. */
	{LINE CHUNKED "1389\r\n%5001s\r\n", "HTTP/1.1 413", "body_too_large"},
	{STRANGER "Content-Length: 100\r\n\r\n{", "HTTP/1.1 401", "unauthorized"},
	{LINE "Content-Length: 100\r\n\r\n{", "HTTP/1.1 408", "body_too_slow"},
	{OTLP_PB CHUNKED "1389\r\n%5001s\r\n", "HTTP/1.1 413", "Content-Type: application/x-protobuf\r\n"},
	{OTLP_PB "Content-Length: 100\r\n\r\n{", "HTTP/1.1 503", "\r\nRetry-After: 1\r\n"}, /* whose clients repeat no 408 */
};

START_TEST(a_bad_request_has_one_answer)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	struct buf sent = BUF_INIT, heard = BUF_INIT;
	struct house h;
	int fd;

	house_init(&h);
	buf_printf(&sent, one_answer[_i].sent, " ");
	fd = dial(&h);
	say(fd, (char *)sent.p);
	while (hear(fd, &heard)) {
		ck_assert(clock_mono_ms() < deadline);
		turn(&h);
	}
	check_said(&heard, one_answer[_i].status);
	check_said(&heard, one_answer[_i].text);
	ck_assert_int_eq(answers_in(&heard), 1);
	ck_assert_double_eq(gate_figure(&h.gate, "refused_requests_total", NULL), 1);
	close(fd);
	buf_fini(&sent);
	buf_fini(&heard);
	house_fini(&h);
}
END_TEST

/* OTLP's conformance: what each request is told, with which type and body. */
static const struct {
	const char *head, *body; /* the body as wire_text.h has it, where the head says protobuf */
	const char *status, *type, *said;
} conformance[] = {
	/* nothing in it, or all of it taken: an empty message */
	{OTLP_PB, "", "200", "x-protobuf", ""},
	{OTLP("metrics", "x-protobuf; a=b"), "1{2{2{1\"m\" 5{1{4:1}}}}}", "200", "x-protobuf", ""},
	{OTLP("metrics", "json"), "{}", "200", "json", "{}\n"},
	{OTLP("metrics", "json; charset=utf-8"),
	 "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"7\"}]}}]}]}]}", "200", "json", "{}\n"},
	{OTLP_PB "Idempotency-Key: 7f1\r\n", "1{2{2{1\"m\" 5{1{4:1}}}}}", "200", "x-protobuf", ""},
	/* partial success */
	{OTLP_PB, "1{2{2{1\"m\" 5{1{4:1} 1{}}}}}", "200", "x-protobuf", "1{1=1 2\"metrics[0].points[1]: value_missing\"}"},
	{OTLP_PB, "1{2{2{1\"m\" 5{1{}}}}}", "200", "x-protobuf", "1{1=1 2\"metrics[0].points[0]: value_missing\"}"},
	{OTLP("metrics", "json"), "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"gauge\":{\"dataPoints\":[{}]}}]}]}]}", "200", "json",
	 "{\"partialSuccess\": {\"rejectedDataPoints\": \"1\", \"errorMessage\": \"metrics[0].points[0]: value_missing\"}}\n"},
	/* what cannot be read, for each signal */
	{OTLP_PB, "1=1", "400", "x-protobuf", "1=3 2\"bad_protobuf: byte 1, resource_metrics[0]: the field has another wire type\""},
	{OTLP("traces", "x-protobuf"), "|0a 05|", "400", "x-protobuf", NULL},
	{OTLP("logs", "x-protobuf"), "|0a 05|", "400", "x-protobuf", NULL},
	{OTLP("metrics", "json"), "{", "400", "json", NULL},
	{OTLP("metrics", "json"), "", "400", "json", NULL},
	{OTLP_PB "Content-Encoding: gzip\r\n", "1{}", "400", "x-protobuf", NULL},
	{OTLP_PB "Idempotency-Key: \r\n", "1{}", "400", "x-protobuf", "1=3 2\"bad_idempotency_key: Idempotency-Key has 0 bytes; 1 to 255 are expected\""},
	/* who, where, how */
	{"POST /v1/metrics HTTP/1.1\r\nHost: x\r\nX-Api-Key: mr_bad\r\nContent-Type: application/x-protobuf\r\n", "1{}", "401", "x-protobuf",
	 "1=16 2\"unauthorized: the key is unknown, revoked, or its site is disabled\""},
	{"PUT /v1/logs HTTP/1.1\r\nHost: x\r\nX-Api-Key: mr_good\r\nContent-Type: application/x-protobuf\r\n", "1{}", "405", "x-protobuf",
	 "1=12 2\"method_not_allowed: /v1/logs takes POST\""},
	{"PUT /v1/traces HTTP/1.1\r\nHost: x\r\nX-Api-Key: mr_good\r\nContent-Type: application/json\r\n", "{}", "405", "json",
	 "{\"code\": 12, \"message\": \"method_not_allowed: /v1/traces takes POST\"}\n"},
	{OTLP("metrics", "grpc"), "1{}", "415", "json", NULL},
	{OTLP_PB "Content-Encoding: br\r\n", "1{}", "415", "x-protobuf", NULL},
};

/* The answer's body, behind the blank line. */
static struct str said(const struct buf *heard)
{
	const char *at = memmem(heard->p, heard->len, "\r\n\r\n", 4);

	ck_assert_ptr_nonnull(at);
	return (struct str){at + 4, heard->len - (size_t)(at + 4 - (const char *)heard->p)};
}

/* Kafka takes a while to answer the first time. */
START_TEST(otlp_is_told_as_its_specification_has_it)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	bool pb = strstr(conformance[_i].head, "x-protobuf") != NULL || strstr(conformance[_i].head, "grpc");
	bool pb_said = strcmp(conformance[_i].type, "x-protobuf") == 0;
	struct buf body = BUF_INIT, want = BUF_INIT, sent = BUF_INIT, heard = BUF_INIT;
	char line[64];
	struct house h;
	int fd;

	house_init(&h);
	if (pb)
		wire_items(&body, conformance[_i].body);
	else
		buf_printf(&body, "%s", conformance[_i].body);
	buf_printf(&sent, "%sConnection: close\r\nContent-Length: %zu\r\n\r\n", conformance[_i].head, body.len);
	buf_add(&sent, body.p, body.len);
	fd = dial(&h);
	ck_assert_int_eq(send(fd, sent.p, sent.len, MSG_NOSIGNAL), (ssize_t)sent.len);
	while (hear(fd, &heard)) {
		ck_assert(clock_mono_ms() < deadline);
		turn(&h);
	}
	snprintf(line, sizeof(line), "HTTP/1.1 %s", conformance[_i].status);
	check_said(&heard, line);
	snprintf(line, sizeof(line), "\r\nContent-Type: application/%s\r\n", conformance[_i].type);
	check_said(&heard, line);
	if (conformance[_i].said) {
		if (pb_said)
			wire_items(&want, conformance[_i].said);
		else
			buf_printf(&want, "%s", conformance[_i].said);
		ck_assert_msg(str_eq(said(&heard), buf_str(&want)), "case %d: %.*s", _i, STR_ARG(said(&heard)));
	} else {
		ck_assert_uint_ne(said(&heard).len, 0);
	}
	close(fd);
	buf_fini(&body);
	buf_fini(&want);
	buf_fini(&sent);
	buf_fini(&heard);
	house_fini(&h);
}
END_TEST

START_TEST(a_body_to_auth_is_of_no_interest)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	struct buf heard = BUF_INIT;
	struct house h;
	int fd;

	house_init(&h);
	fd = begin(&h, AUTH "Content-Length: 8\r\n\r\nany");
	turn(&h);
	ck_assert_int_eq(admission_inflight_bytes(h.gate.admission), 0);
	say(fd, "thing");
	while (hear(fd, &heard) && answers_in(&heard) == 0) {
		ck_assert(clock_mono_ms() < deadline);
		turn(&h);
	}
	check_said(&heard, "HTTP/1.1 200");
	close(fd);
	buf_fini(&heard);
	house_fini(&h);
}
END_TEST

/* At the end of a drain's patience: its body's last byte, and the server's last turn, meet (0), or it is still being sent (1). */
START_TEST(who_still_sends_at_the_end_is_told_so)
{
	struct buf heard = BUF_INIT;
	struct house h;
	char head[512];
	int fd;

	house_init(&h);
	snprintf(head, sizeof(head), LINE "Content-Length: %zu\r\n\r\n", strlen(BODY));
	fd = begin(&h, head);
	say(fd, _i == 0 ? BODY : "{");
	server_free(h.server);
	h.server = NULL;
	ck_assert(!hear(fd, &heard));
	check_said(&heard, "HTTP/1.1 503");
	check_said(&heard, "Retry-After: ");
	check_said(&heard, "draining");
	ck_assert_int_eq(answers_in(&heard), 1);
	ck_assert_double_eq(gate_figure(&h.gate, "refused_requests_total", "reason=\"draining\""), 1);
	close(fd);
	buf_fini(&heard);
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("server");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_bad_request_has_one_answer, 0, (int)NR(one_answer));
	tcase_add_loop_test(tc, otlp_is_told_as_its_specification_has_it, 0, (int)NR(conformance));
	tcase_add_test(tc, a_body_to_auth_is_of_no_interest);
	tcase_add_loop_test(tc, who_still_sends_at_the_end_is_told_so, 0, 2);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
