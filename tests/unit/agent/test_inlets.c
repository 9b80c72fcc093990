/* test_inlets.c - real sockets: what is sent is taken whole and in order, what cannot be is counted, and nobody's socket is taken over. */
#include "ingest/agent/inlets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { WAIT_MS = 10000 };

/* A folder of its own, an inlet in it, and what came out. */
struct house {
	char folder[64], dgram[96], lines[96];
	struct inlets *in;
	struct buf got; /* each datagram or line, and '|' */
	size_t nr, bytes;
	int64_t now_ms;
};

static void take(void *ctx, struct str bytes)
{
	struct house *h = ctx;

	h->nr++;
	h->bytes += bytes.len;
	if (h->got.len < 4096 && bytes.len < 4096)
		buf_printf(&h->got, STR_FMT "|", STR_ARG(bytes));
}

static struct inlets_conf house_conf(const struct house *h)
{
	return (struct inlets_conf){.statsd_listen = "127.0.0.1:0", .statsd_socket = h->dgram, .lines_socket = h->lines};
}

static struct inlets *open_inlets(struct house *h, const struct inlets_conf *conf, struct err *err)
{
	return inlets_new(conf, &(struct inlets_taker){.datagram = take, .line = take, .ctx = h}, err);
}

static void house_init(struct house *h)
{
	struct inlets_conf conf;
	struct err err = ERR_INIT;

	*h = (struct house){.folder = "/tmp/millrace-inlets-XXXXXX", .now_ms = 1000};
	ck_assert_ptr_nonnull(mkdtemp(h->folder));
	snprintf(h->dgram, sizeof(h->dgram), "%s/statsd", h->folder);
	snprintf(h->lines, sizeof(h->lines), "%s/lines", h->folder);
	conf = house_conf(h);
	h->in = open_inlets(h, &conf, &err);
	ck_assert_msg(h->in != NULL, "%s", err.msg);
}

static void house_fini(struct house *h)
{
	inlets_free(h->in);
	ck_assert_int_lt(access(h->dgram, F_OK), 0);
	ck_assert_int_lt(access(h->lines, F_OK), 0);
	ck_assert_int_eq(rmdir(h->folder), 0);
	buf_fini(&h->got);
}

/* One turn of a loop; false when nothing came. */
static bool turn(struct house *h, int wait_ms)
{
	struct pollfd fds[INLETS_FDS_MAX];
	size_t nr = inlets_fds(h->in, fds);
	int ready = poll(fds, nr, wait_ms);

	inlets_turn(h->in, fds, nr, h->now_ms);
	return ready > 0;
}

/* Turns until so many datagrams and lines have come. */
static void until(struct house *h, size_t nr)
{
	while (h->nr < nr)
		ck_assert_msg(turn(h, WAIT_MS), "%zu of %zu came", h->nr, nr);
}

static void check_got(struct house *h, const char *expected)
{
	ck_assert_msg(str_eq(buf_str(&h->got), str_from(expected)), "%.*s", STR_ARG(buf_str(&h->got)));
}

static int udp_client(struct house *h)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)inlets_figures(h->in).udp_port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	return fd;
}

static int file_client(const char *path, int type)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	memcpy(to.sun_path, path, strlen(path));
	ck_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	return fd;
}

