/* report.c - see report.h.
 *
 * Invariants:
 *  I1  Every dead letter that was taken stands in the list `waiting` until its callback was
 *      called, so that none is forgotten when the client is closed with letters in it: exactly one
 *      call each.
 *  I2  Nothing here blocks but report_free(), and closing a client that broke.
 *  I3  A string in a record is UTF-8, or readers refuse it: what others gave us (reasons with
 *      bytes of a poison record, messages cut at a buffer's end, header names) is cleaned on the
 *      way.
 *
 * An idempotent producer can end in a fatal error through no fault of ours (librdkafka issue 4438,
 * after a disconnect). The client is then thrown away and another made; waiting dead letters are
 * given up, and their callers send them again. */
#include "common/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/build.h"
#include "common/clock.h"
#include "common/kafka.h"
#include "common/process.h"

#define TOPIC_HEARTBEATS "millrace.heartbeats"

enum { CLOSE_TIMEOUT_MS = 1000, PURGE_TIMEOUT_MS = 500, REACH_TIMEOUT_MS = 500, KEY_SIZE = 192, SCRATCH_LIMIT_BYTES = 1 << 20 };

/* A dead letter whose acknowledgement is awaited. */
struct waiting {
	struct waiting *next, **link; /* link: what points here */
	report_deadletter_fn done;
	void *ctx;
};

struct report {
	const struct program *program;
	const struct admin *admin;
	char *cell; /* NULL: none */
	rd_kafka_t *rk; /* NULL: broken or closing, a new one may be due */
	const char *giving_up; /* why what is purged is given up; NULL: nothing is */
	struct waiting *waiting; /* (I1) */
	struct buf record;
	struct arena scratch; /* cleaned strings of the record being made */
	struct arena controls_arena; /* owns the next */
	struct str *controls; /* ids, as heartbeats list them */
	size_t nr_controls;
	int64_t next_beat_mono_ms;
	uint64_t unsent;
};

static const struct kafka_prop fixed_props[] = {
	{"enable.idempotence", "true"},
	{"acks", "all"},
	{0},
};

/* Bounds of this client alone: whatever kafka.* say for the data's producer, reports are few, and
 * a dead letter holds a whole record and its headers. Patience is a minute: longer than a broker's
 * restart, and short enough for news to be news. */
static const struct kafka_prop own_props[] = {
	{"queue.buffering.max.messages", "1000"},
	{"queue.buffering.max.kbytes", "16384"},
	{"message.max.bytes", "4194304"},
	{"message.timeout.ms", "60000"},
	{"linger.ms", "20"},
	{0},
};

/* Tells a letter's end. Out of the list first: the callback may send the next letter. */
static void waiting_end(struct waiting *w, bool ok, const char *error)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->done(w->ctx, ok, error);
	free(w);
}

/* On the owner's thread, out of rd_kafka_poll() or rd_kafka_flush(). */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct report *r = opaque;
	bool ok = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
	const char *why = ok ? "" : r->giving_up ? r->giving_up : rd_kafka_err2str(message->err);

	(void)rk;
	r->unsent += !ok;
	if (message->_private)
		waiting_end(message->_private, ok, why);
}

int report_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(kafka_conf(p, "report", fixed_props, err));
}

/* Makes the client, at the start and after the last one broke. */
static int client_open(struct report *r, struct err *err)
{
	rd_kafka_conf_t *conf = kafka_conf(r->program, "report", fixed_props, err);
	char why[256];

	if (!conf)
		return -1;
	for (const struct kafka_prop *own = own_props; own->name; own++)
		if (rd_kafka_conf_set(conf, own->name, own->value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
			rd_kafka_conf_destroy(conf);
			return err_set(err, ERR_FATAL, "%s: %s", own->name, why);
		}
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, r);
	r->rk = kafka_open(RD_KAFKA_PRODUCER, conf, err);
	return r->rk ? 0 : -1;
}

/* Closes the client and gives up what waits: purged, as librdkafka warns of what a client still holds
 * at its end. A callback that sends again meanwhile is told to try later, as there is no client. */
