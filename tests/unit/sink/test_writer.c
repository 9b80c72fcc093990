/* test_writer.c - writers against a server that misbehaves: whatever it does, each document ends up stored once, and the batch says so.
 *
 * Runs under SAN=thread too: batches cross threads by queues alone. */
#include "sink/mongo/writer.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/events.h"
#include "tests/unit/unit.h"

enum { DOCUMENTS = 40, IDS = 1024, STEPS = 16, OP_QUERY = 2004, OP_REPLY = 1, OP_MSG = 2013, MESSAGE_MAX = 1 << 20 };

/* What the server does with one insert. */
enum step {
	WELL = 0,       /* stores what is new; E11000 with keyPattern for what is not */
	WELL_OLD,       /* the same, as servers before 4.4 say it */
	NOT_REPLICATED, /* the same, and a write-concern error */
	CLOSE,          /* stores nothing and closes the connection */
	LOSE_REPLY,     /* stores, and closes the connection instead of answering */
	HALF_REPLY,     /* stores, and closes amid the answer */
	GARBAGE,        /* stores, and answers with bytes that are no message */
	EMPTY,          /* stores nothing, and says ok without a count */
	NOT_PRIMARY,    /* refuses the command */
	OTHER_INDEX,    /* stores all but the first, which another unique index refuses */
	NO_SPACE,       /* refuses the command */
	UNREADABLE,     /* refuses the command for something that is in it */
	UNKNOWN,        /* refuses the command with a code that is in no list */
};

/* A server that speaks just enough of MongoDB's protocol to take inserts: OP_MSG and, for the driver's greeting, OP_QUERY. Its
 * documents have an integer _id below IDS. One thread a connection; all state under one mutex. */
struct fake {
	pthread_mutex_t lock;
	const enum step *steps; /* of the first inserts */
	size_t nr_steps;
	enum step later;
	int poison_rest;        /* _ids that leave this mod 10 are refused with code 121; -1: none */
	bool (*unreadable)(int id); /* a command with such an _id in it is refused as a whole with code 22; NULL: none */
	int pause_ms;           /* before each insert is answered */
	int index_code;         /* of createIndexes' answer; 0: ok */
	bool stored[IDS];
	size_t inserts, index_calls;
	size_t sizes[4096];     /* documents of each insert */
	size_t under_way, most_under_way, most_bytes;
	int listener, port;
	pthread_t acceptor;
	struct { pthread_t thread; int fd; } connections[64];
	size_t nr_connections;
};

struct connection {
	struct fake *fake;
	int fd;
};

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool receive(int fd, uint8_t *to, size_t n)
{
	while (n) {
		ssize_t got = recv(fd, to, n, 0);

		if (got <= 0)
			return false;
		to += got;
		n -= (size_t)got;
	}
	return true;
}

/* Answers request with a document, cut after so many bytes. */
static void answer(int fd, const uint8_t *request, const bson_t *doc, size_t cut)
{
	bool query = le32(request + 12) == OP_QUERY;
	uint32_t extra = query ? 20 : 5, len = 16 + extra + doc->len, op = query ? OP_REPLY : OP_MSG, one = 1;
	uint8_t out[16384] = {0};

	ck_assert_uint_le(len, sizeof(out));
	memcpy(out, &len, 4);
	memcpy(out + 4, &one, 4);
	memcpy(out + 8, request + 4, 4);
	memcpy(out + 12, &op, 4);
	if (query)
		memcpy(out + 32, &one, 4); /* documents in this reply */
	memcpy(out + 16 + extra, bson_get_data(doc), doc->len);
	send(fd, out, len < cut ? len : cut, MSG_NOSIGNAL);
}

static void greet(int fd, const uint8_t *request)
{
	bson_t *doc = BCON_NEW("ok", BCON_INT32(1), "ismaster", BCON_BOOL(true), "maxBsonObjectSize", BCON_INT32(16 << 20),
			       "maxMessageSizeBytes", BCON_INT32(48000000), "maxWriteBatchSize", BCON_INT32(100000),
			       "minWireVersion", BCON_INT32(0), "maxWireVersion", BCON_INT32(9));

	answer(fd, request, doc, SIZE_MAX);
	bson_destroy(doc);
}

