/* fake_kafka.h - a Kafka in memory for the simulation: brokers, a group coordinator, a transaction coordinator, and one virtual clock.
 *
 * What of Kafka is modelled, and from where:
 *  - Transactions (KIP-98): records get offsets at once and are seen when the transaction has been decided and its marker has reached their
 *    partition; markers arrive one after the other, and take an offset. A reader stops at the first record that is undecided. A new producer of the same
 *    transactional id ends what the old one left open; what nobody ends the coordinator aborts after transaction.timeout.ms.
 *  - Offsets in transactions (KIP-447): they are refused when the member or the generation of the metadata is not the group's; a pending one
 *    makes committed() wait, until its marker has been written.
 *  - A commit whose answer is lost: it was committed, or comes to pass up to some seconds later, or never.
 *  - Cooperative rebalances (KIP-429): the generation rises first, then those who lose a partition get a revoke callback at one of their next
 *    polls, and only when all have answered does the next generation give it to others. Who has not been heard for session.timeout.ms is
 *    thrown out, notices so at some time after it has woken, and gets a callback with "lost" then; but when one was waiting already, only that one,
 *    and what else it owned it keeps, joins again and is asked for it later as if nothing had been (consumer.c, G11). Static members (KIP-345) take their former place.
 *  - The group knows the topic of samples alone, and its client takes the events' partitions with them (consumer.c, G12).
 *  - The consumer's vices (FIELD-NOTES, consumer.c): records of a partition that was paused a moment ago, positions set back, a jump ahead; records
 *    that were fetched come before the callback that takes their partition away.
 * Not modelled: several brokers, retention, compaction, the wire. All dice come from one generator: a seed is a whole history. */
#ifndef MILLRACE_TESTS_PROCESSOR_FAKE_KAFKA_H
#define MILLRACE_TESTS_PROCESSOR_FAKE_KAFKA_H

#include "common/program.h"
#include "processor/topics.h"
#include "processor/txn.h"
#include "tests/unit/unit.h"

enum {
	FAKE_PARTITIONS = 3, FAKE_INPUTS = NR_INPUT_KINDS * FAKE_PARTITIONS, FAKE_HOSTS = 3, FAKE_MEMBERS = 16, FAKE_TRACE = 60, FAKE_TRACE_SIZE = 160, FAKE_METADATA_SIZE = 200,
	FAKE_SESSION_MS = 10000, FAKE_TRANSACTION_MS = 10000,
	FAKE_EPOCH = -77,
};

/* What stands for group metadata. */
struct fake_metadata {
	int64_t member, generation;
};

/* What can happen; every one of them must have happened, or the simulation proves nothing. */
#define FAKE_EVENTS(X) \
	X(RECORD) X(RETRY) X(STRAGGLER) X(POISON) X(REFUSED_FIRST) X(NEWER_SCHEMA) X(KEY) X(TOTAL) X(LATE) X(EVENTS) X(WRONG_TOPIC) X(EXEMPLARS_FLUSHED) \
	X(COMMITTED) X(BEGIN_FAILED) X(PRODUCE_FAILED) X(FLUSH_FAILED) X(OFFSETS_FAILED) X(COMMIT_ABORTED) X(ABORT_FAILED) X(OPEN_FAILED) \
	X(UNKNOWN_COMMITTED) X(UNKNOWN_ON_ITS_WAY) X(UNKNOWN_NEVER) X(CAME_TO_PASS) X(TIMED_OUT) X(FENCED) X(STALE_REFUSED) \
	X(PENDING) X(ASK_FAILED) X(SEEK_FAILED) X(SNAPSHOT_READ) X(BEGINNING_READ) X(MARKER_AWAITED) X(TRIMMED) \
	X(ASSIGN) X(REVOKE) X(LOST) X(LOST_UNTOLD) X(KICKED) X(STATIC_REJOIN) X(OLD_OFFSET) X(JUMP) X(LEAK) X(END) X(CLIENT_ERROR) X(CLIENT_FAILED) \
	X(CRASH) X(CRASH_INSIDE) X(CRASH_COMMITTING) X(FREEZE) X(STALL_INSIDE) X(STOP) X(START) X(CONFIGURATION) X(FLUSH) \
	X(HELD) X(STILL_HELD) X(ADMITTED) X(WAITS_FOR_ROOM) X(TWIN) X(TWIN_COMPARED) \
	X(TRIGGER_CHANGED) X(MUTED) X(ROUTE_CHANGED) X(OPENED) X(CLOSED) X(CLOSED_OTHERWISE) X(MOVED) X(SUMMED_UP) X(TWIN_TOLD) X(SHADOW)

