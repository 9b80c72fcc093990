/* judged_house.h - a house of two cells, all well, for tests that make something of it go wrong. */
#ifndef MILLRACE_TESTS_JUDGED_HOUSE_H
#define MILLRACE_TESTS_JUDGED_HOUSE_H

#include <string.h>

#include "sink/status/facts.h"
#include "sink/status/judge.h"
#include "tests/unit/unit.h"

#define NOW INT64_C(1795372000000)
#define MINUTE INT64_C(60000)

enum { HOUSE_CELLS = 2, HOUSE_INSTANCES = 2 + 3 * HOUSE_CELLS, HOUSE_FIGURES = 4, HOUSE_CONTROLS = 4 };

/* Instances: two ingests, then of each cell a processor, a sink, a notifier. */
enum { INGEST_1, INGEST_2, PROCESSOR_A, SINK_A, NOTIFY_A, PROCESSOR_B, SINK_B, NOTIFY_B };

struct judged_house {
	struct facts facts;
	struct facts_instance instances[HOUSE_INSTANCES + 1];
	struct heartbeat beats[HOUSE_INSTANCES + 1];
	struct figure figures[HOUSE_INSTANCES + 1][HOUSE_FIGURES];
	struct facts_cell cells[HOUSE_CELLS];
	struct control controls[HOUSE_CONTROLS];
	const struct control *in_force[HOUSE_CONTROLS];
	struct judge_conf conf;
};

static inline void house_figure(struct judged_house *h, size_t instance, const char *name, double value)
{
	struct heartbeat *b = &h->beats[instance];

	for (size_t i = 0; i < b->figures_len; i++)
		if (str_eq(b->figures[i].key, str_from(name))) {
			b->figures[i].value = value;
			return;
		}
	b->figures[b->figures_len++] = (struct figure){str_from(name), value};
}

static inline void house_build(struct judged_house *h)
{
	static const char *const programs[] = {"millrace-processor", "millrace-sink", "millrace-notify"};
	static const char *const names[] = {"ingest-1", "ingest-2", "processor-a", "sink-a", "notify-a", "processor-b", "sink-b", "notify-b"};
	static const char *const cells[] = {"amber", "blue"};

	memset(h, 0, sizeof(*h));
	h->conf = (struct judge_conf){NULL, 2 * MINUTE, 15 * MINUTE};
	h->facts = (struct facts){NOW, h->instances, HOUSE_INSTANCES, h->cells, HOUSE_CELLS, h->in_force, 0};
	for (size_t i = 0; i < HOUSE_INSTANCES; i++) {
		h->beats[i] = (struct heartbeat){.program = str_from(i < 2 ? "millrace-ingest" : programs[(i - 2) % 3]), .instance = str_from(names[i]),
						 .has_cell = i >= 2, .cell = i < 2 ? STR("") : str_from(cells[(i - 2) / 3]), .ready = true, .sent_at = NOW,
						 .figures = h->figures[i]};
		h->instances[i] = (struct facts_instance){&h->beats[i], true};
	}
	house_figure(h, NOTIFY_A, "active", 1);
	house_figure(h, NOTIFY_B, "active", 1);
	for (size_t i = 0; i < HOUSE_CELLS; i++) {
		const struct facts_lag well = {.known = true, .at_ms = NOW, .waiting_records = 10, .behind_ms = 3000, .left_ms = 72 * 60 * MINUTE, .recovery_ms = 1000};

		h->cells[i] = (struct facts_cell){str_from(cells[i]), well, well, well, true};
	}
}

/* on, action, cell ("": all), site ("": all). */
static inline void house_control(struct judged_house *h, enum control_program on, enum control_action action, const char *cell, const char *site)
{
	struct control *c = &h->controls[h->facts.nr_controls];

	*c = (struct control){.on = on, .action = action, .has_cell = *cell, .cell = str_from(cell), .has_site = *site, .site = str_from(site)};
	h->in_force[h->facts.nr_controls++] = c;
}

#endif
