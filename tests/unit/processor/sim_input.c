/* sim_input.c - see sim_input.h. */
#include "tests/unit/processor/sim_input.h"

#define KEY_MS (40 * L_MINUTE_MS) /* a key is remembered for an hour */

void sim_input_init(struct sim_input *in, struct fake_kafka *k)
{
	memset(in, 0, sizeof(*in));
	in->kafka = k;
}

void sim_input_fini(struct sim_input *in)
{
	for (int32_t p = 0; p < FAKE_PARTITIONS; p++)
		for (int a = 0; a < SIM_AGENTS; a++)
			for (size_t i = 0; i < in->agents[p][a].nr_open; i++)
				free(in->agents[p][a].open[i].batch);
	for (size_t i = 0; i < in->nr_stragglers; i++)
		buf_fini(&in->stragglers[i].bytes);
	buf_fini(&in->bytes);
}

/* Kafka stamps it as it comes. Now and then it is of a schema that only the build of some seconds later knows. */
static struct fake_record *arrive(struct sim_input *in, int32_t partition, struct str bytes)
{
	struct fake_kafka *k = in->kafka;
	struct fake_record *record = fake_append(&k->input[partition], bytes.p, bytes.len);

	record->timestamp_ms = k->now_ms - (fake_once_in(k, 16) ? (int64_t)fake_dice(k, 3000) : 0); /* leaders' clocks differ */
	k->seen[FAKE_RECORD]++;
	if (fake_once_in(k, 400)) {
		record->readable_ms = k->now_ms + (int64_t)fake_dice(k, 20000);
		fake_note(k, FAKE_NEWER_SCHEMA, NULL, fake_end(&k->input[partition]) - 1);
	}
	return record;
}

static void send_batch(struct sim_input *in, int32_t partition, const struct batch *b)
{
	batch_encode(b, &in->bytes);
	arrive(in, partition, buf_str(&in->bytes));
}

/* A copy of what was sent last is on its way. */
static void copy_last(struct sim_input *in, int32_t partition, int64_t until_ms)
{
	struct sim_straggler *s = &in->stragglers[in->nr_stragglers];

	if (in->nr_stragglers == SIM_STRAGGLERS || !fake_once_in(in->kafka, 6))
		return;
	s->partition = partition;
	s->until_ms = until_ms;
	buf_add(&s->bytes, in->bytes.p, in->bytes.len);
	in->nr_stragglers++;
}

static void send_payload(struct sim_input *in, int32_t partition, const struct sim_agent *agent, struct sim_payload *payload)
{
	struct fake_kafka *k = in->kafka;

	payload->batch->record.floor = agent->open[0].seq;
	send_batch(in, partition, payload->batch);
	if (payload->sent)
		k->seen[FAKE_RETRY]++;
	payload->sent = true;
	copy_last(in, partition, INT64_MAX);
}

/* The oldest is acknowledged, or must be sent at last. */
static void close_oldest(struct sim_input *in, int32_t partition, struct sim_agent *agent)
{
	if (!agent->open[0].sent)
		send_payload(in, partition, agent, &agent->open[0]);
	free(agent->open[0].batch);
	memmove(agent->open, agent->open + 1, --agent->nr_open * sizeof(agent->open[0]));
}

/* A copy with a time that cannot be is refused as a whole, and marks nothing: the good one that follows must count. */
static void send_refused(struct sim_input *in, int32_t partition, const struct sim_agent *agent, const struct sim_payload *payload)
{
	struct batch bad;

	memcpy(&bad, payload->batch, sizeof(bad));
	bad.record.series = bad.series;
	bad.record.summaries = bad.summaries;
	bad.record.values = bad.values;
	bad.record.summaries_len = 0;
	bad.record.values_len = 0;
	bad.record.floor = agent->open[0].seq;
	batch_value(&bad, 0, 0, in->kafka->now_ms);
	batch_value(&bad, 0, 0, in->kafka->now_ms + 3 * L_HOUR_MS);
	batch_encode(&bad, &in->bytes);
	arrive(in, partition, buf_str(&in->bytes))->poison = true;
	fake_note(in->kafka, FAKE_REFUSED_FIRST, NULL, payload->seq);
}

static void new_payload(struct sim_input *in, int32_t partition, int number)
{
	struct fake_kafka *k = in->kafka;
	struct sim_agent *agent = &in->agents[partition][number];
	struct sim_payload *payload;

	if (agent->nr_open == SIM_OPEN || (agent->nr_open && fake_once_in(k, 3)))
		close_oldest(in, partition, agent);
	payload = &agent->open[agent->nr_open++];
	*payload = (struct sim_payload){.seq = ++agent->last_seq, .batch = malloc(sizeof(*payload->batch))};
	ck_assert_ptr_nonnull(payload->batch);
	batch_random(payload->batch, &k->random, k->now_ms, &in->want[partition]);
	batch_identify(payload->batch, number, payload->seq, payload->seq, number % 2);
	if (fake_once_in(k, 50))
		send_refused(in, partition, agent, payload);
	if (!fake_once_in(k, 5)) /* else it comes after younger ones */
		send_payload(in, partition, agent, payload);
}

