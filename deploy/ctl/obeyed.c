/* obeyed.c - see obeyed.h. */
#include "deploy/ctl/obeyed.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "deploy/ctl/printable.h"

enum { AWAIT_MS = 5000, TURN_MS = 100 };

/* Is the control for this one, who is alive? */
static bool concerns(const struct status_beat *b, const struct control *control)
{
	const struct heartbeat *beat = &b->item->v.beat;
	char program[64];

	if (b->state != STATUS_READY && b->state != STATUS_NOT_READY)
		return false;
	snprintf(program, sizeof(program), "millrace-%s", control_program_name(control->on));
	return str_eq(beat->program, str_from(program)) && (!control->has_cell || !beat->has_cell || str_eq(beat->cell, control->cell));
}

static bool lists(const struct status_beat *b, struct str id)
{
	const struct heartbeat *beat = &b->item->v.beat;

	for (size_t i = 0; i < beat->controls_len; i++)
		if (str_eq(beat->controls[i], id))
			return true;
	return false;
}

/* Appends "ingest/a" as long as there is room; the key is "millrace-ingest/a", and anybody's bytes. */
static void add_name(char names[OBEYED_NAMES_SIZE], struct str key)
{
	static const char prefix[] = "millrace-";
	size_t len = strlen(names), skip = sizeof(prefix) - 1;

	if (key.len <= skip || memcmp(key.p, prefix, skip) != 0)
		skip = 0;
	if (len + 2 + key.len - skip + sizeof(", ..") > OBEYED_NAMES_SIZE) {
		if (len && names[len - 1] != '.' && len + sizeof(", ..") <= OBEYED_NAMES_SIZE)
			memcpy(names + len, ", ..", sizeof(", .."));
		return;
	}
	snprintf(names + len, OBEYED_NAMES_SIZE - len, "%s%.*s", len ? ", " : "", (int)(key.len - skip), key.p + skip);
	printable(names);
}

void obeyed_ask(const struct status *s, const struct control *control, int64_t since, struct obeyed *out)
{
	*out = (struct obeyed){0};
	for (size_t i = 0; i < s->nr_beats; i++) {
		const struct status_beat *b = &s->beats[i];

		if (!concerns(b, control))
			continue;
		if (b->item->offset > since && lists(b, control->id)) {
			out->nr_by++;
			add_name(out->by, b->item->key);
		} else {
			out->nr_not_by++;
			add_name(out->not_by, b->item->key);
		}
	}
}

int obeyed_await(struct cluster *c, const struct clock *clock, const struct control *control, int64_t since, bool cleared, struct obeyed *out,
		 struct err *err)
{
	int64_t deadline = clock_mono_ms() + AWAIT_MS;

	for (;;) {
		struct status s = {.store = cluster_store(c)};
		int rc = status_judge_beats(&s, clock, err);

		if (rc == 0)
			obeyed_ask(&s, control, since, out);
		arena_fini(&s.arena);
		if (rc < 0)
			return -1;
		if ((cleared ? out->nr_by : out->nr_not_by) == 0 || clock_mono_ms() >= deadline)
			return 0;
		if (cluster_follow(c, TURN_MS, err) < 0)
			return -1;
	}
}

void obeyed_write(const struct status *s, const struct control *control, bool not, const char *key, struct json_writer *w)
{
	json_write_array(w, key);
	for (size_t i = 0; i < s->nr_beats; i++)
		if (concerns(&s->beats[i], control) && lists(&s->beats[i], control->id) != not)
			json_write_text(w, NULL, s->beats[i].item->key);
	json_write_array_end(w);
}
