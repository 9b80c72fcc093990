/* test_txn_errors.c - every error that a coordinator may answer to every call of a transaction, and calls that are not answered: what the transaction
 * comes to, what is left of the producer, and that the next transaction is made in the same process.
 *
 * The mock cluster answers with the errors it is given, but keeps no transactions: it cannot say what became of one. So outcomes are judged by
 * who was asked: TXN_ABORTED only when nobody was asked to commit, TXN_COMMITTED only by the coordinator's yes. */
#include <poll.h>
#include <pthread.h>

#include "tests/unit/processor/txn_bench.h"

#define E(name) RD_KAFKA_RESP_ERR_##name

/* How a transaction ends. */
enum end { COMMITTED, ABORTED, UNKNOWN };

/* What the producer is then: thrown away; as good as before; good, but the next transaction may come to nothing, too; left to a call that hangs. */
enum after { CLOSED, IDLE, LIMPING, LEFT };

static const char *const ends[] = {"committed", "aborted", "unknown"};

/* One transaction, to its end. */
static enum end transact(struct bench *b, struct err *err)
{
	struct txn_delivery delivery;

	if (fill(b, &delivery, err) < 0)
		return ABORTED;
	switch (txn_commit(b->txn, err)) {
	case TXN_COMMITTED:
		return COMMITTED;
	case TXN_ABORTED:
		return ABORTED;
	default:
		return UNKNOWN;
	}
}

