/* lags.c - see lags.h.
 *
 * What recovery.h measures are offsets, and some steps of theirs are nobody's work: a partition that is new, a first commit, a commit that jumps over what
 * retention has cut. After such a step a group's story begins anew. Where nothing but control records is left nothing waits. */
#include "sink/status/lags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/map.h"
#include "sink/status/recovery.h"

enum { KNOWN_FOR_MS = 60000 };

/* A group in a cell. */
struct lag_story {
	struct facts_lag lag; /* as of the last survey that said something of it */
	struct recovery recovery;
	size_t nr_partitions, nr_committed; /* that the story is of */
	uint64_t seen;        /* number of the last survey that had it */
};

struct lags {
	const struct clock *clock;
	struct map stories; /* of the hash of the group's name */
	uint64_t surveys;
	int64_t at_ms;      /* of the last survey, virtual */
};

struct lags *lags_new(const struct clock *clock, struct err *err)
{
	struct lags *l = calloc(1, sizeof(*l));

	if (l)
		l->clock = clock;
	else
		err_nomem(err, "what surveys tell");
	return l;
}

void lags_free(struct lags *l)
{
	const struct map_slot *slot;
	size_t at = 0;

	if (!l)
		return;
	while ((slot = map_next(&l->stories, &at)) != NULL)
		free(slot->value);
	map_fini(&l->stories);
	free(l);
}

static bool is_whole(const struct lag_group *g)
{
	for (size_t i = 0; i < g->nr; i++)
		if (g->partitions[i].fault)
			return false;
	return true;
}

/* Sums over the group's partitions. */
static struct recovery_sample sum(const struct lag_group *g, int64_t at_ms, int64_t waiting, size_t *nr_committed)
{
	struct recovery_sample s = {.at_ms = at_ms, .waiting = waiting};

	*nr_committed = 0;
	for (size_t i = 0; i < g->nr; i++) {
		s.end += g->partitions[i].end;
		s.committed += g->partitions[i].committed > 0 ? g->partitions[i].committed : 0;
		*nr_committed += g->partitions[i].committed >= 0;
	}
	return s;
}

static void take_group(const struct lags *l, struct lag_story *story, const struct lag_group *g, int64_t at_ms)
{
	int64_t waiting = g->oldest || g->nr_unknown ? g->total : 0;
	size_t nr_committed;
	const struct recovery_sample s = sum(g, at_ms, waiting, &nr_committed);

	if (g->nr != story->nr_partitions || nr_committed != story->nr_committed || g->lost < story->lag.lost_records)
		story->recovery = (struct recovery){0};
	story->nr_partitions = g->nr;
	story->nr_committed = nr_committed;
	recovery_take(&story->recovery, &s);
	story->lag = (struct facts_lag){
		.known = true, .at_ms = at_ms, .waiting_records = waiting, .lost_records = g->lost,
		.behind_ms = g->oldest ? g->oldest->age_ms : g->nr_unknown ? -1 : 0,
		.left_ms = g->next ? g->next->left_ms : -1,
		.recovery_ms = recovery_ms(&story->recovery), .draining = recovery_is_draining(&story->recovery),
		.still_ms = clock_real_duration_ms(l->clock, recovery_still_ms(&story->recovery)),
	};
}

static struct lag_story *story_of(struct lags *l, const struct lag_group *g, struct err *err)
{
	uint8_t key[MAP_KEY_BYTES];
	struct lag_story *story;

	map_key_of(str_from(g->name), key);
	story = map_get(&l->stories, key);
	if (story)
		return story;
	story = calloc(1, sizeof(*story));
	if (story && map_put(&l->stories, key, story) == 0)
		return story;
	free(story);
	err_nomem(err, "what surveys tell");
	return NULL;
}

/* Groups of cells that are gone. A map does not change while it is walked, so one a walk. */
static void forget(struct lags *l)
{
	const struct map_slot *slot;
	size_t at = 0;

	while ((slot = map_next(&l->stories, &at)) != NULL) {
		struct lag_story *story = slot->value;
		uint8_t key[MAP_KEY_BYTES];

		if (story->seen == l->surveys)
			continue;
		memcpy(key, slot->key, sizeof(key));
		free(map_remove(&l->stories, key));
		at = 0;
	}
}

int lags_take(struct lags *l, const struct survey_view *v, struct err *err)
{
	l->surveys++;
	l->at_ms = v->at_ms;
	for (size_t i = 0; i < v->nr_groups; i++) {
		struct lag_story *story = story_of(l, &v->groups[i], err);

		if (!story)
			return -1;
		story->seen = l->surveys;
		if (is_whole(&v->groups[i]))
			take_group(l, story, &v->groups[i], v->at_ms);
	}
	forget(l);
	return 0;
}

static const struct lag_story *find(const struct lags *l, const char *program, struct str cell)
{
	char name[96];
	uint8_t key[MAP_KEY_BYTES];

	snprintf(name, sizeof(name), "millrace-%s-" STR_FMT, program, (int)(cell.len < 64 ? cell.len : 64), cell.p);
	map_key_of(str_from(name), key);
	return map_get(&l->stories, key);
}

static struct facts_lag lag_of(const struct lags *l, const char *program, struct str cell)
{
	const struct lag_story *story = find(l, program, cell);

	if (!story || clock_real_duration_ms(l->clock, l->at_ms - story->lag.at_ms) > KNOWN_FOR_MS)
		return (struct facts_lag){0};
	return story->lag;
}

void lags_fill(const struct lags *l, struct facts_cell *cell)
{
	cell->processor = lag_of(l, "processor", cell->name);
	cell->sink = lag_of(l, "sink", cell->name);
	cell->notify = lag_of(l, "notify", cell->name);
}

bool lags_know(const struct lags *l, const struct facts_cell *cells, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!find(l, "sink", cells[i].name))
			return false;
	return true;
}
