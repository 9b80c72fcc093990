/* survey.c - see survey.h.
 *
 * The mutex guards what crosses: the cells, the newest view, and the word to stop. No lock is held while Kafka is asked. A view that nobody has fetched when the
 * next one is there is dropped: only the newest matters.
 *
 * How old the oldest unread record of a partition is follows from when its end passed it (ages.h), so records are read only of what was there before the first
 * look, and not at every look: that takes a client of its own. retention.ms changes by an operator's hand, so it is asked every ten minutes, and every minute
 * while some topic's is not known; what was known before holds in between. */
#include "sink/status/survey.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/events.h"
#include "common/lag_age.h"
#include "common/map.h"
#include "common/topic_list.h"
#include "sink/status/ages.h"

enum { RETENTION_EVERY_MS = 600000, RETENTION_RETRY_MS = 60000, READ_EVERY_MS = 10000, CLOSE_MS = 5000 };

#define SPARE_MS INT64_C(30000) /* an age that may be wrong by so much, or by a quarter, is read again */

struct survey {
	const struct program *program;
	int64_t interval_ms;
	int wake_fd;
	rd_kafka_t *rk;       /* the thread's */
	pthread_t thread;
	bool started;
	pthread_mutex_t mutex; /* guards all that follows */
	pthread_cond_t changed;
	bool stop, ended;
	char *cells;          /* names, each ended by NUL */
	size_t nr_cells, cells_bytes;
	bool others;          /* than at the last look */
	struct survey_view *view;
};

/* What is known from one look to the next; the thread's. */
struct kept {
	struct map by_topic;     /* how long a topic is kept: of its hash to the time + 1, as a pointer */
	struct map by_partition; /* of the hash of group, topic and partition to struct ages * */
	int64_t asked_mono_ms, read_mono_ms; /* 0: never yet */
	bool whole;              /* every topic's time is known */
};

/* A consumer, as lag_read() wants one; it joins nothing and reads nothing. */
static const struct kafka_prop fixed_props[] = {
	{"group.id", "millrace-lag"},
	{"enable.auto.commit", "false"},
	{0},
};

int survey_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(kafka_conf(p, "survey", fixed_props, err));
}

void survey_view_free(struct survey_view *v)
{
	if (!v)
		return;
	arena_fini(&v->arena);
	free(v);
}

/* Remembers a group's times, and gives it those that are remembered. */
static void exchange(struct kept *kept, struct lag_group *group)
{
	char name[KAFKA_TOPIC_SIZE];
	uint8_t key[MAP_KEY_BYTES];

	for (size_t i = 0; i < group->nr; i++) {
		struct lag_partition *p = &group->partitions[i];
		void *known;

		map_key_of(str_from(lag_topic_name(group, p, name)), key);
		if (p->retention_ms >= 0)
			map_put(&kept->by_topic, key, (void *)(uintptr_t)(p->retention_ms + 1));
		else if ((known = map_get(&kept->by_topic, key)) != NULL)
			p->retention_ms = (int64_t)(uintptr_t)known - 1;
		kept->whole &= p->retention_ms >= 0;
	}
}

/* A failure leaves what was known: the page says less then, and nothing wrong. It may have cost a quarter of a minute, so the next try is not in the next look. */
static void take_retention(struct survey *s, struct kept *kept, struct survey_view *v)
{
	int64_t now = clock_mono_ms();

	if (now >= kept->asked_mono_ms + (kept->whole ? RETENTION_EVERY_MS : RETENTION_RETRY_MS) || !kept->asked_mono_ms) {
		lag_retention_read(s->rk, v->groups, v->nr_groups, NULL);
		kept->asked_mono_ms = now;
	}
	kept->whole = true;
	for (size_t g = 0; g < v->nr_groups; g++)
		exchange(kept, &v->groups[g]);
}

/* The ends of a group's partition; NULL: memory is short. */
static struct ages *ages_for(struct kept *kept, const struct lag_group *group, const struct lag_partition *p)
{
	char name[KAFKA_TOPIC_SIZE + 128];
	uint8_t key[MAP_KEY_BYTES];
	struct ages *ages;

	snprintf(name, sizeof(name), "%s/%s/%d", group->name, p->topic, (int)p->partition);
	map_key_of(str_from(name), key);
	ages = map_get(&kept->by_partition, key);
	if (ages)
		return ages;
	ages = calloc(1, sizeof(*ages));
	if (ages && map_put(&kept->by_partition, key, ages) < 0) {
		free(ages);
		ages = NULL;
	}
	return ages;
}

static int64_t oldest_of(const struct lag_partition *p)
{
	return p->committed > p->begin ? p->committed : p->begin;
}

