/* sim_events.c - see sim_events.h. */
#include "tests/unit/processor/sim_events.h"

#include <stdlib.h>

#include "tests/unit/processor/ledger.h"
#include "tests/unit/processor/sim_twin.h"

void sim_events_init(struct sim_events *ev, struct fake_kafka *k)
{
	memset(ev, 0, sizeof(*ev));
	ev->kafka = k;
}

void sim_events_fini(struct sim_events *ev)
{
	for (size_t i = 0; i < ev->nr_stragglers; i++)
		buf_fini(&ev->stragglers[i].bytes);
	buf_fini(&ev->bytes);
	free(ev->received);
}

static struct fake_record *arrive(struct sim_events *ev, int32_t partition, struct str bytes)
{
	struct fake_kafka *k = ev->kafka;
	struct fake_record *record = fake_append(&k->input[FAKE_PARTITIONS + partition], bytes.p, bytes.len);

	record->timestamp_ms = k->now_ms - (fake_once_in(k, 16) ? (int64_t)fake_dice(k, 3000) : 0);
	k->seen[FAKE_EVENTS]++;
	if (fake_once_in(k, 400))
		record->readable_ms = k->now_ms + (int64_t)fake_dice(k, 20000);
	return record;
}

static void send_bad(struct sim_events *ev, int32_t partition, struct str bytes)
{
	struct fake_record *record = arrive(ev, partition, bytes);

	record->poison = record->void_of_events = true;
}

static void copy_last(struct sim_events *ev, int32_t partition)
{
	if (ev->nr_stragglers == SIM_EV_STRAGGLERS || !fake_once_in(ev->kafka, 6))
		return;
	ev->stragglers[ev->nr_stragglers].partition = partition;
	buf_add(&ev->stragglers[ev->nr_stragglers].bytes, ev->bytes.p, ev->bytes.len);
	ev->nr_stragglers++;
}

static void new_events(struct sim_events *ev, struct sim_ev_payload *payload)
{
	struct fake_kafka *k = ev->kafka;

	payload->nr = 1 + fake_dice(k, EV_EVENTS - 1);
	for (size_t i = 0; i < payload->nr; i++)
		payload->events[i] = ev_random(&k->random, ++ev->last_number, L_BEGIN_MS, k->now_ms);
}

static void fill(struct sim_events *ev, const struct sim_ev_payload *payload, struct ev_batch *b)
{
	ev_init(b, ev->kafka->now_ms);
	for (size_t i = 0; i < payload->nr; i++)
		ev_add(b, &payload->events[i]);
}

static void send_payload(struct sim_events *ev, int32_t partition, int number, struct sim_ev_payload *payload)
{
	struct ev_batch b;

	fill(ev, payload, &b);
	b.record.has_agent_id = true;
	memset(b.record.agent_id, 0xa0 + number, sizeof(b.record.agent_id));
	b.record.seq = payload->seq;
	b.record.floor = ev->agents[partition][number].open[0].seq;
	if (fake_once_in(ev->kafka, 50)) { /* as a whole, and nothing is marked by it */
		struct an_event bad = {.number = 0, .t_ms = ev->kafka->now_ms + 3 * L_HOUR_MS, .kind = EXEMPLAR_MARKER};

		ev_add(&b, &bad);
		ev_encode(&b, &ev->bytes);
		send_bad(ev, partition, buf_str(&ev->bytes));
		b.record.events_len--;
	}
	ev_encode(&b, &ev->bytes);
	arrive(ev, partition, buf_str(&ev->bytes));
	payload->sent = true;
	copy_last(ev, partition);
}

/* The oldest is acknowledged, or must be sent at last. */
static void close_oldest(struct sim_events *ev, int32_t partition, int number)
{
	struct sim_ev_agent *agent = &ev->agents[partition][number];

	if (!agent->open[0].sent)
		send_payload(ev, partition, number, &agent->open[0]);
	memmove(agent->open, agent->open + 1, --agent->nr_open * sizeof(agent->open[0]));
}

