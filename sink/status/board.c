/* board.c - see board.h.
 *
 * On disk is what a visitor may want while Kafka is gone: incidents that are open, and those that have ended within a quarter of a year; all others are in the
 * topic. */
#include "sink/status/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/build.h"
#include "sink/status/state_file.h"

enum { STALE_MS = 15000 };

#define KEPT_MS (INT64_C(90) * 24 * CLOCK_HOUR_MS)

/* One entry of the file into the fold. What a newer build wrote, or damage made, is passed over: the rest is worth having. */
static int recall_entry(struct status_incidents *incidents, struct str bytes, struct err *err)
{
	struct arena scratch = ARENA_INIT;
	struct status_entry e = {0};
	struct err why = ERR_INIT;
	int rc = status_entry_decode(bytes, &scratch, &e, &why);

	if (rc == 0)
		rc = status_incidents_take(incidents, &e, &why);
	arena_fini(&scratch);
	if (rc < 0 && why.kind == ERR_FATAL) {
		*err = why;
		return -1;
	}
	return 0;
}

static int recall_entries(const struct status_state *state, struct entry_desk *desk, struct err *err)
{
	struct status_incidents *incidents = entry_desk_lock(desk);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < state->entries_len; i++)
		rc = recall_entry(incidents, state->entries[i], err);
	entry_desk_unlock(desk);
	return rc;
}

static int recall_unwritten(const struct status_state *state, struct journal *journal, struct err *err)
{
	for (size_t i = 0; i < state->unwritten_len; i++) {
		struct arena scratch = ARENA_INIT;
		struct status_entry e = {0};
		char key[STATUS_KEY_SIZE];
		int rc = status_entry_decode(state->unwritten[i], &scratch, &e, NULL);

		if (rc == 0 && status_entry_check(&e, NULL) == 0)
			rc = journal_add(journal, str_from(status_entry_key(&e, key)), state->unwritten[i], false, err); /* it had a place */
		else
			rc = 0; /* see recall_entry() */
		arena_fini(&scratch);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int board_recall(struct board *b, struct entry_desk *desk, struct journal *journal, struct err *err)
{
	struct status_state state = {0};
	int rc = *b->conf->dir ? state_file_read(b->conf->dir, &b->recalled, &state, err) : 0;

	if (rc <= 0)
		return rc;
	if (recall_entries(&state, desk, err) < 0 || recall_unwritten(&state, journal, err) < 0)
		return -1;
	b->components = state.components;
	b->nr_components = state.components_len;
	b->as_of_ms = state.at;
	return 1;
}

void board_set(struct board *b, const struct status_component *components, size_t nr)
{
	b->components = components;
	b->nr_components = nr;
	b->as_of_ms = clock_now_ms(b->clock);
	b->known_mono_ms = clock_mono_ms();
}

bool board_is_stale(const struct board *b)
{
	return !b->known_mono_ms || clock_mono_ms() - b->known_mono_ms > STALE_MS;
}

struct page board_page(const struct board *b, const struct status_incidents *incidents)
{
	return (struct page){
		.title = str_from(b->conf->page_title), .url = page_url(b->conf->page_url), .build = str_from(build_version()),
		.now_ms = clock_now_ms(b->clock), .as_of_ms = b->as_of_ms, .stale = b->as_of_ms && board_is_stale(b),
		.from_disk = b->as_of_ms && !b->known_mono_ms, .components = b->components, .nr_components = b->nr_components, .incidents = incidents,
		.cadence_ms = b->conf->drafts.cadence_ms,
	};
}

struct answers *board_render(const struct page *page, struct err *err)
{
	struct answers *a = answers_new(err);

	if (a && page_answers(page, a, err) == 0)
		return a;
	answers_free(a);
	return NULL;
}

static bool is_kept(const struct status_incident *i, int64_t now_ms)
{
	return !i->ended_at || i->ended_at > now_ms - KEPT_MS;
}

/* The lines of the incidents that are kept, each as it stands in the topic. */
static int list_entries(const struct status_incidents *incidents, int64_t now_ms, struct arena *arena, struct status_state *state, struct err *err)
{
	struct buf b = BUF_INIT;
	size_t nr = 0;

	for (size_t i = 0; i < incidents->nr; i++)
		nr += is_kept(incidents->list[i], now_ms) ? incidents->list[i]->nr_lines : 0;
	state->entries = arena_calloc(arena, nr + 1, sizeof(*state->entries));
	for (size_t i = 0; state->entries && i < incidents->nr; i++)
		for (size_t k = 0; is_kept(incidents->list[i], now_ms) && k < incidents->list[i]->nr_lines; k++) {
			struct str *at = &state->entries[state->entries_len];

			buf_clear(&b);
			if (status_entry_encode(&incidents->list[i]->lines[k].entry, &b, err) == 0 && (*at = arena_str(arena, buf_str(&b))).p)
				state->entries_len++;
		}
	buf_fini(&b);
	return state->entries_len == nr && state->entries ? 0 : err_nomem(err, "the state");
}

static int list_unwritten(const struct journal *journal, struct arena *arena, struct status_state *state, struct err *err)
{
	size_t nr = journal_waiting(journal);

	state->unwritten = arena_calloc(arena, nr + 1, sizeof(*state->unwritten));
	for (size_t i = 0; state->unwritten && i < nr; i++)
		state->unwritten[i] = journal_at(journal, i);
	state->unwritten_len = nr;
	return state->unwritten ? 0 : err_nomem(err, "the state");
}

/* What is written borrows the incidents no longer than it takes to copy them: nobody waits for the disk under the desk's lock. */
int board_save(const struct board *b, struct entry_desk *desk, const struct journal *journal, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct status_state state = {.at = b->as_of_ms, .components = (struct status_component *)(uintptr_t)b->components, .components_len = b->nr_components};
	int rc;

	if (!*b->conf->dir)
		return 0;
	rc = list_entries(entry_desk_lock(desk), clock_now_ms(b->clock), &arena, &state, err);
	entry_desk_unlock(desk);
	if (rc == 0)
		rc = list_unwritten(journal, &arena, &state, err);
	if (rc == 0)
		rc = state_file_write(b->conf->dir, &state, err);
	arena_fini(&arena);
	return rc;
}

void board_fini(struct board *b)
{
	arena_fini(&b->recalled);
}
