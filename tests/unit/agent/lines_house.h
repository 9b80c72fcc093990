/* lines_house.h - a reader of JSON lines with its queue, on a clock that stands still. */
#ifndef MILLRACE_TESTS_LINES_HOUSE_H
#define MILLRACE_TESTS_LINES_HOUSE_H

#include <string.h>

#include "ingest/agent/lines.h"
#include "pb/push.pb-c.h"
#include "tests/unit/unit.h"

#define NOW_MS INT64_C(1795372000000)

struct house {
	struct clock clock;
	struct log log;
	FILE *said;
	struct event_queue *queue;
	struct lines *lines;
};

static inline void house_open(struct house *h)
{
	struct err err = ERR_INIT;

	*h = (struct house){.clock = {.test = true, .start_ms = NOW_MS}, .said = tmpfile()};
	h->log = (struct log){.fd = fileno(h->said), .program = "test"};
	h->queue = event_queue_new(1000, 16 << 20, &err);
	h->lines = lines_new(h->queue, &h->clock, &h->log, &err);
	ck_assert(h->queue && h->lines);
}

static inline void house_close(struct house *h)
{
	lines_free(h->lines);
	event_queue_free(h->queue);
	fclose(h->said);
}

static inline bool take(struct house *h, const char *text, struct lines_refusal *no)
{
	char *exact = malloc(strlen(text) + 1); /* so that a sanitizer sees a byte read behind it */
	bool taken;

	memcpy(exact, text, strlen(text));
	taken = lines_take(h->lines, (struct str){exact, strlen(text)}, no);
	free(exact);
	return taken;
}

/* All that waits, as the payload it will be in. */
static inline Millrace__Push__Payload *unpack(struct house *h)
{
	struct buf all = BUF_INIT;
	struct event e;
	Millrace__Push__Payload *p;

	for (; event_queue_first(h->queue, &e); event_queue_drop(h->queue))
		buf_add(&all, e.field.p, e.field.len);
	p = millrace__push__payload__unpack(NULL, all.len, all.p);
	ck_assert_ptr_nonnull(p);
	buf_fini(&all);
	return p;
}

static inline void unpack_free(Millrace__Push__Payload *p)
{
	millrace__push__payload__free_unpacked(p, NULL);
}

static inline uint64_t refused_in_all(const struct house *h)
{
	struct lines_figures f;
	uint64_t n = 0;

	lines_figures(h->lines, &f);
	for (int i = 0; i < NR_LINES_REASONS; i++)
		n += f.refused[i];
	return n;
}

/* A marker whose text fills the line to len bytes. */
static inline char *line_of(size_t len)
{
	static const char head[] = "{\"marker\":{\"revision\":\"r\",\"text\":\"", tail[] = "\"}}";
	char *line = malloc(len + 1);

	memset(line, 'x', len);
	memcpy(line, head, sizeof(head) - 1);
	memcpy(line + len - (sizeof(tail) - 1), tail, sizeof(tail));
	return line;
}

#endif
