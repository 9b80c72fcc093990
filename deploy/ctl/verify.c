/* verify.c - the command `verify`; see commands.h.
 *
 * Two ways to the same figures: what the raw samples say an hour holds, added up here in plain code that shares nothing with processor
 * and sink, and what MongoDB holds. The order matters: the raw samples first, then a wait until the processors have come as far as their
 * topics go by then, then the sinks, and MongoDB last, so that what was read raw has had its time to arrive.
 *
 * An hour that differs is exit code 1. Whatever leaves the question open is 2: then nothing is known, for better or worse. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/commands.h"
#include "common/lag.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/topic_admin.h"
#include "deploy/ctl/verify_raw.h"
#include "deploy/ctl/verify_report.h"

enum {
	CLOSING_MS = 120000, /* after its end an hour is emitted and stored: a minute, the grace, the stagger */
	CLOSING_REAL_MS = 5000, /* and on an accelerated clock what takes real time */
	CATCH_UP_MS = 15000, ASK_AGAIN_MS = 500, /* real; positions are committed every 5 s */
	TRAILING_RECORDS = 1, /* lag.h: a group that has read everything may show so much */
	NOTES_MAX = 16, NOTE_SIZE = 256,
};

struct verify {
	struct ctl *ctl;
	const struct cell *cell;
	const char *site; /* NULL: all */
	struct verify_sheet sheet;
	struct verify_tally tally;
	struct verify_stock stock;
	struct verify_result result;
	bool behind;
	char notes[NOTES_MAX][NOTE_SIZE];
	const char *note_list[NOTES_MAX];
	size_t nr_notes;
};

static void on_documents(void *ctx, uint64_t nr)
{
	struct verify *v = ctx;

	progress_count(v->ctl->progress, nr, 0, "documents");
}

