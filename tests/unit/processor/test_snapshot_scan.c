/* test_snapshot_scan.c - the newest snapshot of a log, as a table of logs. A log is written as words: "12.0/3" is chunk 0 of 3 of snapshot 12; the marks
 * behind it say what is wrong with it. */
#include "processor/snapshot_scan.h"

#include "tests/unit/unit.h"

enum { EPOCH = 5, PARTITION = 2, CHUNK = 8, CHUNKS = 3 };
#define TOPIC "millrace.c.main.samples"

static const struct {
	const char *log;
	enum found found;
	int64_t id, first, last_id; /* of a whole one, and the highest of our epoch */
} logs[] = {
	{"", FOUND_NOTHING, 0, 0, 0},
	{"1.0/1", FOUND_WHOLE, 1, 0, 1},
	{"1.0/1 2.0/3 2.1/3 2.2/3", FOUND_WHOLE, 2, 1, 2},
	{"1.0/1 2.0/3 2.1/3", FOUND_DAMAGED, 0, 0, 2},        /* the last chunk is missing: 1 must not be taken for it */
	{"1.0/1 2.0/3 2.2/3", FOUND_DAMAGED, 0, 0, 2},        /* one in the middle */
	{"1.0/1 2.1/2", FOUND_DAMAGED, 0, 0, 2},              /* the first */
	{"1.0/1 2.0/3 2.2/3 2.1/3 2.2/3", FOUND_DAMAGED, 0, 0, 2},
	{"1.0/2 2.1/2", FOUND_DAMAGED, 0, 0, 2},
	{"1.1/2 2.0/1", FOUND_WHOLE, 2, 1, 2},                /* cut off at the log's beginning */
	{"1.0/3 1.1/3 2.0/2 2.1/2", FOUND_WHOLE, 2, 2, 2},    /* older damage does not matter */
	{"1.0/1 1.0/1", FOUND_WHOLE, 1, 1, 1},
	{"2.0/2 2.1/2c", FOUND_DAMAGED, 0, 0, 2},             /* CRC */
	{"2.0/2c 2.1/2", FOUND_DAMAGED, 0, 0, 2},
	{"1.0/1 2.0/1p", FOUND_DAMAGED, 0, 0, 2},             /* another partition's */
	{"1.0/1 2.0/1t", FOUND_DAMAGED, 0, 0, 2},             /* another topic's */
	{"1.0/1 x", FOUND_DAMAGED, 0, 0, 1},                  /* no chunk at all */
	{"x 1.0/1", FOUND_WHOLE, 1, 1, 1},
	{"9.0/1e", FOUND_WHOLE, 9, 0, 0},                     /* another epoch's snapshot, whose ids say nothing about ours */
	{"9.0/1e 1.0/1 2.0/1", FOUND_WHOLE, 2, 2, 2},
	{"7.0/1 9.0/2e 9.1/2", FOUND_DAMAGED, 0, 0, 9},       /* epochs mixed within one */
	{"3.0/1 1.0/1", FOUND_WHOLE, 1, 1, 3},                /* begun anew: ids go on from the highest all the same */
	{"1.0/1 2.0/3v 2.1/3 2.2/3", FOUND_NEWER, 0, 0, 2},   /* a newer build's snapshot in chunks of ours */
	{"1.0/1 n n", FOUND_NEWER, 0, 0, 1},                  /* a newer build's chunks */
	{"1.0/1 n x 2.1/2", FOUND_NEWER, 0, 0, 2},            /* damage after it is not the last word on it */
	{"1.0/1 n 2.0/2", FOUND_DAMAGED, 0, 0, 2},
	{"2.0/3v 2.1/3 2.2/3 3.0/1", FOUND_WHOLE, 3, 3, 3},
};

/* Chunk index of a snapshot of so many chunks of CHUNK bytes, all zero but for the version that it begins with, its id and the index. */
static void make_chunk(long id, long index, long of, char mark, struct buf *out)
{
	const struct chunk_id chunk = {mark == 't' ? "millrace.c.other.samples" : TOPIC, mark == 'e' ? 77 : EPOCH, mark == 'p' ? 3 : PARTITION, id};
	char bytes[CHUNK * CHUNKS] = {0};
	struct err err = ERR_INIT;

	ck_assert_int_le(of, CHUNKS);
	bytes[0] = mark == 'v' ? 126 : 2; /* as Avro writes 63 and 1 */
	bytes[CHUNK * index + 1] = (char)id;
	bytes[CHUNK * index + 2] = (char)index;
	ck_assert_int_eq(chunks_encode(&chunk, (struct str){bytes, (size_t)(CHUNK * of)}, CHUNK, (int32_t)index, out, &err), 0);
	if (mark == 'c')
		out->p[out->len - 1] ^= 1;
}

/* The record that a word stands for. */
static void make_record(const char *word, struct buf *out)
{
	static const uint8_t newer[] = {0, 0, 0, 0x7f, 0x7f, 1};
	long id, index, of;
	char mark = 0;

	if (*word == 'x') {
		buf_add(out, "garbage", 7);
	} else if (*word == 'n') {
		buf_add(out, newer, sizeof(newer));
	} else {
		ck_assert_int_ge(sscanf(word, "%ld.%ld/%ld%c", &id, &index, &of, &mark), 3);
		make_chunk(id, index, of, mark, out);
	}
}

START_TEST(finds_the_newest)
{
	struct snapshot_scan s = {.topic = TOPIC, .epoch = EPOCH, .partition = PARTITION};
	struct arena scratch = ARENA_INIT;
	struct err err = ERR_INIT;
	char words[200], *word, *rest = words;

	snprintf(words, sizeof(words), "%s", logs[_i].log);
	for (int64_t offset = 0; (word = strsep(&rest, " ")) != NULL && *word; offset++) {
		struct buf record = BUF_INIT;

		make_record(word, &record);
		ck_assert_msg(snapshot_scan_take(&s, offset, buf_str(&record), &scratch, &err) == 0, "%s", err.msg);
		buf_fini(&record);
	}
	ck_assert_msg(s.found == logs[_i].found, "\"%s\": found %d, not %d", logs[_i].log, s.found, logs[_i].found);
	ck_assert_int_eq(s.last_id, logs[_i].last_id);
	if (s.found == FOUND_WHOLE) {
		ck_assert_int_eq(s.id.snapshot_id, logs[_i].id);
		ck_assert_int_eq(s.first, logs[_i].first);
		ck_assert_uint_eq(s.chunks.body.len, CHUNK * (size_t)s.chunks.of);
	}
	snapshot_scan_fini(&s);
	arena_fini(&scratch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot_scan");
	TCase *tc = tcase_create("snapshot_scan");

	tcase_add_loop_test(tc, finds_the_newest, 0, NR(logs));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