/* The code with which the whole command is refused; 0: it is not. */
static int32_t refusal(enum step step)
{
	return step == NOT_PRIMARY ? 10107 : step == NO_SPACE ? 14031 : step == UNKNOWN ? 77777 : step == UNREADABLE ? 22 : 0;
}

static bool any_unreadable(const struct fake *f, const uint8_t *p, const uint8_t *end)
{
	for (; f->unreadable && p < end; p += le32(p)) {
		bson_iter_t it;
		bson_t doc;

		ck_assert(bson_init_static(&doc, p, le32(p)) && bson_iter_init_find(&it, &doc, "_id"));
		if (f->unreadable(bson_iter_int32(&it)))
			return true;
	}
	return false;
}

/* Appends the error of the i-th document. */
static void refuse(bson_t *errors, uint32_t i, int32_t code, const char *key, bool old)
{
	char text[64], at[16];
	const char *name;
	bson_t error, pattern;

	bson_uint32_to_string(bson_count_keys(errors), &name, at, sizeof(at));
	BSON_APPEND_DOCUMENT_BEGIN(errors, name, &error);
	BSON_APPEND_INT32(&error, "index", (int32_t)i);
	BSON_APPEND_INT32(&error, "code", code);
	snprintf(text, sizeof(text), "E%d collection: a.b index: %s dup key: {}", (int)code, strcmp(key, "_id") ? key : "_id_");
	BSON_APPEND_UTF8(&error, "errmsg", text);
	if (!old) {
		BSON_APPEND_DOCUMENT_BEGIN(&error, "keyPattern", &pattern);
		BSON_APPEND_INT32(&pattern, key, 1);
		bson_append_document_end(&error, &pattern);
	}
	bson_append_document_end(errors, &error);
}

/* Stores the documents of an insert (a run of BSON in [p, end)) as step says, and fills the reply's errors. How many are new. */
static int32_t store(struct fake *f, const uint8_t *p, const uint8_t *end, enum step step, bson_t *errors)
{
	int32_t stored = 0;
	uint32_t i = 0;

	for (; p < end; p += le32(p), i++) {
		bson_iter_t it;
		bson_t doc;
		int id;

		ck_assert(bson_init_static(&doc, p, le32(p)) && bson_iter_init_find(&it, &doc, "_id"));
		id = bson_iter_int32(&it);
		ck_assert_int_lt(id, IDS);
		if (step == CLOSE || step == EMPTY || refusal(step))
			continue;
		if (step == OTHER_INDEX && i == 0 && p + le32(p) < end) {
			refuse(errors, i, 11000, "site", false);
		} else if (f->poison_rest >= 0 && id % 10 == f->poison_rest) {
			refuse(errors, i, 121, "_id", false);
		} else if (f->stored[id]) {
			refuse(errors, i, 11000, "_id", step == WELL_OLD);
		} else {
			f->stored[id] = true;
			stored++;
		}
	}
	f->sizes[f->inserts++] = i;
	return stored;
}

static void reply_to_insert(int fd, const uint8_t *request, enum step step, int32_t stored, const bson_t *errors)
{
	static const uint8_t garbage[64] = {60, 0, 0, 0, 'x', 'x', 'x', 'x'};
	bson_t reply = BSON_INITIALIZER, concern;

	BSON_APPEND_INT32(&reply, "ok", refusal(step) == 0);
	if (refusal(step))
		BSON_APPEND_INT32(&reply, "code", refusal(step));
	else if (step != EMPTY)
		BSON_APPEND_INT32(&reply, "n", stored);
	if (!bson_empty(errors))
		BSON_APPEND_ARRAY(&reply, "writeErrors", errors);
	if (step == NOT_REPLICATED) {
		BSON_APPEND_DOCUMENT_BEGIN(&reply, "writeConcernError", &concern);
		BSON_APPEND_INT32(&concern, "code", 64);
		bson_append_document_end(&reply, &concern);
	}
	if (step == GARBAGE)
		send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL);
	else
		answer(fd, request, &reply, step == HALF_REPLY ? 30 : SIZE_MAX);
	bson_destroy(&reply);
}

