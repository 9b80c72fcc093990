/* null_mongo.c - a server that speaks MongoDB's protocol and stores nothing, for the sink's bench.
 *
 * A database beside the sink would be most of the work on the machine, and the sink is what is measured. This one takes OP_MSG and the
 * OP_QUERY of a client's first word, answers hello, ping, insert and what a client asks beside it, and refuses other commands. Of each
 * document it looks at what it must for its count to mean something: its length and end, and that its first field is a binary
 * _id, whose hash it keeps. On SIGTERM it prints what came, as JSON:
 *
 *     documents  that were inserted · distinct  _ids among them · broken  documents that were none · bytes  of all documents
 *     inserts    commands · p50_ms, p99_ms  with --ages: from a document's last_at until it was here, in real time; SIGUSR1 forgets those
 *                of the documents that came before
 *
 * It answers broken and repeated documents as if they had been stored: whoever runs it compares the counts. Text that is no message
 * ends the process with an error, as would a client that does not read its answers. One thread. */
#include <bson/bson.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/clock.h"

enum {
	OP_REPLY = 1,
	OP_QUERY = 2004,
	OP_MSG = 2013,
	HEADER_BYTES = 16,
	MESSAGE_MAX = 48000000,
	READ_BYTES = 1 << 18,
	AGE_MAX_MS = 600000,
	SET_MIN = 1 << 16,
};

struct connection {
	int fd;
	uint8_t *in;
	size_t len, cap;
};

/* The hashes that were seen: open addressing, 0 is free. */
struct seen {
	uint64_t *slots;
	size_t len, cap;
};

struct server {
	int epoll_fd, listen_fd, signal_fd;
	bool ages;
	struct seen seen;
	uint64_t documents, broken, bytes, inserts;
	uint64_t *by_age; /* documents of each age in ms */
	int32_t reply_number;
};

/* A message, taken apart; all of it borrowed from a connection's buffer. */
struct request {
	int32_t id, op;
	bson_t body;
	const uint8_t *documents; /* of the sequence; NULL: none */
	size_t documents_len;
};

static void die(const char *what)
{
	fprintf(stderr, "null_mongo: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(EXIT_FAILURE);
}

static int32_t int32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (int32_t)BSON_UINT32_FROM_LE(v);
}

static void seen_put(struct seen *s, uint64_t hash)
{
	size_t at = hash & (s->cap - 1);

	while (s->slots[at] && s->slots[at] != hash)
		at = (at + 1) & (s->cap - 1);
	s->len += s->slots[at] == 0;
	s->slots[at] = hash;
}

static void seen_add(struct seen *s, uint64_t hash)
{
	if (s->len * 2 >= s->cap) {
		struct seen more = {.cap = s->cap ? s->cap * 2 : SET_MIN};

		more.slots = calloc(more.cap, sizeof(*more.slots));
		if (!more.slots)
			die("out of memory");
		for (size_t i = 0; i < s->cap; i++)
			if (s->slots[i])
				seen_put(&more, s->slots[i]);
		free(s->slots);
		*s = more;
	}
	seen_put(s, hash ? hash : 1);
}

static void count_age(struct server *s, const bson_t *doc)
{
	bson_iter_t it;
	int64_t age_ms;

	if (!s->ages || !bson_iter_init_find(&it, doc, "last_at") || !BSON_ITER_HOLDS_DATE_TIME(&it))
		return;
	age_ms = clock_wall_ms() - bson_iter_date_time(&it);
	s->by_age[age_ms < 0 ? 0 : age_ms >= AGE_MAX_MS ? AGE_MAX_MS - 1 : age_ms]++;
}

