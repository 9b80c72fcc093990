/* test_simulation.c - exactly once, through anything: the whole processor above a Kafka in memory, against a ledger that never crashes.
 *
 * Everything of the product from service.c down runs as it is, but the files that speak to librdkafka (fake_consumer.c, fake_txn.c, fake_trim.c)
 * and the clock (fake_clock.c). Three instances share three partitions of samples and three of events; a scheduler of dice lets records come, time pass, instances take a
 * turn, crash, freeze, stop, start, change their settings, and partitions move; every transaction may fail at each of its calls, or end
 * unknown. Then all troubles end, every window closes, and all that was ever committed must be the ledger, each sample once; of the events the exemplars
 * that must be there, none twice (sim_events.h); and of alerts what opened closed, each once (sim_alerts.h).
 *
 * A run is its seed: TEST_SEED=n plays it again, and the runs after it. SIM_SECONDS=n goes on for so long. */
#include <inttypes.h>

#include "processor/dedup.h"
#include "processor/service.h"
#include "tests/unit/processor/sim_alerts.h"
#include "tests/unit/processor/sim_events.h"
#include "tests/unit/processor/sim_input.h"
#include "tests/unit/processor/sim_twin.h"

enum {
	RUNS = UNIT_ROUNDS(500),
	STEPS = 4000, /* at most */
	IDLE_MS = 5000,
	POLLS = 40,              /* messages a turn, at most */
	ALL_POLLS = 1000000,
	INPUT_MINUTES = 205,     /* event time ends here; the ledger ends at 240 */
	DRAIN_STEP_MS = 3000,
	DRAIN_MINUTES = 100,     /* behind the last input: its hour, and late fragments */
};

struct instance {
	struct fake_host host;
	struct processor_conf conf;
	struct metrics *metrics;
	struct service *service; /* NULL: not running */
	int64_t up_ms;           /* when it starts */
	int64_t frozen_until_ms;
	int64_t turned_ms;       /* its last turn */
};

struct world {
	struct fake_kafka kafka;
	struct sim_input input;
	struct sim_events events;
	struct sim_alerts alerts;
	struct instance instances[FAKE_HOSTS];
	struct ledger have[FAKE_PARTITIONS];
	uint64_t seed;
	int64_t incarnations;
	int pace;                /* how fast time passes in this run */
	bool draining;           /* nothing new happens any more */
	uint64_t peace;          /* how many turns an instance takes between two misfortunes */
};

void __wrap_report_notice(struct report *r, enum severity severity, const char *event, const char *text, const struct tag *fields, size_t nr);

/* The operators' log: nothing of what can raise an alarm here is a reason for one, but a schema that is not known yet. */
void __wrap_report_notice(struct report *r, enum severity severity, const char *event, const char *text, const struct tag *fields, size_t nr)
{
	const struct fake_host *host = (const struct fake_host *)r;

	(void)fields;
	(void)nr;
	if (severity != SEVERITY_ALARM || strcmp(event, "schema_unknown") == 0)
		return;
	printf("alarm %s: %s\n", event, text);
	sim_fail(host->kafka, "an alarm without a reason");
}

void sim_fail(const struct fake_kafka *k, const char *text)
{
	uint64_t first = k->nr_traced > FAKE_TRACE ? k->nr_traced - FAKE_TRACE : 0;

	for (uint64_t i = first; i < k->nr_traced; i++)
		printf("  %s\n", k->trace[i % FAKE_TRACE]);
	fflush(stdout);
	ck_abort_msg("%s; play it again with TEST_SEED=%llu", text, (unsigned long long)((const struct world *)k)->seed);
	abort();
}

static uint64_t dice(struct world *w, uint64_t n)
{
	return fake_dice(&w->kafka, n);
}

