/* test_event_queue.c - what is in the queue is a payload's fields, in order, within both bounds; against a model that only counts. */
#include <string.h>

#include "common/memory.h"
#include "ingest/agent/event_queue.h"
#include "pb/push.pb-c.h"
#include "tests/unit/unit.h"

static struct event_queue *queue_new(size_t max_events, size_t max_bytes)
{
	struct err err = ERR_INIT;
	struct event_queue *q = event_queue_new(max_events, max_bytes, &err);

	ck_assert_ptr_nonnull(q);
	return q;
}

static const enum event_kind sparse[] = {EVENT_MARKER, EVENT_CHECK_IN}, plenty[] = {EVENT_ERROR, EVENT_TRANSACTION};

/* Appended to a packed Payload, a field is one more event of it, whatever the length's own length. */
START_TEST(fields_of_a_payload)
{
	static const size_t lengths[] = {0, 1, 100, 120, 127, 128, 16000, 16383, 16384, 100000};
	struct event_queue *q = queue_new(100, 1 << 20);
	Millrace__Push__Payload head = MILLRACE__PUSH__PAYLOAD__INIT, *all;
	struct buf body = BUF_INIT;
	struct event e;

	head.host = (char *)"web-7";
	body.len = millrace__push__payload__pack(&head, buf_reserve(&body, 100));
	for (size_t i = 0; i < NR(lengths); i++) {
		Millrace__Push__Marker m = MILLRACE__PUSH__MARKER__INIT;
		char *text = calloc(lengths[i] + 1, 1);
		uint8_t *packed = malloc(lengths[i] + 16);

		memset(text, 'x', lengths[i]);
		m.text = text;
		ck_assert(event_queue_add(q, EVENT_MARKER, (struct str){(char *)packed, millrace__push__marker__pack(&m, packed)}));
		ck_assert(event_queue_add(q, (enum event_kind)(i % NR_EVENT_KINDS), (struct str){NULL, 0}));
		free(text);
		free(packed);
	}
	for (; event_queue_first(q, &e); event_queue_drop(q))
		buf_add(&body, e.field.p, e.field.len);
	all = millrace__push__payload__unpack(NULL, body.len, body.p);
	ck_assert_ptr_nonnull(all);
	ck_assert_str_eq(all->host, "web-7");
	ck_assert(all->n_errors == 3 && all->n_transactions == 3 && all->n_check_ins == 2);
	ck_assert_uint_eq(all->n_markers, NR(lengths) + 2);
	for (size_t i = 0, at = 0; i < NR(lengths); i++, at += i % NR_EVENT_KINDS == 3 ? 2 : 1)
		ck_assert_uint_eq(strlen(all->markers[at]->text), lengths[i]);
	millrace__push__payload__free_unpacked(all, NULL);
	buf_fini(&body);
	event_queue_free(q);
}
END_TEST

/* Full, the newest goes; an eighth is for what there is little of. */
START_TEST(the_number_is_bounded)
{
	struct event_queue *q = queue_new(80, 1 << 20);
	struct event_queue_figures f;
	struct event e;

	for (int i = 0; i < 100; i++)
		ck_assert(event_queue_add(q, plenty[i % 2], STR("x")) == (i < 70));
	for (int i = 0; i < 20; i++)
		ck_assert(event_queue_add(q, sparse[i % 2], STR("x")) == (i < 10));
	event_queue_figures(q, &f);
	ck_assert(f.events == 80 && f.added == 80 && f.lost == 40);
	ck_assert(f.lost_by[EVENT_ERROR] == 15 && f.lost_by[EVENT_TRANSACTION] == 15 && f.lost_by[EVENT_MARKER] == 5 && f.lost_by[EVENT_CHECK_IN] == 5);
	ck_assert_uint_eq(event_queue_take_lost(q), 40);
	ck_assert_uint_eq(event_queue_take_lost(q), 0);
	ck_assert(event_queue_first(q, &e) && e.kind == EVENT_ERROR);
	event_queue_drop(q);
	ck_assert(!event_queue_add(q, EVENT_ERROR, STR("x")) && event_queue_add(q, EVENT_MARKER, STR("x")));
	event_queue_free(q);
}
END_TEST

/* Bytes as they are allocated: of 1024, seven eighths are seven blocks of 128. */
START_TEST(bytes_are_bounded)
{
	struct event_queue *q = queue_new(1000, 1024);
	struct event_queue_figures f;
	char message[1024] = "";
	size_t len = 128;

	do
		len--;
	while (len && (event_queue_add(q, EVENT_MARKER, (struct str){message, len}), event_queue_figures(q, &f), event_queue_drop(q), f.bytes > 112));
	len++; /* the least that takes 128 */
	for (int i = 0; i < 8; i++)
		ck_assert(event_queue_add(q, EVENT_ERROR, (struct str){message, len}) == (i < 7));
	ck_assert(event_queue_add(q, EVENT_CHECK_IN, (struct str){message, len}));
	ck_assert(!event_queue_add(q, EVENT_CHECK_IN, STR("")));
	event_queue_figures(q, &f);
	ck_assert_uint_eq(f.bytes, 1024);
	for (int i = 0; i < 8; i++)
		event_queue_drop(q);
	event_queue_drop(q); /* nothing is there */
	event_queue_figures(q, &f);
	ck_assert(f.bytes == 0 && f.events == 0);
	ck_assert(!event_queue_add(q, EVENT_MARKER, (struct str){message, sizeof(message)}));
	ck_assert(event_queue_add(q, EVENT_MARKER, STR("x")));
	event_queue_free(q);
}
END_TEST

/* At random: first in, first out, nothing between lost, bounds kept. */
START_TEST(random_walk)
{
	struct unit_random random = unit_random_new("random_walk");
	struct event_queue *q = queue_new(50, 8192);
	struct event_queue_figures f;
	uint64_t in = 0, out = 0, refused = 0;
	struct event e;

	for (int i = 0; i < 100000; i++) {
		char message[512] = "";

		if (unit_random_below(&random, 3)) {
			memcpy(message, &in, sizeof(in));
			if (event_queue_add(q, (enum event_kind)unit_random_below(&random, NR_EVENT_KINDS),
					    (struct str){message, sizeof(in) + unit_random_below(&random, sizeof(message) - sizeof(in))}))
				in++;
			else
				refused++;
		} else if (event_queue_first(q, &e)) {
			size_t head = e.field.p[1] & 0x80 ? 3 : 2;

			ck_assert_int_eq(memcmp(e.field.p + head, &out, sizeof(out)), 0);
			event_queue_drop(q);
			out++;
		}
		event_queue_figures(q, &f);
		ck_assert(f.events == in - out && f.events <= 50 && f.bytes <= 8192 && f.added == in && f.lost == refused);
	}
	ck_assert_uint_gt(refused, 0);
	event_queue_free(q);
	event_queue_free(NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("event_queue");
	TCase *tc = tcase_create("event_queue");

	tcase_add_test(tc, fields_of_a_payload);
	tcase_add_test(tc, the_number_is_bounded);
	tcase_add_test(tc, bytes_are_bounded);
	tcase_add_test(tc, random_walk);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