/* Counts what should be a document; where is the collection's, as _ids of two may be equal. */
static void take_document(struct server *s, const uint8_t *p, size_t len, uint64_t where)
{
	const uint8_t *id;
	bson_subtype_t subtype;
	uint32_t id_len;
	bson_iter_t it;
	bson_t doc;

	s->documents++;
	s->bytes += len;
	if (!bson_init_static(&doc, p, len) || !bson_iter_init(&it, &doc) || !bson_iter_next(&it) || strcmp(bson_iter_key(&it), "_id") != 0 ||
	    !BSON_ITER_HOLDS_BINARY(&it)) {
		s->broken++;
		return;
	}
	bson_iter_binary(&it, &subtype, &id_len, &id);
	seen_add(&s->seen, XXH3_64bits_withSeed(id, id_len, where));
	count_age(s, &doc);
}

/* How many documents the request holds: in its sequence, or in its body. */
static int32_t take_documents(struct server *s, const struct request *r, uint64_t where)
{
	const uint8_t *p = r->documents, *end = p + r->documents_len;
	uint64_t before = s->documents;
	bson_iter_t it, array;

	for (int32_t len; p && p < end; p += len) {
		len = end - p >= 4 ? int32_at(p) : 0;
		if (len < 5 || len > end - p)
			die("a document's length is wrong");
		take_document(s, p, (size_t)len, where);
	}
	if (bson_iter_init_find(&it, &r->body, "documents") && BSON_ITER_HOLDS_ARRAY(&it) && bson_iter_recurse(&it, &array))
		while (bson_iter_next(&array)) {
			const uint8_t *data = (const uint8_t *)"";
			uint32_t len = 0;

			if (BSON_ITER_HOLDS_DOCUMENT(&array))
				bson_iter_document(&array, &len, &data);
			take_document(s, data, len, where);
		}
	return (int32_t)(s->documents - before);
}

static void insert(struct server *s, const struct request *r, bson_iter_t *command, bson_t *reply)
{
	const char *collection = BSON_ITER_HOLDS_UTF8(command) ? bson_iter_utf8(command, NULL) : "";

	s->inserts++;
	BSON_APPEND_INT32(reply, "n", take_documents(s, r, XXH3_64bits(collection, strlen(collection))));
}

/* A server of 5.0 that stands alone. */
static void say_hello(bson_t *reply)
{
	BSON_APPEND_BOOL(reply, "helloOk", true);
	BSON_APPEND_BOOL(reply, "ismaster", true);
	BSON_APPEND_BOOL(reply, "isWritablePrimary", true);
	BSON_APPEND_INT32(reply, "maxBsonObjectSize", 16 << 20);
	BSON_APPEND_INT32(reply, "maxMessageSizeBytes", MESSAGE_MAX);
	BSON_APPEND_INT32(reply, "maxWriteBatchSize", 100000);
	BSON_APPEND_INT32(reply, "minWireVersion", 0);
	BSON_APPEND_INT32(reply, "maxWireVersion", 13);
	BSON_APPEND_BOOL(reply, "readOnly", false);
}

/* No collection has an index but _id's, which is what every one has. */
static void list_indexes(bson_t *reply)
{
	bson_t cursor, batch;

	BSON_APPEND_DOCUMENT_BEGIN(reply, "cursor", &cursor);
	BSON_APPEND_INT64(&cursor, "id", 0);
	BSON_APPEND_UTF8(&cursor, "ns", "null.null");
	BSON_APPEND_ARRAY_BEGIN(&cursor, "firstBatch", &batch);
	bson_append_array_end(&cursor, &batch);
	bson_append_document_end(reply, &cursor);
}

static void run_command(struct server *s, const struct request *r, bson_t *reply)
{
	static const char *const nods[] = {"ping", "createIndexes", "collMod", "endSessions"};
	const char *name;
	bson_iter_t it;
	bool known = false;

	if (!bson_iter_init(&it, &r->body) || !bson_iter_next(&it))
		die("a command without a name");
	name = bson_iter_key(&it);
	for (size_t i = 0; i < sizeof(nods) / sizeof(nods[0]); i++)
		known = known || strcmp(name, nods[i]) == 0;
	if (strcmp(name, "insert") == 0) {
		insert(s, r, &it, reply);
	} else if (strcasecmp(name, "hello") == 0 || strcasecmp(name, "isMaster") == 0) {
		say_hello(reply);
	} else if (strcmp(name, "listIndexes") == 0) {
		list_indexes(reply);
	} else if (!known) {
		BSON_APPEND_DOUBLE(reply, "ok", 0);
		BSON_APPEND_INT32(reply, "code", 59);
		BSON_APPEND_UTF8(reply, "codeName", "CommandNotFound");
		BSON_APPEND_UTF8(reply, "errmsg", "null_mongo does not know this command");
		return;
	}
	BSON_APPEND_DOUBLE(reply, "ok", 1);
}

