/* test_loading.c - what the cell remembers is read to its end, incidents before what was sent, whatever else stands there: on the mock cluster. */
#include "sink/notify/loading.h"

#include <poll.h>

#include "common/clock.h"
#include "common/events.h"
#include "tests/unit/common/kafka_mock.h"

#define INCIDENTS "millrace.c.main.incidents"
#define SENT "millrace.c.main.sent"

enum { WAIT_MS = 20000 };

struct bench {
	struct mock mock;
	char cell[8], seen[64]; /* i and the site's last letter for an incident, s and the receiver's for what was sent */
	int wake_fd;
	enum err_kind refuse; /* of the hooks */
};

static int take(struct bench *b, char what, struct str name, struct err *err)
{
	size_t len = strlen(b->seen);

	if (b->refuse)
		return err_set(err, b->refuse, "no");
	ck_assert_uint_lt(len, sizeof(b->seen) - 3);
	b->seen[len] = what;
	b->seen[len + 1] = name.p[name.len - 1];
	return 0;
}

static int on_incident(void *ctx, const struct incident *incident, struct err *err)
{
	return take(ctx, 'i', incident->site, err);
}

static int on_sent(void *ctx, const struct sent *sent, struct err *err)
{
	return take(ctx, 's', sent->receiver, err);
}

static void bench_init(struct bench *b)
{
	struct err err = ERR_INIT;

	memset(b, 0, sizeof(*b));
	mock_init(&b->mock);
	snprintf(b->cell, sizeof(b->cell), "main");
	b->mock.program.common.cell = b->cell;
	mock_topic(&b->mock, INCIDENTS, 1);
	mock_topic(&b->mock, SENT, 1);
	b->wake_fd = events_wake_fd(&err);
}

static void bench_fini(struct bench *b)
{
	close(b->wake_fd);
	mock_fini(&b->mock);
}

static void produce(struct bench *b, const char *topic, const struct buf *value)
{
	rd_kafka_resp_err_t code =
		rd_kafka_producev(b->mock.rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				  RD_KAFKA_V_KEY("k", 1), RD_KAFKA_V_VALUE(value->p, value->len), RD_KAFKA_V_END);

	ck_assert_int_eq(code, 0);
	mock_flush(&b->mock);
}

static void add_incident(struct bench *b, const char *site)
{
	const struct incident incident = {.cell = STR("main"), .site = str_from(site), .trigger = STR("t"), .version = 1};
	struct buf value = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_msg(incident_encode(&incident, &value, &err) == 0, "%s", err.msg);
	produce(b, INCIDENTS, &value);
	buf_fini(&value);
}

static void add_sent(struct bench *b, const char *receiver)
{
	const struct sent sent = {.receiver = str_from(receiver), .sequence = 1};
	struct buf value = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_msg(sent_encode(&sent, &value, &err) == 0, "%s", err.msg);
	produce(b, SENT, &value);
	buf_fini(&value);
}

/* Loads; the last turn's result. */
static int load(struct bench *b, uint64_t *records, uint64_t *refused, struct err *err)
{
	const struct loading_hooks hooks = {on_incident, on_sent, b};
	struct loading *l = loading_new(&b->mock.program, &hooks, b->wake_fd, err);
	int rc = 0;

	ck_assert_msg(l != NULL, "%s", err->msg);
	for (int64_t until = clock_mono_ms() + WAIT_MS; rc == 0 && clock_mono_ms() < until; poll(NULL, 0, 5))
		rc = loading_turn(l, err);
	loading_count(l, records, refused);
	ck_assert(loading_free(l));
	return rc;
}

START_TEST(incidents_then_sent)
{
	uint64_t records, refused;
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	add_sent(&b, "ops-1");
	add_incident(&b, "shop-a");
	mock_produce(&b.mock, INCIDENTS, "k", "junk");
	mock_produce(&b.mock, INCIDENTS, "k", NULL);
	add_incident(&b, "shop-b");
	add_sent(&b, "ops-2");
	ck_assert_msg(load(&b, &records, &refused, &err) == 1, "%s", err.msg);
	ck_assert_str_eq(b.seen, "iaibs1s2");
	ck_assert_uint_eq(records, 6);
	ck_assert_uint_eq(refused, 1);
	bench_fini(&b);
}
END_TEST

START_TEST(nothing_is_soon_read)
{
	uint64_t records, refused;
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	ck_assert_msg(load(&b, &records, &refused, &err) == 1, "%s", err.msg);
	ck_assert_uint_eq(records, 0);
	bench_fini(&b);
}
END_TEST

/* Going on without what a newer notifier knows would tell again what it has told. */
START_TEST(a_newer_writers_record_stops_it)
{
	static const uint8_t newer[] = {0, 0, 0, 0, 255, 1, 2, 3};
	struct buf value = BUF_INIT;
	uint64_t records, refused;
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	add_incident(&b, "shop-a");
	buf_add(&value, newer, sizeof(newer));
	produce(&b, INCIDENTS, &value);
	add_incident(&b, "shop-b");
	ck_assert_int_eq(load(&b, &records, &refused, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_ptr_nonnull(strstr(err.msg, INCIDENTS " offset 1"));
	ck_assert_str_eq(b.seen, "ia");
	buf_fini(&value);
	bench_fini(&b);
}
END_TEST

START_TEST(what_the_desk_cannot_take_stops_it)
{
	uint64_t records, refused;
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	add_incident(&b, "shop-a");
	b.refuse = ERR_FATAL;
	ck_assert_int_eq(load(&b, &records, &refused, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FATAL);
	bench_fini(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loading");
	TCase *tc = tcase_create("loading");

	tcase_add_test(tc, incidents_then_sent);
	tcase_add_test(tc, nothing_is_soon_read);
	tcase_add_test(tc, a_newer_writers_record_stops_it);
	tcase_add_test(tc, what_the_desk_cannot_take_stops_it);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