static void send_text(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

START_TEST(datagrams)
{
	struct house h;
	int udp, dgram;

	house_init(&h);
	udp = udp_client(&h);
	dgram = file_client(h.dgram, SOCK_DGRAM);
	send_text(udp, "a:1|c");
	until(&h, 1);
	send_text(dgram, "b:1|c\nc:1|c");
	until(&h, 2);
	send_text(udp, ""); /* an empty one is one */
	until(&h, 3);
	check_got(&h, "a:1|c|b:1|c\nc:1|c||");
	ck_assert_uint_eq(inlets_figures(h.in).datagrams, 3);
	ck_assert_uint_eq(inlets_figures(h.in).datagram_bytes, 16);
	close(udp);
	close(dgram);
	house_fini(&h);
}
END_TEST

START_TEST(datagrams_of_all_lengths)
{
	static char text[70000];
	struct house h;
	int udp, dgram, wide = 1 << 20;
	size_t sent = 0;

	house_init(&h);
	udp = udp_client(&h);
	dgram = file_client(h.dgram, SOCK_DGRAM);
	setsockopt(dgram, SOL_SOCKET, SO_SNDBUF, &wide, sizeof(wide));
	memset(text, 'x', sizeof(text));
	for (size_t len = 1; len <= 65507; len = len * 3 + 1, sent++) {
		ck_assert_int_eq(send(udp, text, len, 0), (ssize_t)len);
		until(&h, sent + 1);
	}
	ck_assert_int_eq(send(dgram, text, INLETS_DATAGRAM_MAX, 0), INLETS_DATAGRAM_MAX);
	until(&h, sent + 1);
	ck_assert_int_eq(send(dgram, text, INLETS_DATAGRAM_MAX + 1, 0), INLETS_DATAGRAM_MAX + 1);
	ck_assert_int_eq(send(dgram, text, 1, 0), 1);
	until(&h, sent + 2);
	ck_assert_uint_eq(inlets_figures(h.in).truncated_datagrams, 1);
	close(udp);
	close(dgram);
	house_fini(&h);
}
END_TEST

/* Nothing is read until the buffer has overflowed: what the kernel dropped and what came add up to what was sent. */
START_TEST(drops_are_counted)
{
	static char text[8000];
	struct house h;
	size_t sent = 0;
	int udp;

	house_init(&h);
	udp = udp_client(&h);
	memset(text, 'x', sizeof(text));
	while (inlets_figures(h.in).kernel_drops < 10 && sent < 100000)
		sent += send(udp, text, sizeof(text), 0) == sizeof(text);
	ck_assert_uint_ge(inlets_figures(h.in).kernel_drops, 10);
	inlets_drain(h.in, h.now_ms);
	ck_assert_uint_eq(h.nr + inlets_figures(h.in).kernel_drops, sent);
	ck_assert_int_gt(inlets_figures(h.in).receive_buffer_bytes, 100000);
	close(udp);
	house_fini(&h);
}
END_TEST

/* One turn takes no more than its share, the rest is there at the next. */
START_TEST(a_turn_is_bounded)
{
	struct house h;
	size_t sent = 0;
	int udp;

	house_init(&h);
	udp = udp_client(&h);
	while (inlets_figures(h.in).kernel_drops == 0 && sent < 3000)
		sent += send(udp, "x", 1, 0) == 1;
	sent -= inlets_figures(h.in).kernel_drops;
	turn(&h, WAIT_MS);
	ck_assert_uint_le(h.nr, 1024);
	until(&h, sent);
	ck_assert(!turn(&h, 0));
	close(udp);
	house_fini(&h);
}
END_TEST

START_TEST(lines)
{
	struct house h;
	int a, b;

	house_init(&h);
	a = file_client(h.lines, SOCK_STREAM);
	b = file_client(h.lines, SOCK_STREAM);
	send_text(a, "{\"a\":1}\n{\"a\":2}\r\n\n\r\n{\"a\"");
	until(&h, 2);
	send_text(b, "b\n");
	until(&h, 3);
	send_text(a, ":3}\nlast");
	until(&h, 4);
	close(a);
	until(&h, 5);
	check_got(&h, "{\"a\":1}|{\"a\":2}|b|{\"a\":3}|last|");
	ck_assert_uint_eq(inlets_figures(h.in).lines, 5);
	ck_assert_uint_eq(inlets_figures(h.in).connections_accepted, 2);
	ck_assert_uint_eq(inlets_figures(h.in).connections, 1);
	close(b);
	house_fini(&h);
}
END_TEST

/* Sends n times 'x', with turns in between as the kernel takes no more. */
static void send_many(struct house *h, int fd, size_t n)
{
	static char text[1 << 16];

	memset(text, 'x', sizeof(text));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (n) {
		ssize_t sent = send(fd, text, n < sizeof(text) ? n : sizeof(text), MSG_NOSIGNAL);

		ck_assert(sent > 0 || errno == EAGAIN);
		n -= sent > 0 ? (size_t)sent : 0;
		turn(h, 0);
	}
	fcntl(fd, F_SETFL, 0);
}

START_TEST(long_lines)
{
	struct house h;
	int fd;

	house_init(&h);
	fd = file_client(h.lines, SOCK_STREAM);
	send_many(&h, fd, INLETS_LINE_MAX);
	send_text(fd, "\n");
	until(&h, 1);
	ck_assert_uint_eq(h.bytes, INLETS_LINE_MAX);
	send_many(&h, fd, INLETS_LINE_MAX + 1);
	send_text(fd, "\nnext\n");
	until(&h, 2);
	send_many(&h, fd, 3 * INLETS_LINE_MAX);
	send_text(fd, "\nlast\n");
	until(&h, 3);
	check_got(&h, "next|last|");
	ck_assert_uint_eq(inlets_figures(h.in).lines_too_long, 2);
	close(fd);
	house_fini(&h);
}
END_TEST

/* Many beginnings together are bounded as well; those that fit are kept. */
START_TEST(begun_lines_together)
{
	enum { NR_CLIENTS = 40, FIT = INLETS_PENDING_MAX / INLETS_LINE_MAX };
	struct house h;
	int fds[NR_CLIENTS];

	house_init(&h);
	for (size_t i = 0; i < NR_CLIENTS; i++) {
		fds[i] = file_client(h.lines, SOCK_STREAM);
		send_many(&h, fds[i], INLETS_LINE_MAX - 10);
		while (turn(&h, 0))
			;
	}
	ck_assert_uint_eq(inlets_figures(h.in).lines_too_long, NR_CLIENTS - FIT);
	for (size_t i = 0; i < NR_CLIENTS; i++)
		send_text(fds[i], "\nx\n");
	until(&h, FIT + NR_CLIENTS);
	ck_assert_uint_eq(inlets_figures(h.in).lines, FIT + NR_CLIENTS);
	for (size_t i = 0; i < NR_CLIENTS; i++)
		close(fds[i]);
	house_fini(&h);
}
END_TEST

START_TEST(connections_beyond_the_bound_wait)
{
	struct house h;
	int fds[INLETS_CONNECTIONS_MAX + 5];

	house_init(&h);
	for (size_t i = 0; i < NR(fds); i++) {
		fds[i] = file_client(h.lines, SOCK_STREAM);
		send_text(fds[i], "x\n");
		turn(&h, 0);
	}
	until(&h, INLETS_CONNECTIONS_MAX);
	ck_assert(!turn(&h, 0)); /* and the loop does not turn for nothing */
	ck_assert_uint_eq(h.nr, INLETS_CONNECTIONS_MAX);
	for (size_t i = 0; i < 5; i++)
		close(fds[i]);
	until(&h, NR(fds));
	ck_assert_uint_eq(inlets_figures(h.in).connections, INLETS_CONNECTIONS_MAX);
	for (size_t i = 5; i < NR(fds); i++)
		close(fds[i]);
	house_fini(&h);
}
END_TEST

START_TEST(silent_connections_end)
{
	struct house h;
	char byte;
	int silent, talking;

	house_init(&h);
	silent = file_client(h.lines, SOCK_STREAM);
	talking = file_client(h.lines, SOCK_STREAM);
	send_text(silent, "begun");
	send_text(talking, "x\n");
	until(&h, 1);
	while (turn(&h, 0))
		;
	h.now_ms += INLETS_IDLE_MS - 1;
	send_text(talking, "y\n");
	until(&h, 2);
	ck_assert_uint_eq(inlets_figures(h.in).connections, 2);
	h.now_ms += 1;
	turn(&h, 0);
	check_got(&h, "x|y|begun|");
	ck_assert_int_eq(recv(silent, &byte, 1, 0), 0);
	ck_assert_uint_eq(inlets_figures(h.in).connections_idle, 1);
	ck_assert_uint_eq(inlets_figures(h.in).connections, 1);
	close(silent);
	close(talking);
	house_fini(&h);
}
END_TEST

START_TEST(drained_before_the_end)
{
	struct house h;
	int udp, lines_fd;

	house_init(&h);
	udp = udp_client(&h);
	lines_fd = file_client(h.lines, SOCK_STREAM);
	for (int i = 0; i < 100; i++)
		send_text(udp, "a");
	send_text(lines_fd, "line\n");
	inlets_drain(h.in, h.now_ms);
	ck_assert_uint_eq(h.nr, 101);
	close(udp);
	close(lines_fd);
	house_fini(&h);
}
END_TEST

/* Socket files */
START_TEST(nobody_is_taken_over)
{
	struct house h, other;
	struct inlets_conf conf;
	struct err err = ERR_INIT;
	struct stat st;
	int fd;

	house_init(&h);
	ck_assert(stat(h.dgram, &st) == 0 && (st.st_mode & 0777) == 0666);
	ck_assert(stat(h.lines, &st) == 0 && (st.st_mode & 0777) == 0666);
	other = h;
	conf = (struct inlets_conf){.statsd_socket = h.dgram};
	ck_assert_ptr_null(open_inlets(&other, &conf, &err));
	ck_assert_int_eq(err.kind, ERR_RETRY);
	conf = (struct inlets_conf){.lines_socket = h.lines};
	ck_assert_ptr_null(open_inlets(&other, &conf, &err));
	ck_assert_int_eq(err.kind, ERR_RETRY);
	conf = (struct inlets_conf){.lines_socket = h.dgram}; /* of another type */
	ck_assert_ptr_null(open_inlets(&other, &conf, &err));
	ck_assert_int_eq(err.kind, ERR_RETRY);
	fd = file_client(h.dgram, SOCK_DGRAM); /* it still listens */
	send_text(fd, "x");
	until(&h, 1);
	close(fd);
	house_fini(&h);
}
END_TEST

/* Leaves a socket file of the type behind, as a killed process does. */
static void leave_stale(const char *path, int type)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	memcpy(a.sun_path, path, strlen(path));
	ck_assert(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && (type == SOCK_DGRAM || listen(fd, 1) == 0));
	close(fd);
}

