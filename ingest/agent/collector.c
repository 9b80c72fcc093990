/* collector.c - see collector.h.
 *
 * What the doors hand over meets the store here: nobody behind them knows a socket, and no inlet knows what a metric is. Memory is
 * memory.budget's, in parts; what is left over is the process itself, and the payloads that wait in memory while the disk refuses
 * (delivery.c). */
#include "ingest/agent/collector.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/agent/datagrams.h"
#include "ingest/agent/event_queue.h"
#include "ingest/agent/host.h"
#include "ingest/agent/inlets.h"
#include "ingest/agent/lines.h"
#include "ingest/agent/store.h"

enum {
	STORE_EIGHTHS = 3, /* of memory.budget */
	EVENTS_EIGHTHS = 1,
	EVENTS_MAX = 10000,
};

_Static_assert((int)COLLECTOR_FDS_MAX >= (int)INLETS_FDS_MAX, "the loop polls them all");

struct collector {
	const struct program *program;
	struct store *store;
	struct event_queue *events;
	struct lines *lines;
	struct inlets *inlets;
	struct host *host; /* NULL: not measured */
	struct datagrams datagrams;
	uint64_t measured, unmeasured; /* values of the machine, and those that the store refused */
};

static void take_datagram(void *ctx, struct str bytes)
{
	struct collector *c = ctx;

	datagrams_take(&c->datagrams, bytes, clock_now_ms(&c->program->clock));
}

static void take_line(void *ctx, struct str line)
{
	struct collector *c = ctx;

	lines_take(c->lines, line, NULL);
}

static void take_measure(void *ctx, const struct host_sample *h)
{
	struct collector *c = ctx;
	const struct store_sample sample = {
		.kind = h->kind == HOST_COUNTER ? STORE_COUNTER : STORE_GAUGE,
		.name = h->name,
		.tags = h->tags,
		.value = h->value,
		.weight = 1,
		.t_ms = h->t_ms,
	};

	if (store_add(c->store, &sample) == CAUSE_NONE)
		c->measured++;
	else
		c->unmeasured++;
}

static int open_store(struct collector *c, const struct agent_conf *conf, const char *host, struct err *err)
{
	struct tag tags[SERIES_TAGS_MAX];
	struct store_conf store = {
		.series_max = conf->series_max,
		.memory_bytes = (size_t)c->program->common.memory_budget_bytes / 8 * STORE_EIGHTHS,
		.tags = tags,
	};

	if (agent_conf_tags(conf, host, tags, &store.tags_len) < 0)
		return conf_reject(c->program->conf, "tags", "is not key=value,key=value", err);
	c->store = store_new(&store, err);
	c->datagrams = (struct datagrams)DATAGRAMS_INIT(c->store);
	return c->store ? 0 : -1;
}

static int open_events(struct collector *c, struct err *err)
{
	c->events = event_queue_new(EVENTS_MAX, (size_t)c->program->common.memory_budget_bytes / 8 * EVENTS_EIGHTHS, err);
	c->lines = c->events ? lines_new(c->events, &c->program->clock, &c->program->log, err) : NULL;
	return c->lines ? 0 : -1;
}

static int open_host(struct collector *c, const struct agent_conf *conf, const char *host, struct err *err)
{
	const struct host_conf root = {.root = "", .name = host};

	if (!conf->host_metrics)
		return 0;
	c->host = host_new(&root, &c->program->log, err);
	return c->host ? 0 : -1;
}

/* What a running agent has, --once does without: what of the three is free is listened at. */
static int open_inlets(struct collector *c, const struct agent_conf *conf, bool lenient, struct err *err)
{
	const struct inlets_taker taker = {take_datagram, take_line, c};
	const struct inlets_conf each[] = {{.statsd_listen = conf->statsd_listen}, {.statsd_socket = conf->statsd_socket},
					     {.lines_socket = conf->lines_socket}};
	const struct inlets_conf all = {conf->statsd_listen, conf->statsd_socket, conf->lines_socket};
	struct inlets_conf free_ones = {0};

	if (!lenient) {
		c->inlets = inlets_new(&all, &taker, err);
		return c->inlets ? 0 : -1;
	}
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		struct err why = ERR_INIT;
		struct inlets *alone = inlets_new(&each[i], &taker, &why);

		if (!alone) {
			log_warn(&c->program->log, "inlet_left_out", LOG_STR("error", why.msg));
			continue;
		}
		inlets_free(alone);
		free_ones.statsd_listen = i == 0 ? conf->statsd_listen : free_ones.statsd_listen;
		free_ones.statsd_socket = i == 1 ? conf->statsd_socket : free_ones.statsd_socket;
		free_ones.lines_socket = i == 2 ? conf->lines_socket : free_ones.lines_socket;
	}
	c->inlets = inlets_new(&free_ones, &taker, err);
	return c->inlets ? 0 : -1;
}

struct collector *collector_new(const struct program *p, const struct agent_conf *conf, const char *host, bool lenient, struct err *err)
{
	struct collector *c = calloc(1, sizeof(*c));

	if (!c) {
		err_nomem(err, "the collector");
		return NULL;
	}
	c->program = p;
	if (open_store(c, conf, host, err) == 0 && open_events(c, err) == 0 && open_host(c, conf, host, err) == 0 &&
	    open_inlets(c, conf, lenient, err) == 0) {
		collector_measure(c); /* what is counted from here on is what the first slot has */
		return c;
	}
	collector_free(c);
	return NULL;
}

void collector_free(struct collector *c)
{
	if (!c)
		return;
	inlets_free(c->inlets);
	host_free(c->host);
	lines_free(c->lines);
	event_queue_free(c->events);
	store_free(c->store);
	free(c);
}

size_t collector_fds(const struct collector *c, struct pollfd fds[COLLECTOR_FDS_MAX])
{
	return inlets_fds(c->inlets, fds);
}

void collector_turn(struct collector *c, const struct pollfd *fds, size_t nr)
{
	inlets_turn(c->inlets, fds, nr, clock_mono_ms());
}

void collector_measure(struct collector *c)
{
	if (c->host)
		host_read(c->host, clock_now_ms(&c->program->clock), take_measure, c);
}

void collector_drain(struct collector *c)
{
	inlets_drain(c->inlets, clock_mono_ms());
}

struct store *collector_store(struct collector *c)
{
	return c->store;
}

struct event_queue *collector_events(struct collector *c)
{
	return c->events;
}

void collector_read(const struct collector *c, struct status *out)
{
	out->store = store_figures(c->store);
	out->inlets = inlets_figures(c->inlets);
	event_queue_figures(c->events, &out->events);
	lines_figures(c->lines, &out->lines);
	for (size_t i = 0; i < NR_LINES_REASONS; i++)
		out->refused_lines += out->lines.refused[i];
	out->refused_datagram_values = datagrams_refused(&c->datagrams);
	out->datagrams = c->datagrams;
	out->host_values = c->measured;
	out->host_values_refused = c->unmeasured;
}
