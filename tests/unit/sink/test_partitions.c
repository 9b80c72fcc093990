/* test_partitions.c - the table of partitions, and the metadata of a commit. */
#include "sink/mongo/partitions.h"

#include <string.h>

#include "sink/mongo/offsets.h"
#include "tests/unit/unit.h"

START_TEST(each_partition_once)
{
	static struct partitions table;
	struct err err = ERR_INIT;
	size_t at = 0, seen = 0;

	ck_assert_ptr_null(partitions_find(&table, SINK_MINUTELY, 5));
	for (int i = 0; i < 12; i++)
		for (int topic = 0; topic < NR_SINK_TOPICS; topic++) {
			struct partition *part = partitions_get(&table, (enum sink_topic)topic, i * 80, &err);

			ck_assert_int_eq(part->id, i * 80);
			ck_assert_int_eq((int)part->topic, topic);
			ck_assert_ptr_eq(partitions_get(&table, (enum sink_topic)topic, i * 80, &err), part);
			ck_assert_ptr_eq(partitions_find(&table, (enum sink_topic)topic, i * 80), part);
		}
	while (partitions_next(&table, &at))
		seen++;
	ck_assert_uint_eq(seen, 12 * NR_SINK_TOPICS);
	ck_assert_uint_eq(partitions_count(&table, PARTITION_AWAY), seen);
	for (int id = -1; id <= PARTITIONS_MAX; id += PARTITIONS_MAX + 1) {
		ck_assert_ptr_null(partitions_find(&table, SINK_MINUTELY, id));
		ck_assert_ptr_null(partitions_get(&table, SINK_MINUTELY, id, &err));
	}
	partitions_fini(&table);
	at = 0;
	ck_assert_ptr_null(partitions_next(&table, &at));
}
END_TEST

/* What is left of one assignment must not be seen in the next, but for the count of assignments. */
START_TEST(life_of_an_assignment)
{
	static struct partitions table;
	struct err err = ERR_INIT;
	struct partition *part = partitions_get(&table, SINK_HOURLY, 3, &err);
	uint64_t id, first;

	partition_assign(part);
	first = part->generation;
	ck_assert_int_eq(part->state, PARTITION_ASKING);
	part->places[SINK_IN_MARKERS].batch_number = 7; /* of a batch that knows the ledger before */
	partition_begin(part, 40);
	ck_assert_uint_eq(part->places[SINK_IN_MARKERS].batch_number, 0);
	ck_assert_int_eq(part->state, PARTITION_OWNED);
	ck_assert_int_eq(part->ledger.next, 40);
	ck_assert_int_eq(part->committed, 40);
	ck_assert(!part->from_beginning);
	ck_assert_int_eq(ledger_open(&part->ledger, &id, &err), 0);
	ledger_take(&part->ledger, id, 41, 1);
	part->fetched = part->complained = part->leaving = true;
	part->places[SINK_IN_CHECKINS].batch_number = 9;
	partition_revoke(part);
	ck_assert_int_eq(part->state, PARTITION_AWAY);
	partition_assign(part);
	ck_assert_uint_gt(part->generation, first);
	ck_assert(!part->fetched && !part->complained && !part->leaving);
	ck_assert_uint_eq(part->places[SINK_IN_CHECKINS].batch_number, 0);
	ck_assert_uint_eq(part->ledger.len, 0);
	partition_begin(part, -1);
	ck_assert(part->from_beginning);
	ck_assert_int_eq(part->committed, -1);
	partitions_fini(&table);
}
END_TEST

static const struct { const char *text; int rc; int64_t epoch; } metadata[] = {
	{"", 0, 0},
	{"v1 epoch=7", 1, 7},
	{"v1 epoch=-9223372036854775808", 1, INT64_MIN},
	{"v1 epoch=9223372036854775807", 1, INT64_MAX},
	{"v2 epoch=7", -1, 0},
	{"v1 epoch=", -1, 0},
	{"v1 epoch=7 more=1", -1, 0},
	{"v1", -1, 0},
	{"something of an operator's", -1, 0},
	{"v1 epoch=70000000000000000000000000000000000000000000000000000000000000000", -1, 0},
};

START_TEST(epoch_in_metadata)
{
	int64_t epoch = 0;

	/* Not NUL-terminated, as it comes from Kafka. */
	size_t len = strlen(metadata[_i].text);
	char *bytes = malloc(len + 1);

	memcpy(bytes, metadata[_i].text, len);
	bytes[len] = '7';
	ck_assert_int_eq(offsets_parse_epoch(bytes, len, &epoch), metadata[_i].rc);
	if (metadata[_i].rc > 0)
		ck_assert_int_eq(epoch, metadata[_i].epoch);
	free(bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("partitions");
	TCase *tc = tcase_create("partitions");

	tcase_add_test(tc, each_partition_once);
	tcase_add_test(tc, life_of_an_assignment);
	tcase_add_loop_test(tc, epoch_in_metadata, 0, NR(metadata));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