/* The documents follow the command's body as a sequence of their own (kind 1). False: close the connection. */
static bool take_insert(struct fake *f, int fd, const uint8_t *request)
{
	const uint8_t *end = request + le32(request), *section = request + 21 + le32(request + 21);
	const uint8_t *documents = section + 5 + strlen((const char *)section + 5) + 1;
	bson_t errors = BSON_INITIALIZER;
	enum step step;
	int32_t stored;
	int pause_ms;

	ck_assert(section < end && section[0] == 1);
	pthread_mutex_lock(&f->lock);
	if (++f->under_way > f->most_under_way)
		f->most_under_way = f->under_way;
	if ((size_t)(end - documents) > f->most_bytes)
		f->most_bytes = (size_t)(end - documents);
	step = f->inserts < f->nr_steps ? f->steps[f->inserts] : f->later;
	if (step == WELL && any_unreadable(f, documents, end))
		step = UNREADABLE;
	stored = store(f, documents, end, step, &errors);
	pause_ms = f->pause_ms;
	pthread_mutex_unlock(&f->lock);
	poll(NULL, 0, pause_ms);
	pthread_mutex_lock(&f->lock);
	f->under_way--;
	pthread_mutex_unlock(&f->lock);
	if (step != CLOSE && step != LOSE_REPLY)
		reply_to_insert(fd, request, step, stored, &errors);
	bson_destroy(&errors);
	return step != CLOSE && step != LOSE_REPLY && step != HALF_REPLY && step != GARBAGE;
}

static void take_indexes(struct fake *f, int fd, const uint8_t *request)
{
	bson_t reply = BSON_INITIALIZER;

	pthread_mutex_lock(&f->lock);
	f->index_calls++;
	BSON_APPEND_INT32(&reply, "ok", f->index_code == 0);
	if (f->index_code)
		BSON_APPEND_INT32(&reply, "code", f->index_code);
	pthread_mutex_unlock(&f->lock);
	answer(fd, request, &reply, SIZE_MAX);
	bson_destroy(&reply);
}

/* No collection is there yet. */
static void take_list(int fd, const uint8_t *request)
{
	bson_t *reply = BCON_NEW("ok", BCON_INT32(0), "code", BCON_INT32(26), "errmsg", BCON_UTF8("ns does not exist"));

	answer(fd, request, reply, SIZE_MAX);
	bson_destroy(reply);
}

static void *serve(void *ctx)
{
	struct connection c = *(struct connection *)ctx;
	uint8_t *m = malloc(MESSAGE_MAX);
	bool go_on = true;

	free(ctx);
	while (go_on && receive(c.fd, m, 16) && le32(m) <= MESSAGE_MAX && receive(c.fd, m + 16, le32(m) - 16)) {
		const char *command = (const char *)m + 26; /* OP_MSG: flags, kind 0, length, type, then the first field's name */

		if (le32(m + 12) == OP_QUERY || strcmp(command, "hello") == 0 || strcmp(command, "isMaster") == 0)
			greet(c.fd, m);
		else if (strcmp(command, "insert") == 0)
			go_on = take_insert(c.fake, c.fd, m);
		else if (strcmp(command, "listIndexes") == 0)
			take_list(c.fd, m);
		else
			take_indexes(c.fake, c.fd, m);
	}
	shutdown(c.fd, SHUT_RDWR);
	free(m);
	return NULL;
}