static void new_payload(struct sim_events *ev, int32_t partition, int number)
{
	struct sim_ev_agent *agent = &ev->agents[partition][number];
	struct sim_ev_payload *payload;

	if (agent->nr_open == SIM_EV_OPEN || (agent->nr_open && fake_once_in(ev->kafka, 3)))
		close_oldest(ev, partition, number);
	payload = &agent->open[agent->nr_open++];
	*payload = (struct sim_ev_payload){.seq = ++agent->last_seq};
	new_events(ev, payload);
	if (!fake_once_in(ev->kafka, 5)) /* else it comes after younger ones */
		send_payload(ev, partition, number, payload);
}

static void send_anonymous(struct sim_events *ev, int32_t partition)
{
	struct sim_ev_payload payload = {0};
	struct ev_batch b;

	new_events(ev, &payload);
	fill(ev, &payload, &b);
	ev_encode(&b, &ev->bytes);
	arrive(ev, partition, buf_str(&ev->bytes));
}

static void send_straggler(struct sim_events *ev)
{
	size_t i;

	if (!ev->nr_stragglers)
		return;
	i = fake_dice(ev->kafka, ev->nr_stragglers);
	arrive(ev, ev->stragglers[i].partition, buf_str(&ev->stragglers[i].bytes));
	buf_fini(&ev->stragglers[i].bytes);
	ev->stragglers[i] = ev->stragglers[--ev->nr_stragglers];
	memset(&ev->stragglers[ev->nr_stragglers], 0, sizeof(ev->stragglers[0]));
}

/* Bytes that are nothing, and a whole batch of samples, which is nothing here. */
static void send_poison(struct sim_events *ev, int32_t partition)
{
	const struct sample_batch samples = {.site = STR("site-a"), .received_at = ev->kafka->now_ms};

	if (fake_once_in(ev->kafka, 2)) {
		send_bad(ev, partition, STR("garbage"));
		return;
	}
	buf_clear(&ev->bytes);
	ck_assert_int_eq(sample_batch_encode(&samples, &ev->bytes, NULL), 0);
	send_bad(ev, partition, buf_str(&ev->bytes));
	fake_note(ev->kafka, FAKE_WRONG_TOPIC, NULL, partition);
}

void sim_events_step(struct sim_events *ev)
{
	struct fake_kafka *k = ev->kafka;
	int32_t partition = (int32_t)fake_dice(k, FAKE_PARTITIONS);
	int number = (int)fake_dice(k, SIM_EV_AGENTS);
	struct sim_ev_agent *agent = &ev->agents[partition][number];
	uint64_t what = fake_dice(k, 100);

	if (what < 45)
		new_payload(ev, partition, number);
	else if (what < 70 && agent->nr_open)
		send_payload(ev, partition, number, &agent->open[fake_dice(k, agent->nr_open)]);
	else if (what < 78)
		send_straggler(ev);
	else if (what < 80)
		send_poison(ev, partition);
	else
		send_anonymous(ev, partition);
}

void sim_events_finish(struct sim_events *ev)
{
	for (int32_t p = 0; p < FAKE_PARTITIONS; p++)
		for (int a = 0; a < SIM_EV_AGENTS; a++)
			while (ev->agents[p][a].nr_open)
				close_oldest(ev, p, a);
	while (ev->nr_stragglers)
		send_straggler(ev);
}

void sim_events_receive(struct sim_events *ev, const struct fake_record *record, struct arena *scratch)
{
	struct exemplar x;
	struct err err = ERR_INIT;
	int64_t number;

	ck_assert_msg(exemplar_decode((struct str){(const char *)record->bytes, record->len}, scratch, &x, &err) == 0, "%s", err.msg);
	number = ev_number(&x.event);
	ck_assert(x.epoch == FAKE_EPOCH && number > 0 && number <= ev->last_number && str_eq(x.site, STR("site-a")));
	ck_assert(x.window_start == x.event.t - x.event.t % L_MINUTE_MS && memcmp(x.fingerprint, x.event.group, sizeof(x.fingerprint)) == 0);
	if (!ev->received)
		ev->received = calloc((size_t)ev->last_number + 1, 1);
	ck_assert_ptr_nonnull(ev->received);
	ev->received[number] += ev->received[number] < UINT8_MAX;
}

