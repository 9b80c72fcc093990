/* fake_server.h - a database of the tests' own, which does with inserts what a script says.
 *
 * It speaks just enough of MongoDB's protocol for the driver: the greeting, inserts, createIndexes, listIndexes. Included by one test alone. */
#ifndef MILLRACE_TESTS_FAKE_SERVER_H
#define MILLRACE_TESTS_FAKE_SERVER_H

#include <mongoc/mongoc.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { IDS = 1024, OP_QUERY = 2004, OP_REPLY = 1, OP_MSG = 2013, MESSAGE_MAX = 1 << 20 };

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

#endif