START_TEST(stale_files_are_replaced)
{
	struct house h;
	struct inlets_conf conf;
	struct err err = ERR_INIT;
	int fd;

	house_init(&h);
	conf = house_conf(&h);
	inlets_free(h.in);
	leave_stale(h.dgram, SOCK_DGRAM);
	leave_stale(h.lines, SOCK_STREAM);
	h.in = open_inlets(&h, &conf, &err);
	ck_assert_msg(h.in != NULL, "%s", err.msg);
	fd = file_client(h.lines, SOCK_STREAM);
	send_text(fd, "x\n");
	until(&h, 1);
	close(fd);
	house_fini(&h);
}
END_TEST

START_TEST(others_files_stay)
{
	struct house h;
	struct inlets_conf conf;
	struct err err = ERR_INIT;
	struct stat st;
	char text[8] = "";
	int fd;

	house_init(&h);
	conf = house_conf(&h);
	/* what was put in the place of our own is not removed at the end */
	ck_assert_int_eq(unlink(h.dgram), 0);
	leave_stale(h.dgram, SOCK_DGRAM);
	inlets_free(h.in);
	ck_assert_int_eq(stat(h.dgram, &st), 0);
	ck_assert_int_lt(stat(h.lines, &st), 0);
	/* what is no socket is not replaced, and what was opened before it is closed again */
	fd = open(h.lines, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_eq(write(fd, "kept", 4), 4);
	close(fd);
	ck_assert_ptr_null(open_inlets(&h, &conf, &err));
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_lt(stat(h.dgram, &st), 0);
	fd = open(h.lines, O_RDONLY);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 4);
	ck_assert_str_eq(text, "kept");
	close(fd);
	unlink(h.lines);
	h.in = NULL;
	house_fini(&h);
}
END_TEST