/* An event where it stands first in a partition. */
struct stood {
	struct an_event event;
	int64_t minute;
	size_t order;
};

/* By kind, minute, group (where it matters), and then those first that must come out. */
static int compare_stood(const void *a, const void *b)
{
	const struct stood *x = a, *y = b;

	if (x->event.kind != y->event.kind)
		return x->event.kind < y->event.kind ? -1 : 1;
	if (x->minute != y->minute)
		return x->minute < y->minute ? -1 : 1;
	if (x->event.kind <= EXEMPLAR_TRANSACTION && x->event.group != y->event.group)
		return x->event.group < y->event.group ? -1 : 1;
	if (x->event.kind == EXEMPLAR_TRANSACTION && x->event.duration_ms != y->event.duration_ms)
		return x->event.duration_ms > y->event.duration_ms ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static bool same_place(const struct stood *a, const struct stood *b)
{
	return a->event.kind == b->event.kind && a->minute == b->minute && (a->event.kind > EXEMPLAR_TRANSACTION || a->event.group == b->event.group);
}

/* What one record of a partition brings that has not stood there before. */
static size_t read_record(const struct fake_record *record, bool *known, struct stood *out, size_t nr, struct arena *scratch)
{
	struct event_batch batch;

	arena_clear(scratch);
	if (record->void_of_events || event_batch_decode((struct str){(const char *)record->bytes, record->len}, scratch, &batch, NULL) < 0)
		return nr;
	for (size_t i = 0; i < batch.events_len; i++) {
		const struct event *e = &batch.events[i];
		int64_t number = ev_number(e);

		if (known[number])
			continue;
		known[number] = true;
		out[nr] = (struct stood){.order = nr, .minute = e->t / L_MINUTE_MS,
					 .event = {.number = number, .t_ms = e->t, .kind = exemplar_kind_of(e), .group = e->group[0] - 0x60,
						   .duration_ms = e->transaction.duration_ms}};
		nr++;
	}
	return nr;
}

/* Must the one at i of a sorted list come out? */
static bool is_due(const struct stood *list, size_t i)
{
	size_t max = list[i].event.kind > EXEMPLAR_TRANSACTION ? 100 : 3;

	return i < max || !same_place(&list[i], &list[i - max]);
}

static int judge(const struct sim_events *ev, struct stood *list, size_t nr, int32_t partition)
{
	int found = 0;

	qsort(list, nr, sizeof(*list), compare_stood);
	for (size_t i = 0; i < nr; i++) {
		const struct an_event *e = &list[i].event;
		int times = ev->received ? ev->received[e->number] : 0;

		if (times <= 1 && (times == 1 || !is_due(list, i)))
			continue;
		found++;
		printf("partition %d: %s %" PRId64 " of group %d and minute %" PRId64 " came out %d times\n", (int)partition, exemplar_kind_name(e->kind),
		       e->number, e->group, (e->t_ms - L_BEGIN_MS) / L_MINUTE_MS, times);
	}
	return found;
}

int sim_events_compare(struct sim_events *ev)
{
	bool *known = calloc((size_t)ev->last_number + 1, sizeof(*known));
	struct stood *list = calloc((size_t)ev->last_number + 1, sizeof(*list));
	struct arena scratch = ARENA_INIT;
	int found = 0;

	ck_assert(known && list);
	for (int32_t p = 0; p < FAKE_PARTITIONS; p++) {
		const struct fake_log *log = &ev->kafka->input[FAKE_PARTITIONS + p];
		size_t nr = 0;

		for (int64_t at = log->base; at < fake_end(log); at++)
			nr = read_record(fake_at(log, at), known, list, nr, &scratch);
		found += judge(ev, list, nr, p);
	}
	arena_fini(&scratch);
	free(known);
	free(list);
	return found;
}
