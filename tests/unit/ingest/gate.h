/* gate.h - an admission with its rooms, two sites behind it, and their figures read off as a scraper would. */
#ifndef MILLRACE_TESTS_GATE_H
#define MILLRACE_TESTS_GATE_H

#include "common/clock.h"
#include "common/controls.h"
#include "ingest/admission.h"
#include "tests/unit/ingest/tables.h"

static const struct route gate_route[] = {{.effective_from = 0, .cell = {"main", 4}, .shards = 2}};

struct gate {
	struct clock clock;
	struct metrics *metrics;
	struct account *account;
	struct sites *sites;
	struct controls *controls;
	struct admission *admission;
};

/* Tables loaded and fresh; site shop with key mr_good, a disabled site off with key mr_off. */
static inline void gate_init(struct gate *g, int64_t max_body_bytes, int64_t budget_bytes)
{
	struct err err = ERR_INIT;

	*g = (struct gate){.metrics = metrics_new("millrace-ingest"), .sites = sites_new()};
	g->account = account_new(g->metrics, 10);
	g->controls = controls_new(&g->clock, CONTROL_PROGRAM_INGEST, &err);
	ck_assert(g->account && g->controls);
	ck_assert_int_eq(put_cell(g->sites, "main", 77, 12, &err), 0);
	ck_assert_int_eq(put_site(g->sites, "shop", (const char *const[]){"mr_good", NULL}, gate_route, 1, false, &err), 0);
	ck_assert_int_eq(put_site(g->sites, "off", (const char *const[]){"mr_off", NULL}, gate_route, 1, true, &err), 0);
	g->admission = admission_new(&(struct admission_rooms){g->sites, g->account, g->controls, &g->clock},
				     &(struct admission_limits){max_body_bytes, budget_bytes});
	ck_assert_ptr_nonnull(g->admission);
	admission_set(g->admission, ADMISSION_TABLES_LOADED, true);
	admission_set(g->admission, ADMISSION_TABLES_FRESH, true);
}

/* Whatever happened, everything has been given back. */
static inline void gate_fini(struct gate *g)
{
	ck_assert_int_eq(admission_inflight_bytes(g->admission), 0);
	admission_free(g->admission);
	controls_free(g->controls);
	account_free(g->account);
	sites_free(g->sites);
	metrics_free(g->metrics);
}

/* The sum of all rows of a metric (without "millrace_ingest_") that hold this label, e.g. reason="bad_json"; label NULL: any. */
static inline double gate_figure(const struct gate *g, const char *name, const char *label)
{
	struct buf text = BUF_INIT;
	char full[128], *line, *rest;
	double sum = 0;

	snprintf(full, sizeof(full), "millrace_ingest_%s", name);
	metrics_render(g->metrics, &text);
	buf_add(&text, "", 1);
	for (line = strtok_r((char *)text.p, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strncmp(line, full, strlen(full)) == 0 && strchr(" {", line[strlen(full)]) && (!label || strstr(line, label)))
			sum += strtod(strrchr(line, ' '), NULL);
	buf_fini(&text);
	return sum;
}

#endif