/* Settings as operators have them, and stranger. None of them may change what is counted. */
static void draw_conf(struct world *w, struct processor_conf *conf)
{
	static const int64_t graces_ms[] = {0, 5000, 45000, 45000, 120000}, chunks[] = {1024, 1024, 4096, 524288};

	*conf = (struct processor_conf){
		.grace_ms = graces_ms[dice(w, NR(graces_ms))],
		.late_idle_ms = 1000 + (int64_t)dice(w, 300000),
		.late_max_ms = 1000 + (int64_t)dice(w, 1800000),
		.stagger_ms = (int64_t)dice(w, 20000),
		.catchup_lag_ms = 1000 + (int64_t)dice(w, 60000),
		.catchup_interval_ms = 1000 + (int64_t)dice(w, 30000),
		.transaction_windows = dice(w, 2) ? 500000 : 1 + (int64_t)dice(w, 300),
		.catchup_windows = dice(w, 2) ? 200000 : 1 + (int64_t)dice(w, 100),
		.position_interval_ms = 100 + (int64_t)dice(w, dice(w, 2) ? 8000 : 500),
		.retry_interval_ms = 10 + (int64_t)dice(w, 1000),
		.chunk_bytes = chunks[dice(w, NR(chunks))],
		.schema_retry_ms = 500 + (int64_t)dice(w, 8000),
		.refused_retry_ms = 30000,
		.agents_max = 16 + (int64_t)dice(w, 10000), /* never below what there is: more would count twice, as said */
		.request_keys_max = 5000 + (int64_t)dice(w, 10000),
		.series_site_max = L_SERIES, /* as many as there are: one that is counted twice, or for ever, shows */
		.series_record_max = L_SERIES,
		.alerts_max_age_ms = 60000 + (int64_t)dice(w, 600000),
		.alerts_held_max = dice(w, 4) ? 10000 : (int64_t)dice(w, 3),
	};
}

static void start(struct world *w, struct instance *in)
{
	static const int64_t budgets[] = {7 << 18, 1 << 22, INT64_C(1) << 30}; /* below the setting's least: a state of this size must meet its marks, but not be crowded */
	struct service_parts parts = {.program = &in->host.program, .conf = &in->conf, .report = (struct report *)&in->host, .wake_fd = -1};
	struct err err = ERR_INIT;

	in->host.incarnation = ++w->incarnations;
	in->host.dead = false;
	draw_conf(w, &in->conf);
	in->host.program.common.memory_budget_bytes = budgets[dice(w, NR(budgets))];
	parts.metrics = in->metrics = metrics_new("sim");
	parts.judging = sim_alerts_start(&w->alerts, in->host.number);
	in->service = service_new(&parts, FAKE_EPOCH, FAKE_PARTITIONS, &err);
	if (in->service) {
		fake_note(&w->kafka, FAKE_START, &in->host, in->conf.grace_ms);
		return;
	}
	if (err.kind != ERR_RETRY)
		sim_fail(&w->kafka, err.msg);
	metrics_free(in->metrics);
	sim_alerts_end(&w->alerts, in->host.number);
	in->up_ms = w->kafka.now_ms + 1000;
}

/* The process is gone; save: after it has been told to stop. */
static void end(struct world *w, struct instance *in, bool save)
{
	in->host.polls_left = POLLS;
	service_free(in->service, save);
	metrics_free(in->metrics);
	sim_alerts_end(&w->alerts, in->host.number);
	in->service = NULL;
	in->up_ms = w->kafka.now_ms + (int64_t)dice(w, 25000);
}

static void crash(struct world *w, struct instance *in)
{
	in->host.dead = true;
	end(w, in, false);
}

static void turn(struct world *w, struct instance *in, int polls)
{
	struct err err = ERR_INIT;

	in->turned_ms = w->kafka.now_ms;
	in->host.polls_left = polls;
	sim_alerts_follow(&w->alerts, in->host.number, w->draining);
	if (service_turn(in->service, &err) < 0 && err.kind != ERR_RETRY)
		sim_fail(&w->kafka, err.msg);
	if (in->host.dead)
		crash(w, in);
	else if (err.kind) /* the consumer has failed for good: another one, as serving.c does */
		end(w, in, false);
}

/* Something happens to an instance that runs. */
static void disturb(struct world *w, struct instance *in)
{
	struct fake_kafka *k = &w->kafka;
	uint64_t what = dice(w, 100);

	if (what < 30) {
		fake_note(k, FAKE_CRASH, &in->host, 0);
		crash(w, in);
	} else if (what < 50) {
		in->host.frozen = true;
		in->frozen_until_ms = k->now_ms + (int64_t)dice(w, dice(w, 4) ? 40000 : 120000);
		fake_note(k, FAKE_FREEZE, &in->host, in->frozen_until_ms - k->now_ms);
	} else if (what < 60) {
		fake_note(k, FAKE_STOP, &in->host, 0);
		end(w, in, true);
	} else if (what < 80) {
		fake_note(k, FAKE_CONFIGURATION, &in->host, 0);
		draw_conf(w, &in->conf);
	} else {
		k->rebalance_due = k->moves_due = true;
	}
}

