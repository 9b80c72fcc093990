/* crowd_agent.c - see crowd_agent.h.
 *
 * Invariants:
 *  I1  A value of a slot that ends by slots.end_ms is cut by flush number flushes + 1, any other by flushes + 2: until the first of them is
 *      made, nothing is told that is due after it, and that is less than a slot after slots.end_ms.
 *  I2  A value's record is written before the store has it, a flush's after it was made; the process writes both or, killed, is no judge. */
#include "tests/rehearsal/crowd_agent.h"

#include <stdio.h>
#include <string.h>

#include "ingest/agent/status.h"

enum { PUSH_MAX_BYTES = 400000, STORE_BYTES = 1 << 20, SPARE_SERIES = 8 };

static int name_files(struct crowd_agent *a, const char *dir, struct err *err)
{
	int spool = snprintf(a->spool_dir, sizeof(a->spool_dir), "%s/spool/%s", dir, a->host);
	int journal = snprintf(a->journal, sizeof(a->journal), "%s/journal/%s", dir, a->host);

	if (spool >= (int)sizeof(a->spool_dir) || journal >= (int)sizeof(a->journal))
		return err_set(err, ERR_FATAL, "crowd.dir is too long");
	return 0;
}

static void settle(struct crowd_agent *a, const struct crowd_conf *c)
{
	char *key = a->conf.key;

	a->conf = (struct agent_conf){
		.push_url = c->push_url,
		.ca_file = a->none,
		.push_max_bytes = PUSH_MAX_BYTES,
		.push_timeout_ms = c->push_timeout_ms,
		.key_file = a->none,
		.key = key,
		.environment = a->none,
		.revision = a->none,
		.spool_dir = a->spool_dir,
		.spool_max_bytes = c->spool_max_bytes,
		.spool_max_age_ms = c->spool_max_age_ms,
		.journal = a->journal,
	};
}

int crowd_agent_open(struct crowd_agent *a, const struct crowd_conf *c, struct err *err)
{
	const struct store_conf store = {.series_max = c->series + SPARE_SERIES, .memory_bytes = STORE_BYTES};
	int64_t now_ms = clock_now_ms(&a->program->clock);
	uint64_t seed = (uint64_t)c->seed * CROWD_AGENTS_MAX + a->number;

	snprintf(a->host, sizeof(a->host), "agent-%u", a->number);
	settle(a, c);
	if (name_files(a, c->dir, err) < 0 ||
	    crowd_plan_init(&a->plan, seed, a->host, (size_t)c->series, (size_t)c->values, now_ms, err) < 0 ||
	    !(a->store = store_new(&store, err)) || !(a->delivery = delivery_new(a->program, &a->conf, a->host, err)))
		return -1;
	a->slots.end_ms = slots_end_after(now_ms);
	return 0;
}

void crowd_agent_close(struct crowd_agent *a)
{
	delivery_free(a->delivery);
	store_free(a->store);
	crowd_plan_fini(&a->plan);
	a->delivery = NULL;
	a->store = NULL;
}

static int tell(struct crowd_agent *a, const struct crowd_value *v, struct err *err)
{
	const struct crowd_series *series = &a->plan.series[v->series];
	const struct crowd_told told = {
		.agent = a->number,
		.series = v->series,
		.flush = a->flushes + (store_slot(v->t_ms) < a->slots.end_ms ? 1 : 2), /* (I1) */
		.t_ms = v->t_ms,
		.k = v->k,
	};
	const struct store_sample sample = {
		.kind = series->kind,
		.name = str_from(series->name),
		.tags = str_from(series->tags),
		.value = (double)v->k / 1024,
		.weight = 1,
		.t_ms = v->t_ms,
	};
	enum cause why;

	crowd_ledger_told(a->ledger, &told);
	why = store_add(a->store, &sample);
	if (why != CAUSE_NONE)
		return err_set(err, ERR_FATAL, "%s: the store refused a value of %s: %s", a->host, series->name, cause_name(why));
	return 0;
}

static int tell_until(struct crowd_agent *a, int64_t until_ms, struct err *err)
{
	const struct crowd_value *v;

	while ((v = crowd_plan_next(&a->plan, until_ms)))
		if (tell(a, v, err) < 0)
			return -1;
	return 0;
}

/* The status tells it in hex. */
static void read_id(const char *hex, uint8_t id[ENVELOPE_AGENT_ID_BYTES])
{
	for (size_t i = 0; i < ENVELOPE_AGENT_ID_BYTES; i++) {
		unsigned byte = 0;

		sscanf(hex + 2 * i, "%2x", &byte);
		id[i] = (uint8_t)byte;
	}
}

static void flush(struct crowd_agent *a, int64_t slot_end_ms)
{
	struct crowd_flushed f = {
		.agent = a->number,
		.flush = ++a->flushes,
		.first_seq = a->last_seq + 1,
		.created_at_ms = clock_now_ms(&a->program->clock),
		.slot_end_ms = slot_end_ms,
	};
	struct status s = {0};

	delivery_flush(a->delivery, a->store, NULL, slot_end_ms);
	delivery_read(a->delivery, &s);
	a->last_seq = f.last_seq = s.last_seq;
	read_id(s.agent_id, f.agent_id);
	crowd_ledger_flushed(a->ledger, &f);
}

int crowd_agent_step(struct crowd_agent *a, bool telling, struct err *err)
{
	int64_t now_ms = clock_now_ms(&a->program->clock), end_ms = a->slots.end_ms;
	int64_t due_ms = delivery_flush_at_ms(a->delivery, end_ms), cut_ms;

	if (telling && tell_until(a, now_ms < due_ms ? now_ms : due_ms, err) < 0)
		return -1;
	cut_ms = slots_due(&a->slots, now_ms, due_ms);
	if (cut_ms == 0)
		return 0;
	flush(a, end_ms);
	if (cut_ms > end_ms) /* time went on by more than a slot */
		flush(a, cut_ms);
	return telling ? tell_until(a, now_ms, err) : 0;
}

void crowd_agent_flush_all(struct crowd_agent *a)
{
	flush(a, a->slots.end_ms);
	flush(a, INT64_MAX);
}
