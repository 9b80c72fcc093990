/* agent_load.c - an application for the agent: datagrams of 20 metrics each, as a busy service would send them.
 *
 * SERIES series: of twenty, eight are counters, six gauges, five timers and one a set, with three tags each, in DogStatsD's form; a line is
 * some 75 bytes. Timers are log-normal about a median of their own (sigma 0.7: nine in ten within a factor of ten), which is what durations
 * of requests look like; a set has a thousand members. Lines are made beforehand, for series drawn evenly: the hardest case for caches. The
 * same for the same arguments.
 *
 * Usage: agent_load PORT SERIES RATE SECONDS   (RATE: metrics a second, 0: as fast as the kernel takes them). By UDP; prints one line of
 * JSON. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { METRICS = 20, DATAGRAMS = 8192, DATAGRAM_MAX = 4096, BATCH = 16, NS = 1000000000 };

struct load {
	int fd;
	uint64_t random;
	char *bytes;
	struct iovec places[DATAGRAMS];
	struct mmsghdr messages[DATAGRAMS];
	uint64_t sent, sent_bytes, failed;
};

static uint64_t next_random(struct load *l)
{
	l->random ^= l->random >> 12;
	l->random ^= l->random << 25;
	l->random ^= l->random >> 27;
	return l->random * UINT64_C(0x2545f4914f6cdd1d);
}

static double unit_random(struct load *l)
{
	return ((double)(next_random(l) >> 11) + 0.5) * 0x1p-53;
}

static double normal(struct load *l)
{
	return sqrt(-2 * log(unit_random(l))) * cos(2 * 3.14159265358979 * unit_random(l));
}

/* One line, for one of the series. */
static int write_line(struct load *l, char *out, size_t room, unsigned series)
{
	static const char *const words[] = {"checkout", "search", "cart", "billing", "login", "catalog", "profile", "orders"};
	unsigned kind = series % 20, group = series / 20;
	const char *service = words[group % 8];
	char tags[128];

	snprintf(tags, sizeof(tags), "env:production,service:%s,route:/v2/%s/%u", service, words[group / 8 % 8], group);
	if (kind < 8)
		return snprintf(out, room, "%s.requests.%u:%u|c|#%s\n", service, kind, (unsigned)(next_random(l) % 5 + 1), tags);
	if (kind < 14)
		return snprintf(out, room, "%s.workers.busy.%u:%.2f|g|#%s\n", service, kind, 100 * unit_random(l), tags);
	if (kind < 19)
		return snprintf(out, room, "%s.duration.%u:%.3f|ms|@0.5|#%s\n", service, kind,
				exp(2 + group % 5 + 0.7 * normal(l)), tags);
	return snprintf(out, room, "%s.users:u%u|s|#%s\n", service, (unsigned)(next_random(l) % 1000), tags);
}

static int make_datagrams(struct load *l, unsigned series)
{
	l->bytes = malloc((size_t)DATAGRAMS * DATAGRAM_MAX);
	if (!l->bytes)
		return -1;
	for (size_t i = 0; i < DATAGRAMS; i++) {
		char *out = l->bytes + i * DATAGRAM_MAX;
		size_t len = 0;

		for (int line = 0; line < METRICS; line++)
			len += (size_t)write_line(l, out + len, DATAGRAM_MAX - len, (unsigned)(next_random(l) >> 11) % series);
		l->places[i] = (struct iovec){out, len - 1}; /* without the last newline, as clients do */
		l->messages[i].msg_hdr = (struct msghdr){.msg_iov = &l->places[i], .msg_iovlen = 1};
	}
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

/* Sends nr of the datagrams, from the one that is next. */
static void send_batch(struct load *l, size_t nr)
{
	size_t from = l->sent % DATAGRAMS;
	int done;

	nr = nr < DATAGRAMS - from ? nr : DATAGRAMS - from;
	done = sendmmsg(l->fd, &l->messages[from], (unsigned)nr, 0);
	if (done < 0) {
		l->failed++;
		return;
	}
	for (int i = 0; i < done; i++)
		l->sent_bytes += l->places[from + (size_t)i].iov_len;
	l->sent += (uint64_t)done;
}

/* At a rate, what is due by now is sent, then a millisecond is slept. */
static void run(struct load *l, double rate, double seconds)
{
	uint64_t begun = now_ns(), end = begun + (uint64_t)(seconds * NS), now;

	while ((now = now_ns()) < end) {
		double due = rate > 0 ? (double)(now - begun) / NS * rate / METRICS - (double)l->sent : BATCH;

		if (due >= 1)
			send_batch(l, due < BATCH ? (size_t)due : BATCH);
		else
			nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
}

int main(int argc, char **argv)
{
	struct load *l = calloc(1, sizeof(*l));
	struct sockaddr_in to = {.sin_family = AF_INET};
	double seconds;

	if (!l || argc != 5)
		return fprintf(stderr, "usage: agent_load PORT SERIES RATE SECONDS\n"), 2;
	l->random = 88172645463325252u;
	to.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	seconds = strtod(argv[4], NULL);
	l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (make_datagrams(l, (unsigned)strtoul(argv[2], NULL, 10)) < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return perror("agent_load"), 1;
	run(l, strtod(argv[3], NULL), seconds);
	printf("{\"datagrams\": %" PRIu64 ", \"metrics\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"broken\": 0}\n",
	       l->sent, l->sent * METRICS, l->sent_bytes, l->failed);
	free(l->bytes);
	close(l->fd);
	free(l);
	return 0;
}