/* Ages as the ends tell them; true when some have to be read. */
static bool guess_ages(struct kept *kept, struct lag_group *group, int64_t now_ms)
{
	bool read = false;

	for (size_t i = 0; i < group->nr; i++) {
		struct lag_partition *p = &group->partitions[i];
		struct ages *ages = p->fault ? NULL : ages_for(kept, group, p);
		int64_t spare_ms = 0;

		if (!ages)
			continue;
		ages_take(ages, now_ms, p->end);
		if (!p->lag)
			continue;
		p->age_ms = ages_of(ages, oldest_of(p), now_ms, &spare_ms);
		read |= p->age_ms < 0 || (spare_ms > SPARE_MS && spare_ms > p->age_ms / 4);
	}
	return read;
}

/* What is guessed badly is to be read; what was read is learned. */
static void forget_guesses(struct kept *kept, struct lag_group *group, int64_t now_ms)
{
	for (size_t i = 0; i < group->nr; i++) {
		struct lag_partition *p = &group->partitions[i];
		struct ages *ages = p->lag && !p->fault ? ages_for(kept, group, p) : NULL;
		int64_t spare_ms = 0;

		if (ages && ages_of(ages, oldest_of(p), now_ms, &spare_ms) >= 0 && spare_ms > SPARE_MS)
			p->age_ms = -1;
	}
}

static void learn_ages(struct kept *kept, struct lag_group *group, int64_t now_ms)
{
	for (size_t i = 0; i < group->nr; i++) {
		struct lag_partition *p = &group->partitions[i];
		struct ages *ages = p->lag && p->age_ms > 0 && !p->fault ? ages_for(kept, group, p) : NULL;

		if (ages)
			ages_learn(ages, oldest_of(p), now_ms - p->age_ms);
	}
}

static int take_ages(struct survey *s, struct kept *kept, struct survey_view *v)
{
	int64_t now_ms = clock_now_ms(&s->program->clock);
	bool read = false;

	for (size_t g = 0; g < v->nr_groups; g++)
		read |= guess_ages(kept, &v->groups[g], now_ms);
	if (!read || (kept->read_mono_ms && clock_mono_ms() < kept->read_mono_ms + READ_EVERY_MS))
		return 0;
	for (size_t g = 0; g < v->nr_groups; g++)
		forget_guesses(kept, &v->groups[g], now_ms);
	if (lag_age_read(s->program, v->groups, v->nr_groups, NULL, NULL, &v->err) < 0)
		return -1;
	kept->read_mono_ms = clock_mono_ms();
	now_ms = clock_now_ms(&s->program->clock);
	for (size_t g = 0; g < v->nr_groups; g++)
		learn_ages(kept, &v->groups[g], now_ms);
	return 0;
}

static int plan(struct survey_view *v, const char *cells, size_t nr_cells, const struct topic_list *topics)
{
	v->groups = arena_calloc(&v->arena, LAG_GROUPS * nr_cells, sizeof(*v->groups));
	if (!v->groups)
		return err_nomem(&v->err, "a survey");
	for (const char *cell = cells; v->nr_groups < LAG_GROUPS * nr_cells; cell += strlen(cell) + 1, v->nr_groups += LAG_GROUPS) {
		struct str name = arena_str(&v->arena, str_from(cell));

		if (!name.p || lag_plan(name, topics, &v->arena, &v->groups[v->nr_groups], &v->err) < 0)
			return err_nomem(&v->err, "a survey");
	}
	return 0;
}

/* One look. What cannot be asked is told by v->err. */
static void look(struct survey *s, struct kept *kept, const char *cells, size_t nr_cells, struct survey_view *v)
{
	struct topic_list topics;

	if (topic_list_read(s->rk, &v->arena, &topics, &v->err) < 0 || plan(v, cells, nr_cells, &topics) < 0 ||
	    lag_read(s->rk, v->groups, v->nr_groups, &v->arena, &v->err) < 0)
		return;
	v->at_ms = clock_now_ms(&s->program->clock); /* of the offsets: rates are made of them, and the ages take seconds */
	take_retention(s, kept, v);
	if (take_ages(s, kept, v) < 0)
		return;
	for (size_t g = 0; g < v->nr_groups; g++)
		lag_age_sum(&v->groups[g], &s->program->clock);
	v->ok = true;
}

/* Hands over the view. */
static void publish(struct survey *s, struct survey_view *v)
{
	struct survey_view *old;

	pthread_mutex_lock(&s->mutex);
	old = s->view;
	s->view = v;
	pthread_mutex_unlock(&s->mutex);
	survey_view_free(old);
	events_wake(s->wake_fd);
}

/* What a look begins with. */
struct turn {
	char *cells;          /* its own copy; NULL: stop, or no memory for once */
	size_t nr_cells;
	bool others, stop;
};

/* Waits until a look is due and there are cells. */
static struct turn await_turn(struct survey *s, int64_t due_mono_ms)
{
	struct timespec due = {due_mono_ms / 1000, due_mono_ms % 1000 * 1000000};
	struct turn turn;
	int rc = 0;

