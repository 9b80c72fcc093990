/* indexes.c - see indexes.h.
 *
 * What is there is looked at before anything is changed. It would not do to call createIndexes and read its errors: servers differ in
 * them, and none says which retention is in force.
 *
 *     listIndexes -> each index: ours, of other retention, in the way -> collMod -> createIndexes of what is missing
 *
 * A retention is a setting, so it is changed. Anything else with our keys, and every unique index, was somebody's decision: it is never
 * replaced here. On a collection that is large already, createIndexes takes longer than the driver waits; the server goes on building,
 * and a later try finds it done. */
#include "sink/mongo/indexes.h"

#include <inttypes.h>
#include <string.h>

/* Codes by which a server says that an index is there, but another one; that it does not know a command, or does not let the user give it. */
enum { CODE_INDEX_OPTIONS_CONFLICT = 85, CODE_INDEX_KEY_SPECS_CONFLICT = 86, CODE_COMMAND_NOT_FOUND = 59, CODE_UNAUTHORIZED = 13 };

enum index { INDEX_SERIES, INDEX_SITE, INDEX_GROUP, INDEX_TRIGGER, INDEX_INCIDENT, INDEX_AGE, NR_INDEXES };

/* Named as the server would name them. */
static const struct {
	const char *name;
	const char *keys[4]; /* ascending; NULL ends */
} ours[NR_INDEXES] = {
	[INDEX_SERIES] = {"site_1_name_1_t_1", {"site", "name", "t", NULL}},
	[INDEX_SITE] = {"site_1_t_1", {"site", "t", NULL}},
	[INDEX_GROUP] = {"site_1_group_1_t_1", {"site", "group", "t", NULL}},
	[INDEX_TRIGGER] = {"site_1_trigger_1_t_1", {"site", "trigger", "t", NULL}},
	[INDEX_INCIDENT] = {"incident_1_version_1", {"incident", "version", NULL}},
	[INDEX_AGE] = {"t_1", {"t", NULL}},
};

/* Those that a collection has; another of our keys there is somebody else's. */
static const bool has[NR_SINK_COLLECTIONS][NR_INDEXES] = {
	[SINK_IN_MINUTELY] = {[INDEX_SERIES] = true, [INDEX_AGE] = true},
	[SINK_IN_HOURLY] = {[INDEX_SERIES] = true, [INDEX_AGE] = true},
	[SINK_IN_ERRORS] = {[INDEX_SITE] = true, [INDEX_GROUP] = true, [INDEX_AGE] = true},
	[SINK_IN_TRACES] = {[INDEX_SITE] = true, [INDEX_GROUP] = true, [INDEX_AGE] = true},
	[SINK_IN_MARKERS] = {[INDEX_SITE] = true, [INDEX_AGE] = true},
	[SINK_IN_CHECKINS] = {[INDEX_SERIES] = true, [INDEX_AGE] = true},
	[SINK_IN_ALERTS] = {[INDEX_SITE] = true, [INDEX_TRIGGER] = true, [INDEX_AGE] = true},
	[SINK_IN_INCIDENTS] = {[INDEX_SITE] = true, [INDEX_TRIGGER] = true, [INDEX_INCIDENT] = true, [INDEX_AGE] = true},
};

/* One collection, and what was found in it. */
struct look {
	mongoc_client_t *client;
	const char *database, *collection;
	const bool *has;       /* the indexes that it should have */
	int64_t wanted_s;      /* retention by the settings */
	bool found[NR_INDEXES];
	int64_t expires_s;     /* by the TTL index that is there, when changes; -1: what it says is no time */
	bool changes;
};

static int fail(const struct look *l, const char *what, const bson_error_t *error, struct err *err)
{
	if (error->domain == MONGOC_ERROR_SERVER &&
	    (error->code == CODE_INDEX_OPTIONS_CONFLICT || error->code == CODE_INDEX_KEY_SPECS_CONFLICT))
		return err_set(err, ERR_REJECT, "%s.%s has an index that is in the way of the sink's; drop it: %s", l->database,
			       l->collection, error->message);
	return err_set(err, ERR_RETRY, "cannot %s the indexes of %s.%s: %s (%u.%u)", what, l->database, l->collection, error->message,
		       error->domain, error->code);
}