static void *accept_all(void *ctx)
{
	struct fake *f = ctx;
	int fd;

	while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
		struct connection *c = malloc(sizeof(*c));

		*c = (struct connection){f, fd};
		f->connections[f->nr_connections].fd = fd;
		pthread_create(&f->connections[f->nr_connections++].thread, NULL, serve, c);
	}
	return NULL;
}

static void fake_start(struct fake *f)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	pthread_mutex_init(&f->lock, NULL);
	f->listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(f->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(f->listener, 16), 0);
	getsockname(f->listener, (struct sockaddr *)&at, &len);
	f->port = ntohs(at.sin_port);
	pthread_create(&f->acceptor, NULL, accept_all, f);
}

static void fake_stop(struct fake *f)
{
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->acceptor, NULL);
	close(f->listener);
	for (size_t i = 0; i < f->nr_connections; i++) {
		shutdown(f->connections[i].fd, SHUT_RDWR);
		pthread_join(f->connections[i].thread, NULL);
		close(f->connections[i].fd);
	}
	pthread_mutex_destroy(&f->lock);
}

static size_t inserts(struct fake *f)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = f->inserts;
	pthread_mutex_unlock(&f->lock);
	return n;
}


struct bench {
	struct fake server;
	struct sink_conf conf;
	struct log log;
	struct metrics *metrics;
	struct meters meters;
	struct database *db;
	struct writers *writers;
	int wake_fd;
	char uri[128];
};

static void bench_init(struct bench *b, const struct fake *server, int writers)
{
	static char database[] = "test";
	struct err err = ERR_INIT;

	*b = (struct bench){.server = *server};
	fake_start(&b->server);
	snprintf(b->uri, sizeof(b->uri), "mongodb://127.0.0.1:%d/?retryWrites=false&socketTimeoutMS=2000", b->server.port);
	b->conf = (struct sink_conf){.mongo_uri = b->uri, .mongo_database = database, .wtimeout_ms = 1000, .writers = writers,
				     .batch_documents = 1000, .batch_bytes = 1 << 20, .latency_target_ms = 200,
				     .retention_ms = {86400000, 86400000}};
	b->log = (struct log){.fd = 2, .level = LOG_LEVEL_ERROR, .program = "test"};
	b->metrics = metrics_new("test");
	meters_init(&b->meters, b->metrics, "test");
	b->wake_fd = events_wake_fd(&err);
	b->db = database_new(&b->conf, &b->log, &err);
	ck_assert_msg(b->db != NULL, "%s", err.msg);
	b->writers = writers_new(b->db, &b->conf, &b->log, &b->meters, b->wake_fd, &err);
	ck_assert_msg(b->writers != NULL, "%s", err.msg);
}

static void bench_fini(struct bench *b)
{
	struct batch *left;

	ck_assert(writers_stop(b->writers, 10000));
	while ((left = writers_take(b->writers, 0)) != NULL)
		batch_free(left);
	writers_free(b->writers);
	database_free(b->db);
	metrics_free(b->metrics);
	fake_stop(&b->server);
	close(b->wake_fd);
}

/* Gives a batch of nr documents, each with so many bytes beside its _id. */
static void give_large(struct bench *b, int first_id, int nr, size_t bytes)
{
	static const uint8_t filling[8192];
	struct err err = ERR_INIT;
	struct batch *batch = batch_new(SINK_MINUTELY, 1, &err);
	struct batch_span span = {.partition = 0};

	ck_assert_int_eq(batch_add_span(batch, &span, &err), 0);
	for (int i = 0; i < nr; i++) {
		bson_t doc = BSON_INITIALIZER;

		BSON_APPEND_INT32(&doc, "_id", first_id + i);
		if (bytes)
			BSON_APPEND_BINARY(&doc, "filling", BSON_SUBTYPE_BINARY, filling, (uint32_t)bytes);
		ck_assert_int_eq(batch_add(batch, 0, NULL, (struct str){(const char *)bson_get_data(&doc), doc.len}, &err), i);
		bson_destroy(&doc);
	}
	writers_give(b->writers, batch);
}

