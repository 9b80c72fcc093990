/* verdict.c - see verdict.h.
 *
 * Classes of codes. Documents are given up only for codes that name a fault of the document itself; a code that is in no list
 * means "try again", since a wrong retry costs time and a wrong dead letter costs data. Codes are those of the server's
 * error_codes.yml; some have changed their number over the years, and then both stand here.
 *
 * A command that is refused as a whole names no document. Where its code can only mean what is in it, the documents are bisected: sent
 * again in halves, until one is alone with the refusal and is given up. Codes that a server also uses for the command itself (a bad
 * value, a type: say, a write concern it does not know) are not believed there: they would condemn document after document. */
#include "sink/mongo/verdict.h"

#include <string.h>

enum {
	CODE_DUPLICATE_KEY = 11000,
	CODE_DUPLICATE_KEY_LEGACY = 11001,
	CODE_DUPLICATE_KEY_CAPPED = 12582, /* mongos of old */
	NO_CODE = -1, /* an error without one: not 0, which marks a document that no error names */
};

struct code_class {
	int32_t code;
	enum verdict_reason reason;
};

/* Faults of one document. */
static const int32_t poison_codes[] = {
	2,     /* BadValue */
	9,     /* FailedToParse */
	14,    /* TypeMismatch */
	15,    /* Overflow */
	22,    /* InvalidBSON */
	52,    /* DollarPrefixedFieldName */
	53,    /* InvalidIdField */
	55,    /* InvalidDBRef */
	56,    /* EmptyFieldName */
	57,    /* DottedFieldName */
	121,   /* DocumentValidationFailure: a validator on the collection */
	171,   /* CannotIndexParallelArrays */
	10334, /* BSONObjectTooLarge */
	17280, /* KeyTooLong */
};

/* Those of them that blame the documents though they stand for the whole command. */
static const int32_t content_codes[] = {9, 22, 52, 53, 55, 56, 57, 10334};

static const struct code_class retry_codes[] = {
	{6, VERDICT_REASON_NETWORK},         /* HostUnreachable */
	{7, VERDICT_REASON_NETWORK},         /* HostNotFound */
	{89, VERDICT_REASON_NETWORK},        /* NetworkTimeout */
	{9001, VERDICT_REASON_NETWORK},      /* SocketException */
	{91, VERDICT_REASON_NOT_PRIMARY},    /* ShutdownInProgress */
	{189, VERDICT_REASON_NOT_PRIMARY},   /* PrimarySteppedDown */
	{10058, VERDICT_REASON_NOT_PRIMARY}, /* NotWritablePrimary of old */
	{10107, VERDICT_REASON_NOT_PRIMARY}, /* NotWritablePrimary */
	{11600, VERDICT_REASON_NOT_PRIMARY}, /* InterruptedAtShutdown */
	{11602, VERDICT_REASON_NOT_PRIMARY}, /* InterruptedDueToReplStateChange */
	{13435, VERDICT_REASON_NOT_PRIMARY}, /* NotPrimaryNoSecondaryOk */
	{13436, VERDICT_REASON_NOT_PRIMARY}, /* NotPrimaryOrSecondary */
	{64, VERDICT_REASON_WRITE_CONCERN},  /* WriteConcernFailed */
	{79, VERDICT_REASON_WRITE_CONCERN},  /* UnknownReplWriteConcern */
	{100, VERDICT_REASON_WRITE_CONCERN}, /* UnsatisfiableWriteConcern */
	{11, VERDICT_REASON_AUTH},           /* UserNotFound */
	{13, VERDICT_REASON_AUTH},           /* Unauthorized */
	{18, VERDICT_REASON_AUTH},           /* AuthenticationFailed */
	{33, VERDICT_REASON_AUTH},           /* AuthSchemaIncompatible */
	{8000, VERDICT_REASON_SPACE},        /* AtlasError: over the plan's quota */
	{14031, VERDICT_REASON_SPACE},       /* OutOfDiskSpace */
};

static bool is_poison(int32_t code)
{
	for (size_t i = 0; i < sizeof(poison_codes) / sizeof(poison_codes[0]); i++)
		if (poison_codes[i] == code)
			return true;
	return false;
}