/* A frozen instance goes on where it was; it may well be at its checkpoints, before any poll. */
static void wake(struct world *w, struct instance *in)
{
	in->frozen_until_ms = 0;
	in->host.frozen = false;
	while (in->service && dice(w, 3)) {
		turn(w, in, 0);
		fake_pass(&w->kafka, (int64_t)dice(w, 1000));
	}
}

static void step_instance(struct world *w, struct instance *in)
{
	int64_t now_ms = w->kafka.now_ms;

	if (!in->service && now_ms >= in->up_ms)
		start(w, in);
	else if (in->service && in->frozen_until_ms && now_ms >= in->frozen_until_ms)
		wake(w, in);
	else if (in->service && !in->host.frozen && dice(w, w->peace) == 0)
		disturb(w, in);
	else if (in->service && !in->host.frozen)
		turn(w, in, dice(w, 4) ? (int)dice(w, POLLS) : 0);
}

/* Time passes. Who is not frozen takes a turn now and then: a process that heartbeats and does nothing for long there is not. */
static void pass(struct world *w, int64_t ms, const struct instance *not)
{
	fake_pass(&w->kafka, ms);
	for (int i = 0; i < FAKE_HOSTS; i++) {
		struct instance *in = &w->instances[i];

		if (in != not && in->service && !in->host.frozen && w->kafka.now_ms - in->turned_ms > IDLE_MS)
			turn(w, in, POLLS);
	}
}

/* One throw of the dice; not: an instance that is inside a call, or NULL. */
static void step(struct world *w, const struct instance *not)
{
	struct fake_kafka *k = &w->kafka;
	struct instance *in = &w->instances[dice(w, FAKE_HOSTS)];
	uint64_t what = dice(w, 100);

	if (what < 30) {
		if (k->now_ms >= L_BEGIN_MS + INPUT_MINUTES * L_MINUTE_MS)
			return;
		if (what < 20)
			sim_input_step(&w->input);
		else
			sim_events_step(&w->events);
	} else if (what < 50) {
		pass(w, (int64_t)dice(w, dice(w, 3) ? (uint64_t)w->pace : 50), not);
		for (uint64_t left = dice(w, 100) ? 0 : dice(w, 10); left > 0; left--) /* nothing comes for a while */
			pass(w, (int64_t)dice(w, 5000), not);
	} else if (in != not) {
		step_instance(w, in);
	}
	if (dice(w, 100) == 0)
		sim_alerts_step(&w->alerts);
	if (dice(w, 300) == 0)
		k->trouble = dice(w, 2) ? 0 : dice(w, 4) ? 20 : 200;
	if (dice(w, k->outage ? 300 : 3000) == 0)
		k->outage = !k->outage;
}

/* An instance hangs inside a call, and the world goes on without it. */
static void elsewhere(void *ctx, struct fake_host *host, int64_t ms)
{
	struct world *w = ctx;
	int64_t until_ms = w->kafka.now_ms + ms;

	while (w->kafka.now_ms < until_ms)
		step(w, &w->instances[host->number]);
}

static void world_init(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	fake_init(&w->kafka, seed, L_BEGIN_MS + 20 * L_MINUTE_MS);
	fake_clock_use(&w->kafka);
	sim_twin_use(&w->kafka);
	sim_input_init(&w->input, &w->kafka);
	sim_events_init(&w->events, &w->kafka);
	sim_alerts_init(&w->alerts, &w->kafka);
	w->seed = seed;
	w->pace = 1 << (5 + dice(w, 9));
	w->peace = UINT64_C(10) << dice(w, 5);
	w->kafka.vices = true;
	w->kafka.elsewhere = elsewhere;
	w->kafka.ctx = w;
	for (int i = 0; i < FAKE_HOSTS; i++) {
		struct instance *in = &w->instances[i];

		in->host = (struct fake_host){.kafka = &w->kafka, .number = i, .is_static = dice(w, 2)};
		in->host.program.common.cell = (char *)(uintptr_t)"sim"; /* only read */
		in->host.program.log = (struct log){.fd = 1, .level = getenv("SIM_LOG") ? LOG_LEVEL_DEBUG : (enum log_level)(LOG_LEVEL_ERROR + 1)};
		in->up_ms = w->kafka.now_ms + (int64_t)dice(w, 10000);
	}
}

