/* registry.c - see registry.h. */
#include "ingest/registry.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/control_desk.h"
#include "common/table.h"
#include "ingest/replicas.h"
#include "ingest/vault.h"

enum {
	ROWS_A_TURN = 1000,
	STALE_MS = 60000,          /* without news of the brokers, an unknown key may be a new one */
	ALARM_EVERY_MS = 3600000,  /* a shrink that is held is told again */
	REPLICAS_EVERY_MS = 10000,
};

struct registry {
	struct registry_rooms rooms;
	struct vault *vault;
	struct tables *tables; /* not open: Kafka or its topics have not been there yet */
	bool followed;         /* read to their end */
	bool serving;          /* there is something to judge by: read to their end, or from the file */
	size_t held;           /* rows, when the alarm was raised last */
	int64_t alarm_mono_ms;
	int64_t replicas_mono_ms; /* when the brokers are asked for replicas again */
};

static const struct log *log_of(const struct registry *r)
{
	return &r->rooms.program->log;
}

/* Logs a failure that the loop outlives. */
static void complain(const struct registry *r, const char *event, const struct err *err)
{
	log_repeat(log_of(r), event, LOG_STR("error", err->msg));
}

/* The doors: a row goes into the tables while no request looks at them. */
static int take_cell(void *ctx, const struct table_row *row, struct err *err)
{
	struct registry *r = ctx;
	int rc;

	admission_lock(r->rooms.admission);
	rc = sites_take_cell(r->rooms.sites, row, err);
	admission_unlock(r->rooms.admission);
	return rc;
}

static int take_site(void *ctx, const struct table_row *row, struct err *err)
{
	struct registry *r = ctx;
	int rc;

	admission_lock(r->rooms.admission);
	rc = sites_take_site(r->rooms.sites, row, err);
	admission_unlock(r->rooms.admission);
	return rc;
}

/* From now on requests are judged: by what is in the tables, an unknown key is refused for good only while they are fresh. */
static void serve(struct registry *r, const char *source)
{
	log_info(log_of(r), "tables_loaded", LOG_UINT("sites", sites_count(r->rooms.sites)), LOG_STR("from", source));
	r->serving = true;
	admission_set(r->rooms.admission, ADMISSION_TABLES_LOADED, true);
	admin_set_ready(r->rooms.admin, true, NULL);
}

/* A file that is damaged or cannot be read costs a start without Kafka, no more. */
static int load_file(struct registry *r, struct err *err)
{
	struct err why = ERR_INIT;

	if (vault_load_file(r->vault, &why) < 0) {
		if (why.kind == ERR_FATAL) {
			*err = why;
			return -1;
		}
		log_warn(log_of(r), "tables_file_ignored", LOG_STR("error", why.msg));
	} else if (sites_count(r->rooms.sites) > 0) {
		serve(r, r->rooms.conf->tables_file);
	}
	return 0;
}

static int open_tables(struct registry *r, int wake_fd, struct err *err)
{
	const struct table_spec specs[] = {
		{"millrace.cells", vault_take_cell, r->vault},
		{"millrace.sites", vault_take_site, r->vault},
		{"millrace.controls", controls_take, r->rooms.controls},
	};

	r->tables = tables_new(r->rooms.program, specs, sizeof(specs) / sizeof(specs[0]), err);
	if (!r->tables)
		return -1;
	tables_wake_on(r->tables, wake_fd);
	return 0;
}

struct registry *registry_new(const struct registry_rooms *rooms, int wake_fd, struct err *err)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (!r) {
		err_nomem(err, "the tables");
		return NULL;
	}
	r->rooms = *rooms;
	r->vault = vault_new(&(struct vault_doors){take_cell, take_site, r}, rooms->conf->tables_file);
	if (!r->vault)
		err_nomem(err, "the tables");
	if (!r->vault || load_file(r, err) < 0 || open_tables(r, wake_fd, err) < 0) {
		registry_free(r);
		return NULL;
	}
	return r;
}

void registry_free(struct registry *r)
{
	struct err err = ERR_INIT;

	if (!r)
		return;
	tables_free(r->tables);
	if (r->vault && vault_save(r->vault, &err) < 0)
		log_warn(log_of(r), "tables_file_not_written", LOG_STR("error", err.msg));
	vault_free(r->vault);
	free(r);
}