/* What is answered to one call of a transaction, and to a second one, code 0: none. */
static const struct error_case {
	struct {
		int16_t api;
		rd_kafka_resp_err_t code;
	} answers[2];
	enum end end;
	enum after after;
} error_cases[] = {
	/* The coordinator is busy or has moved: the same call again. */
	{{{API_ADD_PARTITIONS, E(COORDINATOR_NOT_AVAILABLE)}}, COMMITTED, IDLE},
	{{{API_ADD_PARTITIONS, E(NOT_COORDINATOR)}}, COMMITTED, IDLE},
	{{{API_ADD_PARTITIONS, E(COORDINATOR_LOAD_IN_PROGRESS)}}, COMMITTED, IDLE},
	{{{API_ADD_PARTITIONS, E(CONCURRENT_TRANSACTIONS)}}, COMMITTED, IDLE},
	{{{API_ADD_PARTITIONS, E(_TRANSPORT)}}, COMMITTED, IDLE},
	{{{API_ADD_OFFSETS, E(COORDINATOR_NOT_AVAILABLE)}}, COMMITTED, IDLE},
	{{{API_ADD_OFFSETS, E(NOT_COORDINATOR)}}, COMMITTED, IDLE},
	{{{API_ADD_OFFSETS, E(COORDINATOR_LOAD_IN_PROGRESS)}}, COMMITTED, IDLE},
	{{{API_ADD_OFFSETS, E(CONCURRENT_TRANSACTIONS)}}, COMMITTED, IDLE},
	{{{API_ADD_OFFSETS, E(_TRANSPORT)}}, COMMITTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(COORDINATOR_NOT_AVAILABLE)}}, COMMITTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(NOT_COORDINATOR)}}, COMMITTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(COORDINATOR_LOAD_IN_PROGRESS)}}, COMMITTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(CONCURRENT_TRANSACTIONS)}}, COMMITTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(_TRANSPORT)}}, COMMITTED, IDLE},
	{{{API_END_TXN, E(COORDINATOR_NOT_AVAILABLE)}}, COMMITTED, IDLE},
	{{{API_END_TXN, E(NOT_COORDINATOR)}}, COMMITTED, IDLE},
	{{{API_END_TXN, E(COORDINATOR_LOAD_IN_PROGRESS)}}, COMMITTED, IDLE},
	{{{API_END_TXN, E(CONCURRENT_TRANSACTIONS)}}, COMMITTED, IDLE},
	{{{API_END_TXN, E(_TRANSPORT)}}, COMMITTED, IDLE},
	{{{API_END_TXN, E(NOT_COORDINATOR)}, {API_FIND_COORDINATOR, E(COORDINATOR_NOT_AVAILABLE)}}, COMMITTED, IDLE},
	{{{API_END_TXN, E(NOT_COORDINATOR)}, {API_FIND_COORDINATOR, E(COORDINATOR_LOAD_IN_PROGRESS)}}, COMMITTED, IDLE},
	{{{API_END_TXN, E(NOT_COORDINATOR)}, {API_FIND_COORDINATOR, E(_TRANSPORT)}}, COMMITTED, IDLE},
	/* Leaders that are busy or have moved. */
	{{{API_PRODUCE, E(NOT_LEADER_FOR_PARTITION)}}, COMMITTED, IDLE},
	{{{API_PRODUCE, E(NOT_ENOUGH_REPLICAS)}}, COMMITTED, IDLE},
	{{{API_PRODUCE, E(_TRANSPORT)}}, COMMITTED, IDLE},
	/* What the group's coordinator says to a member that is not one any more: the producer is as good as before. */
	{{{API_TXN_OFFSET_COMMIT, E(ILLEGAL_GENERATION)}}, ABORTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(UNKNOWN_MEMBER_ID)}}, ABORTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(FENCED_INSTANCE_ID)}}, ABORTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(REBALANCE_IN_PROGRESS)}}, ABORTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(GROUP_AUTHORIZATION_FAILED)}}, ABORTED, IDLE},
	{{{API_ADD_OFFSETS, E(GROUP_AUTHORIZATION_FAILED)}}, ABORTED, IDLE},
	{{{API_ADD_PARTITIONS, E(TOPIC_AUTHORIZATION_FAILED)}}, ABORTED, IDLE},
	{{{API_PRODUCE, E(MSG_SIZE_TOO_LARGE)}}, ABORTED, LIMPING}, /* its number is missing in the row of sequences */
	/* Another producer has taken our place, or our transaction has been timed out. For 2.0.2 some of these ask for an abort only, which would be
	 * refused likewise, but here it is not. */
	{{{API_ADD_PARTITIONS, E(PRODUCER_FENCED)}}, ABORTED, CLOSED},
	{{{API_ADD_PARTITIONS, E(INVALID_PRODUCER_EPOCH)}}, ABORTED, CLOSED},
	{{{API_ADD_PARTITIONS, E(INVALID_TXN_STATE)}}, ABORTED, CLOSED},
	{{{API_ADD_OFFSETS, E(PRODUCER_FENCED)}}, ABORTED, IDLE},
	{{{API_ADD_OFFSETS, E(INVALID_PRODUCER_EPOCH)}}, ABORTED, CLOSED},
	{{{API_ADD_OFFSETS, E(INVALID_TXN_STATE)}}, ABORTED, CLOSED},
	{{{API_TXN_OFFSET_COMMIT, E(PRODUCER_FENCED)}}, ABORTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(INVALID_PRODUCER_EPOCH)}}, ABORTED, CLOSED},
	{{{API_PRODUCE, E(INVALID_PRODUCER_EPOCH)}}, ABORTED, CLOSED},
	{{{API_PRODUCE, E(UNKNOWN_PRODUCER_ID)}}, ABORTED, IDLE},
	{{{API_PRODUCE, E(OUT_OF_ORDER_SEQUENCE_NUMBER)}}, ABORTED, CLOSED},
	/* A commit that was refused: only the committed offset tells, also when an abort went well (I3 in txn.c). */
	{{{API_END_TXN, E(PRODUCER_FENCED)}}, UNKNOWN, CLOSED},
	{{{API_END_TXN, E(INVALID_PRODUCER_EPOCH)}}, UNKNOWN, CLOSED},
	{{{API_END_TXN, E(INVALID_TXN_STATE)}}, UNKNOWN, CLOSED},
	{{{API_END_TXN, E(TRANSACTIONAL_ID_AUTHORIZATION_FAILED)}}, UNKNOWN, CLOSED},
	{{{API_END_TXN, E(UNKNOWN_PRODUCER_ID)}}, UNKNOWN, IDLE},
	{{{API_END_TXN, E(INVALID_PRODUCER_ID_MAPPING)}}, UNKNOWN, IDLE},
	{{{API_END_TXN, E(GROUP_AUTHORIZATION_FAILED)}}, UNKNOWN, IDLE},
	/* ... and so was the abort that followed. */
	{{{API_END_TXN, E(GROUP_AUTHORIZATION_FAILED)}, {API_END_TXN, E(INVALID_TXN_STATE)}}, UNKNOWN, CLOSED},
	{{{API_END_TXN, E(GROUP_AUTHORIZATION_FAILED)}, {API_END_TXN, E(PRODUCER_FENCED)}}, UNKNOWN, CLOSED},
	{{{API_END_TXN, E(GROUP_AUTHORIZATION_FAILED)}, {API_END_TXN, E(_TRANSPORT)}}, UNKNOWN, IDLE},
	/* An abort that is refused after a step before the commit: still nobody was asked to commit. */
	{{{API_TXN_OFFSET_COMMIT, E(ILLEGAL_GENERATION)}, {API_END_TXN, E(COORDINATOR_LOAD_IN_PROGRESS)}}, ABORTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(ILLEGAL_GENERATION)}, {API_END_TXN, E(NOT_COORDINATOR)}}, ABORTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(ILLEGAL_GENERATION)}, {API_END_TXN, E(_TRANSPORT)}}, ABORTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(ILLEGAL_GENERATION)}, {API_END_TXN, E(UNKNOWN_PRODUCER_ID)}}, ABORTED, IDLE},
	{{{API_TXN_OFFSET_COMMIT, E(ILLEGAL_GENERATION)}, {API_END_TXN, E(PRODUCER_FENCED)}}, ABORTED, CLOSED},
	{{{API_TXN_OFFSET_COMMIT, E(ILLEGAL_GENERATION)}, {API_END_TXN, E(INVALID_TXN_STATE)}}, ABORTED, CLOSED},
};