static void client_close(struct report *r, const char *error)
{
	rd_kafka_t *rk = r->rk;
	struct waiting *w;

	r->rk = NULL;
	r->giving_up = error;
	if (rk) {
		rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		rd_kafka_flush(rk, PURGE_TIMEOUT_MS);
	}
	kafka_close(rk, CLOSE_TIMEOUT_MS);
	r->giving_up = NULL;
	while ((w = r->waiting) != NULL) {
		r->unsent++;
		waiting_end(w, false, error);
	}
}

struct report *report_new(const struct program *p, const struct admin *admin, const char *cell, struct err *err)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r || (cell && !(r->cell = strdup(cell)))) {
		err_nomem(err, "the reporter");
		free(r);
		return NULL;
	}
	r->program = p;
	r->admin = admin;
	r->scratch.limit_bytes = SCRATCH_LIMIT_BYTES;
	if (client_open(r, err) < 0) {
		report_free(r, 0);
		return NULL;
	}
	return r;
}

/* s itself when it is UTF-8; else a copy with '?' for every byte that is not ASCII. p is NULL when
 * memory is short. */
static struct str clean(struct arena *arena, struct str s)
{
	struct str copy;
	char *p;

	if (str_is_utf8(s))
		return s;
	copy = arena_str(arena, s);
	p = (char *)(uintptr_t)copy.p; /* the arena's, so ours to change */
	for (size_t i = 0; p && i < copy.len; i++)
		if ((unsigned char)p[i] >= 0x80)
			p[i] = '?';
	return copy;
}

/* clean() for what may be left empty when memory is short. */
static struct str clean_or_empty(struct arena *arena, const char *z)
{
	struct str s = clean(arena, str_from(z));

	return s.p ? s : STR("");
}

/* Queues r->record, never waiting for room. w: NULL but for dead letters. key.p NULL: no key,
 * which spreads records over partitions. A fatal error of the client is one to try again:
 * report_poll() makes another. */
static int produce(struct report *r, const char *topic, struct str key, struct waiting *w, struct err *err)
{
	rd_kafka_resp_err_t code;

	if (!r->rk)
		return err_set(err, ERR_RETRY, "send to %s: the client broke and is being made again", topic);
	code = rd_kafka_producev(r->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				 RD_KAFKA_V_KEY(key.p, key.len), RD_KAFKA_V_VALUE(r->record.p, r->record.len),
				 RD_KAFKA_V_OPAQUE(w), RD_KAFKA_V_END);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	kafka_code(err, code, topic);
	if (err && code == RD_KAFKA_RESP_ERR__FATAL)
		err->kind = ERR_RETRY;
	return err_wrap(err, "send to");
}

/* The program's own figures and those that all programs have, in r->scratch; its own alone when memory is short. */
static const struct figure *with_memory(struct report *r, const struct figure *figures, size_t *nr)
{
	struct figure *all = arena_calloc(&r->scratch, *nr + 2, sizeof(*all));

	if (!all)
		return figures;
	if (*nr)
		memcpy(all, figures, *nr * sizeof(*all));
	all[(*nr)++] = (struct figure){STR("memory_bytes"), process_rss_bytes()};
	all[(*nr)++] = (struct figure){STR("memory_budget_bytes"), (double)r->program->common.memory_budget_bytes};
	return all;
}

/* sent_at and started_at are virtual times, as all that stands in records; only the interval is
 * real, as its name in the schema says. */
static void send_heartbeat(struct report *r, bool ready, const struct figure *figures, size_t nr_figures)
{
	const struct program *p = r->program;
	const struct figure *all = with_memory(r, figures, &nr_figures);
	char key[KEY_SIZE];
	struct heartbeat beat = {
		.program = clean_or_empty(&r->scratch, p->name),
		.instance = clean_or_empty(&r->scratch, p->instance),
		.build = str_from(build_version()),
		.host = clean_or_empty(&r->scratch, p->host),
		.admin = str_from(admin_address(r->admin)),
		.has_cell = r->cell != NULL,
		.cell = clean_or_empty(&r->scratch, r->cell),
		.started_at = p->started_ms,
		.sent_at = clock_now_ms(&p->clock),
		.interval_ms = (int32_t)p->common.heartbeat_interval_ms,
		.ready = ready,
		.controls = r->controls,
		.controls_len = r->nr_controls,
		.figures = (struct figure *)(uintptr_t)all, /* only read by the encoder */
		.figures_len = nr_figures,
	};

	snprintf(key, sizeof(key), "%s/%s", p->name, p->instance);
	buf_clear(&r->record);
	if (heartbeat_encode(&beat, &r->record, NULL) < 0 || produce(r, TOPIC_HEARTBEATS, str_from(key), NULL, NULL) < 0)
		r->unsent++;
	arena_clear(&r->scratch);
}