static void note(struct verify *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void note(struct verify *v, const char *fmt, ...)
{
	va_list args;

	if (v->nr_notes == NOTES_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(v->notes[v->nr_notes], NOTE_SIZE, fmt, args);
	va_end(args);
	v->note_list[v->nr_notes] = v->notes[v->nr_notes];
	v->nr_notes++;
}

/* "2026-11-26T14", or a whole time. */
static int parse_hour(const char *text, int64_t *out, struct err *err)
{
	enum { SHORT = 13 /* 2026-11-26T14 */ };
	char whole[64];
	int64_t t_ms;

	if (snprintf(whole, sizeof(whole), "%s%s", text, strlen(text) == SHORT ? ":00:00Z" : "") >= (int)sizeof(whole) ||
	    strlen(text) < SHORT || text[4] != '-' || moment_parse(whole, 0, &t_ms, NULL) < 0)
		return err_set(err, ERR_REJECT, "--hour %.80s is no time: write it like 2026-11-26T14 or 2026-11-26T14:00:00Z", text);
	if (t_ms % CLOCK_HOUR_MS)
		return err_set(err, ERR_REJECT, "--hour %.80s does not begin an hour of UTC: write it like 2026-11-26T14", text);
	*out = t_ms;
	return 0;
}

/* Hours are emitted when they are over. */
static int check_closed(const struct verify *v, struct err *err)
{
	const struct clock *clock = &v->ctl->program.clock;
	double speed = clock->test ? clock->speed : 0;
	int64_t closed_ms = v->sheet.hour_ms + CLOCK_HOUR_MS + CLOSING_MS + (int64_t)(speed * CLOSING_REAL_MS);
	char iso[CLOCK_ISO_SIZE], now[CLOCK_ISO_SIZE];

	if (clock_now_ms(clock) >= closed_ms)
		return 0;
	return err_set(err, ERR_RETRY, "this hour is not closed yet: ask again after %s (it is %s)", clock_iso(closed_ms, iso, sizeof(iso)),
		       clock_iso(clock_now_ms(clock), now, sizeof(now)));
}

/* Do windows come through this topic? The groups have others, which may be idle or not read yet. */
static bool carries_windows(const char *topic)
{
	static const char *const topics[] = {"samples", "minutely", "hourly"};

	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		if (strcmp(topic, topics[i]) == 0)
			return true;
	return false;
}

/* Records between what a group has committed and where its topics ended when that was noted in ends. */
static int64_t behind_by(const struct lag_group *group, const struct lag_group *ends)
{
	int64_t records = 0;

	for (size_t i = 0; i < group->nr && i < ends->nr; i++) {
		int64_t from = group->partitions[i].committed, end = ends->partitions[i].end;

		if (from < ends->partitions[i].begin)
			from = ends->partitions[i].begin;
		if (carries_windows(ends->partitions[i].topic) && end - from > TRAILING_RECORDS)
			records += end - from;
	}
	return records;
}

static int plan(const struct verify *v, struct arena *arena, const struct topic_list *topics, struct lag_group groups[LAG_GROUPS], struct err *err)
{
	if (lag_plan(v->cell->name, topics, arena, groups, err) < 0)
		return -1;
	if (lag_read(cluster_consumer(v->ctl->cluster), groups, 2, arena, err) < 0)
		return -1;
	for (int g = 0; g < 2; g++)
		for (size_t i = 0; i < groups[g].nr; i++)
			if (groups[g].partitions[i].fault) /* what is not known must not look as if it were read */
				return err_set(err, ERR_RETRY, "%s %d: %s", groups[g].partitions[i].topic, (int)groups[g].partitions[i].partition,
					       groups[g].partitions[i].fault);
	return 0;
}

/* Waits until one of the two groups has come as far as its topics go now. 1: it has not, and a note says so. */
static int await_group(struct verify *v, int which, struct arena *arena, const struct topic_list *topics, struct err *err)
{
	struct lag_group ends[LAG_GROUPS], now[LAG_GROUPS];
	int64_t deadline_ms = clock_mono_ms() + CATCH_UP_MS, records;

	if (plan(v, arena, topics, ends, err) < 0)
		return -1;
	memcpy(now, ends, sizeof(now));
	while ((records = behind_by(&now[which], &ends[which])) > 0 && clock_mono_ms() < deadline_ms) {
		cluster_follow(v->ctl->cluster, ASK_AGAIN_MS, NULL);
		if (plan(v, arena, topics, now, err) < 0)
			return -1;
	}
	if (records > 0)
		note(v, "group %s is %" PRId64 " records behind: what is missing may be on its way", now[which].name, records);
	return records > 0;
}

/* First the processors, then, by what these have emitted, the sinks. */
static int await_groups(struct verify *v, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct topic_list topics;
	int rc = topic_list_read(cluster_client(v->ctl->cluster), &arena, &topics, err);

	progress_begin(v->ctl->progress, "waiting for the processors and sinks of cell " STR_FMT " to come as far as Kafka", STR_ARG(v->cell->name));
	for (int which = 0; which < 2 && rc >= 0; which++) {
		rc = await_group(v, which, &arena, &topics, err);
		v->behind |= rc > 0;
	}
	progress_end(v->ctl->progress);
	arena_fini(&arena);
	return rc < 0 ? -1 : 0;
}

/* Does a drop that the sinks of this hour obeyed, or may have, reach what is compared? One that was cleared, or that has expired and
 * left its topic, is not seen. */
static int note_drops(struct verify *v, struct err *err)
{
	size_t nr;
	const struct store_item **items = store_list(cluster_store(v->ctl->cluster), STORE_CONTROLS, &nr, err);
	int64_t from_ms = v->sheet.hour_ms;

	if (!items)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		const struct control *c = &items[i]->v.control;

		if (items[i]->fault || c->on != CONTROL_PROGRAM_SINK || c->action != CONTROL_ACTION_DROP || c->expires_at <= from_ms ||
		    (v->site && c->has_site && !str_eq(c->site, str_from(v->site))))
			continue;
		note(v, "control " STR_FMT " was set at %" PRId64 ": sinks drop documents while it holds, and those are missing here",
		     STR_ARG(c->id), c->created_at);
	}
	free(items);
	return 0;
}

static void add_notes(struct verify *v)
{
	if (v->stock.foreign)
		note(v, "%" PRIu64 " documents of other topics (another cell's, or from before the topics were made again) were passed over",
		     v->stock.foreign);
	if (v->stock.bad)
		note(v, "%" PRIu64 " documents are no fragments, the first %s", v->stock.bad, v->stock.first_bad);
	if (v->tally.misnamed)
		note(v, "%" PRIu64 " series of raw records carry a fingerprint that is not theirs", v->tally.misnamed);
	if (v->tally.refused)
		note(v, "%" PRIu64 " raw records cannot be counted by anybody: millrace-ctl deadletter list --topic samples shows them",
		     v->tally.refused);
	if (v->tally.doubtful)
		note(v, "%" PRIu64 " times the moment of a checkpoint decided what is counted: an Idempotency-Key that came again after "
		     "an hour, or a cumulative series after a day's silence; a difference there means nothing", v->tally.doubtful);
	if (v->result.bounded)
		note(v, "%" PRIu64 " windows of sites over their cap of series have cumulative points: looked at for too much only",
		     v->result.bounded);
}

static int compute(struct verify *v, struct err *err)
{
	const struct ctl *ctl = v->ctl;
	const char *uri = args_text(&ctl->args, "mongo"), *database = args_text(&ctl->args, "database");
	const struct verify_raw raw = {.ctl = ctl, .cell = args_text(&ctl->args, "cell"), .epoch = v->cell->epoch,
				       .site = str_from(v->site), .sheet = &v->sheet, .tally = &v->tally};
	const struct verify_source source = {.uri = uri ? uri : ctl->conf.mongo_uri,
					     .database = database ? database : ctl->conf.mongo_database,
					     .site = str_from(v->site), .epoch = v->cell->epoch};
	int rc;

	if (verify_raw_read(&raw, err) < 0 || verify_sheet_add_up(&v->sheet, err) < 0 || await_groups(v, err) < 0)
		return -1;
	progress_begin(ctl->progress, "reading the database %s", source.database);
	rc = verify_mongo_read(&source, &v->sheet, on_documents, v, &v->stock, err);
	progress_end(ctl->progress);
	return rc;
}

static int judge(struct verify *v, struct err *err)
{
	struct verify_report report = {.ctl = v->ctl, .cell = args_text(&v->ctl->args, "cell"), .sheet = &v->sheet,
				       .limit = args_int(&v->ctl->args, "limit")};
	const struct verify_rules rules = {.now_ms = clock_now_ms(&v->ctl->program.clock), .behind = v->behind};
	struct verify_figures figures = {.tally = &v->tally, .stock = &v->stock, .result = &v->result, .notes = v->note_list};

	verify_report_begin(&report);
	if (verify_compare(&v->sheet, &rules, verify_report_difference, &report, &v->result, err) < 0 || note_drops(v, err) < 0) {
		verify_report_abandon(&report);
		return -1;
	}
	add_notes(v);
	figures.nr_notes = v->nr_notes;
	return verify_report_end(&report, &figures, err);
}

/* 0: equal; 1: not; -1 with *err set: too early to tell. */
static int conclude(const struct verify *v, struct err *err)
{
	char iso[CLOCK_ISO_SIZE];

	if (v->result.differ || v->stock.bad || v->tally.misnamed)
		return 1;
	if (!v->result.waiting)
		return 0;
	if (v->behind)
		return err_set(err, ERR_RETRY, "not everything has been processed and stored yet: see millrace-ctl status, and ask again");
	return err_set(err, ERR_RETRY, "late samples of this hour are on their way: ask again after %s",
		       clock_iso(v->result.wait_until_ms, iso, sizeof(iso)));
}

int verify_run(struct ctl *ctl, struct err *err)
{
	struct verify v = {.ctl = ctl, .site = args_text(&ctl->args, "site"), .sheet = VERIFY_SHEET_INIT};
	int rc = -1;

	if (parse_hour(args_text(&ctl->args, "hour"), &v.sheet.hour_ms, err) == 0 && check_closed(&v, err) == 0 &&
	    ctl_load(ctl, false, err) == 0 && (v.cell = ctl_find_cell(ctl, args_text(&ctl->args, "cell"), err)) != NULL &&
	    (!v.site || ctl_find_site(ctl, v.site, err)) && compute(&v, err) == 0 && judge(&v, err) == 0)
		rc = conclude(&v, err);
	if (rc < 0 && err)
		err->kind = ERR_FATAL; /* exit code 2, whatever it was */
	verify_sheet_fini(&v.sheet);
	return rc;
}