static void give(struct bench *b, int first_id)
{
	give_large(b, first_id, DOCUMENTS, 0);
}

static struct batch *take(struct bench *b)
{
	struct batch *batch = writers_take(b->writers, 30000);

	ck_assert_msg(batch != NULL, "the batch did not come back");
	ck_assert_uint_eq(batch->pending, 0);
	return batch;
}

/* A batch through every misbehaviour, one after the other: sizes says how many documents each insert had to carry. */
static const struct {
	enum step steps[STEPS];
	size_t nr;
	int poison_rest;
	size_t sizes[STEPS];
	size_t nr_sizes, stored, already, condemned;
	enum verdict_reason retried;
} stories[] = {
	{{WELL}, 1, -1, {40}, 1, 40, 0, 0, VERDICT_REASON_NONE},
	{{CLOSE}, 1, -1, {40, 40}, 2, 40, 0, 0, VERDICT_REASON_NETWORK},
	/* Stored before, but nobody heard of it. */
	{{LOSE_REPLY}, 1, -1, {40, 40}, 2, 0, 40, 0, VERDICT_REASON_NETWORK},
	{{HALF_REPLY}, 1, -1, {40, 40}, 2, 0, 40, 0, VERDICT_REASON_NETWORK},
	{{GARBAGE, WELL_OLD}, 2, -1, {40, 40}, 2, 0, 40, 0, VERDICT_REASON_NETWORK},
	{{EMPTY}, 1, -1, {40, 40}, 2, 40, 0, 0, VERDICT_REASON_NETWORK},
	{{NOT_PRIMARY, NOT_PRIMARY}, 2, -1, {40, 40, 40}, 3, 40, 0, 0, VERDICT_REASON_NOT_PRIMARY},
	/* Not replicated, twice: the second reply is all E11000, and proves nothing either. */
	{{NOT_REPLICATED, NOT_REPLICATED}, 2, -1, {40, 40, 40}, 3, 0, 40, 0, VERDICT_REASON_WRITE_CONCERN},
	/* Ids 3, 13, 23, 33 are refused for good: in one reply with the stored ones, or before a repetition of the others. */
	{{WELL}, 1, 3, {40}, 1, 36, 0, 4, VERDICT_REASON_NONE},
	{{NOT_REPLICATED}, 1, 3, {40, 36}, 2, 0, 36, 4, VERDICT_REASON_WRITE_CONCERN},
	/* Only what is not settled is sent again. */
	{{OTHER_INDEX}, 1, -1, {40, 1}, 2, 40, 0, 0, VERDICT_REASON_OTHER_INDEX},
};

static size_t count(const struct batch *batch, enum batch_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < batch->len; i++)
		n += batch->entries[i].state == state;
	return n;
}