/* Every LANES-th case, one after the other with the same bench: whatever happened, the process goes on. */
struct lane {
	struct bench b;
	size_t first;
	char wrong[1024]; /* what went otherwise; empty: nothing */
};

enum { LANES = 3 };

/* Opens, however often that must be tried, and makes a transaction. */
static enum end next_end(struct bench *b)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct err err = ERR_INIT;

	while (txn_open(b->txn, &err) < 0 && clock_mono_ms() < until)
		;
	return transact(b, &err);
}

static void run_case(struct lane *lane, const struct error_case *c)
{
	struct bench *b = &lane->b;
	struct err err = ERR_INIT;
	enum end end, next;
	const char *reason;
	bool idle;

	for (size_t k = 0; k < NR(c->answers) && c->answers[k].code; k++)
		rd_kafka_mock_push_request_errors(b->mock.cluster, c->answers[k].api, 1, c->answers[k].code);
	end = transact(b, &err);
	idle = txn_is_idle(b->txn);
	reason = txn_reason(b->txn);
	for (size_t k = 0; k < NR(c->answers); k++)
		rd_kafka_mock_clear_request_errors(b->mock.cluster, c->answers[k].api);
	next = next_end(b);
	if (next != COMMITTED && c->after == LIMPING)
		next = next_end(b);
	if (end != c->end || idle != (c->after != CLOSED) || next != COMMITTED ||
	    (end != COMMITTED && (err.kind != ERR_RETRY || !*reason)) ||
	    (end != COMMITTED && c->answers[0].api == API_PRODUCE && strcmp(reason, rd_kafka_err2name(c->answers[0].code)) != 0))
		snprintf(lane->wrong, sizeof(lane->wrong), "call %d answered with %s: %s, %s, %s, next %s: %s", c->answers[0].api,
			 rd_kafka_err2name(c->answers[0].code), ends[end], reason, idle ? "idle" : "closed", ends[next], err.msg);
}

static void *lane_main(void *arg)
{
	struct lane *lane = arg;
	char log[65536];

	for (size_t i = lane->first; i < NR(error_cases) && !*lane->wrong; i += LANES)
		run_case(lane, &error_cases[i]);
	if (count_of(program_log(&lane->b.mock.program, log, sizeof(log)), "producer_left_behind"))
		snprintf(lane->wrong, sizeof(lane->wrong), "a client was left behind");
	bench_fini(&lane->b);
	return NULL;
}

START_TEST(every_error_comes_to_its_outcome_and_the_next_transaction_commits)
{
	static struct lane lanes[LANES];
	pthread_t threads[LANES];

	for (size_t i = 0; i < LANES; i++) {
		bench_init(&lanes[i].b);
		lanes[i].first = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, lane_main, &lanes[i]), 0);
	}
	for (size_t i = 0; i < LANES; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < LANES; i++)
		ck_assert_msg(!*lanes[i].wrong, "%s", lanes[i].wrong);
}
END_TEST

