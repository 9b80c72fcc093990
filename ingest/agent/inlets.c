/* inlets.c - see inlets.h.
 *
 * Datagrams are received in batches, so that a system call is paid for by many. Their room is allocated once and only as much of it is ever
 * touched as datagrams are long. A receive buffer of the socket that is as large as allowed is what carries bursts: the loop also
 * compresses, writes and syncs payloads between two turns. */
#include "ingest/agent/inlets.h"

#include <errno.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingest/agent/sockets.h"
#include "ingest/agent/streams.h"

enum {
	BATCH = 32,
	SLOT_BYTES = INLETS_DATAGRAM_MAX + 1,
	RECEIVE_BUFFER_BYTES = 8 << 20,
	TURN_DATAGRAMS = 1024,
	TURN_BYTES = 4 << 20,
	DRAIN_TURNS = 64,
	ACCEPT_PAUSE_MS = 1000, /* when there are no descriptors left */
};

struct inlets {
	int udp_fd;
	struct socket_file datagram_file, line_file;
	struct streams streams;
	struct inlets_taker taker;
	struct inlets_figures figures;
	uint32_t drops_seen;
	int64_t accept_at_mono_ms;
	bool accepting;
	char *room; /* BATCH datagrams; a chunk of a stream */
	struct mmsghdr messages[BATCH];
	struct iovec places[BATCH];
};

static bool wanted(const char *text)
{
	return text && *text;
}

static int open_all(struct inlets *in, const struct inlets_conf *conf, struct err *err)
{
	if (wanted(conf->statsd_listen)) {
		in->udp_fd = sockets_open_udp(conf->statsd_listen, RECEIVE_BUFFER_BYTES, err);
		if (in->udp_fd < 0)
			return -1;
		in->figures.udp_port = sockets_port(in->udp_fd);
		in->figures.receive_buffer_bytes = sockets_receive_buffer(in->udp_fd);
	}
	if (wanted(conf->statsd_socket) && sockets_open_file(&in->datagram_file, conf->statsd_socket, SOCK_DGRAM, err) < 0)
		return -1;
	if (wanted(conf->lines_socket) && sockets_open_file(&in->line_file, conf->lines_socket, SOCK_STREAM, err) < 0)
		return -1;
	return 0;
}

struct inlets *inlets_new(const struct inlets_conf *conf, const struct inlets_taker *taker, struct err *err)
{
	struct inlets *in = calloc(1, sizeof(*in));
	char *room = malloc((size_t)BATCH * SLOT_BYTES);

	if (!in || !room) {
		free(in);
		free(room);
		err_nomem(err, "the inlets");
		return NULL;
	}
	in->udp_fd = -1;
	in->datagram_file = in->line_file = (struct socket_file)SOCKET_FILE_INIT;
	in->taker = *taker;
	in->streams.taker = &in->taker;
	in->streams.figures = &in->figures;
	in->accepting = true;
	in->room = room;
	for (size_t i = 0; i < BATCH; i++) {
		in->places[i] = (struct iovec){room + i * SLOT_BYTES, SLOT_BYTES};
		in->messages[i].msg_hdr = (struct msghdr){.msg_iov = &in->places[i], .msg_iovlen = 1};
	}
	if (open_all(in, conf, err) < 0) {
		inlets_free(in);
		return NULL;
	}
	return in;
}

void inlets_free(struct inlets *in)
{
	if (!in)
		return;
	streams_fini(&in->streams);
	sockets_close_file(&in->datagram_file);
	sockets_close_file(&in->line_file);
	if (in->udp_fd >= 0)
		close(in->udp_fd);
	free(in->room);
	free(in);
}