static void world_fini(struct world *w)
{
	for (int i = 0; i < FAKE_HOSTS; i++)
		if (w->instances[i].service)
			crash(w, &w->instances[i]);
	sim_input_fini(&w->input);
	sim_events_fini(&w->events);
	sim_alerts_fini(&w->alerts);
	fake_fini(&w->kafka);
}

/* All troubles end; nothing new comes; time passes until every window must have been closed. */
static void drain(struct world *w)
{
	struct fake_kafka *k = &w->kafka;
	int64_t until_ms;

	k->trouble = 0;
	k->vices = k->outage = false;
	w->draining = true;
	sim_input_finish(&w->input);
	sim_events_finish(&w->events);
	until_ms = k->now_ms + DRAIN_MINUTES * L_MINUTE_MS;
	while (k->now_ms < until_ms) {
		fake_pass(k, DRAIN_STEP_MS);
		for (int i = 0; i < FAKE_HOSTS; i++) {
			struct instance *in = &w->instances[i];

			in->host.frozen = false;
			in->conf.grace_ms = 45000;
			in->conf.late_idle_ms = in->conf.late_max_ms = 5 * L_MINUTE_MS;
			if (!in->service && k->now_ms >= in->up_ms)
				start(w, in);
			else if (in->service)
				turn(w, in, ALL_POLLS);
		}
	}
}

/* A committed fragment, into what was received. */
static void receive_fragment(struct world *w, const struct fake_record *record, struct arena *scratch)
{
	struct aggregate a;
	struct err err = ERR_INIT;
	struct series_id id;
	struct ledger *l = &w->have[record->partition];
	struct entry *e;
	int64_t counted, number;
	int series;

	ck_assert_msg(aggregate_decode((struct str){(const char *)record->bytes, record->len}, scratch, &a, &err) == 0, "%s", err.msg);
	id = (struct series_id){.site = a.site, .kind = (uint8_t)a.kind, .name = a.name, .tags = a.tags, .tags_len = a.tags_len};
	series = l_series_named(a.fingerprint, &id);
	number = (a.window_start - L_BEGIN_MS) / a.window_ms;
	ck_assert(a.epoch == FAKE_EPOCH && a.has_min && a.has_max && a.has_last && a.count > 0 && number >= 0);
	ck_assert_int_lt(number, a.window_ms == L_MINUTE_MS ? L_MINUTES : L_HOURS);
	e = a.window_ms == L_MINUTE_MS ? &l->minutes[series][number] : &l->hours[series][number];
	entry_extremes(e, e->count == 0, a.min, a.max, a.last_at, a.last);
	e->count += a.count;
	e->errors += a.errors;
	e->sum += a.sum;
	counted = a.histogram.zero;
	for (size_t i = 0; i < a.histogram.counts_len; i++) {
		if (!a.histogram.counts[i])
			continue;
		ck_assert_int_eq((a.histogram.offset + (int64_t)i) % 32, 18);
		e->values[(a.histogram.offset + (int64_t)i) / 32] += a.histogram.counts[i];
		counted += a.histogram.counts[i];
	}
	ck_assert_int_eq(counted, a.kind == SERIES_KIND_DISTRIBUTION ? a.count : 0);
}

/* A committed dead letter: of one of the records that must become one, which has none so far. */
static void receive_letter(struct world *w, const struct fake_record *record, struct arena *scratch)
{
	struct dead_letter letter;
	struct err err = ERR_INIT;
	struct fake_record *origin;
	int32_t number;

	ck_assert_msg(dead_letter_decode((struct str){(const char *)record->bytes, record->len}, scratch, &letter, &err) == 0, "%s", err.msg);
	number = str_eq(letter.topic, str_from(w->kafka.topics.events)) ? FAKE_PARTITIONS + letter.partition : letter.partition;
	origin = number >= 0 && number < FAKE_INPUTS ? fake_at(&w->kafka.input[number], letter.offset) : NULL;
	if (!origin || !origin->poison)
		sim_fail(&w->kafka, "a dead letter of a good record, or a second one");
	origin->poison = false;
}

