/* fake_kafka.c - see fake_kafka.h. The broker's side: logs, transactions, the group. */
#include "tests/unit/processor/fake_kafka.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STALL_ONCE_IN = 400, DIE_ONCE_IN = 1500, TRANSACTION_SCAN_MS = 1000 };

#define FAKE_NAME(name) #name,
static const char *const event_names[NR_FAKE_EVENTS] = {FAKE_EVENTS(FAKE_NAME)};
#undef FAKE_NAME

void fake_init(struct fake_kafka *k, uint64_t seed, int64_t now_ms)
{
	memset(k, 0, sizeof(*k));
	k->random.state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (int i = 0; i < 8; i++) /* neighbours begin alike otherwise */
		unit_random_next(&k->random);
	k->now_ms = now_ms;
	topics_name(&k->topics, "sim");
	k->topics.epoch = FAKE_EPOCH;
	k->topics.partitions = FAKE_PARTITIONS;
	for (int32_t p = 0; p < FAKE_INPUTS; p++) {
		k->committed[p] = (struct fake_offset){.partition = p, .offset = -1};
		k->input[p].base = k->input[p].low = fake_once_in(k, 2) ? 0 : 1000; /* retention has been there before us */
	}
}

static void log_fini(struct fake_log *log)
{
	for (size_t i = 0; i < log->len; i++)
		free(log->records[i].bytes);
	free(log->records);
}

void fake_fini(struct fake_kafka *k)
{
	for (int32_t p = 0; p < FAKE_INPUTS; p++) {
		log_fini(&k->input[p]);
		log_fini(&k->state[p]);
	}
	log_fini(&k->output);
	while (k->txns) {
		struct fake_txn *txn = k->txns;

		k->txns = txn->next;
		free(txn);
	}
}

uint64_t fake_dice(struct fake_kafka *k, uint64_t n)
{
	return unit_random_below(&k->random, n);
}

bool fake_once_in(struct fake_kafka *k, uint64_t n)
{
	return fake_dice(k, n) == 0;
}

bool fake_fault(struct fake_kafka *k)
{
	return fake_dice(k, 1000) < (uint64_t)k->trouble;
}

const char *fake_event_name(enum fake_event event)
{
	return event_names[event];
}

void fake_note(struct fake_kafka *k, enum fake_event event, const struct fake_host *host, int64_t detail)
{
	k->seen[event]++;
	snprintf(k->trace[k->nr_traced++ % FAKE_TRACE], FAKE_TRACE_SIZE, "%10" PRId64 " %*s%s host %d/%" PRId64 ": %" PRId64, k->now_ms % 100000000,
		 2 * k->depth, "", event_names[event], host ? host->number : -1, host ? host->incarnation : 0, detail);
}

struct fake_record *fake_append(struct fake_log *log, const void *bytes, size_t len)
{
	struct fake_record *record;

	if (log->len == log->cap) {
		log->cap = log->cap ? 2 * log->cap : 64;
		log->records = realloc(log->records, log->cap * sizeof(*log->records));
		ck_assert_ptr_nonnull(log->records);
	}
	record = &log->records[log->len++];
	*record = (struct fake_record){.len = len, .bytes = malloc(len + 1)};
	ck_assert_ptr_nonnull(record->bytes);
	if (len)
		memcpy(record->bytes, bytes, len);
	return record;
}

int64_t fake_end(const struct fake_log *log)
{
	return log->base + (int64_t)log->len;
}

struct fake_record *fake_at(const struct fake_log *log, int64_t offset)
{
	return offset >= log->low && offset < fake_end(log) ? &log->records[offset - log->base] : NULL;
}

/* Transactions. */

struct fake_txn *fake_txn_begin(struct fake_kafka *k, int64_t producer)
{
	struct fake_txn *txn = calloc(1, sizeof(*txn));

	ck_assert_ptr_nonnull(txn);
	/* A producer's next transaction cannot reach a partition before the markers of its last one. */
	fake_txn_finish(k, producer);
	txn->producer = producer;
	txn->begun_ms = k->now_ms;
	*(k->last_txn ? &k->last_txn->next : &k->txns) = txn;
	k->last_txn = txn;
	if (!k->first_undone)
		k->first_undone = txn;
	return txn;
}

/* How long a marker takes. */
static int64_t marker_delay(struct fake_kafka *k)
{
	return !fake_once_in(k, 8) ? 0 : 1 + (int64_t)fake_dice(k, fake_once_in(k, 4) ? 12000 : 500);
}

void fake_txn_decide(struct fake_kafka *k, struct fake_txn *txn, enum fake_fate fate)
{
	ck_assert_int_eq(txn->fate, FATE_OPEN);
	txn->fate = fate;
	txn->arrives_ms = 0;
	for (size_t i = 0; i < NR_TXN_TOPICS; i++)
		txn->marker_ms[i] = k->now_ms + marker_delay(k);
	txn->offsets_ms = k->now_ms + marker_delay(k);
	for (int32_t p = 0; p < FAKE_INPUTS; p++)
		if (txn->state_touched & 1u << p)
			fake_append(&k->state[p], NULL, 0)->marker = true;
}