static void put_int32(uint8_t **p, int32_t v)
{
	uint32_t le = BSON_UINT32_TO_LE((uint32_t)v);

	memcpy(*p, &le, sizeof(le));
	*p += sizeof(le);
}

/* A reply is small, and whoever waits for it has room: it goes out at once or something is wrong. */
static void answer(struct server *s, const struct connection *c, const struct request *r, const bson_t *reply)
{
	uint8_t out[4096], *p = out;
	size_t prefix = HEADER_BYTES + (r->op == OP_QUERY ? 20 : 5), len = prefix + reply->len;

	if (len > sizeof(out))
		die("a reply is too long");
	put_int32(&p, (int32_t)len);
	put_int32(&p, ++s->reply_number);
	put_int32(&p, r->id);
	put_int32(&p, r->op == OP_QUERY ? OP_REPLY : OP_MSG);
	put_int32(&p, r->op == OP_QUERY ? 8 : 0); /* flags */
	if (r->op == OP_QUERY) {
		memset(p, 0, 12); /* cursor, where it starts */
		p += 12;
		put_int32(&p, 1); /* documents */
	} else {
		*p++ = 0; /* a body follows */
	}
	memcpy(p, bson_get_data(reply), reply->len);
	if (send(c->fd, out, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len && errno != EPIPE && errno != ECONNRESET)
		die("a client does not read its answer");
}

static void parse_sections(struct request *r, const uint8_t *p, const uint8_t *end)
{
	bool body = false;

	while (end - p >= 5) {
		int32_t len = int32_at(p + 1);

		if (len < 5 || len > end - p - 1)
			die("a section's length is wrong");
		if (p[0] == 0) {
			body = bson_init_static(&r->body, p + 1, (size_t)len);
		} else if (p[0] == 1 && len > 14 && memcmp(p + 5, "documents", 10) == 0) {
			r->documents = p + 15;
			r->documents_len = (size_t)len - 14;
		}
		p += 1 + len;
	}
	if (!body || p != end)
		die("a message without a body, or with something behind it");
}

static void take_message(struct server *s, const struct connection *c, const uint8_t *p, size_t len)
{
	struct request r = {.id = int32_at(p + 4), .op = int32_at(p + 12)};
	const uint8_t *end = p + len;
	bson_t reply = BSON_INITIALIZER;

	if (r.op == OP_MSG && len > HEADER_BYTES + 4) {
		uint32_t flags = (uint32_t)int32_at(p + HEADER_BYTES);

		if (flags)
			die("flags that are not expected: a checksum, or no answer wanted");
		parse_sections(&r, p + HEADER_BYTES + 4, end);
	} else if (r.op == OP_QUERY && len > HEADER_BYTES + 4) {
		const uint8_t *name = p + HEADER_BYTES + 4, *nul = memchr(name, 0, (size_t)(end - name));

		if (!nul || end - nul < 9 + 5 || !bson_init_static(&r.body, nul + 9, (size_t)(end - nul) - 9))
			die("a query that is cut short");
	} else {
		die("not a message of the protocol");
	}
	run_command(s, &r, &reply);
	answer(s, c, &r, &reply);
	bson_destroy(&reply);
}

static void reserve(struct connection *c, size_t cap)
{
	if (cap <= c->cap)
		return;
	c->in = realloc(c->in, cap);
	if (!c->in)
		die("out of memory");
	c->cap = cap;
}

/* Handles all whole messages, and makes room for the rest of one that is not. */
static void take_messages(struct server *s, struct connection *c)
{
	size_t at = 0;

	while (c->len - at >= HEADER_BYTES) {
		int32_t len = int32_at(c->in + at);

		if (len < HEADER_BYTES + 5 || len > MESSAGE_MAX)
			die("a message's length is wrong");
		if (c->len - at < (size_t)len) {
			reserve(c, (size_t)len + READ_BYTES);
			break;
		}
		take_message(s, c, c->in + at, (size_t)len);
		at += (size_t)len;
	}
	memmove(c->in, c->in + at, c->len - at);
	c->len -= at;
}

static void serve(struct server *s, struct connection *c)
{
	ssize_t n;

	reserve(c, c->len + READ_BYTES);
	n = recv(c->fd, c->in + c->len, c->cap - c->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(c->fd); /* and so out of epoll */
		free(c->in);
		free(c);
		return;
	}
	c->len += (size_t)n;
	errno = 0;
	take_messages(s, c);
}

static void watch(const struct server *s, int fd, void *what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};

	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll");
}