void report_free(struct report *r, int timeout_ms)
{
	if (!r)
		return;
	if (r->rk) {
		send_heartbeat(r, false, NULL, 0); /* the last word: who reads it need not wait for the next one in vain */
		if (kafka_wait(r->rk, timeout_ms < REACH_TIMEOUT_MS ? timeout_ms : REACH_TIMEOUT_MS, NULL) == 0)
			rd_kafka_flush(r->rk, timeout_ms);
	}
	client_close(r, "the program ends");
	buf_fini(&r->record);
	arena_fini(&r->scratch);
	arena_fini(&r->controls_arena);
	free(r->cell);
	free(r);
}

void report_poll(struct report *r, const struct figure *figures, size_t nr_figures)
{
	int64_t now = clock_mono_ms();
	char why[256];

	if (r->rk) {
		rd_kafka_poll(r->rk, 0);
		if (rd_kafka_fatal_error(r->rk, why, sizeof(why)) != RD_KAFKA_RESP_ERR_NO_ERROR)
			client_close(r, why);
	}
	if (!r->rk && client_open(r, NULL) < 0)
		return; /* the settings were good once, so memory or threads are short: next turn */
	if (now < r->next_beat_mono_ms)
		return;
	r->next_beat_mono_ms = now + r->program->common.heartbeat_interval_ms;
	send_heartbeat(r, admin_is_ready(r->admin), figures, nr_figures);
}

int report_set_controls(struct report *r, const struct str *ids, size_t nr, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct str *copy = arena_calloc(&arena, nr, sizeof(*copy));

	for (size_t i = 0; copy && i < nr; i++) {
		copy[i] = clean(&arena, arena_str(&arena, ids[i]));
		if (!copy[i].p)
			copy = NULL;
	}
	if (!copy) {
		arena_fini(&arena);
		return err_nomem(err, "the ids of controls");
	}
	arena_fini(&r->controls_arena);
	r->controls_arena = arena;
	r->controls = copy;
	r->nr_controls = nr;
	r->next_beat_mono_ms = 0;
	return 0;
}

/* A notice's own field of this name, taken from its list where there is one. */
static void promote(const struct tag *field, struct str name, bool *has, struct str *out)
{
	if (!str_eq(field->key, name) || !field->value.len)
		return;
	*has = true;
	*out = field->value;
}

/* The fields with clean values, in the scratch arena; NULL when memory is short. What a notice has a place of its own for goes there
 * too. */
static struct tag *clean_fields(struct report *r, const struct tag *fields, size_t nr, struct notice *notice)
{
	struct tag *copy = arena_calloc(&r->scratch, nr, sizeof(*copy));

	for (size_t i = 0; copy && i < nr; i++) {
		copy[i].key = clean(&r->scratch, fields[i].key);
		copy[i].value = clean(&r->scratch, fields[i].value);
		if (!copy[i].key.p || !copy[i].value.p)
			return NULL;
		promote(&copy[i], STR("site"), &notice->has_site, &notice->site);
		promote(&copy[i], STR("cell"), &notice->has_cell, &notice->cell);
		promote(&copy[i], STR("author"), &notice->has_author, &notice->author);
	}
	return copy;
}

void report_notice(struct report *r, enum severity severity, const char *event, const char *text, const struct tag *fields,
		   size_t nr_fields)
{
	struct notice notice = {
		.at = clock_now_ms(&r->program->clock),
		.program = clean_or_empty(&r->scratch, r->program->name),
		.instance = clean_or_empty(&r->scratch, r->program->instance),
		.severity = severity,
		.event = clean_or_empty(&r->scratch, event),
		.text = clean_or_empty(&r->scratch, text),
		.has_cell = r->cell != NULL,
		.cell = clean_or_empty(&r->scratch, r->cell),
		.fields_len = nr_fields,
	};

	notice.fields = clean_fields(r, fields, nr_fields, &notice);
	buf_clear(&r->record);
	if (!notice.fields || notice_encode(&notice, &r->record, NULL) < 0 ||
	    produce(r, TOPIC_NOTICES, (struct str){0}, NULL, NULL) < 0)
		r->unsent++;
	arena_clear(&r->scratch);
}

