/* indexes.c - see indexes.h.
 *
 * createIndexes with all indexes of a collection at once: it does nothing for those that are there, and makes the collection where it
 * is not. On a collection that is large already it takes longer than the driver waits; the server goes on building, and a later
 * try finds it done. An index with the same keys and other options is never replaced here: it was somebody's decision. */
#include "sink/mongo/indexes.h"

/* Codes by which a server says that an index is there, but another one. */
enum { CODE_INDEX_OPTIONS_CONFLICT = 85, CODE_INDEX_KEY_SPECS_CONFLICT = 86 };

/* Named as the server would name them, so that one made by hand counts as the same. */
static void append_index(bson_t *indexes, const char *at, const char *name, const bson_t *key, int64_t expire_s)
{
	bson_t index;

	BSON_APPEND_DOCUMENT_BEGIN(indexes, at, &index);
	BSON_APPEND_DOCUMENT(&index, "key", key);
	BSON_APPEND_UTF8(&index, "name", name);
	if (expire_s >= 0)
		BSON_APPEND_INT32(&index, "expireAfterSeconds", (int32_t)expire_s);
	bson_append_document_end(indexes, &index);
}

static void command_init(bson_t *command, enum sink_topic topic, const struct sink_conf *conf)
{
	bson_t series = BSON_INITIALIZER, age = BSON_INITIALIZER, indexes;

	BSON_APPEND_INT32(&series, "site", 1);
	BSON_APPEND_INT32(&series, "name", 1);
	BSON_APPEND_INT32(&series, "t", 1);
	BSON_APPEND_INT32(&age, "t", 1);
	bson_init(command);
	BSON_APPEND_UTF8(command, "createIndexes", sink_topic_name(topic));
	BSON_APPEND_ARRAY_BEGIN(command, "indexes", &indexes);
	append_index(&indexes, "0", "site_1_name_1_t_1", &series, -1);
	append_index(&indexes, "1", "t_1", &age, conf->retention_ms[topic] / 1000);
	bson_append_array_end(command, &indexes);
	bson_destroy(&series);
	bson_destroy(&age);
}

static int make_one(mongoc_client_t *client, const char *database, enum sink_topic topic, const struct sink_conf *conf,
		    struct err *err)
{
	const char *collection = sink_topic_name(topic);
	bson_error_t error;
	bson_t command;
	bool ok;

	command_init(&command, topic, conf);
	ok = mongoc_client_write_command_with_opts(client, database, &command, NULL, NULL, &error);
	bson_destroy(&command);
	if (ok)
		return 0;
	if (error.domain == MONGOC_ERROR_SERVER &&
	    (error.code == CODE_INDEX_OPTIONS_CONFLICT || error.code == CODE_INDEX_KEY_SPECS_CONFLICT))
		return err_set(err, ERR_REJECT,
			       "%s.%s has an index that contradicts the settings (retention.%s?); drop it, or change it by collMod, "
			       "or change the setting: %s", database, collection, collection, error.message);
	return err_set(err, ERR_RETRY, "cannot make the indexes of %s.%s: %s (%u.%u)", database, collection, error.message,
		       error.domain, error.code);
}

int indexes_make(mongoc_client_t *client, const char *database, const struct sink_conf *conf, struct err *err)
{
	for (int topic = 0; topic < NR_SINK_TOPICS; topic++)
		if (make_one(client, database, (enum sink_topic)topic, conf, err) < 0)
			return -1;
	return 0;
}
