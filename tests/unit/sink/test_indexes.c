/* test_indexes.c - what the sink makes of the indexes that it finds, by a server that plays them and writes down what it is told.
 *
 * The commands are compared whole, as JSON: the local database knows no collMod, so this is where its exact form is held. */
#include "sink/mongo/indexes.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { OP_QUERY = 2004, OP_REPLY = 1, OP_MSG = 2013, MESSAGE_MAX = 1 << 16, TOLD_MAX = 4096, DAY_S = 86400 };

#define ID "{\"v\":2,\"key\":{\"_id\":1},\"name\":\"_id_\"}"
#define SERIES "{\"v\":2,\"key\":{\"site\":1,\"name\":1,\"t\":1},\"name\":\"site_1_name_1_t_1\"}"
#define SITE "{\"v\":2,\"key\":{\"site\":1,\"t\":1},\"name\":\"site_1_t_1\"}"
#define GROUP "{\"v\":2,\"key\":{\"site\":1,\"group\":1,\"t\":1},\"name\":\"site_1_group_1_t_1\"}"
#define TRIGGER "{\"v\":2,\"key\":{\"site\":1,\"trigger\":1,\"t\":1},\"name\":\"site_1_trigger_1_t_1\"}"
#define INCIDENT "{\"v\":2,\"key\":{\"incident\":1,\"version\":1},\"name\":\"incident_1_version_1\"}"
#define AGE(expires) "{\"v\":2,\"key\":{\"t\":1},\"name\":\"t_1\",\"expireAfterSeconds\":" expires "}"
#define COLL_MOD "{\"collMod\":\"minutely\",\"index\":{\"keyPattern\":{\"t\":1},\"expireAfterSeconds\":86400}}\n"
#define MAKE(indexes) "{\"createIndexes\":\"minutely\",\"indexes\":[" indexes "]}\n"
#define MAKE_SERIES "{\"key\":{\"site\":1,\"name\":1,\"t\":1},\"name\":\"site_1_name_1_t_1\"}"
#define MAKE_TRIGGER "{\"key\":{\"site\":1,\"trigger\":1,\"t\":1},\"name\":\"site_1_trigger_1_t_1\"}"
#define MAKE_INCIDENT "{\"key\":{\"incident\":1,\"version\":1},\"name\":\"incident_1_version_1\"}"
#define MAKE_AGE "{\"key\":{\"t\":1},\"name\":\"t_1\",\"expireAfterSeconds\":86400}"

/* One client, one connection: the driver's without a pool. */
struct fake {
	const char *collection; /* the one that is looked at; the others are complete */
	const char *indexes;  /* its, comma-separated JSON; NULL: there is no such collection */
	bool bare;            /* no collection is there at all */
	int code;             /* by which commands that change something fail; 0: they do not */
	int listener, port;
	pthread_t thread;
	char told[TOLD_MAX];  /* those commands, one a line; the thread's until it ends */
};

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void answer(int fd, const uint8_t *request, const char *json)
{
	bool query = le32(request + 12) == OP_QUERY;
	uint32_t extra = query ? 20 : 5, op = query ? OP_REPLY : OP_MSG, one = 1, len;
	bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, NULL);
	uint8_t out[MESSAGE_MAX] = {0};

	ck_assert_ptr_nonnull(doc);
	len = 16 + extra + doc->len;
	memcpy(out, &len, 4);
	memcpy(out + 8, request + 4, 4);
	memcpy(out + 12, &op, 4);
	if (query)
		memcpy(out + 32, &one, 4);
	memcpy(out + 16 + extra, bson_get_data(doc), doc->len);
	send(fd, out, len, MSG_NOSIGNAL);
	bson_destroy(doc);
}

/* All that a collection should have. */
static const char *complete(const char *collection)
{
	if (strcmp(collection, "errors") == 0)
		return ID "," SITE "," GROUP "," AGE("259200");
	if (strcmp(collection, "traces") == 0)
		return ID "," SITE "," GROUP "," AGE("345600");
	if (strcmp(collection, "markers") == 0)
		return ID "," SITE "," AGE("432000");
	if (strcmp(collection, "checkins") == 0)
		return ID "," SERIES "," AGE("518400");
	if (strcmp(collection, "alerts") == 0)
		return ID "," SITE "," TRIGGER "," AGE("604800");
	if (strcmp(collection, "incidents") == 0)
		return ID "," SITE "," TRIGGER "," INCIDENT "," AGE("691200");
	return strcmp(collection, "hourly") == 0 ? ID "," SERIES "," AGE("172800") : ID "," SERIES "," AGE("86400");
}