/* Values may be any bytes and borrow message; names must be strings, and Kafka does not promise
 * that. */
static int fill_headers(const rd_kafka_message_t *message, struct arena *arena, struct dead_letter *out)
{
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t size, nr;

	out->headers = NULL;
	out->headers_len = 0;
	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	nr = rd_kafka_header_cnt(headers);
	out->headers = arena_calloc(arena, nr, sizeof(*out->headers));
	if (!out->headers)
		return -1;
	for (; out->headers_len < nr; out->headers_len++) {
		struct header *h = &out->headers[out->headers_len];

		if (rd_kafka_header_get_all(headers, out->headers_len, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
			return 0;
		h->name = clean(arena, str_from(name));
		h->has_value = value != NULL;
		h->value = (struct str){value ? value : "", value ? size : 0};
		if (!h->name.p)
			return -1;
	}
	return 0;
}

int report_deadletter_fill(const struct program *p, const rd_kafka_message_t *message, int64_t epoch, const char *code,
			   const char *reason, struct arena *arena, struct dead_letter *out, struct err *err)
{
	struct dead_letter letter = {
		.topic = str_from(rd_kafka_topic_name(message->rkt)),
		.epoch = epoch,
		.partition = message->partition,
		.offset = message->offset,
		.code = clean(arena, str_from(code)),
		.reason = clean(arena, str_from(reason)),
		.program = clean(arena, str_from(p->name)),
		.build = str_from(build_version()),
		.at = clock_now_ms(&p->clock),
		.has_key = message->key != NULL,
		.key = {message->key ? message->key : "", message->key_len},
		.has_value = message->payload != NULL,
		.value = {message->payload ? message->payload : "", message->len},
	};

	if (!letter.code.p || !letter.reason.p || !letter.program.p || fill_headers(message, arena, &letter) < 0)
		return err_nomem(err, "a dead letter");
	*out = letter;
	return 0;
}

static size_t letter_bytes(const struct dead_letter *letter)
{
	size_t bytes = letter->key.len + letter->value.len + letter->reason.len;

	for (size_t i = 0; i < letter->headers_len; i++)
		bytes += letter->headers[i].name.len + letter->headers[i].value.len;
	return bytes;
}

static void cut(struct str *bytes, size_t most)
{
	if (bytes->len > most)
		bytes->len = most;
}

int report_deadletter_encode(const struct dead_letter *letter, struct buf *out, struct err *err)
{
	struct dead_letter part = *letter;
	struct buf reason = BUF_INIT;
	int rc;

	buf_clear(out);
	if (letter_bytes(letter) <= REPORT_LETTER_BYTES_MAX)
		return dead_letter_encode(letter, out, err);
	buf_printf(&reason, STR_FMT ": " STR_FMT " (its %zu bytes are cut, its headers left out)", STR_ARG(letter->code), STR_ARG(letter->reason),
		   letter->value.len);
	part.code = STR(REPORT_CUT_CODE);
	part.reason = buf_str(&reason);
	part.headers_len = 0;
	cut(&part.key, REPORT_LETTER_BYTES_MAX / 4);
	cut(&part.value, REPORT_LETTER_BYTES_MAX / 2);
	rc = buf_failed(&reason) ? err_nomem(err, "a dead letter") : dead_letter_encode(&part, out, err);
	buf_fini(&reason);
	return rc;
}

int report_deadletter(struct report *r, const struct dead_letter *letter, report_deadletter_fn done, void *ctx, struct err *err)
{
	struct waiting *w = malloc(sizeof(*w));

	if (!w)
		return err_nomem(err, "a dead letter");
	*w = (struct waiting){.next = r->waiting, .link = &r->waiting, .done = done, .ctx = ctx};
	if (report_deadletter_encode(letter, &r->record, err) < 0 || produce(r, TOPIC_DEADLETTER, (struct str){0}, w, err) < 0) {
		free(w);
		return -1;
	}
	if (w->next)
		w->next->link = &w->next;
	r->waiting = w;
	return 0;
}

uint64_t report_unsent(const struct report *r)
{
	return r->unsent;
}
