/* test_verdict.c - replies as servers and the driver make them, and what each says of every document.
 *
 * Replies are written as JSON in the driver's form (libmongoc turns a server's "n" into insertedCount and its writeConcernError
 * into an array); outcomes as one letter a document: s stored, a already stored, r retry, p poison. A whole
 * command that is to be bisected has reason "content" and all documents to retry. */
#include "sink/mongo/verdict.h"

#include <string.h>

#include "tests/unit/unit.h"

#define ID_ERROR(i) "{\"index\": " #i ", \"code\": 11000, \"keyPattern\": {\"_id\": 1}, \"errmsg\": \"E11000 dup key\"}"
#define ID_ERROR_TEXT(i) \
	"{\"index\": " #i ", \"code\": 11000, \"errmsg\": \"E11000 duplicate key error collection: a.b index: _id_ dup key: { _id: 1 }\"}"
#define WCE "\"writeConcernErrors\": [{\"code\": 64, \"errmsg\": \"waiting for replication timed out\"}]"
#define ERROR(i, code) "{\"index\": " #i ", \"code\": " #code ", \"errmsg\": \"told so\"}"
#define REPLY(n, errors) "{\"insertedCount\": " #n ", \"writeErrors\": [" errors "]}"

static const struct {
	const char *reply;
	uint32_t domain, code;
	const char *outcomes;
	enum verdict_reason reason;
} cases[] = {
	/* All well; all there already, which the driver calls a failure. */
	{"{\"insertedCount\": 3}", 0, 0, "sss", VERDICT_REASON_NONE},
	{REPLY(0, ID_ERROR(0) "," ID_ERROR(1)), 17, 11000, "aa", VERDICT_REASON_NONE},
	{REPLY(2, ID_ERROR(1)), 17, 11000, "sas", VERDICT_REASON_NONE},
	{REPLY(2, ID_ERROR_TEXT(2)), 17, 11000, "ssa", VERDICT_REASON_NONE},
	{REPLY(1, "{\"index\": 1, \"code\": 11001, \"keyPattern\": {\"_id\": 1}}"), 17, 11001, "sa", VERDICT_REASON_NONE},
	{"{\"insertedCount\": 2, \"writeErrors\": [], \"writeConcernErrors\": []}", 0, 0, "ss", VERDICT_REASON_NONE},

	/* Not replicated: nothing is known to last, neither what was inserted nor what was there. */
	{"{\"insertedCount\": 2, " WCE "}", 16, 64, "rr", VERDICT_REASON_WRITE_CONCERN},
	{"{\"insertedCount\": 1, \"writeErrors\": [" ID_ERROR(1) "], " WCE "}", 17, 11000, "rr", VERDICT_REASON_WRITE_CONCERN},
	{"{\"insertedCount\": 0, \"writeErrors\": [" ID_ERROR(0) "], " WCE "}", 17, 11000, "r", VERDICT_REASON_WRITE_CONCERN},
	{"{\"insertedCount\": 1, \"writeErrors\": [" ERROR(0, 121) "], " WCE "}", 17, 121, "pr", VERDICT_REASON_WRITE_CONCERN},
	{"{\"insertedCount\": 1, \"writeConcernError\": {\"code\": 91, \"errmsg\": \"x\"}}", 16, 91, "r", VERDICT_REASON_WRITE_CONCERN},

	/* Replies that do not account for every document: a hanging server, one that closed, an odd one. */
	{"{}", 2, 4, "rr", VERDICT_REASON_NETWORK},
	{"{\"insertedCount\": 0}", 2, 4, "rrr", VERDICT_REASON_NETWORK},
	{"{\"insertedCount\": 0}", 0, 0, "r", VERDICT_REASON_NETWORK},
	{"{\"insertedCount\": 5}", 0, 0, "rr", VERDICT_REASON_NETWORK},
	{"{\"insertedCount\": 1}", 0, 0, "rr", VERDICT_REASON_NETWORK},
	{"{\"insertedCount\": \"2\"}", 0, 0, "rr", VERDICT_REASON_NETWORK},
	{"{\"insertedCount\": -1}", 0, 0, "rr", VERDICT_REASON_NETWORK},
	{REPLY(2, ID_ERROR(1)), 17, 11000, "rr", VERDICT_REASON_SERVER},
	{REPLY(1, ID_ERROR(7)), 17, 11000, "rr", VERDICT_REASON_SERVER},
	{REPLY(1, ID_ERROR(-1)), 17, 11000, "rr", VERDICT_REASON_SERVER},
	{REPLY(0, ID_ERROR(0) "," ID_ERROR(0)), 17, 11000, "rr", VERDICT_REASON_SERVER},
	{REPLY(1, "{\"code\": 11000, \"keyPattern\": {\"_id\": 1}}"), 17, 11000, "rr", VERDICT_REASON_SERVER},
	{REPLY(1, "5"), 17, 11000, "rr", VERDICT_REASON_SERVER},

	/* The whole command failed. */
	{"{\"insertedCount\": 0}", 13, 13053, "rr", VERDICT_REASON_NETWORK}, /* no server to be found */
	{"{\"insertedCount\": 0, \"errorLabels\": [\"RetryableWriteError\"]}", 17, 10107, "rr", VERDICT_REASON_NOT_PRIMARY},
	{"{\"insertedCount\": 0}", 17, 13, "rr", VERDICT_REASON_AUTH},
	{"{\"insertedCount\": 0}", 1, 11, "rr", VERDICT_REASON_AUTH},
	{"{\"insertedCount\": 0}", 17, 14031, "rr", VERDICT_REASON_SPACE},

	/* The whole command was refused for what is in it: which document is not said, unless it was alone. */
	{"{\"insertedCount\": 0}", 17, 22, "rr", VERDICT_REASON_CONTENT},
	{"{\"insertedCount\": 0}", 17, 10334, "rrr", VERDICT_REASON_CONTENT},
	{"{}", 17, 9, "rr", VERDICT_REASON_CONTENT},
	{"{\"insertedCount\": 0}", 17, 22, "p", VERDICT_REASON_NONE},
	{"{\"insertedCount\": 0}", 17, 10334, "p", VERDICT_REASON_NONE},
	/* What a server also says of the command itself, what it says of itself, and what nobody knows, condemns nothing. */
	{"{\"insertedCount\": 0}", 17, 2, "r", VERDICT_REASON_SERVER},
	{"{\"insertedCount\": 0}", 17, 14, "r", VERDICT_REASON_SERVER},
	{"{\"insertedCount\": 0}", 17, 121, "r", VERDICT_REASON_SERVER},
	{"{\"insertedCount\": 0}", 17, 99999, "r", VERDICT_REASON_SERVER},
	{"{\"insertedCount\": 0}", 17, 13, "r", VERDICT_REASON_AUTH},
	{"{\"insertedCount\": 0}", 17, 10107, "r", VERDICT_REASON_NOT_PRIMARY},
	{"{\"insertedCount\": 0}", 2, 4, "r", VERDICT_REASON_NETWORK},
	{"{\"insertedCount\": 0}", 8, 22, "r", VERDICT_REASON_NETWORK}, /* the driver could not read the answer */
	{"{\"insertedCount\": 0}", MONGOC_ERROR_COMMAND, MONGOC_ERROR_COMMAND_INVALID_ARG, "r", VERDICT_REASON_SERVER}, /* or not make the command */
	{"{\"insertedCount\": 0}", MONGOC_ERROR_COMMAND, 9, "rr", VERDICT_REASON_SERVER},
	/* An odd reply is no refusal of the command, though the driver names a code. */
	{REPLY(0, ERROR(7, 22)), 17, 22, "r", VERDICT_REASON_SERVER},
	{"{\"insertedCount\": 1}", 17, 22, "rr", VERDICT_REASON_SERVER},
	{"{\"insertedCount\": 0}", 17, 11000, "r", VERDICT_REASON_SERVER},

	/* One document's own fault, and what only looks like one. */
	{REPLY(2, ERROR(1, 121)), 17, 121, "sps", VERDICT_REASON_NONE},
	{REPLY(0, ERROR(0, 10334) "," ERROR(1, 52) "," ERROR(2, 2)), 17, 10334, "ppp", VERDICT_REASON_NONE},
	{REPLY(1, ERROR(0, 10107)), 17, 10107, "rs", VERDICT_REASON_NOT_PRIMARY},
	{REPLY(1, ERROR(0, 14031)), 17, 14031, "rs", VERDICT_REASON_SPACE},
	{REPLY(1, ERROR(0, 99999)), 17, 99999, "rs", VERDICT_REASON_SERVER},
	{REPLY(1, "{\"index\": 0}"), 17, 0, "rs", VERDICT_REASON_SERVER},
	{REPLY(1, ID_ERROR(0) "," ERROR(1, 121) "," ERROR(3, 112)), 17, 11000, "apsr", VERDICT_REASON_SERVER},

	/* Another unique index stands in the way: never taken for "already stored", and named before any other reason. */
	{REPLY(1, "{\"index\": 0, \"code\": 11000, \"keyPattern\": {\"site\": 1, \"t\": 1}}"), 17, 11000, "rs", VERDICT_REASON_OTHER_INDEX},
	{REPLY(1, "{\"index\": 0, \"code\": 11000, \"keyPattern\": {\"_id\": 1, \"t\": 1}}"), 17, 11000, "rs", VERDICT_REASON_OTHER_INDEX},
	{REPLY(1, "{\"index\": 0, \"code\": 11000, \"errmsg\": \"E11000 duplicate key error index: site_1 dup key: { : \\\"_id_ \\\" }\"}"),
	 17, 11000, "rs", VERDICT_REASON_OTHER_INDEX},
	{REPLY(1, "{\"index\": 0, \"code\": 11000, \"errmsg\": \"duplicate\"}"), 17, 11000, "rs", VERDICT_REASON_OTHER_INDEX},
	{REPLY(0, ERROR(0, 112) ",{\"index\": 1, \"code\": 11000, \"keyPattern\": {\"t\": 1}}"), 17, 112, "rr", VERDICT_REASON_OTHER_INDEX},
};