START_TEST(story)
{
	struct bench b;
	struct batch *batch;

	bench_init(&b, &(struct fake){.steps = stories[_i].steps, .nr_steps = stories[_i].nr, .poison_rest = stories[_i].poison_rest}, 1);
	give(&b, 0);
	batch = take(&b);
	ck_assert_uint_eq(inserts(&b.server), stories[_i].nr_sizes);
	for (size_t i = 0; i < stories[_i].nr_sizes; i++)
		ck_assert_uint_eq(b.server.sizes[i], stories[_i].sizes[i]);
	ck_assert_uint_eq(count(batch, BATCH_STORED), stories[_i].stored);
	ck_assert_uint_eq(count(batch, BATCH_ALREADY), stories[_i].already);
	ck_assert_uint_eq(count(batch, BATCH_CONDEMNED), stories[_i].condemned);
	ck_assert_uint_eq(batch->condemned, stories[_i].condemned);
	for (int i = 0; i < DOCUMENTS; i++) {
		bool poison = batch->entries[i].state == BATCH_CONDEMNED;

		ck_assert(poison == (stories[_i].poison_rest >= 0 && i % 10 == stories[_i].poison_rest));
		ck_assert(b.server.stored[i] == !poison);
		if (poison)
			ck_assert_msg(strstr(batch->entries[i].reason, "121") != NULL, "%s", batch->entries[i].reason);
	}
	for (int r = 1; r < NR_VERDICT_REASONS; r++) {
		uint64_t retries = (uint64_t)metric_value(b.meters.retries[r]);

		/* Right after a broken connection an attempt may not reach the server at all. */
		ck_assert_uint_ge(retries, r == (int)stories[_i].retried ? stories[_i].nr_sizes - 1 : 0);
		ck_assert(r == VERDICT_REASON_NETWORK || retries < stories[_i].nr_sizes);
	}
	ck_assert_int_eq(poll(&(struct pollfd){.fd = b.wake_fd, .events = POLLIN}, 1, 10000), 1);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

/* Many batches by many writers, every other insert going wrong. */
START_TEST(writers_side_by_side)
{
	static const enum step steps[] = {WELL, LOSE_REPLY, NOT_REPLICATED, CLOSE, WELL, GARBAGE};
	struct bench b;

	bench_init(&b, &(struct fake){.steps = steps, .nr_steps = NR(steps), .poison_rest = -1}, 3);
	for (int i = 0; i < 6; i++)
		give(&b, i * DOCUMENTS);
	for (int i = 0; i < 6; i++)
		batch_free(take(&b));
	for (int i = 0; i < 6 * DOCUMENTS; i++)
		ck_assert(b.server.stored[i]);
	bench_fini(&b);
}
END_TEST

/* A stopping sink waits for no pause between attempts; the batch comes back as far as it got. */
START_TEST(stop_cuts_a_pause_short)
{
	static const enum step steps[] = {NOT_PRIMARY, NOT_PRIMARY, NOT_PRIMARY, NOT_PRIMARY, NOT_PRIMARY, NOT_PRIMARY, NOT_PRIMARY};
	struct bench b;
	struct batch *batch;
	int64_t begun;

	bench_init(&b, &(struct fake){.steps = steps, .nr_steps = NR(steps), .poison_rest = -1}, 1);
	give(&b, 0);
	while (inserts(&b.server) < 4)
		poll(NULL, 0, 5);
	begun = clock_mono_ms();
	ck_assert(writers_stop(b.writers, 10000));
	ck_assert_int_lt(clock_mono_ms() - begun, 2000);
	batch = writers_take(b.writers, 0);
	ck_assert_ptr_nonnull(batch);
	ck_assert_uint_eq(batch->pending, DOCUMENTS);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

static bool one(int id)
{
	return id == 17;
}

static bool two(int id)
{
	return id == 0 || id == 39;
}

static bool third(int id)
{
	return id % 3 == 1;
}

static bool every(int id)
{
	(void)id;
	return true;
}

static const struct {
	bool (*unreadable)(int id);
	size_t most; /* inserts: about 3 log2 40 for each of a few, 2 each of many */
} bisections[] = {{one, 18}, {two, 30}, {third, 88}, {every, 88}};

/* A command refused as a whole: who is at fault is found out, and nobody else is condemned. */
START_TEST(bisecting)
{
	struct batch *batch;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .unreadable = bisections[_i].unreadable}, 1);
	give(&b, 0);
	batch = take(&b);
	for (int i = 0; i < DOCUMENTS; i++) {
		bool guilty = bisections[_i].unreadable(i);

		ck_assert_int_eq(batch->entries[i].state, guilty ? BATCH_CONDEMNED : BATCH_STORED);
		ck_assert(b.server.stored[i] == !guilty);
		if (guilty)
			ck_assert_msg(strstr(batch->entries[i].reason, "code 22") != NULL, "%s", batch->entries[i].reason);
	}
	ck_assert_uint_le(inserts(&b.server), bisections[_i].most);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

static void wait_breaker(struct bench *b, enum breaker_state state, int reason)
{
	int64_t deadline = clock_mono_ms() + 20000;
	struct gate_view view;

	do {
		writers_look(b->writers, &view);
		poll(NULL, 0, 2);
	} while ((view.state != state || view.reason != reason) && clock_mono_ms() < deadline);
	ck_assert_int_eq(view.state, state);
	ck_assert_int_eq(view.reason, reason);
}

/* A batch that was filled when the database was fast goes in parts when it is not; the parts grow as it shows to be. */
START_TEST(large_batch_goes_in_parts)
{
	struct batch *batch;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1}, 1);
	give_large(&b, 0, 900, 1000);
	batch = take(&b);
	ck_assert_uint_eq(count(batch, BATCH_STORED), 900);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_lt(b.server.sizes[i] * 1000, AIMD_FLOOR_BYTES * 3 / 2 + 1100);
	ck_assert_uint_gt(b.server.sizes[inserts(&b.server) - 1], b.server.sizes[0]);
	ck_assert_uint_lt(inserts(&b.server), 20);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