/* Addresses: this machine's loopback or none */
static const struct {
	const char *address;
	enum err_kind kind; /* 0: opened */
} addresses[] = {
	{"127.0.0.1:0", 0}, {"127.1.2.3:0", 0}, {"", 0},
	{"0.0.0.0:0", ERR_REJECT}, {"10.0.0.1:8125", ERR_REJECT}, {"[::]:0", ERR_REJECT}, {"[::ffff:127.0.0.1]:0", ERR_REJECT},
	{"::1:8125", ERR_REJECT},
	{"128.0.0.1:0", ERR_REJECT}, {"126.255.255.255:0", ERR_REJECT}, {"localhost:0", ERR_REJECT}, {"127.0.0.1", ERR_REJECT},
	{":8125", ERR_REJECT},
	{"127.0.0.1:", ERR_REJECT}, {"127.0.0.1:65536", ERR_REJECT}, {"127.0.0.1:-1", ERR_REJECT}, {"127.0.0.1:0x10", ERR_REJECT},
	{"[127.0.0.1]:0", ERR_REJECT},
	{"127.0.0.1:000000", ERR_REJECT}, {"[::1:0", ERR_REJECT},
};

START_TEST(loopback_alone)
{
	struct house h = {.nr = 0};
	struct inlets_conf conf = {.statsd_listen = addresses[_i].address};
	struct err err = ERR_INIT;
	struct inlets *in = open_inlets(&h, &conf, &err);

	ck_assert_msg((in == NULL) == (addresses[_i].kind != 0) && err.kind == addresses[_i].kind, "case %d: %s", _i, err.msg);
	inlets_free(in);
}
END_TEST

START_TEST(taken_port)
{
	struct house h;
	struct inlets_conf conf;
	struct err err = ERR_INIT;
	char address[32];

	house_init(&h);
	snprintf(address, sizeof(address), "127.0.0.1:%d", inlets_figures(h.in).udp_port);
	conf = (struct inlets_conf){.statsd_listen = address};
	ck_assert_ptr_null(open_inlets(&h, &conf, &err));
	ck_assert_int_eq(err.kind, ERR_RETRY);
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inlets");
	TCase *tc = tcase_create("inlets");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, datagrams);
	tcase_add_test(tc, datagrams_of_all_lengths);
	tcase_add_test(tc, drops_are_counted);
	tcase_add_test(tc, a_turn_is_bounded);
	tcase_add_test(tc, lines);
	tcase_add_test(tc, long_lines);
	tcase_add_test(tc, begun_lines_together);
	tcase_add_test(tc, connections_beyond_the_bound_wait);
	tcase_add_test(tc, silent_connections_end);
	tcase_add_test(tc, drained_before_the_end);
	tcase_add_test(tc, nobody_is_taken_over);
	tcase_add_test(tc, stale_files_are_replaced);
	tcase_add_test(tc, others_files_stay);
	tcase_add_loop_test(tc, loopback_alone, 0, NR(addresses));
	tcase_add_test(tc, taken_port);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
