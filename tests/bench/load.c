/* load.c - a load that keeps its word: every request is accounted for, and at a fixed rate each is timed from when it was due.
 *
 * What wrk cannot do. It has no rate: its delay() waits after an answer, so a server that stalls is asked less and looks better than
 * it is. And it counts errors, but not whether every request was answered. Here:
 *  I1  At a rate, request n is due at n / rate, whatever became of the earlier ones. It goes out on the first connection that is free,
 *      and its latency begins when it was due. No request is left out: what is due within the time is sent, if late.
 *  I2  Without a rate, each connection sends again as soon as it is answered; latency begins with the sending.
 *  I3  sent = answered (by status) + cut (the connection ended before the answer did) + unanswered (still open when patience was over).
 * A connection that is closed between two requests is opened again and counted. One thread; requests are sent as they stand in the file.
 *
 * Usage: load PORT REQUESTS CONNECTIONS RATE SECONDS PATIENCE   (RATE 0: as fast as answers come). Prints one line of JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_MAX = 600, ANSWER_MAX = 65536, EVENTS_A_TURN = 256, US = 1000000 };

struct request {
	char *bytes;
	uint32_t len;
};

struct connection {
	int fd;
	bool busy;               /* a request is out */
	struct connection *next; /* in the list of free ones */
	const struct request *request;
	size_t written;
	int64_t begun_us;
	char *answer;            /* as much of it as has come; ANSWER_MAX bytes */
	size_t got;
};

struct load {
	/* what is asked for */
	struct sockaddr_in to;
	struct request *requests;
	size_t requests_len;
	double rate;
	int64_t begin_us, end_us, patience_us;
	/* what goes on */
	int epoll_fd, timer_fd;
	struct connection *connections, *free;
	size_t connections_len, busy;
	uint64_t sent;
	/* what came of it */
	uint64_t answered[STATUS_MAX], cut, closed;
	int64_t last_answer_us;
	uint32_t *latencies_us;
	size_t latencies_len, latencies_cap;
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void *need(void *p)
{
	if (!p)
		die("memory");
	return p;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * US + t.tv_nsec / 1000;
}

/* The file: each request with its length before it, 4 bytes, little-endian. */
static void read_requests(struct load *l, const char *path)
{
	FILE *file = fopen(path, "rb");
	unsigned char size[4];

	if (!file)
		die(path);
	while (fread(size, 1, sizeof(size), file) == sizeof(size)) {
		uint32_t len = size[0] | (uint32_t)size[1] << 8 | (uint32_t)size[2] << 16 | (uint32_t)size[3] << 24;
		char *bytes = need(malloc(len + 1));

		if (fread(bytes, 1, len, file) != len)
			die("the file of requests is cut off");
		l->requests = need(realloc(l->requests, (l->requests_len + 1) * sizeof(*l->requests)));
		l->requests[l->requests_len++] = (struct request){bytes, len};
	}
	fclose(file);
	if (!l->requests_len)
		die("no requests");
}

static void watch(struct load *l, struct connection *c, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (epoll_ctl(l->epoll_fd, op, c->fd, &e) < 0)
		die("epoll_ctl");
}

/* Blocks until the handshake is over: a full backlog delays, and does not fail. */
static void connect_to(struct load *l, struct connection *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&l->to, sizeof(l->to)) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	watch(l, c, EPOLL_CTL_ADD, EPOLLIN);
}

static void set_free(struct load *l, struct connection *c)
{
	c->busy = false;
	c->next = l->free;
	l->free = c;
	l->busy--;
}

/* The connection is over; a request that was out is not repeated, as it may have been taken. */
static void reconnect(struct load *l, struct connection *c)
{
	close(c->fd);
	c->got = 0;
	connect_to(l, c);
}

static void end_connection(struct load *l, struct connection *c)
{
	bool was_busy = c->busy;

	if (was_busy)
		l->cut++;
	else
		l->closed++;
	reconnect(l, c);
	if (was_busy)
		set_free(l, c);
}

static void write_more(struct load *l, struct connection *c)
{
	const struct request *r = c->request;
	ssize_t n;

	while (c->written < r->len) {
		n = send(c->fd, r->bytes + c->written, r->len - c->written, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			watch(l, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			return;
		}
		if (n < 0)
			return; /* reading tells how it ended, after an answer perhaps */
		c->written += (size_t)n;
	}
}

static void send_request(struct load *l, int64_t begun_us)
{
	struct connection *c = l->free;

	l->free = c->next;
	l->busy++;
	c->busy = true;
	c->begun_us = begun_us;
	c->request = &l->requests[l->sent++ % l->requests_len];
	c->written = c->got = 0;
	write_more(l, c);
}

static void note_answer(struct load *l, struct connection *c, unsigned status)
{
	int64_t now = now_us();

	l->answered[status < STATUS_MAX ? status : 0]++;
	l->last_answer_us = now;
	if (l->latencies_len == l->latencies_cap) {
		l->latencies_cap = l->latencies_cap ? 2 * l->latencies_cap : 65536;
		l->latencies_us = need(realloc(l->latencies_us, l->latencies_cap * sizeof(*l->latencies_us)));
	}
	l->latencies_us[l->latencies_len++] = (uint32_t)(now - c->begun_us);
}

/* A header's value, or NULL; lines end in CR LF, names in any case. */
static const char *find_header(const char *head, const char *name)
{
	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, strlen(name)) == 0)
			return line + 2 + strlen(name);
	return NULL;
}