/* No more writers at once than the limit, whatever waits: one at the start, and all of them in the end. */
START_TEST(writers_join_one_by_one)
{
	struct gate_view view;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .pause_ms = 20}, 4);
	for (int i = 0; i < 20; i++)
		give_large(&b, i * 30, 30, 1000);
	for (int i = 0; i < 20; i++) {
		batch_free(take(&b));
		if (i == 2)
			ck_assert_uint_eq(b.server.most_under_way, 1);
	}
	ck_assert_uint_gt(b.server.most_under_way, 1);
	writers_look(b.writers, &view);
	ck_assert_uint_ge(view.writers, b.server.most_under_way);
	bench_fini(&b);
}
END_TEST

static void go_well(struct bench *b)
{
	pthread_mutex_lock(&b->server.lock);
	b->server.later = WELL;
	pthread_mutex_unlock(&b->server.lock);
}

static const struct {
	enum step step;
	int reason;
} deaths[] = {
	{CLOSE, VERDICT_REASON_NETWORK}, {NOT_PRIMARY, VERDICT_REASON_NOT_PRIMARY}, {NO_SPACE, VERDICT_REASON_SPACE},
	{UNKNOWN, VERDICT_REASON_SERVER}, {NOT_REPLICATED, VERDICT_REASON_WRITE_CONCERN}, {GARBAGE, VERDICT_REASON_NETWORK},
};

/* Dead, whatever that means: the breaker opens, probes are few, small and alone; when it is back, all arrives. */
START_TEST(dead_and_back)
{
	size_t before, after;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .later = deaths[_i].step}, 3);
	for (int i = 0; i < 6; i++)
		give_large(&b, i * 100, 100, 1000);
	wait_breaker(&b, BREAKER_OPEN, deaths[_i].reason);
	pthread_mutex_lock(&b.server.lock);
	before = b.server.inserts;
	b.server.most_under_way = b.server.most_bytes = 0;
	pthread_mutex_unlock(&b.server.lock);
	poll(NULL, 0, 1500); /* no event tells that nothing is sent */
	after = inserts(&b.server);
	ck_assert_uint_le(after - before, 4);
	ck_assert_uint_le(b.server.most_under_way, 1);
	ck_assert_uint_le(b.server.most_bytes, AIMD_FLOOR_BYTES * 3 / 2 + 1100);
	go_well(&b);
	for (int i = 0; i < 6; i++) {
		struct batch *batch = take(&b);

		ck_assert_uint_eq(batch->condemned, 0);
		batch_free(batch);
	}
	wait_breaker(&b, BREAKER_CLOSED, deaths[_i].reason);
	for (int i = 0; i < 600; i++)
		ck_assert(b.server.stored[i]);
	bench_fini(&b);
}
END_TEST