/* Are these the keys of one of ours, all ascending? Servers give numbers of any type back. */
static bool has_keys(const bson_t *index, const char *const *keys)
{
	bson_iter_t it, key;

	if (!bson_iter_init_find(&it, index, "key") || !BSON_ITER_HOLDS_DOCUMENT(&it) || !bson_iter_recurse(&it, &key))
		return false;
	for (; *keys; keys++)
		if (!bson_iter_next(&key) || strcmp(bson_iter_key(&key), *keys) != 0 || bson_iter_as_double(&key) != 1)
			return false;
	return !bson_iter_next(&key);
}

static bool is_true(const bson_t *index, const char *option)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, index, option) && bson_iter_as_bool(&it);
}

/* An option by which an index of the right keys does not do the work of ours, or NULL. */
static const char *odd_option(const bson_t *index)
{
	static const char *const harmless[] = {"v", "key", "name", "ns", "background", "expireAfterSeconds", "unique"};
	bson_iter_t it;
	bool known = true;

	bson_iter_init(&it, index);
	while (known && bson_iter_next(&it)) {
		known = BSON_ITER_HOLDS_BOOL(&it) && !bson_iter_bool(&it);
		for (size_t i = 0; !known && i < sizeof(harmless) / sizeof(harmless[0]); i++)
			known = strcmp(bson_iter_key(&it), harmless[i]) == 0;
	}
	return known ? NULL : bson_iter_key(&it);
}

/* Seconds until expiry; -1 when what stands there is no time. */
static int64_t expiry(const bson_iter_t *it)
{
	double s = bson_iter_as_double(it);

	return BSON_ITER_HOLDS_NUMBER(it) && s >= 0 && s <= INT32_MAX ? (int64_t)s : -1;
}

/* Of an index by t alone. */
static int judge_age(struct look *l, const bson_t *index, const char *name, struct err *err)
{
	bson_iter_t it;
	int64_t expires_s;

	if (!bson_iter_init_find(&it, index, "expireAfterSeconds"))
		return err_set(err, ERR_REJECT, "index %s of %s.%s has the keys of the sink's TTL index, but expires nothing: drop it",
			       name, l->database, l->collection);
	expires_s = expiry(&it);
	if (expires_s != l->wanted_s) {
		l->changes = true;
		l->expires_s = expires_s;
	}
	return 0;
}

static int judge(struct look *l, const bson_t *index, struct err *err)
{
	static const char *const id_keys[] = {"_id", NULL};
	bson_iter_t it;
	const char *name = bson_iter_init_find(&it, index, "name") && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL) : "?";
	const char *odd = odd_option(index);

	if (has_keys(index, id_keys))
		return 0;
	if (is_true(index, "unique"))
		return err_set(err, ERR_REJECT, "index %s of %s.%s is unique: it would refuse documents that belong there; drop it", name,
			       l->database, l->collection);
	for (int i = 0; i < NR_INDEXES; i++) {
		if (!l->has[i] || !has_keys(index, ours[i].keys))
			continue;
		if (odd)
			return err_set(err, ERR_REJECT, "index %s of %s.%s has the sink's keys, but also the option %s: drop it", name,
				       l->database, l->collection, odd);
		l->found[i] = true;
		if (i == INDEX_AGE && judge_age(l, index, name, err) < 0)
			return -1;
	}
	return 0;
}

/* A collection that is not there yet has no indexes: the driver says so, not the server. */
static int look_at(struct look *l, struct err *err)
{
	mongoc_collection_t *collection = mongoc_client_get_collection(l->client, l->database, l->collection);
	mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(collection, NULL);
	const bson_t *index;
	bson_error_t error;
	int rc = 0;

	while (rc == 0 && mongoc_cursor_next(cursor, &index))
		rc = judge(l, index, err);
	if (rc == 0 && mongoc_cursor_error(cursor, &error))
		rc = fail(l, "list", &error, err);
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(collection);
	return rc;
}