#define FAKE_NAME(name) FAKE_##name,
enum fake_event { FAKE_EVENTS(FAKE_NAME) NR_FAKE_EVENTS };
#undef FAKE_NAME

enum fake_fate { FATE_OPEN, FATE_COMMITTED, FATE_ABORTED };

/* An offset in a transaction, or committed. */
struct fake_offset {
	int32_t partition; /* an input, by its number, as everywhere here where it is not said otherwise */
	int64_t offset; /* -1: none */
	char metadata[FAKE_METADATA_SIZE];
};

struct fake_txn {
	struct fake_txn *next;   /* the one begun after it */
	int64_t producer;        /* transactional id */
	enum fake_fate fate;
	int64_t begun_ms;
	int64_t arrives_ms;      /* a request to commit is on its way until then; 0: none */
	int64_t marker_ms[NR_TXN_TOPICS], offsets_ms; /* when the fate is known there; valid once it is decided */
	bool applied;            /* its offsets have reached their fate */
	uint32_t state_touched;  /* inputs whose state it has written */
	size_t nr_offsets;
	struct fake_offset offsets[FAKE_INPUTS];
};

struct fake_record {
	int64_t timestamp_ms;
	int64_t readable_ms;  /* before, its schema is one that no build knows */
	bool poison;          /* must become a dead letter, once, and has not yet */
	bool void_of_events;  /* it was poison, so that nothing comes of it */
	struct fake_txn *txn; /* NULL: of no transaction; else of this one */
	bool marker;
	enum txn_topic topic; /* of outputs */
	int32_t partition; /* of that topic */
	size_t len;
	uint8_t *bytes;
};

/* Records by offset, from base on. */
struct fake_log {
	struct fake_record *records;
	size_t len, cap;
	int64_t base;
	int64_t low; /* the first that is still there; never below base */
};

/* A request to delete what lies before an offset of the state topic. */
struct fake_trim {
	int64_t before; /* 0: none */
	int64_t at_ms;
};

/* A process as Kafka's clients in it see it. The simulation owns it. */
struct fake_host {
	struct fake_kafka *kafka;
	int number;
	bool is_static;      /* has a fixed group.instance.id and transactional.id */
	int64_t incarnation; /* of all hosts */
	bool dead;           /* nothing it does reaches a broker any more */
	bool frozen;         /* it is not heard */
	int polls_left;      /* how many messages the client has for it in this turn */
	struct program program;
};

/* What a member is told at one of its next polls. */
enum fake_call { CALL_NONE, CALL_ASSIGN, CALL_REVOKE };

struct fake_member {
	int64_t id;      /* 0: no such member */
	struct fake_host *host;
	int64_t incarnation;
	int64_t heard_ms;
	uint32_t owned;  /* partitions of samples, as the coordinator sees it */
	uint32_t claimed; /* what its client has kept from before it was thrown out */
	bool answering;  /* has a callback to run before the group can go on */
	struct consumer *client; /* NULL: its process is dead */
};

