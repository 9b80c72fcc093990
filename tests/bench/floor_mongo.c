/* floor_mongo.c - the least that any writer of such documents on libmongoc costs: builds them and inserts them, a thousand at a time.
 *
 * The documents have the fields of sink/mongo/README.md, of the windows that fill_aggregates writes; percentiles are any numbers. What
 * the sink does beyond this (Kafka, decoding, percentiles, judging replies, ledgers) is ours to make cheap.
 *
 * Usage: floor_mongo URI DOCUMENTS. It fails unless every insert is answered with as many documents as it had. The last line, on stdout,
 * is JSON; CPU time is that of all threads, the driver's own included. */
#include <inttypes.h>
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/bench/mix.h"

enum { AGENTS = 100, INSERT = 1000, ID_BYTES = 44 };

struct agent {
	char site[16], host[16];
	struct series_ref series[MIX_SERIES];
	struct tag tags[MIX_SERIES * MIX_TAGS];
	struct aggregate windows[MIX_SERIES];
	int64_t counts[MIX_SERIES][MIX_NEIGHBOURS];
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "floor_mongo: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void make_agent(struct agent *a, size_t number, uint64_t *random)
{
	snprintf(a->site, sizeof(a->site), "site-%03zu", number % 20);
	snprintf(a->host, sizeof(a->host), "web-%06zu", number % 1000000);
	mix_series(number, a->site, a->host, a->series, a->tags);
	for (size_t i = 0; i < MIX_SERIES; i++) {
		mix_aggregate(random, &a->series[i], a->counts[i], &a->windows[i]);
		a->windows[i].site = str_from(a->site);
	}
}

static void append_text(bson_t *doc, const char *key, int key_len, struct str s)
{
	bson_append_utf8(doc, key, key_len, s.p, (int)s.len);
}

static void append_histogram(bson_t *doc, const struct histogram *from)
{
	static const char *const percentiles[] = {"p50", "p90", "p95", "p99"};
	bson_t h, list;

	for (size_t i = 0; i < 4; i++)
		bson_append_double(doc, percentiles[i], 3, (double)i);
	bson_append_document_begin(doc, "h", 1, &h);
	bson_append_int32(&h, "s", 1, from->scale);
	bson_append_int64(&h, "z", 1, from->zero);
	bson_append_int32(&h, "o", 1, from->offset);
	bson_append_array_begin(&h, "c", 1, &list);
	for (uint32_t i = 0; i < from->counts_len; i++) {
		char text[16];
		const char *name;
		size_t n = bson_uint32_to_string(i, &name, text, sizeof(text));

		bson_append_int64(&list, name, (int)n, from->counts[i]);
	}
	bson_append_array_end(&h, &list);
	bson_append_int32(&h, "no", 2, from->neg_offset);
	bson_append_array_begin(&h, "nc", 2, &list);
	bson_append_array_end(&h, &list);
	bson_append_document_end(doc, &h);
}

static void build(bson_t *doc, const struct aggregate *a, uint64_t number)
{
	static const char *const kinds[] = {[SERIES_KIND_COUNTER] = "counter", [SERIES_KIND_GAUGE] = "gauge",
					    [SERIES_KIND_DISTRIBUTION] = "distribution"};
	uint8_t id[ID_BYTES] = {0};
	bson_t tags;

	memcpy(id, a->fingerprint, sizeof(a->fingerprint));
	memcpy(id + sizeof(id) - sizeof(number), &number, sizeof(number));
	bson_reinit(doc);
	bson_append_binary(doc, "_id", 3, BSON_SUBTYPE_BINARY, id, sizeof(id));
	append_text(doc, "site", 4, a->site);
	append_text(doc, "name", 4, a->name);
	append_text(doc, "kind", 4, str_from(kinds[a->kind]));
	bson_append_document_begin(doc, "tags", 4, &tags);
	for (size_t i = 0; i < a->tags_len; i++)
		append_text(&tags, a->tags[i].key.p, (int)a->tags[i].key.len, a->tags[i].value);
	bson_append_document_end(doc, &tags);
	bson_append_date_time(doc, "t", 1, a->window_start);
	bson_append_int64(doc, "count", 5, a->count);
	bson_append_double(doc, "sum", 3, a->sum);
	bson_append_double(doc, "min", 3, a->min);
	bson_append_double(doc, "max", 3, a->max);
	bson_append_double(doc, "mean", 4, a->sum / (double)a->count);
	bson_append_double(doc, "last", 4, a->last);
	bson_append_date_time(doc, "last_at", 7, a->last_at);
	if (a->has_histogram)
		append_histogram(doc, &a->histogram);
	bson_append_bool(doc, "late", 4, a->late);
	bson_append_bool(doc, "approximate", 11, a->approximate);
}

/* As the sink's. */
static bson_t *make_opts(void)
{
	mongoc_write_concern_t *concern = mongoc_write_concern_new();
	bson_t *opts = bson_new();

	mongoc_write_concern_set_wmajority(concern, 5000);
	mongoc_write_concern_append(concern, opts);
	BSON_APPEND_BOOL(opts, "ordered", false);
	BSON_APPEND_BOOL(opts, "validate", false);
	mongoc_write_concern_destroy(concern);
	return opts;
}

static void insert(mongoc_collection_t *collection, const bson_t **docs, size_t n, const bson_t *opts)
{
	bson_error_t error;
	bson_iter_t it;
	bson_t reply;

	if (!mongoc_collection_insert_many(collection, docs, n, opts, &reply, &error))
		die("insert", error.message);
	if (!bson_iter_init_find(&it, &reply, "insertedCount") || (size_t)bson_iter_as_int64(&it) != n)
		die("insert", "the answer is about another number of documents");
	bson_destroy(&reply);
}

static double cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static uint64_t run(mongoc_collection_t *collection, const struct agent *agents, uint64_t documents, const bson_t *opts)
{
	bson_t *docs[INSERT];
	uint64_t bytes = 0;

	for (size_t i = 0; i < INSERT; i++)
		docs[i] = bson_new();
	for (uint64_t done = 0; done < documents;) {
		size_t n = 0;

		for (; n < INSERT && done < documents; n++, done++) {
			build(docs[n], &agents[done / MIX_SERIES % AGENTS].windows[done % MIX_SERIES], done);
			bytes += docs[n]->len;
		}
		insert(collection, (const bson_t **)docs, n, opts);
	}
	for (size_t i = 0; i < INSERT; i++)
		bson_destroy(docs[i]);
	return bytes;
}

int main(int argc, char **argv)
{
	struct agent *agents = calloc(AGENTS, sizeof(*agents));
	mongoc_collection_t *collection;
	mongoc_client_t *client;
	uint64_t documents, bytes, random = 20261126;
	double begun_cpu_s;
	bson_t *opts;

	if (argc != 3 || !agents) {
		fprintf(stderr, "usage: floor_mongo URI DOCUMENTS\n");
		return 2;
	}
	documents = strtoull(argv[2], NULL, 10);
	for (size_t i = 0; i < AGENTS; i++)
		make_agent(&agents[i], i, &random);
	mongoc_init();
	client = mongoc_client_new(argv[1]);
	if (!client)
		die(argv[1], "not a connection string");
	collection = mongoc_client_get_collection(client, "null", "minutely");
	opts = make_opts();
	begun_cpu_s = cpu_seconds();
	bytes = run(collection, agents, documents, opts);
	printf("{\"documents\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"cpu_s\": %.3f}\n", documents, bytes, cpu_seconds() - begun_cpu_s);
	bson_destroy(opts);
	mongoc_collection_destroy(collection);
	mongoc_client_destroy(client);
	mongoc_cleanup();
	free(agents);
	return EXIT_SUCCESS;
}