static void receive(struct world *w)
{
	struct arena scratch = ARENA_INIT;

	for (size_t i = 0; i < w->kafka.output.len; i++) {
		const struct fake_record *record = &w->kafka.output.records[i];

		if (record->txn->fate != FATE_COMMITTED)
			continue;
		arena_clear(&scratch);
		if (record->topic == TXN_DEADLETTER)
			receive_letter(w, record, &scratch);
		else if (record->topic == TXN_ALERTS)
			sim_alerts_receive(&w->alerts, record, &scratch);
		else if (record->topic == TXN_EXEMPLARS)
			sim_events_receive(&w->events, record, &scratch);
		else
			receive_fragment(w, record, &scratch);
	}
	arena_fini(&scratch);
}

/* How many windows of an array differ; each is said. */
static int differences(const struct entry *want, const struct entry *have, int nr, const char *what, int32_t partition, int series)
{
	int found = 0;

	for (int i = 0; i < nr; i++) {
		const struct entry *a = &want[i], *b = &have[i];
		bool equal = a->count == b->count && a->errors == b->errors && a->sum == b->sum && a->min == b->min && a->max == b->max && a->last == b->last &&
			     a->last_at == b->last_at;

		if (equal && (l_kind(series) != SERIES_KIND_DISTRIBUTION || memcmp(a->values, b->values, sizeof(a->values)) == 0))
			continue;
		found++;
		printf("partition %d series %d %s %d: %s %" PRId64 " (want %" PRId64 " values, sum %g; have %" PRId64 ", %g)\n", (int)partition,
		       series, what, i, a->count > b->count ? "lost" : "doubled", a->count > b->count ? a->count - b->count : b->count - a->count,
		       a->count, a->sum, b->count, b->sum);
	}
	return found;
}

static void compare(struct world *w)
{
	int found = sim_events_compare(&w->events) + sim_alerts_compare(&w->alerts);

	for (int32_t p = 0; p < FAKE_PARTITIONS; p++) {
		const struct ledger *want = &w->input.want[p], *have = &w->have[p];

		for (int s = 0; s < L_SERIES; s++)
			found += differences(want->minutes[s], have->minutes[s], L_MINUTES, "minute", p, s) +
				 differences(want->hours[s], have->hours[s], L_HOURS, "hour", p, s);
	}
	for (int32_t p = 0; p < FAKE_INPUTS; p++)
		for (int64_t at = w->kafka.input[p].base; at < fake_end(&w->kafka.input[p]); at++)
			if (fake_at(&w->kafka.input[p], at)->poison && ++found)
				printf("input %d offset %" PRId64 ": poison without a dead letter\n", (int)p, at);
	if (found)
		sim_fail(&w->kafka, "what was committed is not what was sent");
}

/* One history. Adds what happened to seen. */
static void run(struct world *w, uint64_t seed, uint64_t seen[NR_FAKE_EVENTS])
{
	world_init(w, seed);
	for (int left = STEPS >> dice(w, 5); left > 0; left--) /* short ones too: much is decided in the beginning */
		step(w, NULL);
	drain(w);
	receive(w);
	compare(w);
	for (int i = 0; i < NR_FAKE_EVENTS; i++)
		seen[i] += w->kafka.seen[i];
	world_fini(w);
}

START_TEST(whatever_happens_each_sample_comes_out_once)
{
	const char *text = getenv("SIM_SECONDS");
	time_t until = text ? time(NULL) + strtol(text, NULL, 10) : 0;
	struct unit_random random = unit_random_new("whatever_happens");
	const char *given = getenv("TEST_SEED");
	uint64_t first = given ? strtoull(given, NULL, 0) : unit_random_next(&random) >> 24, nr = 0, seen[NR_FAKE_EVENTS] = {0};
	struct world *w = malloc(sizeof(*w));
	int silent = 0;

	ck_assert_ptr_nonnull(w);
	printf("whatever_happens: runs from TEST_SEED=%llu on\n", (unsigned long long)first);
	fflush(stdout);
	for (; nr < RUNS || time(NULL) < until; nr++)
		run(w, first + nr, seen);
	free(w);
	printf("%llu runs:", (unsigned long long)nr);
	for (enum fake_event e = 0; e < NR_FAKE_EVENTS; e++) {
		printf(" %s %llu", fake_event_name(e), (unsigned long long)seen[e]);
		silent += seen[e] == 0;
	}
	printf("\n");
	ck_assert_msg(silent == 0, "%d kinds of events never happened", silent);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("simulation");
	TCase *tc = tcase_create("simulation");

	tcase_set_timeout(tc, 0);
	tcase_add_test(tc, whatever_happens_each_sample_comes_out_once);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
