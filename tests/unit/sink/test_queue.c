/* test_queue.c - the queue under many threads: nothing lost, nothing doubled, each producer's order kept.
 *
 * Run under SAN=thread it also shows that what travels needs no lock of its own: items are written before the push and read
 * after the pop, with plain loads and stores. */
#include "sink/mongo/queue.h"

#include <pthread.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/events.h"
#include "tests/unit/unit.h"

enum { PRODUCERS = 3, CONSUMERS = 3, ITEMS = 4000 };

struct thing {
	struct queue_item item;
	int producer, number; /* plain: the queue alone orders them */
	int handled;
};

struct party {
	struct queue *there, *back;
	struct thing *things; /* of one producer */
};

static void *produce(void *ctx)
{
	struct party *p = ctx;

	for (int i = 0; i < ITEMS; i++) {
		p->things[i].number = i;
		queue_push(p->there, &p->things[i].item);
	}
	return NULL;
}

static void *consume(void *ctx)
{
	struct party *p = ctx;
	struct queue_item *item;

	while ((item = queue_pop(p->there, 10000)) != NULL) {
		((struct thing *)item)->handled++;
		queue_push(p->back, item);
	}
	return NULL;
}

/* One consumer keeps the order; several still hand over each thing exactly once. */
static void run_party(int consumers)
{
	struct err err = ERR_INIT;
	struct queue *there = queue_new(-1, &err), *back = queue_new(-1, &err);
	struct party party[PRODUCERS];
	pthread_t producer[PRODUCERS], consumer[CONSUMERS];
	int expected[PRODUCERS] = {0};

	for (int i = 0; i < PRODUCERS; i++) {
		party[i] = (struct party){there, back, calloc(ITEMS, sizeof(struct thing))};
		for (int k = 0; k < ITEMS; k++)
			party[i].things[k].producer = i;
		pthread_create(&producer[i], NULL, produce, &party[i]);
	}
	for (int i = 0; i < consumers; i++)
		pthread_create(&consumer[i], NULL, consume, &party[0]);
	for (int n = 0; n < PRODUCERS * ITEMS; n++) {
		struct thing *t = (struct thing *)queue_pop(back, 10000);

		ck_assert_ptr_nonnull(t);
		ck_assert_int_eq(t->handled, 1);
		if (consumers == 1)
			ck_assert_int_eq(t->number, expected[t->producer]);
		expected[t->producer]++;
	}
	queue_close(there);
	for (int i = 0; i < consumers; i++)
		pthread_join(consumer[i], NULL);
	for (int i = 0; i < PRODUCERS; i++) {
		pthread_join(producer[i], NULL);
		ck_assert_int_eq(expected[i], ITEMS);
		free(party[i].things);
	}
	ck_assert_uint_eq(queue_len(there) + queue_len(back), 0);
	queue_free(there);
	queue_free(back);
}

START_TEST(order_with_one_consumer)
{
	run_party(1);
}
END_TEST

START_TEST(each_once_with_many)
{
	run_party(CONSUMERS);
}
END_TEST

START_TEST(push_wakes_the_descriptor)
{
	struct err err = ERR_INIT;
	int fd = events_wake_fd(&err);
	struct queue *q = queue_new(fd, &err);
	struct thing t = {.number = 1};

	ck_assert_uint_eq(events_read(fd), 0);
	queue_push(q, &t.item);
	ck_assert_uint_eq(events_read(fd), 1);
	ck_assert_uint_eq(queue_len(q), 1);
	ck_assert_ptr_eq(queue_pop(q, 0), &t.item);
	ck_assert_ptr_null(queue_pop(q, 0));
	queue_free(q);
	close(fd);
}
END_TEST

START_TEST(pop_waits_no_longer_than_asked)
{
	struct err err = ERR_INIT;
	struct queue *q = queue_new(-1, &err);
	int64_t begun = clock_mono_ms();

	ck_assert_ptr_null(queue_pop(q, 30));
	ck_assert_int_ge(clock_mono_ms() - begun, 29);
	ck_assert(!queue_wait_closed(q, 30));
	ck_assert_int_ge(clock_mono_ms() - begun, 59);
	queue_free(q);
}
END_TEST

static void *wait_for_end(void *q)
{
	return queue_wait_closed(q, 60000) ? q : NULL;
}

static void *wait_for_item(void *q)
{
	return queue_pop(q, 60000);
}

/* Who pauses and who waits for work both return when the work is over; what was queued is still handed over. */
START_TEST(close_ends_waits)
{
	struct err err = ERR_INIT;
	struct queue *q = queue_new(-1, &err);
	struct thing t = {.number = 1};
	pthread_t pausing, waiting;
	void *paused, *got;

	pthread_create(&pausing, NULL, wait_for_end, q);
	pthread_create(&waiting, NULL, wait_for_item, q);
	queue_push(q, &t.item);
	pthread_join(waiting, &got);
	ck_assert_ptr_eq(got, &t.item); /* the pausing thread did not eat its signal */
	queue_push(q, &t.item);
	queue_close(q);
	pthread_join(pausing, &paused);
	ck_assert_ptr_eq(paused, q);
	ck_assert_ptr_eq(queue_pop(q, 60000), &t.item);
	ck_assert_ptr_null(queue_pop(q, 60000));
	queue_free(q);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue");
	TCase *tc = tcase_create("queue");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, order_with_one_consumer);
	tcase_add_test(tc, each_once_with_many);
	tcase_add_test(tc, push_wakes_the_descriptor);
	tcase_add_test(tc, pop_waits_no_longer_than_asked);
	tcase_add_test(tc, close_ends_waits);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