/* The marker has reached the offsets topic. */
static void apply_offsets(struct fake_kafka *k, struct fake_txn *txn)
{
	for (size_t i = 0; txn->fate == FATE_COMMITTED && i < txn->nr_offsets; i++)
		k->committed[txn->offsets[i].partition] = txn->offsets[i];
	txn->applied = true;
}

void fake_txn_finish(struct fake_kafka *k, int64_t producer)
{
	for (struct fake_txn *txn = k->first_undone; txn; txn = txn->next) {
		if (txn->producer != producer)
			continue;
		if (txn->fate == FATE_OPEN) {
			fake_txn_decide(k, txn, FATE_ABORTED);
			fake_note(k, FAKE_FENCED, NULL, producer);
		}
		for (size_t i = 0; i < NR_TXN_TOPICS; i++)
			txn->marker_ms[i] = txn->marker_ms[i] < k->now_ms ? txn->marker_ms[i] : k->now_ms;
		if (!txn->applied)
			apply_offsets(k, txn);
	}
}

bool fake_txn_pending(const struct fake_kafka *k, int32_t partition)
{
	for (const struct fake_txn *txn = k->first_undone; txn; txn = txn->next)
		for (size_t i = 0; !txn->applied && i < txn->nr_offsets; i++)
			if (txn->offsets[i].partition == partition)
				return true;
	return false;
}

bool fake_txn_seen(const struct fake_kafka *k, const struct fake_txn *txn, enum txn_topic topic)
{
	return txn->fate != FATE_OPEN && k->now_ms >= txn->marker_ms[topic];
}

static void pass_transactions(struct fake_kafka *k)
{
	for (struct fake_txn *txn = k->first_undone; txn; txn = txn->next) {
		if (txn->fate == FATE_OPEN && txn->arrives_ms && k->now_ms >= txn->arrives_ms) {
			fake_txn_decide(k, txn, FATE_COMMITTED);
			fake_note(k, FAKE_CAME_TO_PASS, NULL, txn->producer);
		} else if (txn->fate == FATE_OPEN && k->now_ms - txn->begun_ms > FAKE_TRANSACTION_MS + TRANSACTION_SCAN_MS / 2) {
			fake_txn_decide(k, txn, FATE_ABORTED);
			fake_note(k, FAKE_TIMED_OUT, NULL, txn->producer);
		}
		if (txn->fate != FATE_OPEN && !txn->applied && k->now_ms >= txn->offsets_ms)
			apply_offsets(k, txn);
	}
	while (k->first_undone && k->first_undone->applied)
		k->first_undone = k->first_undone->next;
}

/* The group. */

struct fake_member *fake_member_of(struct fake_kafka *k, int64_t id)
{
	for (int i = 0; id && i < FAKE_MEMBERS; i++)
		if (k->members[i].id == id)
			return &k->members[i];
	return NULL;
}

/* The slot of a new member: the one that this static member had, or a free one. */
static struct fake_member *find_place(struct fake_kafka *k, const struct fake_host *host)
{
	struct fake_member *place = NULL;

	for (int i = 0; i < FAKE_MEMBERS; i++) {
		struct fake_member *m = &k->members[i];

		if (m->id && host->is_static && m->host == host && m->host->is_static)
			return m;
		if (!m->id)
			place = m;
	}
	ck_assert_ptr_nonnull(place);
	return place;
}

int64_t fake_join(struct fake_kafka *k, struct consumer *client, struct fake_host *host, uint32_t *owned)
{
	struct fake_member *m = find_place(k, host);
	bool known = m->id != 0;

	*owned = known ? m->owned : 0;
	*m = (struct fake_member){.id = ++k->last_member, .host = host, .incarnation = host->incarnation, .heard_ms = k->now_ms,
				  .owned = *owned, .client = client};
	if (known) { /* KIP-345: the same assignment, in the same generation, without a rebalance */
		m->answering = true;
		fake_note(k, FAKE_STATIC_REJOIN, host, *owned);
		fake_client_called(client, CALL_ASSIGN, *owned, k->generation);
	} else {
		k->rebalance_due = k->moves_due = true;
	}
	return m->id;
}

void fake_leave(struct fake_kafka *k, int64_t id)
{
	struct fake_member *m = fake_member_of(k, id);

	if (!m)
		return;
	*m = (struct fake_member){0};
	k->rebalance_due = true;
}

/* Can a rebalance come to its end? It waits for everybody who is a member. */
static bool all_here(const struct fake_kafka *k)
{
	for (int i = 0; i < FAKE_MEMBERS; i++) {
		const struct fake_member *m = &k->members[i];

		if (m->id && (!m->client || m->host->frozen || m->host->dead || m->answering))
			return false;
	}
	return true;
}