/* Is the answer whole? Then it is noted, and the connection is free, or made anew where the server closes it. */
static void take_answer(struct load *l, struct connection *c)
{
	const char *end, *length, *fate;
	unsigned status;

	c->answer[c->got] = '\0';
	end = strstr(c->answer, "\r\n\r\n");
	if (!end)
		return;
	length = find_header(c->answer, "content-length:");
	if (sscanf(c->answer, "HTTP/1.%*c %u", &status) != 1 || !length)
		die("an answer that is not understood");
	if (c->got < (size_t)(end - c->answer) + 4 + strtoul(length, NULL, 10))
		return;
	if (status == 100) { /* the real one follows */
		c->got = 0;
		return;
	}
	note_answer(l, c, status);
	fate = find_header(c->answer, "connection:");
	if ((fate && strncasecmp(fate + strspn(fate, " "), "close", 5) == 0) || c->written < c->request->len) {
		l->closed++;
		reconnect(l, c);
	}
	set_free(l, c);
}

static void read_more(struct load *l, struct connection *c)
{
	ssize_t n = recv(c->fd, c->answer + c->got, ANSWER_MAX - 1 - c->got, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end_connection(l, c);
		return;
	}
	c->got += (size_t)n;
	if (!c->busy)
		die("an answer that nobody asked for");
	take_answer(l, c);
}

/* Sends all that may be sent now; when the next is due in microseconds, or INT64_MAX where only an answer can bring it. */
static int64_t send_due(struct load *l)
{
	int64_t now = now_us(), due;

	while (l->free) {
		due = l->rate > 0 ? l->begin_us + (int64_t)((double)l->sent / l->rate * US) : now;
		if (due >= l->end_us)
			return INT64_MAX;
		if (due > now)
			return due;
		send_request(l, due);
	}
	return INT64_MAX;
}

static void set_timer(struct load *l, int64_t at_us)
{
	struct itimerspec when = {.it_value = {at_us / US, at_us % US * 1000}};

	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Nothing more is due, and nothing is out; or patience is over. */
static bool over(const struct load *l, int64_t now)
{
	bool due_left = l->rate > 0 && l->begin_us + (int64_t)((double)l->sent / l->rate * US) < l->end_us;

	return now >= l->end_us && ((l->busy == 0 && !due_left) || now >= l->end_us + l->patience_us);
}

static void run(struct load *l)
{
	struct epoll_event events[EVENTS_A_TURN];
	uint64_t ticks;
	int64_t next, now;

	while (!over(l, now = now_us())) {
		next = send_due(l);
		if (next == INT64_MAX)
			next = now < l->end_us ? l->end_us : l->end_us + l->patience_us;
		set_timer(l, next);
		for (int i = 0, n = epoll_wait(l->epoll_fd, events, EVENTS_A_TURN, -1); i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (!c) {
				if (read(l->timer_fd, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
					die("timerfd");
				continue;
			}
			if (events[i].events & EPOLLOUT) {
				watch(l, c, EPOLL_CTL_MOD, EPOLLIN);
				write_more(l, c);
			}
			if (events[i].events & ~(uint32_t)EPOLLOUT)
				read_more(l, c);
		}
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile_ms(const struct load *l, double p)
{
	size_t i = (size_t)((double)l->latencies_len * p);

	if (!l->latencies_len)
		return -1;
	return l->latencies_us[i < l->latencies_len ? i : l->latencies_len - 1] / 1000.0;
}

static void print_result(struct load *l)
{
	const char *comma = "";

	qsort(l->latencies_us, l->latencies_len, sizeof(*l->latencies_us), by_size);
	printf("{\"sent\": %" PRIu64 ", \"answered\": {", l->sent);
	for (unsigned status = 0; status < STATUS_MAX; status++)
		if (l->answered[status]) {
			printf("%s\"%u\": %" PRIu64, comma, status, l->answered[status]);
			comma = ", ";
		}
	printf("}, \"cut\": %" PRIu64 ", \"unanswered\": %zu, \"closed\": %" PRIu64, l->cut, l->busy, l->closed);
	printf(", \"seconds\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
	       (double)(l->last_answer_us - l->begin_us) / US, percentile_ms(l, 0.5), percentile_ms(l, 0.99), percentile_ms(l, 1));
}

static void open_all(struct load *l, size_t n)
{
	struct epoll_event e = {.events = EPOLLIN};

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->epoll_fd < 0 || l->timer_fd < 0 || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &e) < 0)
		die("epoll");
	l->connections = need(calloc(n, sizeof(*l->connections)));
	l->connections_len = l->busy = n;
	for (size_t i = 0; i < n; i++) {
		struct connection *c = &l->connections[i];

		c->answer = need(malloc(ANSWER_MAX));
		connect_to(l, c);
		set_free(l, c);
	}
}

static void close_all(struct load *l)
{
	for (size_t i = 0; i < l->connections_len; i++) {
		close(l->connections[i].fd);
		free(l->connections[i].answer);
	}
	for (size_t i = 0; i < l->requests_len; i++)
		free(l->requests[i].bytes);
	free(l->connections);
	free(l->requests);
	free(l->latencies_us);
	close(l->timer_fd);
	close(l->epoll_fd);
}

int main(int argc, char **argv)
{
	struct load l = {.to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};

	if (argc != 7) {
		fprintf(stderr, "usage: load PORT REQUESTS CONNECTIONS RATE SECONDS PATIENCE\n");
		return EXIT_FAILURE;
	}
	l.to.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	read_requests(&l, argv[2]);
	open_all(&l, strtoul(argv[3], NULL, 10));
	l.rate = strtod(argv[4], NULL);
	l.begin_us = now_us();
	l.end_us = l.begin_us + (int64_t)(strtod(argv[5], NULL) * US);
	l.patience_us = (int64_t)(strtod(argv[6], NULL) * US);
	run(&l);
	print_result(&l);
	close_all(&l);
	return EXIT_SUCCESS;
}