static bool is_duplicate(int32_t code)
{
	return code == CODE_DUPLICATE_KEY || code == CODE_DUPLICATE_KEY_LEGACY || code == CODE_DUPLICATE_KEY_CAPPED;
}

static enum verdict_reason reason_of_code(int32_t code)
{
	for (size_t i = 0; i < sizeof(retry_codes) / sizeof(retry_codes[0]); i++)
		if (retry_codes[i].code == code)
			return retry_codes[i].reason;
	return VERDICT_REASON_SERVER;
}

/* Other domains' codes are the driver's own numbers. */
static bool is_from_server(const bson_error_t *error)
{
	return error->domain == MONGOC_ERROR_SERVER || error->domain == MONGOC_ERROR_QUERY || error->domain == MONGOC_ERROR_COMMAND;
}

/* The driver has numbers of its own in MONGOC_ERROR_COMMAND, and 22 is one of them: a command that it could not make. So only the one domain
 * is believed into which it puts what a server said (database.c asks for that). */
static bool blames_content(const bson_error_t *error)
{
	if (error->domain != MONGOC_ERROR_SERVER)
		return false;
	for (size_t i = 0; i < sizeof(content_codes) / sizeof(content_codes[0]); i++)
		if (content_codes[i] == (int32_t)error->code)
			return true;
	return false;
}

/* The driver's own failures come before any server had a say, but for its error on logging in. */
static enum verdict_reason reason_of_error(const bson_error_t *error)
{
	if (is_from_server(error))
		return reason_of_code((int32_t)error->code);
	switch (error->domain) {
	case MONGOC_ERROR_WRITE_CONCERN:
		return VERDICT_REASON_WRITE_CONCERN;
	case MONGOC_ERROR_SASL:
	case MONGOC_ERROR_SCRAM:
		return VERDICT_REASON_AUTH;
	case MONGOC_ERROR_CLIENT:
		return error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE ? VERDICT_REASON_AUTH : VERDICT_REASON_NETWORK;
	default:
		return VERDICT_REASON_NETWORK;
	}
}

/* A number field of any of BSON's number types; -1 when there is none or it is negative. */
static int64_t number_of(const bson_t *b, const char *key)
{
	bson_iter_t it;
	int64_t n;

	if (!bson_iter_init_find(&it, b, key) || !BSON_ITER_HOLDS_NUMBER(&it))
		return -1;
	n = bson_iter_as_int64(&it);
	return n < 0 ? -1 : n;
}

static const char *text_of(const bson_t *b, const char *key)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, b, key) && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL) : "";
}

/* Is there anything in this array of the reply? */
static bool has_any(const bson_t *reply, const char *key)
{
	bson_iter_t it, child;

	return bson_iter_init_find(&it, reply, key) && bson_iter_recurse(&it, &child) && bson_iter_next(&child);
}

/* Was it _id's index that refused the key? Servers from 4.4 on say so in keyPattern. For the older ones, and the local
 * database, the message is the only place: "... index: _id_ dup key: ...". A message that names none is no proof that the
 * document is there, so it counts as another index. */
static bool is_id_index(const bson_t *write_error)
{
	bson_iter_t it, key;
	const char *at;

	if (bson_iter_init_find(&it, write_error, "keyPattern") && BSON_ITER_HOLDS_DOCUMENT(&it) && bson_iter_recurse(&it, &key))
		return bson_iter_next(&key) && strcmp(bson_iter_key(&key), "_id") == 0 && !bson_iter_next(&key);
	at = strstr(text_of(write_error, "errmsg"), " index: ");
	return at && strncmp(at + strlen(" index: "), "_id_ ", 5) == 0;
}

static void note_reason(struct verdict *v, enum verdict_reason reason, int32_t code)
{
	/* Another index outweighs all: it is the one that only a person can mend. */
	if (v->reason == VERDICT_REASON_NONE || reason == VERDICT_REASON_OTHER_INDEX) {
		v->reason = reason;
		v->code = code;
	}
}