	pthread_mutex_lock(&s->mutex);
	while (!s->stop && (rc != ETIMEDOUT || !s->nr_cells))
		rc = s->nr_cells ? pthread_cond_timedwait(&s->changed, &s->mutex, &due) : pthread_cond_wait(&s->changed, &s->mutex);
	turn = (struct turn){.cells = s->stop ? NULL : malloc(s->cells_bytes), .nr_cells = s->nr_cells, .others = s->others, .stop = s->stop};
	if (turn.cells) {
		memcpy(turn.cells, s->cells, s->cells_bytes);
		s->others = false;
	}
	pthread_mutex_unlock(&s->mutex);
	return turn;
}

static void kept_fini(struct kept *kept)
{
	const struct map_slot *slot;
	size_t at = 0;

	while ((slot = map_next(&kept->by_partition, &at)) != NULL)
		free(slot->value);
	map_fini(&kept->by_partition);
	map_fini(&kept->by_topic);
	*kept = (struct kept){0};
}

static void *run(void *arg)
{
	struct survey *s = arg;
	struct kept kept = {0};
	int64_t due_mono_ms = clock_mono_ms();

	for (;;) {
		struct turn turn = await_turn(s, due_mono_ms);
		struct survey_view *v = turn.cells ? calloc(1, sizeof(*v)) : NULL;

		if (turn.stop)
			break;
		due_mono_ms = clock_mono_ms() + s->interval_ms;
		if (turn.cells && turn.others)
			kept_fini(&kept); /* of cells that are gone nothing is kept; of the others it is soon known again */
		if (v) {
			look(s, &kept, turn.cells, turn.nr_cells, v);
			publish(s, v);
		}
		free(turn.cells);
	}
	kept_fini(&kept);
	pthread_mutex_lock(&s->mutex);
	s->ended = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

static int init_sync(struct survey *s)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);

	if (rc == 0)
		rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (rc == 0)
		rc = pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	return rc ? rc : pthread_mutex_init(&s->mutex, NULL);
}

struct survey *survey_new(const struct program *p, int64_t interval_ms, int wake_fd, struct err *err)
{
	struct survey *s = calloc(1, sizeof(*s));

	if (!s || init_sync(s) != 0) {
		free(s);
		err_nomem(err, "a survey");
		return NULL;
	}
	s->program = p;
	s->interval_ms = interval_ms;
	s->wake_fd = wake_fd;
	s->rk = kafka_open(RD_KAFKA_CONSUMER, kafka_conf(p, "survey", fixed_props, err), err);
	if (!s->rk) {
		survey_free(s, 0);
		return NULL;
	}
	s->started = pthread_create(&s->thread, NULL, run, s) == 0;
	if (s->started)
		return s;
	err_set(err, ERR_FATAL, "no thread can be started for the survey");
	survey_free(s, 0);
	return NULL;
}

/* Tells the thread to stop and waits until it has, or the time is over. */
static bool join(struct survey *s, int timeout_ms)
{
	int64_t until_ms = clock_mono_ms() + timeout_ms;
	struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
	bool ended;

	pthread_mutex_lock(&s->mutex);
	s->stop = true;
	pthread_cond_broadcast(&s->changed);
	while (!s->ended && pthread_cond_timedwait(&s->changed, &s->mutex, &until) == 0)
		;
	ended = s->ended;
	pthread_mutex_unlock(&s->mutex);
	if (ended)
		pthread_join(s->thread, NULL);
	return ended;
}

bool survey_free(struct survey *s, int timeout_ms)
{
	bool closed;

	if (!s)
		return true;
	if (s->started && !join(s, timeout_ms)) {
		kafka_abandon(s->rk);
		return false;
	}
	closed = kafka_close(s->rk, CLOSE_MS);
	survey_view_free(s->view);
	free(s->cells);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->mutex);
	free(s);
	return closed;
}

int survey_set_cells(struct survey *s, const struct str *names, size_t nr, struct err *err)
{
	size_t bytes = 0;
	char *cells, *at;

	for (size_t i = 0; i < nr; i++)
		bytes += names[i].len + 1;
	cells = at = malloc(bytes + 1);
	if (!cells)
		return err_nomem(err, "the names of cells");
	for (size_t i = 0; i < nr; i++, at++) {
		memcpy(at, names[i].p, names[i].len);
		at += names[i].len;
		*at = '\0';
	}
	pthread_mutex_lock(&s->mutex);
	s->others = true;
	free(s->cells);
	s->cells = cells;
	s->nr_cells = nr;
	s->cells_bytes = bytes;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->mutex);
	return 0;
}

struct survey_view *survey_take(struct survey *s)
{
	struct survey_view *v;

	pthread_mutex_lock(&s->mutex);
	v = s->view;
	s->view = NULL;
	pthread_mutex_unlock(&s->mutex);
	return v;
}
