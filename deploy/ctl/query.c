/* query.c - the command `query`: minutes or hours of a metric, from the topics that hold them; see commands.h.
 *
 * No database is asked: what the processors have written is read, of the partitions that the site owned (query_plan.h), from 10 minutes before the first window was over, as
 * what a budget pushed out early, of a clock that is ahead, may stand there, to the end, or to where no fragment of the last window can have been written any more. A site's
 * partitions have other sites' records too, so that a long time takes long: progress says how far it is. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/kafka.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/query_plan.h"
#include "deploy/ctl/query_print.h"
#include "deploy/ctl/topic_scan.h"
#include "deploy/ctl/verify_raw.h"

enum { TAGS_MAX = TRIGGER_SELECTORS_MAX, SPARK_MAX = 120, SPARK_GROUP = 30, SPARK_BESIDE = 40 /* characters beside one */, WIDTH = 100 /* of what does not say */ };
enum { CLOSED_AFTER_MS = 180000 }; /* of a window's end: grace, stagger and a checkpoint are over by then (processor/) */

struct asking {
	struct ctl *ctl;
	struct query_spec spec;
	struct query query;
	struct tag_selector tags[TAGS_MAX];
	struct str values[TAGS_MAX];
	struct arena arena;  /* of the plan and of the tags' text */
	struct arena record; /* of one record */
	size_t nr_bad;
};

/* One KEY=VALUE of --tags, which is written to. */
static int add_tag(struct asking *a, char *text, struct err *err)
{
	char *equals = strchr(text, '=');
	size_t n = a->spec.nr_tags;

	if (n == TAGS_MAX)
		return err_set(err, ERR_REJECT, "--tags: %d are allowed", TAGS_MAX);
	if (!equals || equals == text)
		return err_set(err, ERR_REJECT, "--tags %.80s: write it like region=eu,host=web-*", text);
	*equals = '\0';
	a->values[n] = str_from(equals + 1);
	a->tags[n] = (struct tag_selector){.key = str_from(text), .values = &a->values[n], .values_len = 1,
					   .op = strpbrk(equals + 1, "*?") ? SELECTOR_OP_GLOB : SELECTOR_OP_EXACT};
	a->spec.nr_tags++;
	return 0;
}

static int read_tags(struct asking *a, struct err *err)
{
	const char *given;
	int at = 0;

	while ((given = args_next(&a->ctl->args, "tags", &at)) != NULL) {
		struct str copy = arena_str(&a->arena, str_from(given));
		char *rest = (char *)copy.p, *one;

		if (!rest)
			return err_nomem(err, "tags");
		while ((one = strsep(&rest, ",")) != NULL)
			if (*one && add_tag(a, one, err) < 0)
				return -1;
	}
	a->spec.tags = a->tags;
	return 0;
}

/* --from and --to, else the last --last; full windows, as far as they go. */
static int read_times(struct asking *a, struct err *err)
{
	const struct args *args = &a->ctl->args;
	int64_t now_ms = clock_now_ms(&a->ctl->program.clock), from_ms, to_ms = now_ms;

	a->spec.window_ms = args_given(args, "hourly") ? CLOCK_HOUR_MS : CLOCK_MINUTE_MS;
	if (args_given(args, "last") && args_given(args, "from"))
		return err_set(err, ERR_REJECT, "--last and --from both say when it begins: give one");
	if (args_given(args, "to") && moment_parse_past(args_text(args, "to"), now_ms, &to_ms, err) < 0)
		return err_wrap(err, "--to");
	from_ms = to_ms - args_int(args, "last");
	if (args_given(args, "from") && moment_parse_past(args_text(args, "from"), now_ms, &from_ms, err) < 0)
		return err_wrap(err, "--from");
	a->spec.closed_ms = now_ms - CLOSED_AFTER_MS;
	if (from_ms >= to_ms)
		return err_set(err, ERR_REJECT, "--from is not before --to");
	a->spec.from_ms = from_ms / a->spec.window_ms * a->spec.window_ms;
	a->spec.to_ms = (to_ms + a->spec.window_ms - 1) / a->spec.window_ms * a->spec.window_ms;
	return 0;
}

static int read_kind(struct asking *a, struct err *err)
{
	const char *kind = args_text(&a->ctl->args, "kind");

	a->spec.has_kind = kind != NULL;
	if (!kind)
		return 0;
	for (unsigned k = 0; series_kind_name((enum series_kind)k); k++)
		if (strcmp(kind, series_kind_name((enum series_kind)k)) == 0) {
			a->spec.kind = (enum series_kind)k;
			return 0;
		}
	return err_set(err, ERR_REJECT, "--kind %.40s: it is counter, gauge or distribution", kind);
}

/* 1: one was given, and is in *out. */
static int read_field(const struct args *args, enum trigger_field *out, struct err *err)
{
	const char *field = args_text(args, "field");

	if (!field)
		return 0;
	for (unsigned f = 0; trigger_field_name((enum trigger_field)f); f++)
		if (strcmp(field, trigger_field_name((enum trigger_field)f)) == 0) {
			*out = (enum trigger_field)f;
			return 1;
		}
	return err_set(err, ERR_REJECT, "--field %.40s: it is count, sum, mean, min, max, last, p50, p90, p95, p99, rate or error_rate", field);
}

static int on_record(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	struct asking *a = ctx;
	struct aggregate aggregate = {0};
	struct err why = ERR_INIT;

	arena_clear(&a->record);
	if (aggregate_decode((struct str){message->payload ? message->payload : "", message->len}, &a->record, &aggregate, NULL) < 0) {
		a->nr_bad++;
		return 0;
	}
	return query_take(&a->query, &aggregate, &why) == 0 ? 0 : err_set(err, why.kind, "%s", why.msg);
}