struct fake_kafka {
	struct unit_random random;
	int64_t now_ms; /* wall clock and monotonic at once */
	struct cell_topics topics;
	struct fake_log input[FAKE_INPUTS], state[FAKE_INPUTS], output; /* by the numbers of inputs */
	struct fake_txn *txns, *last_txn, *first_undone;
	struct fake_offset committed[FAKE_INPUTS];
	struct fake_trim trims[FAKE_INPUTS];
	struct fake_member members[FAKE_MEMBERS];
	struct consumer *clients[FAKE_HOSTS]; /* of the hosts; NULL: closed, or dead */
	int64_t generation, last_member;
	bool rebalance_due, moves_due;
	int trouble;    /* of a thousand calls, how many fail */
	bool vices;     /* clients misbehave */
	bool outage;    /* no transaction can be made */
	uint64_t seen[NR_FAKE_EVENTS];
	/* Some time passes for everybody but host. */
	void (*elsewhere)(void *ctx, struct fake_host *host, int64_t ms);
	void *ctx;
	int depth;      /* calls of elsewhere() that are going on */
	char trace[FAKE_TRACE][FAKE_TRACE_SIZE];
	uint64_t nr_traced;
};

/* Begins at now_ms with empty topics, and frees all of it. */
void fake_init(struct fake_kafka *k, uint64_t seed, int64_t now_ms);
void fake_fini(struct fake_kafka *k);

/* A number in [0, n), and true once in n. */
uint64_t fake_dice(struct fake_kafka *k, uint64_t n);
bool fake_once_in(struct fake_kafka *k, uint64_t n);

/* Shall this call fail? */
bool fake_fault(struct fake_kafka *k);

/* Counts an event and notes it for the day of failure. */
void fake_note(struct fake_kafka *k, enum fake_event event, const struct fake_host *host, int64_t detail);
const char *fake_event_name(enum fake_event event);

/* Time passes: sessions and transactions run out, markers arrive, the group goes on. */
void fake_pass(struct fake_kafka *k, int64_t ms);

/* A call of host's takes its time; now and then it is frozen within, or dies. */
void fake_spend(struct fake_host *host, int64_t ms);

/* The host that a program is of; and: does this call of host's fail, which is noted as this event? */
struct fake_host *fake_host_of(const struct program *p);
bool fake_fails(struct fake_host *host, enum fake_event event, int64_t detail);

/* Appends; copies. Returns the record, valid until the next. */
struct fake_record *fake_append(struct fake_log *log, const void *bytes, size_t len);
int64_t fake_end(const struct fake_log *log);
struct fake_record *fake_at(const struct fake_log *log, int64_t offset); /* NULL: not there */

/* Transactions, as the coordinator sees them. */
struct fake_txn *fake_txn_begin(struct fake_kafka *k, int64_t producer);
void fake_txn_decide(struct fake_kafka *k, struct fake_txn *txn, enum fake_fate fate);
void fake_txn_finish(struct fake_kafka *k, int64_t producer); /* a new producer of this id registers */
bool fake_txn_pending(const struct fake_kafka *k, int32_t partition);
bool fake_txn_seen(const struct fake_kafka *k, const struct fake_txn *txn, enum txn_topic topic); /* has its marker come? */

/* The group. */
struct fake_member *fake_member_of(struct fake_kafka *k, int64_t id); /* NULL: not, or not any more */
int64_t fake_join(struct fake_kafka *k, struct consumer *client, struct fake_host *host, uint32_t *owned);
void fake_leave(struct fake_kafka *k, int64_t id);

/* The client's side of the group, in fake_consumer.c: what the coordinator has to say, and that a turn of time has passed. */
void fake_client_called(struct consumer *c, enum fake_call call, uint32_t partitions, int64_t generation);
void fake_client_heartbeat(struct consumer *c);

/* The clock that the product reads from now on, in fake_clock.c: --wrap puts it in the place of clock_now_ms(), clock_mono_ms() and poll(). */
void fake_clock_use(struct fake_kafka *k);

#endif