static void answer_list(const struct fake *f, int fd, const uint8_t *request, const bson_t *command)
{
	char json[4096];
	bson_iter_t it;
	const char *name;
	bool looked_at;

	bson_iter_init_find(&it, command, "listIndexes");
	name = bson_iter_utf8(&it, NULL);
	looked_at = strcmp(name, f->collection) == 0;
	if (f->bare || (looked_at && !f->indexes)) {
		answer(fd, request, "{\"ok\":0,\"code\":26,\"errmsg\":\"ns does not exist\"}");
		return;
	}
	snprintf(json, sizeof(json), "{\"ok\":1,\"cursor\":{\"id\":{\"$numberLong\":\"0\"},\"ns\":\"d.c\",\"firstBatch\":[%s]}}",
		 looked_at ? f->indexes : complete(name));
	answer(fd, request, json);
}

/* Notes a command, without what the driver adds to each. */
static void note(struct fake *f, const bson_t *command)
{
	size_t len = strlen(f->told);
	bson_t bare = BSON_INITIALIZER;
	char *json;

	bson_copy_to_excluding_noinit(command, &bare, "$db", NULL);
	json = bson_as_relaxed_extended_json(&bare, NULL);
	for (const char *p = json; *p && len < TOLD_MAX - 2; p++)
		if (*p != ' ')
			f->told[len++] = *p;
	f->told[len++] = '\n';
	bson_free(json);
	bson_destroy(&bare);
}

static void take(struct fake *f, int fd, const uint8_t *request)
{
	char failure[80];
	bson_t command;

	if (le32(request + 12) == OP_QUERY || strcmp((const char *)request + 26, "hello") == 0 ||
	    strcmp((const char *)request + 26, "isMaster") == 0) {
		answer(fd, request, "{\"ok\":1,\"ismaster\":true,\"minWireVersion\":0,\"maxWireVersion\":9,\"maxBsonObjectSize\":16777216,"
				    "\"maxMessageSizeBytes\":48000000,\"maxWriteBatchSize\":100000}");
		return;
	}
	ck_assert(bson_init_static(&command, request + 21, le32(request + 21)));
	if (strcmp((const char *)request + 26, "listIndexes") == 0) {
		answer_list(f, fd, request, &command);
		return;
	}
	note(f, &command);
	snprintf(failure, sizeof(failure), "{\"ok\":0,\"code\":%d,\"errmsg\":\"because\"}", f->code);
	answer(fd, request, f->code ? failure : "{\"ok\":1}"); /* the driver aborts at a code 0 */
}

static bool receive(int fd, uint8_t *to, size_t n)
{
	return recv(fd, to, n, MSG_WAITALL) == (ssize_t)n;
}

static void *serve(void *ctx)
{
	struct fake *f = ctx;
	uint8_t m[MESSAGE_MAX];
	int fd;

	while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
		while (receive(fd, m, 16) && le32(m) <= MESSAGE_MAX && receive(fd, m + 16, le32(m) - 16))
			take(f, fd, m);
		close(fd);
	}
	return NULL;
}

static void fake_start(struct fake *f)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	f->listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(f->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(f->listener, 4), 0);
	getsockname(f->listener, (struct sockaddr *)&at, &len);
	f->port = ntohs(at.sin_port);
	ck_assert_int_eq(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void fake_stop(struct fake *f)
{
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->listener);
}