/* A validator that refuses everything: a hundred documents are given up, the others stay pending, and stopping returns them. */
START_TEST(not_a_whole_topic)
{
	struct batch *batch;
	size_t condemned = 0, pending = 0;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .unreadable = every}, 2);
	for (int i = 0; i < 4; i++)
		give(&b, i * DOCUMENTS);
	wait_breaker(&b, BREAKER_OPEN, BREAKER_LETTERS);
	ck_assert(writers_unread(b.writers));
	ck_assert(writers_stop(b.writers, 10000));
	while ((batch = writers_take(b.writers, 0)) != NULL) {
		condemned += count(batch, BATCH_CONDEMNED);
		pending += count(batch, BATCH_PENDING);
		batch_free(batch);
	}
	ck_assert_uint_eq(condemned, BREAKER_LETTERS_A_MINUTE);
	ck_assert_uint_eq(pending, 4 * DOCUMENTS - BREAKER_LETTERS_A_MINUTE);
	bench_fini(&b);
}
END_TEST

/* Stopping waits for no probe. */
START_TEST(stop_before_an_open_breaker)
{
	size_t pending = 0;
	struct batch *batch;
	struct bench b;
	int64_t begun;

	bench_init(&b, &(struct fake){.poison_rest = -1, .later = NO_SPACE}, 3);
	for (int i = 0; i < 6; i++)
		give(&b, i * DOCUMENTS);
	wait_breaker(&b, BREAKER_OPEN, VERDICT_REASON_SPACE);
	begun = clock_mono_ms();
	ck_assert(writers_stop(b.writers, 10000));
	ck_assert_int_lt(clock_mono_ms() - begun, 2000);
	while ((batch = writers_take(b.writers, 0)) != NULL) {
		pending += batch->pending;
		batch_free(batch);
	}
	ck_assert_uint_eq(pending, 6 * DOCUMENTS);
	bench_fini(&b);
}
END_TEST

/* An answer after the driver's patience is no answer: found stored the next time. */
START_TEST(late_answer)
{
	struct batch *batch;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .pause_ms = 2500}, 1);
	give(&b, 0);
	while (inserts(&b.server) < 1)
		poll(NULL, 0, 5);
	pthread_mutex_lock(&b.server.lock);
	b.server.pause_ms = 0;
	pthread_mutex_unlock(&b.server.lock);
	batch = take(&b);
	ck_assert_uint_eq(count(batch, BATCH_ALREADY), DOCUMENTS);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

static void wait_indexes(struct bench *b, enum writers_indexes wanted)
{
	int64_t deadline = clock_mono_ms() + 20000;

	while (writers_indexes(b->writers) != wanted && clock_mono_ms() < deadline)
		poll(NULL, 0, 5);
	ck_assert_int_eq(writers_indexes(b->writers), wanted);
}

START_TEST(indexes_are_made_at_the_start)
{
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1}, 2);
	wait_indexes(&b, WRITERS_INDEXES_READY);
	ck_assert_uint_eq(b.server.index_calls, NR_SINK_TOPICS);
	bench_fini(&b);
}
END_TEST

/* An index of other options is the operator's affair; documents go on. */
START_TEST(conflicting_index_stops_no_document)
{
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .index_code = 85}, 1);
	wait_indexes(&b, WRITERS_INDEXES_CONFLICT);
	give(&b, 0);
	batch_free(take(&b));
	bench_fini(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("writer");
	TCase *tc = tcase_create("writer");

	tcase_set_timeout(tc, 90);
	tcase_add_loop_test(tc, story, 0, NR(stories));
	tcase_add_test(tc, writers_side_by_side);
	tcase_add_test(tc, stop_cuts_a_pause_short);
	tcase_add_loop_test(tc, bisecting, 0, NR(bisections));
	tcase_add_test(tc, large_batch_goes_in_parts);
	tcase_add_test(tc, writers_join_one_by_one);
	tcase_add_loop_test(tc, dead_and_back, 0, NR(deaths));
	tcase_add_test(tc, not_a_whole_topic);
	tcase_add_test(tc, stop_before_an_open_breaker);
	tcase_add_test(tc, late_answer);
	tcase_add_test(tc, indexes_are_made_at_the_start);
	tcase_add_test(tc, conflicting_index_stops_no_document);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