static void watch(struct pollfd *out, size_t *n, int fd)
{
	if (fd >= 0)
		out[(*n)++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

size_t inlets_fds(const struct inlets *in, struct pollfd *out)
{
	size_t n = 0;

	watch(out, &n, in->udp_fd);
	watch(out, &n, in->datagram_file.fd);
	if (in->accepting && in->streams.nr < INLETS_CONNECTIONS_MAX)
		watch(out, &n, in->line_file.fd);
	for (size_t i = 0; i < in->streams.nr; i++)
		watch(out, &n, in->streams.open[i].fd);
	return n;
}

/* Takes a batch; what it came to in bytes. */
static size_t take_batch(struct inlets *in, int nr)
{
	size_t bytes = 0;

	for (int i = 0; i < nr; i++) {
		size_t len = in->messages[i].msg_len;

		bytes += len;
		in->figures.datagrams++;
		in->figures.datagram_bytes += len;
		if (len > INLETS_DATAGRAM_MAX)
			in->figures.truncated_datagrams++;
		else
			in->taker.datagram(in->taker.ctx, (struct str){in->places[i].iov_base, len});
	}
	return bytes;
}

/* True: there may be more. */
static bool take_datagrams(struct inlets *in, int fd)
{
	size_t bytes = 0;

	for (int taken = 0; taken < TURN_DATAGRAMS && bytes < TURN_BYTES; taken += BATCH) {
		int nr = recvmmsg(fd, in->messages, BATCH, MSG_DONTWAIT, NULL);

		if (nr > 0)
			bytes += take_batch(in, nr);
		if (nr < BATCH)
			return false;
	}
	return true;
}

static void accept_all(struct inlets *in, int64_t now_mono_ms)
{
	while (in->streams.nr < INLETS_CONNECTIONS_MAX) {
		int fd = accept4(in->line_file.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			in->figures.connections_accepted++;
			streams_add(&in->streams, fd, now_mono_ms);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			in->accepting = false; /* poll() would say at once, again and again, that somebody waits */
			in->accept_at_mono_ms = now_mono_ms + ACCEPT_PAUSE_MS;
		}
		return;
	}
}

static void read_stream(struct inlets *in, int fd, int64_t now_mono_ms)
{
	for (size_t i = 0; i < in->streams.nr; i++) {
		if (in->streams.open[i].fd == fd) {
			streams_read(&in->streams, i, in->room, SLOT_BYTES, now_mono_ms);
			return;
		}
	}
}

void inlets_turn(struct inlets *in, const struct pollfd *fds, size_t nr, int64_t now_mono_ms)
{
	bool somebody_waits = false;

	for (size_t i = 0; i < nr; i++) {
		if (!fds[i].revents)
			continue;
		if (fds[i].fd == in->udp_fd || fds[i].fd == in->datagram_file.fd)
			take_datagrams(in, fds[i].fd);
		else if (fds[i].fd == in->line_file.fd)
			somebody_waits = true;
		else
			read_stream(in, fds[i].fd, now_mono_ms);
	}
	streams_close_idle(&in->streams, now_mono_ms);
	in->accepting = in->accepting || now_mono_ms >= in->accept_at_mono_ms;
	if (somebody_waits) /* last: a descriptor that was closed above may be given out again */
		accept_all(in, now_mono_ms);
}

void inlets_drain(struct inlets *in, int64_t now_mono_ms)
{
	bool more = true;

	for (int turn = 0; turn < DRAIN_TURNS && more; turn++) {
		more = in->udp_fd >= 0 && take_datagrams(in, in->udp_fd);
		more |= in->datagram_file.fd >= 0 && take_datagrams(in, in->datagram_file.fd);
	}
	if (in->line_file.fd >= 0)
		accept_all(in, now_mono_ms);
	for (int turn = 0; turn < DRAIN_TURNS; turn++)
		for (size_t i = in->streams.nr; i--;)
			streams_read(&in->streams, i, in->room, SLOT_BYTES, now_mono_ms);
}

struct inlets_figures inlets_figures(struct inlets *in)
{
	uint32_t drops = in->udp_fd >= 0 ? sockets_drops(in->udp_fd) : 0;

	in->figures.kernel_drops += drops - in->drops_seen;
	in->drops_seen = drops;
	in->figures.connections = in->streams.nr;
	return in->figures;
}