/* Kafka's tables have been read to their end. */
static int finish_loading(struct registry *r, struct err *err)
{
	struct err why = ERR_INIT;

	r->followed = true;
	if (vault_loaded(r->vault, clock_mono_ms(), &why) < 0) {
		if (why.kind == ERR_FATAL) {
			*err = why;
			return -1;
		}
		complain(r, "table_row_refused", &why);
	}
	serve(r, "Kafka");
	return 0;
}

int registry_follow(struct registry *r, struct err *err)
{
	struct err row = ERR_INIT;

	if (tables_poll(r->tables, 0, ROWS_A_TURN, &row) < 0) {
		if (row.kind == ERR_FATAL) {
			*err = row;
			return -1;
		}
		complain(r, "table_row_refused", &row);
	}
	if (!r->followed && tables_loaded(r->tables) && finish_loading(r, err) < 0)
		return -1;
	admission_set(r->rooms.admission, ADMISSION_TABLES_FRESH,
		      r->followed && clock_mono_ms() - tables_contact_mono_ms(r->tables) < STALE_MS);
	if (r->serving)
		control_desk_follow(r->rooms.controls, r->rooms.report, log_of(r));
	return 0;
}

/* Told when rows are held that were not when it was last told, and once an hour while they are. */
static void raise_alarm(struct registry *r)
{
	struct vault_shrink shrink;
	size_t held = vault_shrink_held(r->vault, &shrink);
	int64_t mono_ms = clock_mono_ms();
	char text[256], before[24], after[24];

	account_set(r->rooms.account, ACCOUNT_TABLES_HELD, (double)held);
	if (held == 0 || (held == r->held && mono_ms - r->alarm_mono_ms < ALARM_EVERY_MS)) {
		r->held = held;
		return;
	}
	r->held = held;
	r->alarm_mono_ms = mono_ms;
	snprintf(before, sizeof(before), "%zu", shrink.before);
	snprintf(after, sizeof(after), "%zu", shrink.after);
	if (shrink.before)
		snprintf(text, sizeof(text),
			 "%zu removals are held back: %zu usable sites would become %zu at once; if that is meant: millrace-ctl site "
			 "confirm-shrink", held, shrink.before, shrink.after);
	else
		snprintf(text, sizeof(text), "the removal of %zu cells is held back: usable sites are routed to them", held);
	log_error(log_of(r), "tables_shrink_held", LOG_UINT("rows", held), LOG_UINT("before", shrink.before), LOG_UINT("after", shrink.after),
		  LOG_STR("meaning", text));
	report_notice(r->rooms.report, SEVERITY_ALARM, "tables_shrink_held", text,
		      (const struct tag[]){{STR("before"), str_from(before)}, {STR("after"), str_from(after)}}, 2);
}

/* On this thread, which no request waits for, and for no longer than any other question. What was known stays when there is no answer. */
static void count_replicas(struct registry *r, int reach_ms)
{
	int64_t missing;

	if (!tables_opened(r->tables) || clock_mono_ms() < r->replicas_mono_ms)
		return;
	missing = replicas_ask(tables_client(r->tables), reach_ms);
	if (missing >= 0)
		account_set(r->rooms.account, ACCOUNT_UNDER_REPLICATED, (double)missing);
	r->replicas_mono_ms = clock_mono_ms() + REPLICAS_EVERY_MS;
}

void registry_tick(struct registry *r, int reach_ms)
{
	struct err err = ERR_INIT;

	if (tables_open(r->tables, reach_ms, &err) < 0)
		complain(r, "tables_unavailable", &err);
	vault_accept_shrink(r->vault, controls_in_force(r->rooms.controls, CONTROL_ACTION_ACCEPT_SHRINK, STR(""), STR(""), NULL));
	err = (struct err)ERR_INIT;
	if (vault_tick(r->vault, clock_mono_ms(), &err) < 0)
		complain(r, "tables_file_not_written", &err);
	account_set(r->rooms.account, ACCOUNT_SITES, (double)sites_count(r->rooms.sites));
	raise_alarm(r);
	count_replicas(r, reach_ms);
}
