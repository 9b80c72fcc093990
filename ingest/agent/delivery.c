/* delivery.c - see delivery.h. */
#include "ingest/agent/delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/agent/courier.h"
#include "ingest/agent/journal.h"
#include "ingest/agent/spool.h"

enum {
	SPOOL_MEMORY_PART = 4,   /* of memory.budget may be payloads while the disk refuses */
	SPOOL_RETRY_MS = 5000,
};

struct delivery {
	const struct program *program;
	struct identity identity;
	struct bundle *bundle;
	struct spool *spool;
	struct courier *courier;
	int journal;             /* -1: none */
	char machine[512];       /* what draws the flush's time after the slot */
	uint64_t live[COURIER_LIVE_MAX]; /* of the flush that is being spooled */
	size_t live_nr;
	uint64_t payloads, samples;
};

/* What is this agent and no other, as long as it is installed as it is. */
static void name_machine(struct delivery *d, const struct agent_conf *c, const char *host)
{
	char id[64] = "";
	FILE *file = fopen("/etc/machine-id", "re");

	if (file) {
		if (!fgets(id, sizeof(id), file))
			id[0] = '\0';
		fclose(file);
	}
	snprintf(d->machine, sizeof(d->machine), "%.40s %.200s %.200s", id, host, c->spool_dir);
}

static int open_spool(struct delivery *d, const struct agent_conf *c, struct err *err)
{
	const struct spool_conf conf = {
		.dir = c->spool_dir,
		.max_bytes = (uint64_t)c->spool_max_bytes,
		.max_age_ms = c->spool_max_age_ms,
		.min_free = (double)c->spool_min_free / 100,
		.memory_bytes = (uint64_t)d->program->common.memory_budget_bytes / SPOOL_MEMORY_PART,
		.retry_ms = SPOOL_RETRY_MS,
	};

	d->spool = spool_new(&conf, &d->program->clock, &d->program->log, err);
	return d->spool ? 0 : -1;
}

static int open_courier(struct delivery *d, const struct agent_conf *c, struct err *err)
{
	const struct courier_conf conf = {
		.url = c->push_url,
		.ca_file = c->ca_file,
		.key = c->key,
		.key_file = c->key_file,
		.timeout_ms = c->push_timeout_ms,
	};

	d->courier = courier_new(&conf, d->spool, &d->program->clock, &d->program->log, err);
	return d->courier ? 0 : -1;
}

struct delivery *delivery_new(const struct program *p, const struct agent_conf *c, const char *host, struct err *err)
{
	const struct bundle_conf bundle = {(size_t)c->push_max_bytes, host, c->environment, c->revision};
	struct delivery *d = calloc(1, sizeof(*d));

	if (!d) {
		err_nomem(err, "the delivery");
		return NULL;
	}
	d->program = p;
	name_machine(d, c, host);
	d->journal = journal_open(c->journal, err);
	d->bundle = bundle_new(&bundle, err);
	if (d->journal != -2 && d->bundle && identity_init(&d->identity, err) == 0 && open_spool(d, c, err) == 0 && open_courier(d, c, err) == 0)
		return d;
	delivery_free(d);
	return NULL;
}

void delivery_free(struct delivery *d)
{
	if (!d)
		return;
	courier_free(d->courier);
	spool_free(d->spool);
	bundle_free(d->bundle);
	if (d->journal >= 0)
		close(d->journal);
	free(d);
}

static int keep(void *ctx, const struct envelope *e, struct err *err)
{
	struct delivery *d = ctx;
	uint64_t id;
	int rc;

	journal_write(d->journal, JOURNAL_MADE, e);
	rc = spool_put(d->spool, e, &id, err);
	journal_write(d->journal, rc == 0 ? JOURNAL_KEPT : JOURNAL_LOST, e);
	if (rc < 0)
		return -1;
	if (d->live_nr < COURIER_LIVE_MAX)
		d->live[d->live_nr++] = id;
	return 0;
}

/* A payload that has to be halved is posted three times, and its halves have an agent_id of their own, of which a server remembers a
 * bounded number. So the next ones are as small as those halves. */
static void learn_limit(struct delivery *d)
{
	struct courier_status s;

	courier_read_status(d->courier, clock_mono_ms(), &s);
	if (s.too_large_bytes > 0)
		bundle_limit(d->bundle, s.too_large_bytes / 2);
}

void delivery_flush(struct delivery *d, struct store *store, struct event_queue *events, int64_t slot_end_ms)
{
	const struct bundle_flush flush = {
		.store = store,
		.events = events,
		.spool = d->spool,
		.identity = &d->identity,
		.slot_end_ms = slot_end_ms,
		.created_at_ms = clock_now_ms(&d->program->clock),
		.take = keep,
		.ctx = d,
	};
	struct bundle_result result = {0};
	struct err err = ERR_INIT;

	d->live_nr = 0;
	learn_limit(d);
	if (bundle_make(d->bundle, &flush, &result, &err) < 0)
		log_error(&d->program->log, "payload_lost", LOG_STR("error", err.msg), LOG_UINT("payloads", result.lost_payloads),
			  LOG_UINT("samples", result.lost_samples), LOG_STR("meaning", "told to the server by a later payload"));
	d->payloads += result.payloads;
	d->samples += result.samples;
	courier_take_live(d->courier, d->live, d->live_nr);
}

int64_t delivery_flush_at_ms(const struct delivery *d, int64_t slot_end_ms)
{
	return courier_flush_at_ms(slot_end_ms, d->machine);
}

int delivery_fd(const struct delivery *d)
{
	return courier_fd(d->courier);
}

int delivery_timeout_ms(const struct delivery *d)
{
	return courier_timeout_ms(d->courier, clock_mono_ms());
}

void delivery_turn(struct delivery *d)
{
	courier_turn(d->courier, clock_mono_ms());
}

void delivery_every_second(struct delivery *d)
{
	spool_turn(d->spool);
}

/* courier_stop() begins no post, so the last flush's is begun before. */
void delivery_stop(struct delivery *d, int64_t within_ms)
{
	delivery_turn(d);
	courier_stop(d->courier, within_ms);
}

void delivery_read(const struct delivery *d, struct status *out)
{
	str_hex(d->identity.agent_id, ENVELOPE_AGENT_ID_BYTES, out->agent_id);
	out->payloads_made = d->payloads;
	out->samples_made = d->samples;
	out->last_seq = d->identity.next_seq - 1;
	courier_read_status(d->courier, clock_mono_ms(), &out->push);
	spool_figures(d->spool, &out->spool);
	out->spool_state = spool_state_name(out->spool.state);
	losses_figures(spool_losses(d->spool), &out->losses);
}
