/* streams.h - connections that send lines.
 *
 * A line that is there as a whole is handed on from where it was received; the beginning of one waits in its connection's buffer. Buffers
 * are bounded, each and together; a line that does not fit is dropped up to its end, and counted. Not thread-safe: one owner (inlets). */
#ifndef MILLRACE_AGENT_STREAMS_H
#define MILLRACE_AGENT_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "ingest/agent/inlets.h"

struct stream {
	int fd;
	int64_t heard_mono_ms; /* when the last bytes came, or it was accepted */
	bool dropping;         /* up to the end of a line that is too long */
	struct buf begun;      /* a line's beginning */
};

struct streams {
	struct stream open[INLETS_CONNECTIONS_MAX];
	size_t nr;
	size_t pending_bytes; /* of all beginnings */
	const struct inlets_taker *taker;
	struct inlets_figures *figures; /* borrowed, both; counted are lines and idle connections */
};

/* Takes fd. There must be room: nr < INLETS_CONNECTIONS_MAX. */
void streams_add(struct streams *s, int fd, int64_t now_mono_ms);

/* Reads from the connection at i what has come, up to a bound. False: it has ended and is closed; the last one has its place now. chunk is
 * room for receiving. */
bool streams_read(struct streams *s, size_t i, char *chunk, size_t chunk_bytes, int64_t now_mono_ms);

/* Closes those that have been silent for INLETS_IDLE_MS. */
void streams_close_idle(struct streams *s, int64_t now_mono_ms);

/* Closes all. */
void streams_fini(struct streams *s);

#endif
