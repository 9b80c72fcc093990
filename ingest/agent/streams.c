/* streams.c - see streams.h. A connection that ends within a line has sent it nonetheless: whoever reads lines says what it is worth. */
#include "ingest/agent/streams.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_A_TURN = 4 };

void streams_add(struct streams *s, int fd, int64_t now_mono_ms)
{
	s->open[s->nr++] = (struct stream){.fd = fd, .heard_mono_ms = now_mono_ms};
}

/* Forgets the beginning of a line. */
static void forget(struct streams *s, struct stream *st)
{
	s->pending_bytes -= st->begun.len;
	buf_fini(&st->begun);
}

/* Part of a line of which the end has not come. */
static void begin(struct streams *s, struct stream *st, struct str part)
{
	if (st->dropping || part.len == 0)
		return;
	if (st->begun.len + part.len <= INLETS_LINE_MAX && s->pending_bytes + part.len <= INLETS_PENDING_MAX) {
		buf_add(&st->begun, part.p, part.len);
		if (!buf_failed(&st->begun)) {
			s->pending_bytes += part.len;
			return;
		}
	}
	forget(s, st);
	st->dropping = true;
	s->figures->lines_too_long++;
}

static void hand_on(struct streams *s, struct str line)
{
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0)
		return;
	s->figures->lines++;
	s->taker->line(s->taker->ctx, line);
}

/* A line ends with part, which is all of it unless one was begun. */
static void end_line(struct streams *s, struct stream *st, struct str part)
{
	if (st->begun.len == 0 && !st->dropping && part.len <= INLETS_LINE_MAX) {
		hand_on(s, part);
		return;
	}
	begin(s, st, part);
	if (!st->dropping)
		hand_on(s, buf_str(&st->begun));
	forget(s, st);
	st->dropping = false;
}

static void take(struct streams *s, struct stream *st, struct str bytes)
{
	const char *end;

	while ((end = memchr(bytes.p, '\n', bytes.len))) {
		size_t len = (size_t)(end - bytes.p);

		end_line(s, st, (struct str){bytes.p, len});
		bytes.p += len + 1;
		bytes.len -= len + 1;
	}
	begin(s, st, bytes);
}

static void close_at(struct streams *s, size_t i)
{
	struct stream *st = &s->open[i];

	end_line(s, st, STR(""));
	close(st->fd);
	*st = s->open[--s->nr];
}

bool streams_read(struct streams *s, size_t i, char *chunk, size_t chunk_bytes, int64_t now_mono_ms)
{
	struct stream *st = &s->open[i];

	for (int reads = 0; reads < READS_A_TURN; reads++) {
		ssize_t n = recv(st->fd, chunk, chunk_bytes, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0) {
			close_at(s, i);
			return false;
		}
		st->heard_mono_ms = now_mono_ms;
		take(s, st, (struct str){chunk, (size_t)n});
	}
	return true;
}

void streams_close_idle(struct streams *s, int64_t now_mono_ms)
{
	for (size_t i = s->nr; i--;) {
		if (now_mono_ms - s->open[i].heard_mono_ms < INLETS_IDLE_MS)
			continue;
		s->figures->connections_idle++;
		close_at(s, i);
	}
}

void streams_fini(struct streams *s)
{
	while (s->nr)
		close_at(s, s->nr - 1);
}