static void append_keys(bson_t *to, const char *field, enum index which)
{
	bson_t keys;

	BSON_APPEND_DOCUMENT_BEGIN(to, field, &keys);
	for (const char *const *key = ours[which].keys; *key; key++)
		BSON_APPEND_INT32(&keys, *key, 1);
	bson_append_document_end(to, &keys);
}

/* Why this server will not change a retention by itself, however often it is asked; NULL: it may. The role readWrite does not include collMod. */
static const char *never_changes(const bson_error_t *error)
{
	if (error->domain != MONGOC_ERROR_SERVER)
		return NULL;
	if (error->code == CODE_COMMAND_NOT_FOUND)
		return "this server has no collMod: drop its index by t";
	return error->code == CODE_UNAUTHORIZED ? "the user has no right to collMod: give it the role dbAdmin, or drop its index by t" : NULL;
}

/* Gives the TTL index the retention of the settings. */
static int change_expiry(const struct look *l, const struct log *log, struct err *err)
{
	bson_t command = BSON_INITIALIZER, index;
	bson_error_t error;
	bool ok;

	BSON_APPEND_UTF8(&command, "collMod", l->collection);
	BSON_APPEND_DOCUMENT_BEGIN(&command, "index", &index);
	append_keys(&index, "keyPattern", INDEX_AGE);
	BSON_APPEND_INT32(&index, "expireAfterSeconds", (int32_t)l->wanted_s);
	bson_append_document_end(&command, &index);
	ok = mongoc_client_write_command_with_opts(l->client, l->database, &command, NULL, NULL, &error);
	bson_destroy(&command);
	if (!ok && never_changes(&error))
		return err_set(err, ERR_REJECT,
			       "%s.%s expires documents after %" PRId64 " s, the settings (retention.%s) say %" PRId64 ", and %s",
			       l->database, l->collection, l->expires_s, l->collection, l->wanted_s, never_changes(&error));
	if (!ok)
		return fail(l, "change", &error, err);
	log_info(log, "retention_changed", LOG_STR("collection", l->collection), LOG_INT("before_s", l->expires_s),
		 LOG_INT("after_s", l->wanted_s));
	return 0;
}

/* createIndexes makes the collection, too. */
static int make_missing(const struct look *l, struct err *err)
{
	bson_t command = BSON_INITIALIZER, indexes;
	bson_error_t error;
	uint32_t nr = 0;
	bool ok;

	BSON_APPEND_UTF8(&command, "createIndexes", l->collection);
	BSON_APPEND_ARRAY_BEGIN(&command, "indexes", &indexes);
	for (int i = 0; i < NR_INDEXES; i++) {
		char at[16];
		const char *key;
		bson_t index;

		if (!l->has[i] || l->found[i])
			continue;
		bson_uint32_to_string(nr++, &key, at, sizeof(at));
		BSON_APPEND_DOCUMENT_BEGIN(&indexes, key, &index);
		append_keys(&index, "key", (enum index)i);
		BSON_APPEND_UTF8(&index, "name", ours[i].name);
		if (i == INDEX_AGE)
			BSON_APPEND_INT32(&index, "expireAfterSeconds", (int32_t)l->wanted_s);
		bson_append_document_end(&indexes, &index);
	}
	bson_append_array_end(&command, &indexes);
	ok = nr == 0 || mongoc_client_write_command_with_opts(l->client, l->database, &command, NULL, NULL, &error);
	bson_destroy(&command);
	return ok ? 0 : fail(l, "make", &error, err);
}

int indexes_make(mongoc_client_t *client, const char *database, const struct sink_conf *conf, const struct log *log, struct err *err)
{
	struct look looks[NR_SINK_COLLECTIONS];

	for (int i = 0; i < NR_SINK_COLLECTIONS; i++) {
		looks[i] = (struct look){.client = client, .database = database, .collection = sink_collection_name((enum sink_collection)i),
					 .has = has[i], .wanted_s = conf->retention_ms[i] / 1000};
		if (look_at(&looks[i], err) < 0)
			return -1;
	}
	for (int i = 0; i < NR_SINK_COLLECTIONS; i++)
		if ((looks[i].changes && change_expiry(&looks[i], log, err) < 0) || make_missing(&looks[i], err) < 0)
			return -1;
	return 0;
}