static char letter(enum verdict_outcome outcome)
{
	switch (outcome) {
	case VERDICT_STORED:
		return 's';
	case VERDICT_ALREADY:
		return 'a';
	case VERDICT_RETRY:
		return 'r';
	case VERDICT_POISON:
		return 'p';
	}
	return '?';
}

START_TEST(verdict_table)
{
	const char *expected = cases[_i].outcomes;
	size_t nr = strlen(expected), counted[128] = {0};
	bson_error_t error = {.domain = cases[_i].domain, .code = cases[_i].code};
	struct verdict_document documents[8];
	char got[9] = "";
	bson_error_t json;
	bson_t *reply = bson_new_from_json((const uint8_t *)cases[_i].reply, -1, &json);
	struct verdict v;

	ck_assert_msg(reply != NULL, "case %d: %s", _i, json.message);
	verdict_judge(reply, &error, documents, nr, &v);
	for (size_t i = 0; i < nr; i++) {
		got[i] = letter(documents[i].outcome);
		counted[(int)got[i]]++;
	}
	ck_assert_msg(strcmp(got, expected) == 0, "case %d: %s, not %s, from %s", _i, got, expected, cases[_i].reply);
	ck_assert_uint_eq(v.stored, counted['s']);
	ck_assert_uint_eq(v.already_stored, counted['a']);
	ck_assert_uint_eq(v.retry, counted['r']);
	ck_assert_uint_eq(v.poison, counted['p']);
	ck_assert(v.bisect == (cases[_i].reason == VERDICT_REASON_CONTENT));
	ck_assert_msg(v.reason == cases[_i].reason, "case %d: reason %s", _i, verdict_reason_name(v.reason));
	bson_destroy(reply);
}
END_TEST

/* A dead letter repeats the server's words. */
START_TEST(poison_carries_code_and_text)
{
	const char *json = REPLY(1, ERROR(1, 121));
	bson_t *reply = bson_new_from_json((const uint8_t *)json, -1, NULL);
	struct verdict_document documents[2];
	bson_error_t error = {0};
	struct verdict v;

	verdict_judge(reply, &error, documents, 2, &v);
	ck_assert_int_eq(documents[1].code, 121);
	ck_assert_str_eq(documents[1].text, "told so");
	ck_assert_str_eq(documents[0].text, "");
	bson_destroy(reply);
}
END_TEST

START_TEST(every_reason_has_a_name)
{
	for (int i = 0; i < NR_VERDICT_REASONS; i++)
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(verdict_reason_name((enum verdict_reason)i), verdict_reason_name((enum verdict_reason)k));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verdict");
	TCase *tc = tcase_create("verdict");

	tcase_add_loop_test(tc, verdict_table, 0, NR(cases));
	tcase_add_test(tc, poison_carries_code_and_text);
	tcase_add_test(tc, every_reason_has_a_name);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
