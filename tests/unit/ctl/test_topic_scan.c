/* test_topic_scan.c - reading a stretch of a topic from librdkafka's mock cluster: which records are handed over, and who ends it. */
#include "deploy/ctl/topic_scan.h"

#include "tests/unit/common/kafka_mock.h"

enum { RECORDS = 7 };

struct fixture {
	struct mock mock;
	struct topic_scan *scan;
};

/* What a scan handed over. */
struct taken {
	int64_t first, last;
	int nr, end_at; /* end_at: the offset at which fn says rc */
	int rc;
};

static int on_record(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	struct taken *t = ctx;

	if (!t->nr++)
		t->first = message->offset;
	ck_assert(t->nr == 1 || message->offset == t->last + 1);
	t->last = message->offset;
	if (message->offset != t->end_at || !t->rc)
		return 0;
	return t->rc < 0 ? err_set(err, ERR_REJECT, "enough") : 1;
}

static void fixture_init(struct fixture *f)
{
	struct err err = ERR_INIT;

	mock_init(&f->mock);
	mock_topic(&f->mock, "t", 1);
	for (int i = 0; i < RECORDS; i++)
		mock_produce(&f->mock, "t", NULL, "v");
	f->scan = topic_scan_new(&f->mock.program, NULL, &err);
	ck_assert_msg(f->scan != NULL, "%s", err.msg);
}

static void fixture_fini(struct fixture *f)
{
	topic_scan_free(f->scan);
	mock_fini(&f->mock);
}

static const struct { int64_t from, to; int end_at, end_rc, rc, nr; } stretches[] = {
	{0, RECORDS, 0, 0, 0, RECORDS},
	{2, 5, 0, 0, 0, 3},
	{6, 7, 0, 0, 0, 1},
	{3, 3, 0, 0, 0, 0},
	{5, 2, 0, 0, 0, 0},
	{0, RECORDS + 10, 0, 0, 0, RECORDS}, /* the topic ends before */
	{RECORDS, RECORDS + 1, 0, 0, 0, 0},
	{1, 6, 3, 1, 0, 3},
	{1, 6, 3, -1, -1, 3},
};

/* One client after the other reads all of them. */
START_TEST(stretches_are_read)
{
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < NR(stretches); i++) {
		struct taken t = {.end_at = stretches[i].end_at, .rc = stretches[i].end_rc};
		struct err err = ERR_INIT;
		int rc = topic_scan_read(f.scan, "t", 0, stretches[i].from, stretches[i].to, on_record, &t, &err);

		ck_assert_msg(rc == stretches[i].rc && t.nr == stretches[i].nr, "stretch %zu: %d, %d records: %s", i, rc, t.nr, err.msg);
		ck_assert(!t.nr || t.first == stretches[i].from);
	}
	fixture_fini(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/topic_scan");
	TCase *tc = tcase_create("topic_scan");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, stretches_are_read);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