static int32_t partitions_of(void *ctx, struct str name)
{
	const struct cell *cell = store_cell(ctx, name);

	return cell ? cell->partitions : 0;
}

static int read_place(struct asking *a, struct topic_scan *scan, const struct query_place *place, struct err *err)
{
	const struct clock *clock = &a->ctl->program.clock;
	int64_t since_ms = verify_raw_wall_ms(clock, a->spec.from_ms - QUERY_PLAN_AHEAD_MS), last_ms = a->spec.to_ms + QUERY_PLAN_WRITTEN_MS, from, to, end, ignored;
	char topic[KAFKA_TOPIC_SIZE], cell[64];

	snprintf(cell, sizeof(cell), STR_FMT, STR_ARG(place->cell));
	kafka_cell_topic(topic, cell, args_given(&a->ctl->args, "hourly") ? "hourly" : "minutely");
	if (topic_scan_bounds(scan, topic, place->partition, since_ms, &from, &to, err) < 0)
		return -1;
	if (last_ms < clock_now_ms(clock)) {
		if (topic_scan_bounds(scan, topic, place->partition, verify_raw_wall_ms(clock, last_ms), &end, &ignored, err) < 0)
			return -1;
		to = end < to ? end : to;
	}
	return topic_scan_read(scan, topic, place->partition, from, to, on_record, a, err);
}

static int read_all(struct asking *a, struct err *err)
{
	const struct site *site = ctl_find_site(a->ctl, a->ctl->args.operands[0], err);
	struct topic_scan *scan = site ? topic_scan_new(&a->ctl->program, a->ctl->progress, err) : NULL;
	struct query_place *places;
	size_t nr;
	int rc = -1;

	if (scan)
		rc = query_plan(site, a->spec.from_ms, a->spec.to_ms, partitions_of, (void *)cluster_store(a->ctl->cluster), &a->arena, &places, &nr, err);
	for (size_t i = 0; rc == 0 && i < nr; i++)
		rc = read_place(a, scan, &places[i], err);
	topic_scan_free(scan);
	return rc;
}

/* Why there is nothing. */
static void say_why(const struct asking *a)
{
	const struct query *q = &a->query;
	const char *metric = a->ctl->args.operands[1], *site = a->ctl->args.operands[0];
	struct buf near = BUF_INIT;

	for (size_t i = 0; i < q->nr_near; i++)
		buf_printf(&near, "%s\"" STR_FMT "\"", i ? ", " : "", STR_ARG(q->near[i]));
	if (!q->nr_named && q->nr_near)
		ctl_hint("site %s has no series \"%s\" in that time: did you mean " STR_FMT "?", site, metric, STR_ARG(buf_str(&near)));
	else if (!q->nr_named)
		ctl_hint("site %s has no series \"%s\" in that time, nor one that is called nearly so; it has %" PRIu32 " other names", site, metric, (uint32_t)q->names.len);
	else if (!q->nr_selected)
		ctl_hint("site %s has series \"%s\", but none with these tags", site, metric);
	else if (q->kinds)
		ctl_hint("site %s has series \"%s\" with these tags, but none of kind %s", site, metric, series_kind_name(a->spec.kind));
	else
		ctl_hint("site %s has series \"%s\", but nothing came of them in that time", site, metric);
	buf_fini(&near);
}

/* A terminal that shows UTF-8, by what its environment says. */
static bool shows_blocks(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

static int spark_of(const struct ctl *ctl, bool by)
{
	int width = grid_width(ctl->out);

	if (!isatty(fileno(ctl->out)) || !shows_blocks())
		return 0;
	width = (width > 0 ? width : WIDTH) - SPARK_BESIDE;
	width = width > SPARK_MAX ? SPARK_MAX : width;
	return by ? SPARK_GROUP : width > 8 ? width : 8;
}

static int show(struct asking *a, bool has_field, enum trigger_field field, struct err *err)
{
	struct ctl *ctl = a->ctl;
	struct query_look look = {.limit = (size_t)args_int(&ctl->args, "limit"), .colour = grid_wants_colour(ctl->out), .spark = spark_of(ctl, a->spec.by.p != NULL),
				  .field = has_field ? field : query_main_field(query_kind(&a->query))};
	struct json_writer w;
	int rc = 0;

	query_sort(&a->query, look.field);
	if (ctl->json) {
		json_write_begin(&w);
		query_write(&a->query, &look, &w);
		rc = json_write_print(&w, ctl->out, err);
	} else if (a->query.nr) {
		rc = query_print(&a->query, &look, ctl->out, err);
	}
	if (a->nr_bad)
		ctl_hint("warning: %zu records cannot be read", a->nr_bad);
	if (rc == 0 && !a->query.nr)
		say_why(a);
	return rc < 0 ? -1 : a->query.nr == 0;
}

int query_run(struct ctl *ctl, struct err *err)
{
	struct asking a = {.ctl = ctl, .spec = {.site = str_from(ctl->args.operands[0]), .metric = str_from(ctl->args.operands[1])}};
	enum trigger_field field = TRIGGER_FIELD_COUNT;
	int has_field = read_field(&ctl->args, &field, err), rc = has_field;

	if (args_given(&ctl->args, "by"))
		a.spec.by = str_from(args_text(&ctl->args, "by"));
	if (rc < 0 || read_kind(&a, err) < 0 || read_tags(&a, err) < 0 || read_times(&a, err) < 0 || query_init(&a.query, &a.spec, err) < 0 ||
	    ctl_load(ctl, false, err) < 0 || read_all(&a, err) < 0 || query_finish(&a.query, err) < 0)
		rc = -1;
	else
		rc = show(&a, has_field == 1, field, err);
	query_fini(&a.query);
	arena_fini(&a.record);
	arena_fini(&a.arena);
	return rc;
}