/* One of the members but those in not; NULL: there is none. */
static struct fake_member *any_member(struct fake_kafka *k, uint32_t not)
{
	int at = (int)fake_dice(k, FAKE_MEMBERS);

	for (int i = 0; i < FAKE_MEMBERS; i++, at = (at + 1) % FAKE_MEMBERS)
		if (k->members[at].id && !(not & 1u << at))
			return &k->members[at];
	return NULL;
}

static void rebalance(struct fake_kafka *k)
{
	uint32_t owned = 0, gains[FAKE_MEMBERS] = {0}, losses[FAKE_MEMBERS] = {0}, losers = 0;

	k->generation++;
	k->rebalance_due = false;
	for (int i = 0; i < FAKE_MEMBERS; i++)
		for (int32_t p = 0; k->members[i].id && p < FAKE_PARTITIONS; p++) {
			owned |= k->members[i].owned & 1u << p;
			if (k->moves_due && k->members[i].owned & 1u << p && fake_once_in(k, 4) && any_member(k, 1u << i)) {
				losses[i] |= 1u << p;
				losers |= 1u << i;
			}
		}
	k->moves_due = false;
	for (int i = 0; i < FAKE_MEMBERS; i++)
		if (k->members[i].id && k->members[i].claimed) {
			losses[i] |= k->members[i].claimed;
			losers |= 1u << i;
			k->members[i].claimed = 0;
			k->rebalance_due = true;
		}
	for (int32_t p = 0; p < FAKE_PARTITIONS; p++) {
		struct fake_member *m = owned & 1u << p ? NULL : any_member(k, losers);

		if (m)
			gains[m - k->members] |= 1u << p;
		k->rebalance_due |= !(owned & 1u << p) && !m;
	}
	for (int i = 0; i < FAKE_MEMBERS; i++) {
		struct fake_member *m = &k->members[i];

		if (!m->id)
			continue;
		m->answering = true;
		m->owned |= gains[i];
		fake_client_called(m->client, losses[i] ? CALL_REVOKE : CALL_ASSIGN, losses[i] ? losses[i] : gains[i], k->generation);
	}
}

static void pass_group(struct fake_kafka *k)
{
	bool anybody = false;

	for (int i = 0; i < FAKE_MEMBERS; i++) {
		struct fake_member *m = &k->members[i];

		if (!m->id)
			continue;
		if (m->client && !m->host->frozen && !m->host->dead)
			m->heard_ms = k->now_ms;
		if (k->now_ms - m->heard_ms > FAKE_SESSION_MS) {
			fake_note(k, FAKE_KICKED, m->host, m->id);
			fake_leave(k, m->id);
		}
		anybody |= m->id != 0;
	}
	if (k->rebalance_due && anybody && all_here(k) && fake_once_in(k, 3))
		rebalance(k);
}

static void pass_trims(struct fake_kafka *k)
{
	for (int32_t p = 0; p < FAKE_INPUTS; p++) {
		struct fake_trim *trim = &k->trims[p];

		if (!trim->before || k->now_ms < trim->at_ms)
			continue;
		if (trim->before > k->state[p].low)
			k->state[p].low = trim->before;
		fake_note(k, FAKE_TRIMMED, NULL, trim->before);
		*trim = (struct fake_trim){0};
	}
}

void fake_pass(struct fake_kafka *k, int64_t ms)
{
	k->now_ms += ms;
	pass_transactions(k);
	pass_group(k);
	pass_trims(k);
	for (int i = 0; i < FAKE_HOSTS; i++)
		if (k->clients[i])
			fake_client_heartbeat(k->clients[i]);
}

void fake_spend(struct fake_host *host, int64_t ms)
{
	struct fake_kafka *k = host->kafka;

	if (host->dead)
		return;
	fake_pass(k, ms);
	if (k->depth || !k->vices)
		return;
	if (fake_once_in(k, STALL_ONCE_IN)) {
		int64_t stall_ms = 500 + (int64_t)fake_dice(k, 30000);

		fake_note(k, FAKE_STALL_INSIDE, host, stall_ms);
		host->frozen = true;
		k->depth++;
		k->elsewhere(k->ctx, host, stall_ms);
		k->depth--;
		host->frozen = false;
	}
	if (fake_once_in(k, DIE_ONCE_IN)) {
		fake_note(k, FAKE_CRASH_INSIDE, host, 0);
		host->dead = true;
	}
}

struct fake_host *fake_host_of(const struct program *p)
{
	return (struct fake_host *)((uintptr_t)p - offsetof(struct fake_host, program));
}

bool fake_fails(struct fake_host *host, enum fake_event event, int64_t detail)
{
	if (host->dead)
		return true;
	if (!fake_fault(host->kafka))
		return false;
	fake_note(host->kafka, event, host, detail);
	return true;
}