/* Registering the id: whatever is answered, the call is made again, in the end by a new producer. */
START_TEST(every_error_at_registering_is_outlived)
{
	static const struct {
		int16_t api;
		rd_kafka_resp_err_t code;
	} answers[] = {
		{API_INIT_PRODUCER_ID, E(COORDINATOR_NOT_AVAILABLE)},  {API_INIT_PRODUCER_ID, E(NOT_COORDINATOR)},
		{API_INIT_PRODUCER_ID, E(COORDINATOR_LOAD_IN_PROGRESS)}, {API_INIT_PRODUCER_ID, E(CONCURRENT_TRANSACTIONS)},
		{API_INIT_PRODUCER_ID, E(INVALID_PRODUCER_EPOCH)},     {API_INIT_PRODUCER_ID, E(PRODUCER_FENCED)},
		{API_INIT_PRODUCER_ID, E(UNKNOWN_PRODUCER_ID)},        {API_INIT_PRODUCER_ID, E(_TRANSPORT)},
		{API_INIT_PRODUCER_ID, E(TRANSACTIONAL_ID_AUTHORIZATION_FAILED)},
		{API_FIND_COORDINATOR, E(COORDINATOR_NOT_AVAILABLE)},  {API_FIND_COORDINATOR, E(COORDINATOR_LOAD_IN_PROGRESS)},
		{API_FIND_COORDINATOR, E(_TRANSPORT)},                 {API_FIND_COORDINATOR, E(TRANSACTIONAL_ID_AUTHORIZATION_FAILED)},
	};
	struct bench b;

	bench_init(&b);
	for (size_t i = 0; i < NR(answers); i++) {
		txn_free(b.txn);
		b.txn = txn_new(&b.mock.program, &b.topics);
		rd_kafka_mock_push_request_errors(b.mock.cluster, answers[i].api, 1, answers[i].code);
		must_open(&b);
		must_commit(&b);
	}
	bench_fini(&b);
}
END_TEST

/* What takes seconds each is done by all benches at the same time. A play says how its transaction ended; what comes next must be committed. */
struct slow {
	struct bench b;
	const struct play *play;
	struct err err;
	enum end end;
	enum after after;
	char reason[32];
	int64_t took_ms;
	enum end next;
	bool left_behind; /* a client was */
};

enum { BROKER = 1, NEVER_MS = 9500, LATE_MS = 8100, TIGHT_MS = 7300, SEARCHES = 100 };

/* The answer to the next call of api comes when nobody waits for it any more. */
static void answer_late(struct slow *s, int16_t api)
{
	rd_kafka_mock_broker_push_request_error_rtts(s->b.mock.cluster, BROKER, api, 1, RD_KAFKA_RESP_ERR_NO_ERROR, NEVER_MS);
}

static void play_late_offsets(struct slow *s)
{
	answer_late(s, API_ADD_OFFSETS);
	s->end = transact(&s->b, &s->err);
}

/* The group has no coordinator for a long while: the client asks for one without end, and without looking at the time it was given. */
static void play_no_coordinator(struct slow *s)
{
	for (int i = 0; i < SEARCHES; i++)
		rd_kafka_mock_push_request_errors(s->b.mock.cluster, API_FIND_COORDINATOR, 1, E(COORDINATOR_NOT_AVAILABLE));
	s->end = transact(&s->b, &s->err);
	rd_kafka_mock_clear_request_errors(s->b.mock.cluster, API_FIND_COORDINATOR);
}

static void play_late_commit(struct slow *s)
{
	answer_late(s, API_END_TXN);
	s->end = transact(&s->b, &s->err);
}

static void play_down_at_commit(struct slow *s)
{
	struct txn_delivery delivery;

	s->end = fill(&s->b, &delivery, &s->err) == 0 ? COMMITTED : ABORTED;
	rd_kafka_mock_broker_set_down(s->b.mock.cluster, BROKER);
	if (s->end == COMMITTED)
		s->end = txn_commit(s->b.txn, &s->err) == TXN_UNKNOWN ? UNKNOWN : COMMITTED;
}

static void play_down_from_begin(struct slow *s)
{
	rd_kafka_mock_broker_set_down(s->b.mock.cluster, BROKER);
	s->end = transact(&s->b, &s->err);
}

/* The first record of 64 finds out; the others would not be looked at, so that many are produced. */
static void play_stall_before_produce(struct slow *s)
{
	int rc = txn_begin(s->b.txn, &s->err);

	poll(NULL, 0, LATE_MS);
	for (int i = 0; i < 64 && rc == 0; i++)
		rc = txn_produce(s->b.txn, TXN_MINUTELY, 0, STR("key"), STR("fragment"), NULL, &s->err);
	s->end = rc < 0 ? ABORTED : COMMITTED;
	txn_abort(s->b.txn);
}

static void play_stall_before_flush(struct slow *s)
{
	int rc = txn_begin(s->b.txn, &s->err);

	if (rc == 0)
		rc = txn_produce(s->b.txn, TXN_MINUTELY, 0, STR("key"), STR("fragment"), NULL, &s->err);
	poll(NULL, 0, LATE_MS);
	s->end = rc < 0 || txn_flush(s->b.txn, &s->err) < 0 ? ABORTED : COMMITTED;
	txn_abort(s->b.txn);
}

