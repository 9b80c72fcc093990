/* database.c - see database.h.
 *
 * The pool watches the replica set with threads of its own, whatever the writers do, so that a new primary is found while writers still
 * wait for the old one. retryWrites is left as the URI has it: the driver's one repetition does no harm before ours.
 * libbson and libmongoc end the process when memory is short, and nothing can be done about that here: the sink's memory is
 * bounded by what it has in flight, and a killed sink repeats. */
#include "sink/mongo/database.h"

#include <stdlib.h>
#include <string.h>

struct database {
	mongoc_client_pool_t *pool;
	bson_t *insert_opts; /* not embedded: a bson_t lies at multiples of 128 bytes */
	const char *name;
	const struct log *log;
};

/* A write that waits longer than this is repeated, on another connection. Less than the 10 s in which the sink stops. */
static const struct {
	const char *option;
	int32_t ms;
} timeouts[] = {
	{MONGOC_URI_SOCKETTIMEOUTMS, 8000},
	{MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 3000},
	{MONGOC_URI_CONNECTTIMEOUTMS, 3000},
	{MONGOC_URI_WAITQUEUETIMEOUTMS, 3000},
};

static void on_log(mongoc_log_level_t level, const char *domain, const char *text, void *ctx)
{
	const struct database *db = ctx;
	enum log_level ours = level <= MONGOC_LOG_LEVEL_CRITICAL ? LOG_LEVEL_ERROR
			      : level == MONGOC_LOG_LEVEL_WARNING ? LOG_LEVEL_WARN
								  : LOG_LEVEL_DEBUG;

	log_write(db->log, ours, "mongo_client",
		  (const struct log_field[]){LOG_STR("domain", domain), LOG_STR("text", text), {0}});
}

static const char bad_uri[] = "is not a connection string: mongodb://USER:PASSWORD@HOST:PORT/?OPTION=VALUE, "
			      "with %-escapes in user and password";
static const char bad_name[] = "is no database's name: it has none of / \\ . \" $ * < > : | ? and no space";

/* The driver's own words on a bad URI may repeat a part of it. */
static mongoc_uri_t *parse_uri(const struct sink_conf *conf, struct err *err)
{
	mongoc_uri_t *uri = mongoc_uri_new_with_error(conf->mongo_uri, NULL);

	if (!uri) {
		err_set(err, ERR_REJECT, "mongo.uri %s", bad_uri);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++)
		if (!mongoc_uri_has_option(uri, timeouts[i].option))
			mongoc_uri_set_option_as_int32(uri, timeouts[i].option, timeouts[i].ms);
	if (!mongoc_uri_get_appname(uri))
		mongoc_uri_set_appname(uri, "millrace-sink");
	return uri;
}

static int pool_open(struct database *db, const struct sink_conf *conf, struct err *err)
{
	mongoc_uri_t *uri = parse_uri(conf, err);
	bson_error_t error;

	if (!uri)
		return -1;
	db->pool = mongoc_client_pool_new_with_error(uri, &error);
	mongoc_uri_destroy(uri);
	if (!db->pool)
		return err_set(err, ERR_REJECT, "mongo.uri: the driver refuses it with error %u.%u", error.domain, error.code);
	mongoc_client_pool_set_error_api(db->pool, MONGOC_ERROR_API_VERSION_2);
	mongoc_client_pool_max_size(db->pool, (uint32_t)conf->writers);
	return 0;
}

/* Unordered, since one document's fault must not keep the others out. By a majority, since what one member alone has can be rolled back
 * after its offset was committed. Not validated by the driver: text was checked when the record was decoded, and which keys are
 * allowed is the server's to say. */
static bson_t *insert_opts_new(int64_t wtimeout_ms)
{
	mongoc_write_concern_t *concern = mongoc_write_concern_new();
	bson_t *opts = bson_new();

	mongoc_write_concern_set_wmajority(concern, (int32_t)wtimeout_ms);
	mongoc_write_concern_append(concern, opts);
	BSON_APPEND_BOOL(opts, "ordered", false);
	BSON_APPEND_BOOL(opts, "validate", false);
	mongoc_write_concern_destroy(concern);
	return opts;
}

static bool name_valid(const char *name)
{
	return !strpbrk(name, "/\\. \"$*<>:|?");
}

/* The driver is mute meanwhile: what it has to say of the URI, it says again in database_new(), to the program's log. */
int database_check(const struct conf *settings, const struct sink_conf *conf, struct err *err)
{
	mongoc_uri_t *uri;

	mongoc_log_set_handler(NULL, NULL);
	uri = parse_uri(conf, NULL);
	mongoc_log_set_handler(mongoc_log_default_handler, NULL);
	if (!uri)
		return conf_reject(settings, "mongo.uri", bad_uri, err);
	mongoc_uri_destroy(uri);
	return name_valid(conf->mongo_database) ? 0 : conf_reject(settings, "mongo.database", bad_name, err);
}

struct database *database_new(const struct sink_conf *conf, const struct log *log, struct err *err)
{
	struct database *db = calloc(1, sizeof(*db));

	if (!db) {
		err_nomem(err, "the database's pool");
		return NULL;
	}
	db->log = log;
	db->name = conf->mongo_database;
	db->insert_opts = insert_opts_new(conf->wtimeout_ms);
	mongoc_init();
	mongoc_log_set_handler(on_log, db);
	if (!name_valid(db->name)) {
		err_set(err, ERR_REJECT, "mongo.database = %s %s", db->name, bad_name);
		database_free(db);
		return NULL;
	}
	if (pool_open(db, conf, err) < 0) {
		database_free(db);
		return NULL;
	}
	return db;
}

void database_free(struct database *db)
{
	if (!db)
		return;
	if (db->pool)
		mongoc_client_pool_destroy(db->pool);
	mongoc_log_set_handler(NULL, NULL);
	mongoc_cleanup();
	bson_destroy(db->insert_opts);
	free(db);
}

mongoc_client_t *database_take_client(struct database *db, struct err *err)
{
	mongoc_client_t *client = mongoc_client_pool_pop(db->pool);

	if (!client)
		err_set(err, ERR_RETRY, "the pool has no free client");
	return client;
}

void database_give_client(struct database *db, mongoc_client_t *client)
{
	if (client)
		mongoc_client_pool_push(db->pool, client);
}

const bson_t *database_insert_opts(const struct database *db)
{
	return db->insert_opts;
}

const char *database_name(const struct database *db)
{
	return db->name;
}