static void send_anonymous(struct sim_input *in, int32_t partition)
{
	struct batch b;

	batch_random(&b, &in->kafka->random, in->kafka->now_ms, &in->want[partition]);
	send_batch(in, partition, &b);
}

/* A request with a key of its own. */
static void send_keyed(struct sim_input *in, int32_t partition)
{
	struct batch b;

	batch_random(&b, &in->kafka->random, in->kafka->now_ms, &in->want[partition]);
	in->last_key++;
	b.record.has_idempotency_key = true;
	b.record.idempotency_key = (struct str){(const char *)&in->last_key, sizeof(in->last_key)};
	send_batch(in, partition, &b);
	in->kafka->seen[FAKE_KEY]++;
	copy_last(in, partition, in->kafka->now_ms + KEY_MS);
}

/* The next point of a sender of cumulative ones, which begins anew at times: it adds what one value does. */
static void send_total(struct sim_input *in, int32_t partition)
{
	struct fake_kafka *k = in->kafka;
	struct sim_total *total = &in->totals[partition];
	int j = (int)fake_dice(k, L_VALUES);
	struct value_sample *v;
	struct batch b;

	batch_init(&b);
	b.series[3].temporality = TEMPORALITY_CUMULATIVE;
	if (!total->at_ms || fake_once_in(k, 10)) {
		total->total = 0;
		total->started_ms = total->at_ms ? total->at_ms : k->now_ms;
	}
	total->at_ms = k->now_ms > total->at_ms ? k->now_ms + 1 : total->at_ms + 1;
	total->total += l_value(j);
	ledger_add(&in->want[partition], 3, j, total->at_ms);
	v = batch_value(&b, 3, 0, total->at_ms);
	v->v = total->total;
	v->start = total->started_ms;
	send_batch(in, partition, &b);
	k->seen[FAKE_TOTAL]++;
	copy_last(in, partition, k->now_ms + KEY_MS);
}

static void send_straggler(struct sim_input *in)
{
	struct sim_straggler *s;

	if (!in->nr_stragglers)
		return;
	s = &in->stragglers[fake_dice(in->kafka, in->nr_stragglers)];
	if (in->kafka->now_ms <= s->until_ms) {
		arrive(in, s->partition, buf_str(&s->bytes));
		in->kafka->seen[FAKE_STRAGGLER]++;
	}
	buf_fini(&s->bytes);
	*s = in->stragglers[--in->nr_stragglers];
	in->stragglers[in->nr_stragglers] = (struct sim_straggler){0};
}

static void send_poison(struct sim_input *in, int32_t partition)
{
	static const struct str garbage[] = {{"", 0}, {"garbage", 7}, {"\0\0\0\0\x0a\0\0", 7} /* events' */, {"\0\0\0\0\x03", 5}, {"\0\0\0\0\x03\x02\x02", 7}};

	arrive(in, partition, garbage[fake_dice(in->kafka, NR(garbage))])->poison = true;
	fake_note(in->kafka, FAKE_POISON, NULL, partition);
}

void sim_input_step(struct sim_input *in)
{
	struct fake_kafka *k = in->kafka;
	int32_t partition = (int32_t)fake_dice(k, FAKE_PARTITIONS);
	int number = (int)fake_dice(k, SIM_AGENTS);
	struct sim_agent *agent = &in->agents[partition][number];
	uint64_t what = fake_dice(k, 100);

	if (what < 45)
		new_payload(in, partition, number);
	else if (what < 70 && agent->nr_open)
		send_payload(in, partition, agent, &agent->open[fake_dice(k, agent->nr_open)]);
	else if (what < 78)
		send_straggler(in);
	else if (what < 80)
		send_poison(in, partition);
	else if (what < 85)
		send_keyed(in, partition);
	else if (what < 90)
		send_total(in, partition);
	else
		send_anonymous(in, partition);
}

void sim_input_finish(struct sim_input *in)
{
	for (int32_t p = 0; p < FAKE_PARTITIONS; p++)
		for (int a = 0; a < SIM_AGENTS; a++)
			while (in->agents[p][a].nr_open)
				close_oldest(in, p, &in->agents[p][a]);
	while (in->nr_stragglers)
		send_straggler(in);
}
