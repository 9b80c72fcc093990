/* fuzz_lines.c - any bytes at all as JSON lines: taken or refused without a crash, and counted.
 *
 * The oracle of what is taken is protobuf-c: each event unpacks, has what its kind needs, and is within bounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/agent/lines.h"
#include "pb/push.pb-c.h"

#define MUST(what)                                                                  \
	do {                                                                        \
		if (!(what)) {                                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                    \
		}                                                                   \
	} while (0)

#define NOW_MS INT64_C(1795372012000)

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = {
	"{\"error\":{\"class\":\"E\",\"message\":\"m\",\"backtrace\":[{\"file\":\"a\",\"line\":1,\"in_app\":true}],\"tags\":{\"a\":\"b\"},\"params\":{\"p\":[1]}}}\n",
	"{\"transaction\":{\"id\":\"i\",\"action\":\"A\",\"duration_ms\":1.5,\"spans\":[{\"name\":\"n\",\"start_ms\":0}]}}\n",
	"{\"marker\":{\"revision\":\"r\",\"t\":1795372012000}}\n", "{\"check_in\":{\"name\":\"n\",\"kind\":\"cron\",\"event\":\"start\"}}\n",
	"\"error\":{", "\"transaction\":{", "\"marker\":{", "\"check_in\":{", "\"class\":\"E\",", "\"t\":1795372012000,", "\"backtrace\":[", "{\"line\":7},",
	"\"breadcrumbs\":[{\"metadata\":{", "\"tags\":{", "\"params\":{\"k\":", "\"spans\":[", "{\"name\":\"n\"},", "\"duration_ms\":1e3,", "\"kind\":\"heartbeat\",",
	"\"event\":\"beat\",", "\"error\":true,", "\"unknown\":{\"a\":[1]},", "null", "true", "false", "1e999", "9223372036854775807", "4294967296", "1.0e3",
	"\\ud83d\\ude00", "\\ud83d", "\\u0000", "\n", "\r\n", "]", "}", "}}\n", ",", "{", "[", "\"\"", ":",
};

/* Puts a word somewhere: bytes alone would take days to spell an event that is good. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	const char *word = words[seed / 8 % (sizeof(words) / sizeof(words[0]))];
	size_t n = strlen(word), at = size ? seed / 1024 % (size + 1) : 0;

	if (seed % 8 > 2 || size + n > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, word, n);
	return size + n;
}

static bool is_time(int64_t t)
{
	return t >= NOW_MS - LINES_PAST_MS && t <= NOW_MS + LINES_FUTURE_MS;
}

static bool is_name(const char *s)
{
	return *s && strlen(s) <= 255;
}

static void check_error(const Millrace__Push__Error *e)
{
	MUST(is_time(e->t) && is_name(e->class_) && e->n_tags <= 32);
	for (size_t i = 0; i < e->n_params; i++)
		MUST(is_name(e->params[i]->key) && (i == 0 || strcmp(e->params[i - 1]->key, e->params[i]->key) < 0));
	for (size_t i = 0; i < e->n_breadcrumbs; i++)
		MUST(e->breadcrumbs[i]->t > 0);
}

static void check_transaction(const Millrace__Push__Transaction *t)
{
	MUST(is_time(t->t) && is_name(t->action) && t->duration_ms >= 0 && t->queue_ms >= 0 && t->n_tags <= 32);
	for (size_t i = 0; i < t->n_spans; i++)
		MUST(is_name(t->spans[i]->name) && t->spans[i]->start_ms >= 0 && t->spans[i]->duration_ms >= 0 && t->spans[i]->n_tags <= 32);
}

/* One event, of the kind that the queue says, and good. */
static void check_event(const struct event *e)
{
	Millrace__Push__Payload *p = millrace__push__payload__unpack(NULL, e->field.len, (const uint8_t *)e->field.p);

	MUST(p && p->n_errors == (e->kind == EVENT_ERROR) && p->n_transactions == (e->kind == EVENT_TRANSACTION) &&
	     p->n_markers == (e->kind == EVENT_MARKER) && p->n_check_ins == (e->kind == EVENT_CHECK_IN));
	MUST(e->field.len <= 2 * LINES_MAX_BYTES);
	if (p->n_errors)
		check_error(p->errors[0]);
	if (p->n_transactions)
		check_transaction(p->transactions[0]);
	if (p->n_markers)
		MUST(is_time(p->markers[0]->t) && is_name(p->markers[0]->revision));
	if (p->n_check_ins)
		MUST(is_time(p->check_ins[0]->t) && is_name(p->check_ins[0]->name) && p->check_ins[0]->kind > 0 && p->check_ins[0]->event > 0);
	millrace__push__payload__free_unpacked(p, NULL);
}

/* Takes one line, which is copied so that a byte read behind it is seen. */
static bool take(struct lines *lines, const uint8_t *data, size_t size, struct lines_refusal *no)
{
	char *exact = malloc(size ? size : 1);
	bool taken;

	MUST(exact);
	memcpy(exact, data, size);
	taken = lines_take(lines, (struct str){exact, size}, no);
	free(exact);
	return taken;
}

static bool is_blank(const uint8_t *data, size_t size)
{
	size_t i = 0;

	while (i < size && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r'))
		i++;
	return i == size;
}

static void check_line(struct lines *lines, struct event_queue *queue, const uint8_t *data, size_t size)
{
	struct lines_refusal no = {.reason = NR_LINES_REASONS};
	bool taken = take(lines, data, size, &no);
	struct event e;

	MUST(taken == (no.reason == NR_LINES_REASONS) && no.reason != LINES_NO_ROOM);
	MUST(event_queue_first(queue, &e) == (taken && !is_blank(data, size)));
	if (event_queue_first(queue, &e))
		check_event(&e);
	event_queue_drop(queue);
	MUST(!event_queue_first(queue, &e));
	if (!taken)
		MUST(strlen(no.text) < sizeof(no.text) && str_is_utf8(str_from(no.text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct clock clock = {.test = true, .start_ms = NOW_MS};
	const struct log log = {.fd = -1};
	struct event_queue *queue = event_queue_new(100, 1 << 20, NULL);
	struct lines *lines = lines_new(queue, &clock, &log, NULL);
	const uint8_t *end;

	MUST(queue && lines);
	for (; (end = size ? memchr(data, '\n', size) : NULL); size -= (size_t)(end + 1 - data), data = end + 1)
		check_line(lines, queue, data, (size_t)(end - data));
	check_line(lines, queue, data, size);
	lines_free(lines);
	event_queue_free(queue);
	return 0;
}
