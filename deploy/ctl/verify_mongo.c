/* verify_mongo.c - see verify_mongo.h.
 *
 * The driver's own words on a URI may repeat a part of it, so they are not passed on; its log goes nowhere. What a server says of a failed
 * command is passed on: it has never seen the URI. libbson and libmongoc end the process when memory is short. */
#include "deploy/ctl/verify_mongo.h"

#include <mongoc/mongoc.h>
#include <stdio.h>

#include "common/clock.h"
#include "deploy/ctl/verify_document.h"

enum { SELECT_MS = 10000, SOCKET_MS = 60000 };

static const struct {
	const char *option;
	int32_t ms;
} timeouts[] = {
	{MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECT_MS},
	{MONGOC_URI_CONNECTTIMEOUTMS, SELECT_MS},
	{MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_MS},
};

/* "host:port,host:port" of a URI. */
static const char *hosts_of(const mongoc_uri_t *uri, char *out, size_t size)
{
	size_t len = 0;

	*out = '\0';
	for (const mongoc_host_list_t *h = mongoc_uri_get_hosts(uri); h && len < size; h = h->next)
		len += (size_t)snprintf(out + len, size - len, "%s%s", len ? "," : "", h->host_and_port);
	return *out ? out : "the URI's hosts";
}

static mongoc_client_t *open_client(const struct verify_source *source, char *hosts, size_t size, struct err *err)
{
	mongoc_uri_t *uri = mongoc_uri_new_with_error(source->uri, NULL);
	mongoc_client_t *client;

	if (!uri) {
		err_set(err, ERR_REJECT, "mongo.uri is no connection string: mongodb://USER:PASSWORD@HOST:PORT/?OPTION=VALUE, with %%-escapes "
			"in user and password; give it in MILLRACE_MONGO_URI or in a file for --config");
		return NULL;
	}
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++)
		if (!mongoc_uri_has_option(uri, timeouts[i].option))
			mongoc_uri_set_option_as_int32(uri, timeouts[i].option, timeouts[i].ms);
	hosts_of(uri, hosts, size);
	client = mongoc_client_new_from_uri(uri);
	mongoc_uri_destroy(uri);
	if (!client)
		err_set(err, ERR_REJECT, "mongo.uri: the driver refuses it");
	else
		mongoc_client_set_appname(client, "millrace-ctl");
	return client;
}

/* {t: {$gte: .., $lt: ..}}, of one site where one is asked for. */
static bson_t *filter_new(const struct verify_source *source, const struct verify_sheet *sheet)
{
	bson_t *filter = bson_new();
	bson_t range;

	if (source->site.len)
		bson_append_utf8(filter, "site", -1, source->site.p, (int)source->site.len);
	BSON_APPEND_DOCUMENT_BEGIN(filter, "t", &range);
	BSON_APPEND_DATE_TIME(&range, "$gte", sheet->hour_ms);
	BSON_APPEND_DATE_TIME(&range, "$lt", sheet->hour_ms + CLOCK_HOUR_MS);
	bson_append_document_end(filter, &range);
	return filter;
}

struct reading {
	struct verify_sheet *sheet;
	const struct verify_source *source;
	struct verify_stock *stock;
	verify_progress_fn progress;
	void *ctx;
	const char *collection;
	bool hourly;
};

static int take(const struct reading *r, const bson_t *document, struct err *err)
{
	struct verify_stock *stock = r->stock;
	const char *fault = "";
	int rc = verify_document_take(r->sheet, document, r->hourly, r->source->epoch, &fault, err);

	if (rc < 0)
		return -1;
	stock->documents += rc != VERIFY_DOCUMENT_FOREIGN;
	stock->foreign += rc == VERIFY_DOCUMENT_FOREIGN;
	if (rc == VERIFY_DOCUMENT_BAD && stock->bad++ == 0)
		snprintf(stock->first_bad, sizeof(stock->first_bad), "in %s: %s", r->collection, fault);
	r->progress(r->ctx, stock->documents + stock->foreign);
	return 0;
}

static int read_cursor(const struct reading *r, mongoc_cursor_t *cursor, const char *hosts, struct err *err)
{
	const bson_t *document;
	bson_error_t error;

	while (mongoc_cursor_next(cursor, &document))
		if (take(r, document, err) < 0)
			return -1;
	if (mongoc_cursor_error(cursor, &error))
		return err_set(err, ERR_RETRY, "MongoDB at %s cannot be read: collection %s.%s: %s", hosts, r->source->database,
			       r->collection, error.message);
	return 0;
}

static int read_collection(mongoc_client_t *client, const struct reading *r, const char *hosts, struct err *err)
{
	mongoc_collection_t *collection = mongoc_client_get_collection(client, r->source->database, r->collection);
	bson_t *filter = filter_new(r->source, r->sheet);
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, filter, NULL, NULL);
	int rc = read_cursor(r, cursor, hosts, err);

	mongoc_cursor_destroy(cursor);
	bson_destroy(filter);
	mongoc_collection_destroy(collection);
	return rc;
}

static int read_both(mongoc_client_t *client, struct reading *r, const char *hosts, struct err *err)
{
	r->collection = "minutely";
	r->hourly = false;
	if (read_collection(client, r, hosts, err) < 0)
		return -1;
	r->collection = "hourly";
	r->hourly = true;
	return read_collection(client, r, hosts, err);
}

int verify_mongo_read(const struct verify_source *source, struct verify_sheet *sheet, verify_progress_fn progress, void *ctx,
		      struct verify_stock *stock, struct err *err)
{
	struct reading r = {.sheet = sheet, .source = source, .stock = stock, .progress = progress, .ctx = ctx};
	mongoc_client_t *client;
	char hosts[160];
	int rc = -1;

	if (!*source->database || strpbrk(source->database, "/\\. \"$*<>:|?"))
		return err_set(err, ERR_REJECT, "mongo.database = \"%s\" is no database's name", source->database);
	mongoc_log_set_handler(NULL, NULL);
	mongoc_init();
	client = open_client(source, hosts, sizeof(hosts), err);
	if (client) {
		rc = read_both(client, &r, hosts, err);
		mongoc_client_destroy(client);
	}
	mongoc_cleanup();
	return rc;
}