/* What stands in minutely, or in another one, what the server is told then, and how it ends: kind and a word of the message, or what is logged. */
static const struct {
	const char *indexes;
	int code;
	const char *told;
	enum err_kind kind;
	const char *says;
	const char *collection; /* NULL: minutely */
} cases[] = {
	{NULL, 0, MAKE(MAKE_SERIES "," MAKE_AGE), 0, "", NULL},
	{ID, 0, MAKE(MAKE_SERIES "," MAKE_AGE), 0, "", NULL},
	{ID "," SERIES "," AGE("86400"), 0, "", 0, "", NULL},
	{ID "," AGE("86400"), 0, MAKE(MAKE_SERIES), 0, "", NULL},
	{ID "," SERIES, 0, MAKE(MAKE_AGE), 0, "", NULL},
	/* Numbers of other types, options that say nothing, other names, other people's indexes. */
	{ID "," SERIES ",{\"v\":2,\"key\":{\"t\":1.0},\"name\":\"by age\",\"expireAfterSeconds\":86400.0,\"unique\":false,\"sparse\":false}", 0, "", 0, "", NULL},
	{ID "," SERIES "," AGE("86400") ",{\"v\":2,\"key\":{\"kind\":1,\"t\":1},\"name\":\"k\",\"sparse\":true}", 0, "", 0, "", NULL},
	{ID "," SERIES "," AGE("86400") ",{\"v\":2,\"key\":{\"t\":-1},\"name\":\"back\",\"hidden\":true}", 0, "", 0, "", NULL},
	/* Another retention is changed, whatever it was. */
	{ID "," SERIES "," AGE("3600"), 0, COLL_MOD, 0, "event=retention_changed collection=minutely before_s=3600 after_s=86400", NULL},
	{ID "," AGE("172800"), 0, COLL_MOD MAKE(MAKE_SERIES), 0, "before_s=172800 after_s=86400", NULL},
	{ID "," SERIES "," AGE("{\"$numberDouble\":\"NaN\"}"), 0, COLL_MOD, 0, "before_s=-1 after_s=86400", NULL},
	{ID "," SERIES "," AGE("\"soon\""), 0, COLL_MOD, 0, "before_s=-1 after_s=86400", NULL},
	{ID "," SERIES "," AGE("3600"), 59, COLL_MOD, ERR_REJECT, "has no collMod: drop its index by t", NULL},
	{ID "," SERIES "," AGE("3600"), 13, COLL_MOD, ERR_REJECT, "the user has no right to collMod: give it the role dbAdmin, or drop its index by t", NULL},
	{ID "," SERIES "," AGE("3600"), 50, COLL_MOD, ERR_RETRY, "cannot change the indexes of test.minutely: because", NULL},
	/* What only an operator may touch: nothing is changed. */
	{ID "," SERIES ",{\"v\":2,\"key\":{\"t\":1},\"name\":\"t_1\"}", 0, "", ERR_REJECT, "index t_1 of test.minutely has the keys of the sink's TTL index", NULL},
	{ID ",{\"v\":2,\"key\":{\"site\":1},\"name\":\"s\",\"unique\":true}", 0, "", ERR_REJECT, "index s of test.minutely is unique", NULL},
	{ID "," AGE("3600") ",{\"v\":2,\"key\":{\"site\":1},\"name\":\"s\",\"unique\":1}", 0, "", ERR_REJECT, "index s of test.minutely is unique", NULL},
	{ID ",{\"v\":2,\"key\":{\"site\":1,\"name\":1,\"t\":1},\"name\":\"n\",\"partialFilterExpression\":{\"count\":1}}", 0, "", ERR_REJECT,
	 "also the option partialFilterExpression", NULL},
	{ID ",{\"v\":2,\"key\":{\"t\":1},\"name\":\"n\",\"expireAfterSeconds\":86400,\"hidden\":true}", 0, "", ERR_REJECT, "also the option hidden", NULL},
	/* Whoever was quicker between our look and our change. */
	{ID, 85, MAKE(MAKE_SERIES "," MAKE_AGE), ERR_REJECT, "test.minutely has an index that is in the way", NULL},
	{ID, 86, MAKE(MAKE_SERIES "," MAKE_AGE), ERR_REJECT, "test.minutely has an index that is in the way", NULL},
	{ID, 10107, MAKE(MAKE_SERIES "," MAKE_AGE), ERR_RETRY, "cannot make the indexes of test.minutely: because (17.10107)", NULL},
	/* Each collection has indexes of its own; of other keys, an index is no business of the sink's. */
	{ID "," SITE, 0, "{\"createIndexes\":\"errors\",\"indexes\":[{\"key\":{\"site\":1,\"group\":1,\"t\":1},\"name\":\"site_1_group_1_t_1\"},"
	 "{\"key\":{\"t\":1},\"name\":\"t_1\",\"expireAfterSeconds\":259200}]}\n", 0, "", "errors"},
	{ID "," GROUP "," AGE("345600"), 0, "{\"createIndexes\":\"traces\",\"indexes\":[{\"key\":{\"site\":1,\"t\":1},\"name\":\"site_1_t_1\"}]}\n", 0, "",
	 "traces"},
	{ID "," SITE "," AGE("1") ",{\"v\":2,\"key\":{\"site\":1,\"group\":1,\"t\":1},\"name\":\"g\",\"sparse\":true}", 0,
	 "{\"collMod\":\"markers\",\"index\":{\"keyPattern\":{\"t\":1},\"expireAfterSeconds\":432000}}\n", 0, "before_s=1 after_s=432000", "markers"},
	{ID "," SITE "," AGE("518400"), 0, "{\"createIndexes\":\"checkins\",\"indexes\":[" MAKE_SERIES "]}\n", 0, "", "checkins"},
	{ID "," SITE "," AGE("604800"), 0, "{\"createIndexes\":\"alerts\",\"indexes\":[" MAKE_TRIGGER "]}\n", 0, "", "alerts"},
	{ID "," SITE "," AGE("691200"), 0, "{\"createIndexes\":\"incidents\",\"indexes\":[" MAKE_TRIGGER "," MAKE_INCIDENT "]}\n", 0, "", "incidents"},
	{ID ",{\"v\":2,\"key\":{\"site\":1,\"t\":1},\"name\":\"n\",\"sparse\":true}", 0, "", ERR_REJECT, "index n of test.errors has the sink's keys", "errors"},
	{ID "," SERIES "," AGE("86400") ",{\"v\":2,\"key\":{\"site\":1,\"t\":1},\"name\":\"n\",\"sparse\":true}", 0, "", 0, "", NULL},
};