static void play_stall_by_fault(struct slow *s)
{
	static char faults[] = TXN_FAULT_STALL "@1";

	s->b.mock.program.faults = faults;
	s->end = transact(&s->b, &s->err);
}

/* There is time left, but not enough for a commit to be answered for sure. */
static void play_tight_commit(struct slow *s)
{
	struct txn_delivery delivery;

	s->end = fill(&s->b, &delivery, &s->err) == 0 ? COMMITTED : ABORTED;
	poll(NULL, 0, TIGHT_MS);
	if (s->end == COMMITTED)
		s->end = txn_commit(s->b.txn, &s->err) == TXN_ABORTED ? ABORTED : COMMITTED;
}

static const struct play {
	const char *name;
	void (*run)(struct slow *s);
	enum end end;
	enum after after; /* LIMPING: whichever it is */
	const char *reason;
	int64_t max_ms;
} plays[] = {
	{"offsets are not answered", play_late_offsets, ABORTED, IDLE, "STALLED", 14000},
	{"the group has no coordinator", play_no_coordinator, ABORTED, LEFT, "STALLED", 11500},
	{"a commit is not answered", play_late_commit, UNKNOWN, CLOSED, "", 11000},
	{"the broker is gone at the commit", play_down_at_commit, UNKNOWN, CLOSED, "", 11000},
	{"the broker is gone from the beginning", play_down_from_begin, ABORTED, LIMPING, "", 14000},
	{"a stall before records", play_stall_before_produce, ABORTED, IDLE, "STALLED", 10000},
	{"a stall before the flush", play_stall_before_flush, ABORTED, IDLE, "STALLED", 10000},
	{"the fault point", play_stall_by_fault, ABORTED, IDLE, "STALLED", 10500},
	{"little time for a commit", play_tight_commit, ABORTED, IDLE, "STALLED", 9000},
};

/* With the broker back, until it can be said how the next transaction ends. */
static void go_on(struct slow *s)
{
	char log[65536];

	rd_kafka_mock_broker_set_up(s->b.mock.cluster, BROKER);
	s->next = next_end(&s->b);
	s->left_behind = count_of(program_log(&s->b.mock.program, log, sizeof(log)), "producer_left_behind") > 0;
	s->b.mock.program.faults = NULL;
}

static void *play_main(void *arg)
{
	struct slow *s = arg;
	int64_t begun_ms = clock_mono_ms();

	s->play->run(s);
	s->took_ms = clock_mono_ms() - begun_ms;
	s->after = txn_is_idle(s->b.txn) ? IDLE : s->play->after == LEFT ? LEFT : CLOSED;
	snprintf(s->reason, sizeof(s->reason), "%s", txn_reason(s->b.txn));
	go_on(s); /* also: the fault point stalls once */
	bench_fini(&s->b);
	return NULL;
}

START_TEST(silence_and_stalls_end_in_time)
{
	static struct slow slow[NR(plays)];
	pthread_t threads[NR(plays)];

	for (size_t i = 0; i < NR(plays); i++) {
		bench_init(&slow[i].b);
		slow[i].play = &plays[i];
		ck_assert_int_eq(pthread_create(&threads[i], NULL, play_main, &slow[i]), 0);
	}
	for (size_t i = 0; i < NR(plays); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < NR(plays); i++) {
		const struct slow *s = &slow[i];
		const struct play *play = &plays[i];

		ck_assert_msg(s->end == play->end && (s->after == play->after || play->after == LIMPING) && s->took_ms <= play->max_ms &&
				      (!*play->reason || strcmp(s->reason, play->reason) == 0) && s->err.kind == ERR_RETRY,
			      "%s: %s, %s, %s after %lld ms: %s", play->name, ends[s->end], s->after == IDLE ? "idle" : "closed", s->reason,
			      (long long)s->took_ms, s->err.msg);
		ck_assert_msg(s->next == COMMITTED && s->left_behind == (play->after == LEFT), "%s: next %s", play->name, ends[s->next]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("txn errors");
	TCase *tc = tcase_create("txn errors");

	tcase_add_test(tc, every_error_comes_to_its_outcome_and_the_next_transaction_commits);
	tcase_add_test(tc, every_error_at_registering_is_outlived);
	tcase_add_test(tc, silence_and_stalls_end_in_time);
	tcase_set_timeout(tc, 90);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