static void judge_write_error(const bson_t *write_error, bool replicated, struct verdict_document *d, struct verdict *v)
{
	int64_t code = number_of(write_error, "code");

	d->code = code > 0 && code <= INT32_MAX ? (int32_t)code : NO_CODE;
	d->text = text_of(write_error, "errmsg");
	if (is_poison(d->code)) {
		d->outcome = VERDICT_POISON;
		return;
	}
	d->outcome = VERDICT_RETRY;
	if (!is_duplicate(d->code))
		note_reason(v, reason_of_code(d->code), d->code);
	else if (!is_id_index(write_error))
		note_reason(v, VERDICT_REASON_OTHER_INDEX, d->code);
	else if (replicated)
		d->outcome = VERDICT_ALREADY;
}

/* Goes through writeErrors. How many documents they name, or -1 when an entry makes no sense: no document, an index outside of
 * the batch, one named twice. */
static int64_t judge_write_errors(const bson_t *reply, bool replicated, struct verdict_document *documents, size_t nr,
				  struct verdict *v)
{
	bson_iter_t it, entry;
	int64_t named = 0;

	if (!bson_iter_init_find(&it, reply, "writeErrors") || !bson_iter_recurse(&it, &entry))
		return 0;
	for (; bson_iter_next(&entry); named++) {
		const uint8_t *data;
		uint32_t len;
		bson_t write_error;
		int64_t index;

		if (!BSON_ITER_HOLDS_DOCUMENT(&entry))
			return -1;
		bson_iter_document(&entry, &len, &data);
		if (!bson_init_static(&write_error, data, len))
			return -1;
		index = number_of(&write_error, "index");
		if (index < 0 || (uint64_t)index >= nr || documents[index].code)
			return -1;
		judge_write_error(&write_error, replicated, &documents[index], v);
	}
	return named;
}

static void judge_all(struct verdict_document *documents, size_t nr, enum verdict_outcome outcome)
{
	for (size_t i = 0; i < nr; i++)
		documents[i] = (struct verdict_document){.outcome = outcome, .text = ""};
}

/* Nothing is known of any document, but perhaps whose fault that is. */
static void judge_command(const bson_t *reply, const bson_error_t *error, struct verdict_document *documents, size_t nr,
			  struct verdict *v)
{
	bool content = blames_content(error) && !has_any(reply, "writeErrors") && number_of(reply, "insertedCount") <= 0;

	judge_all(documents, nr, VERDICT_RETRY);
	*v = (struct verdict){.bisect = content && nr > 1};
	if (content && nr == 1)
		documents[0] = (struct verdict_document){VERDICT_POISON, (int32_t)error->code, error->message};
	else
		note_reason(v, content ? VERDICT_REASON_CONTENT : reason_of_error(error), (int32_t)error->code);
}

static void count(const struct verdict_document *documents, size_t nr, struct verdict *v)
{
	for (size_t i = 0; i < nr; i++) {
		v->stored += documents[i].outcome == VERDICT_STORED;
		v->already_stored += documents[i].outcome == VERDICT_ALREADY;
		v->poison += documents[i].outcome == VERDICT_POISON;
		v->retry += documents[i].outcome == VERDICT_RETRY;
	}
}

void verdict_judge(const bson_t *reply, const bson_error_t *error, struct verdict_document *documents, size_t nr,
		   struct verdict *v)
{
	/* With a write-concern error nothing of this reply is known to survive an election, not even what was there already. */
	bool replicated = !has_any(reply, "writeConcernErrors") && !has_any(reply, "writeConcernError");
	int64_t inserted = number_of(reply, "insertedCount"), named;

	*v = (struct verdict){0};
	judge_all(documents, nr, replicated ? VERDICT_STORED : VERDICT_RETRY);
	named = judge_write_errors(reply, replicated, documents, nr, v);
	if (inserted < 0 || named < 0 || (uint64_t)inserted + (uint64_t)named != nr) {
		judge_command(reply, error, documents, nr, v);
	} else if (!replicated) {
		note_reason(v, VERDICT_REASON_WRITE_CONCERN, 0);
	}
	count(documents, nr, v);
}

const char *verdict_reason_name(enum verdict_reason reason)
{
	static const char *const names[NR_VERDICT_REASONS] = {
		"none", "network", "not_primary", "write_concern", "auth", "space", "other_index", "content", "server",
	};

	return (unsigned)reason < NR_VERDICT_REASONS ? names[reason] : "none";
}