/* A retention of one day, of two, .. */
static struct sink_conf days(void)
{
	struct sink_conf conf = {0};

	for (int i = 0; i < NR_SINK_COLLECTIONS; i++)
		conf.retention_ms[i] = (i + 1) * DAY_S * INT64_C(1000);
	return conf;
}

START_TEST(found_and_told)
{
	struct fake f = {.collection = cases[_i].collection ? cases[_i].collection : "minutely", .indexes = cases[_i].indexes, .code = cases[_i].code};
	struct sink_conf conf = days();
	struct err err = ERR_INIT;
	char uri[64], said[4096] = "";
	mongoc_client_t *client;
	int pipe_fds[2], rc;
	struct log log = {.level = LOG_LEVEL_INFO, .program = "test"};

	ck_assert_int_eq(pipe(pipe_fds), 0);
	log.fd = pipe_fds[1];
	mongoc_init();
	fake_start(&f);
	snprintf(uri, sizeof(uri), "mongodb://127.0.0.1:%d/", f.port);
	client = mongoc_client_new(uri);
	mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
	rc = indexes_make(client, "test", &conf, &log, &err);
	mongoc_client_destroy(client);
	fake_stop(&f);
	close(pipe_fds[1]);
	ck_assert_int_ge(read(pipe_fds[0], said, sizeof(said) - 1), 0);
	close(pipe_fds[0]);
	ck_assert_int_eq(rc, cases[_i].kind ? -1 : 0);
	ck_assert_str_eq(f.told, cases[_i].told);
	ck_assert_msg(cases[_i].kind == 0 || err.kind == cases[_i].kind, "%s", err.msg);
	ck_assert_msg(strstr(cases[_i].kind ? err.msg : said, cases[_i].says) != NULL, "\"%s\" and \"%s\"", err.msg, said);
	ck_assert_msg(cases[_i].says[0] || !said[0], "%s", said);
	mongoc_cleanup();
}
END_TEST

#define MAKE_IN(collection, indexes, expires) \
	"{\"createIndexes\":\"" collection "\",\"indexes\":[" indexes ",{\"key\":{\"t\":1},\"name\":\"t_1\",\"expireAfterSeconds\":" expires "}]}\n"
#define MAKE_SITE "{\"key\":{\"site\":1,\"t\":1},\"name\":\"site_1_t_1\"}"
#define MAKE_GROUP "{\"key\":{\"site\":1,\"group\":1,\"t\":1},\"name\":\"site_1_group_1_t_1\"}"

START_TEST(an_empty_database)
{
	struct fake f = {.collection = "", .bare = true};
	struct sink_conf conf = days();
	struct log log = {.level = LOG_LEVEL_ERROR, .program = "test", .fd = STDERR_FILENO};
	struct err err = ERR_INIT;
	mongoc_client_t *client;
	char uri[64];

	mongoc_init();
	fake_start(&f);
	snprintf(uri, sizeof(uri), "mongodb://127.0.0.1:%d/", f.port);
	client = mongoc_client_new(uri);
	mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
	ck_assert_msg(indexes_make(client, "test", &conf, &log, &err) == 0, "%s", err.msg);
	mongoc_client_destroy(client);
	fake_stop(&f);
	ck_assert_str_eq(f.told, MAKE_IN("minutely", MAKE_SERIES, "86400") MAKE_IN("hourly", MAKE_SERIES, "172800")
		MAKE_IN("errors", MAKE_SITE "," MAKE_GROUP, "259200") MAKE_IN("traces", MAKE_SITE "," MAKE_GROUP, "345600")
		MAKE_IN("markers", MAKE_SITE, "432000") MAKE_IN("checkins", MAKE_SERIES, "518400")
		MAKE_IN("alerts", MAKE_SITE "," MAKE_TRIGGER, "604800") MAKE_IN("incidents", MAKE_SITE "," MAKE_TRIGGER "," MAKE_INCIDENT, "691200"));
	mongoc_cleanup();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("indexes");
	TCase *tc = tcase_create("indexes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, found_and_told, 0, NR(cases));
	tcase_add_test(tc, an_empty_database);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