static void welcome(struct server *s)
{
	struct connection *c = calloc(1, sizeof(*c));
	int one = 1;

	if (!c)
		die("out of memory");
	c->fd = accept(s->listen_fd, NULL, NULL);
	if (c->fd < 0)
		die("accept");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(s, c->fd, c);
}

static void open_server(struct server *s, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	sigset_t signals;
	int one = 1;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	s->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	s->by_age = calloc(AGE_MAX_MS, sizeof(*s->by_age));
	if (s->signal_fd < 0 || s->epoll_fd < 0 || s->listen_fd < 0 || !s->by_age ||
	    bind(s->listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(s->listen_fd, 64) != 0)
		die("cannot listen");
	watch(s, s->signal_fd, &s->signal_fd);
	watch(s, s->listen_fd, &s->listen_fd);
}

/* The age in ms that a share of the documents does not pass; -1 when there is none. */
static int64_t age_of(const struct server *s, double share)
{
	uint64_t all = 0, sum = 0;
	int64_t ms = -1;

	for (size_t i = 0; i < AGE_MAX_MS; i++)
		all += s->by_age[i];
	while (all && (double)sum < share * (double)all)
		sum += s->by_age[++ms];
	return ms;
}

static void print_result(const struct server *s)
{
	printf("{\"documents\": %" PRIu64 ", \"distinct\": %zu, \"broken\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"inserts\": %" PRIu64
	       ", \"p50_ms\": %" PRId64 ", \"p99_ms\": %" PRId64 "}\n", s->documents, s->seen.len, s->broken, s->bytes, s->inserts,
	       age_of(s, 0.5), age_of(s, 0.99));
}

/* True: the end has come. */
static bool take_signal(struct server *s)
{
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		die("signalfd");
	if (info.ssi_signo == SIGTERM)
		return true;
	memset(s->by_age, 0, AGE_MAX_MS * sizeof(*s->by_age));
	return false;
}

static bool serve_event(struct server *s, void *what)
{
	if (what == &s->signal_fd)
		return take_signal(s);
	if (what == &s->listen_fd)
		welcome(s);
	else
		serve(s, what);
	return false;
}

int main(int argc, char **argv)
{
	struct server s = {.ages = argc == 3 && strcmp(argv[2], "--ages") == 0};

	if (argc < 2 || argc > 3 || (argc == 3 && !s.ages)) {
		fprintf(stderr, "usage: null_mongo PORT [--ages]\n");
		return 2;
	}
	open_server(&s, (uint16_t)strtol(argv[1], NULL, 10));
	for (;;) {
		struct epoll_event event;

		if (epoll_wait(s.epoll_fd, &event, 1, -1) == 1 && serve_event(&s, event.data.ptr))
			break;
	}
	print_result(&s);
	return EXIT_SUCCESS;
}
