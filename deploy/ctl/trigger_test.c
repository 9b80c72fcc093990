/* trigger_test.c - the command `trigger test`: what triggers would have done in the last hours; see commands.h.
 *
 * It reads what the processors have written: each site's minutes from the topics of the cells that its routes name, and check-ins from the specimens, which
 * hold every one. It judges up to the newest minute that any series of these cells has: beyond it the processors have not judged either. Fragments that came
 * late are passed over: the processor had judged their minute by then.
 *
 * A metric that is misspelt matches nothing, and nothing fires, which looks like all is well: so how many series match is told, and what name is near. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/rule_file.h"
#include "deploy/ctl/topic_admin.h"
#include "deploy/ctl/topic_scan.h"
#include "deploy/ctl/trial.h"
#include "deploy/ctl/verify_raw.h"

enum { RULES_MAX = 1000, NAMES_MAX = 10000, SIGNS_MAX = 1000000, FINDINGS_MAX = 100000, NEAR = 3 /* edits that are too many for a slip */ };

/* A trigger that is tried, and what is found out on the way. */
struct tried {
	const struct trigger *trigger;
	bool is_named;          /* series of the site are called so */
	char near[64];          /* a name that is almost the metric's */
	int distance;
	size_t nr_series;       /* that it matches */
	struct trial_sign *signs; /* of its check-in */
	size_t nr_signs, cap_signs;
};

/* A copy of a finding. */
struct found {
	struct trial_finding finding;
	const struct tried *of;
};

struct testing {
	struct ctl *ctl;
	struct topic_scan *scan;
	struct tried *tried;
	size_t nr;
	struct trial_span span;
	struct windows windows;
	struct map names; /* of the names that were compared with the metrics */
	struct arena arena; /* of one record */
	struct found *found;
	size_t nr_found, cap_found;
	int64_t newest_ms;  /* start of the newest minute; -1: none */
	size_t nr_late, nr_bad;
};

static void compare_name(struct tried *t, const char *name)
{
	char metric[64];
	int distance;

	snprintf(metric, sizeof(metric), STR_FMT, STR_ARG(t->trigger->metric));
	distance = args_distance(metric, name);
	if (distance >= NEAR || (t->near[0] && distance >= t->distance))
		return;
	snprintf(t->near, sizeof(t->near), "%s", name);
	t->distance = distance;
}

/* Each name of each site is looked at once. */
static int take_name(struct testing *test, const struct aggregate *a, struct err *err)
{
	uint8_t key[MAP_KEY_BYTES];
	char text[600], name[64];

	snprintf(text, sizeof(text), STR_FMT "/" STR_FMT, STR_ARG(a->site), STR_ARG(a->name));
	map_key_of(str_from(text), key);
	if (test->names.len >= NAMES_MAX || map_get(&test->names, key))
		return 0;
	if (map_put(&test->names, key, test) < 0)
		return err_nomem(err, "names of series");
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(a->name));
	for (size_t i = 0; i < test->nr; i++) {
		struct tried *t = &test->tried[i];

		if (!str_eq(t->trigger->site, a->site))
			continue;
		t->is_named |= str_eq(t->trigger->metric, a->name);
		compare_name(t, name);
	}
	return 0;
}

/* Does any trigger look at it? *known: it is of a site that one of them is of. */
static bool is_wanted(const struct testing *test, const struct aggregate *a, bool *known)
{
	const struct series_id id = {.site = a->site, .kind = (uint8_t)a->kind, .name = a->name, .tags = a->tags, .tags_len = a->tags_len};

	*known = false;
	for (size_t i = 0; i < test->nr; i++) {
		*known |= str_eq(test->tried[i].trigger->site, a->site);
		if (trigger_matches(test->tried[i].trigger, &id))
			return true;
	}
	return false;
}

static int take_window(struct testing *test, const struct aggregate *a, struct err *err)
{
	struct err why = ERR_INIT;
	bool known, wanted = is_wanted(test, a, &known);

	if (known && take_name(test, a, err) < 0)
		return -1;
	if (!wanted || a->window_start < test->span.from_ms)
		return 0;
	if (a->late) {
		test->nr_late++;
		return 0;
	}
	if (windows_take(&test->windows, a, &why) == 0)
		return 0;
	return err_set(err, why.kind, "%s", why.msg);
}

static int on_window(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	struct testing *test = ctx;
	struct aggregate a = {0};

	arena_clear(&test->arena);
	if (aggregate_decode((struct str){message->payload ? message->payload : "", message->len}, &test->arena, &a, NULL) < 0) {
		test->nr_bad++;
		return 0;
	}
	if (a.window_ms != CLOCK_MINUTE_MS)
		return 0;
	if (a.window_start > test->newest_ms)
		test->newest_ms = a.window_start;
	return take_window(test, &a, err);
}

static int add_sign(struct tried *t, const struct event *event, struct err *err)
{
	if (t->nr_signs == SIGNS_MAX)
		return err_set(err, ERR_REJECT, "more than %d check-ins: fewer hours will do", SIGNS_MAX);
	if (t->nr_signs == t->cap_signs) {
		size_t cap = 2 * t->cap_signs + 64;
		struct trial_sign *grown = reallocarray(t->signs, cap, sizeof(*grown));

		if (!grown)
			return err_nomem(err, "check-ins");
		t->signs = grown;
		t->cap_signs = cap;
	}
	t->signs[t->nr_signs++] = (struct trial_sign){event->t, event->check_in.event};
	return 0;
}

static int on_specimen(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	struct testing *test = ctx;
	struct exemplar e = {0};

	arena_clear(&test->arena);
	if (exemplar_decode((struct str){message->payload ? message->payload : "", message->len}, &test->arena, &e, NULL) < 0) {
		test->nr_bad++;
		return 0;
	}
	for (size_t i = 0; e.event.has_check_in && i < test->nr; i++) {
		const struct trigger *t = test->tried[i].trigger;

		if (t->has_check_in && str_eq(t->site, e.site) && str_eq(t->check_in.name, e.event.check_in.name) &&
		    add_sign(&test->tried[i], &e.event, err) < 0)
			return -1;
	}
	return 0;
}

/* A window is written after it began, and a check-in's specimen after it came. */
static int read_topic(struct testing *test, const struct topic_list *topics, const char *topic, topic_scan_fn fn, struct err *err)
{
	const struct topic_state *state = topic_list_find(topics, topic);
	int64_t since_ms = verify_raw_wall_ms(&test->ctl->program.clock, test->span.from_ms), from, to;

	for (int p = 0; state && p < state->partitions; p++)
		if (topic_scan_bounds(test->scan, topic, p, since_ms, &from, &to, err) < 0 ||
		    topic_scan_read(test->scan, topic, p, from, to, fn, test, err) < 0)
			return -1;
	return 0;
}

static bool has_check_ins(const struct testing *test)
{
	for (size_t i = 0; i < test->nr; i++)
		if (test->tried[i].trigger->has_check_in)
			return true;
	return false;
}

/* Has a route of any trigger's site ever named the cell? */
static bool is_routed(const struct testing *test, const struct store *store, struct str cell)
{
	for (size_t i = 0; i < test->nr; i++) {
		const struct site *site = store_site(store, test->tried[i].trigger->site);

		for (size_t r = 0; site && r < site->routes_len; r++)
			if (str_eq(site->routes[r].cell, cell))
				return true;
	}
	return false;
}

static int read_cells(struct testing *test, const struct topic_list *topics, struct err *err)
{
	const struct store *store = cluster_store(test->ctl->cluster);
	size_t nr = 0;
	const struct store_item **cells = store_list(store, STORE_CELLS, &nr, err);
	int rc = cells ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < nr; i++) {
		char topic[KAFKA_TOPIC_SIZE], name[64];

		if (!is_routed(test, store, cells[i]->key))
			continue;
		snprintf(name, sizeof(name), STR_FMT, STR_ARG(cells[i]->key));
		rc = read_topic(test, topics, kafka_cell_topic(topic, name, "minutely"), on_window, err);
		if (rc == 0 && has_check_ins(test))
			rc = read_topic(test, topics, kafka_cell_topic(topic, name, "exemplars"), on_specimen, err);
	}
	free(cells);
	return rc;
}

static int on_finding(void *ctx, const struct trial_finding *finding, struct err *err)
{
	struct testing *test = ctx;

	if (test->nr_found == FINDINGS_MAX)
		return err_set(err, ERR_REJECT, "more than %d alerts would have opened: this would wake nobody any more", FINDINGS_MAX);
	if (test->nr_found == test->cap_found) {
		size_t cap = 2 * test->cap_found + 64;
		struct found *grown = reallocarray(test->found, cap, sizeof(*grown));

		if (!grown)
			return err_nomem(err, "alerts");
		test->found = grown;
		test->cap_found = cap;
	}
	test->found[test->nr_found++] = (struct found){.finding = *finding};
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct trial_sign *x = a, *y = b;

	return x->t_ms < y->t_ms ? -1 : x->t_ms > y->t_ms;
}

static int try_one(struct testing *test, struct tried *t, struct err *err)
{
	if (t->trigger->has_check_in) {
		if (t->nr_signs)
			qsort(t->signs, t->nr_signs, sizeof(*t->signs), by_time);
		return trial_check_in(t->trigger, t->signs, t->nr_signs, test->span, on_finding, test, err);
	}
	for (size_t i = 0; i < test->windows.nr; i++) {
		if (!trigger_matches(t->trigger, &test->windows.list[i]->id))
			continue;
		t->nr_series++;
		if (trial_series(t->trigger, test->windows.list[i], test->span, on_finding, test, err) < 0)
			return -1;
	}
	return 0;
}

static int by_opening(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->of != y->of)
		return x->of < y->of ? -1 : 1;
	return x->finding.opened_ms < y->finding.opened_ms ? -1 : x->finding.opened_ms > y->finding.opened_ms;
}

static int judge(struct testing *test, struct err *err)
{
	progress_begin(test->ctl->progress, "trying the triggers");
	if (windows_merge(&test->windows, err) < 0)
		return -1;
	test->span.to_ms = test->newest_ms < test->span.from_ms ? test->span.from_ms : test->newest_ms + CLOCK_MINUTE_MS;
	for (size_t i = 0; i < test->nr; i++) {
		size_t first = test->nr_found;

		progress_count(test->ctl->progress, i, test->nr, "triggers");
		if (try_one(test, &test->tried[i], err) < 0)
			return -1;
		for (size_t f = first; f < test->nr_found; f++)
			test->found[f].of = &test->tried[i];
	}
	if (test->nr_found)
		qsort(test->found, test->nr_found, sizeof(*test->found), by_opening);
	progress_end(test->ctl->progress);
	return 0;
}

static const char *say_series(const struct trial_finding *f, struct buf *out)
{
	buf_clear(out);
	if (!f->series)
		buf_printf(out, "check-in " STR_FMT, STR_ARG(f->trigger->check_in.name));
	else
		buf_printf(out, STR_FMT, STR_ARG(f->series->name));
	for (size_t i = 0; f->series && i < f->series->tags_len; i++)
		buf_printf(out, "%s" STR_FMT "=" STR_FMT, i ? "," : "{", STR_ARG(f->series->tags[i].key), STR_ARG(f->series->tags[i].value));
	buf_add(out, "}", f->series && f->series->tags_len);
	buf_add(out, "", 1);
	return buf_failed(out) ? "?" : (const char *)out->p;
}

/* "2026-11-26T14:02Z" */
static const char *say_minute(int64_t t_ms, char out[CLOCK_ISO_SIZE])
{
	char iso[CLOCK_ISO_SIZE];

	snprintf(out, CLOCK_ISO_SIZE, "%.16sZ", clock_iso(t_ms, iso, sizeof(iso)));
	return out;
}

static void print_found(const struct testing *test)
{
	static const char *const heads[] = {"TRIGGER", "OPENED", "CLOSED", "VALUE", "SERIES"};
	struct buf series = BUF_INIT;
	struct grid g;

	grid_init(&g, "lllrl");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		grid_add(&g, GRID_HEAD, "%s", heads[i]);
	for (size_t i = 0; i < test->nr_found; i++) {
		const struct trial_finding *f = &test->found[i].finding;
		char opened[CLOCK_ISO_SIZE], closed[CLOCK_ISO_SIZE];

		grid_add(&g, GRID_PLAIN, STR_FMT, STR_ARG(f->trigger->id));
		grid_add(&g, GRID_PLAIN, "%s", say_minute(f->opened_ms, opened));
		grid_add(&g, f->closed_ms < 0 ? GRID_BAD : GRID_PLAIN, "%s", f->closed_ms < 0 ? "still open" : say_minute(f->closed_ms, closed));
		grid_add(&g, GRID_PLAIN, f->has_value ? "%.6g" : "-", f->value);
		grid_add(&g, GRID_PLAIN, "%s", say_series(f, &series));
	}
	if (test->nr_found)
		grid_print(&g, 0, grid_wants_colour(test->ctl->out), test->ctl->out);
	else
		fputs("nothing would have fired\n", test->ctl->out);
	grid_fini(&g);
	buf_fini(&series);
}

/* How many series each looks at, or check-ins it has had. */
static void print_matches(const struct testing *test)
{
	char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE];
	FILE *out = test->ctl->out;

	for (size_t i = 0; i < test->nr; i++) {
		const struct tried *t = &test->tried[i];
		bool of_jobs = t->trigger->has_check_in;
		size_t nr = of_jobs ? t->nr_signs : t->nr_series;

		fprintf(out, STR_FMT ": %zu %s%s\n", STR_ARG(t->trigger->id), nr, of_jobs ? "check-in" : nr == 1 ? "series matches" : "series match",
			of_jobs && nr != 1 ? "s" : "");
	}
	fprintf(out, "judged: %" PRId64 " minutes, from %s to before %s\n", (test->span.to_ms - test->span.from_ms) / CLOCK_MINUTE_MS,
		say_minute(test->span.from_ms, from), say_minute(test->span.to_ms, to));
	if (test->nr_late)
		fprintf(out, "%zu parts of minutes came late, after these had been judged: passed over\n", test->nr_late);
}

static void write_found(const struct testing *test, struct json_writer *w)
{
	struct buf series = BUF_INIT;

	json_write_array(w, "alerts");
	for (size_t i = 0; i < test->nr_found; i++) {
		const struct trial_finding *f = &test->found[i].finding;

		json_write_map(w, NULL);
		json_write_text(w, "trigger", f->trigger->id);
		json_write_text(w, "series", str_from(say_series(f, &series)));
		json_write_int(w, "opened_at", f->opened_ms);
		if (f->closed_ms >= 0)
			json_write_int(w, "closed_at", f->closed_ms);
		if (f->has_value)
			json_write_number(w, "value", f->value);
		json_write_map_end(w);
	}
	json_write_array_end(w);
	buf_fini(&series);
}

static int print_json(const struct testing *test, struct err *err)
{
	struct json_writer w;

	json_write_begin(&w);
	json_write_int(&w, "from", test->span.from_ms);
	json_write_int(&w, "to", test->span.to_ms);
	json_write_int(&w, "late", (int64_t)test->nr_late);
	json_write_array(&w, "triggers");
	for (size_t i = 0; i < test->nr; i++) {
		json_write_map(&w, NULL);
		json_write_text(&w, "id", test->tried[i].trigger->id);
		json_write_int(&w, "series", (int64_t)test->tried[i].nr_series);
		json_write_int(&w, "check_ins", (int64_t)test->tried[i].nr_signs);
		json_write_map_end(&w);
	}
	json_write_array_end(&w);
	write_found(test, &w);
	return json_write_print(&w, test->ctl->out, err);
}

/* 1 when a trigger looks at nothing: it would never fire. */
static int warn(const struct testing *test)
{
	char hours[32];
	int rc = 0;

	snprintf(hours, sizeof(hours), "%" PRId64 " h", args_int(&test->ctl->args, "hours"));
	for (size_t i = 0; i < test->nr; i++) {
		const struct tried *t = &test->tried[i];
		const struct trigger *g = t->trigger;

		if (g->has_check_in ? t->nr_signs : t->nr_series)
			continue;
		rc = 1;
		if (g->has_check_in)
			ctl_hint(STR_FMT ": no check-in \"" STR_FMT "\" of site " STR_FMT " in %s", STR_ARG(g->id), STR_ARG(g->check_in.name), STR_ARG(g->site),
				 hours);
		else if (t->is_named)
			ctl_hint(STR_FMT ": site " STR_FMT " has series \"" STR_FMT "\", but none with its kind and tags in %s", STR_ARG(g->id), STR_ARG(g->site),
				 STR_ARG(g->metric), hours);
		else
			ctl_hint(STR_FMT ": site " STR_FMT " has no series \"" STR_FMT "\" in %s%s%s%s", STR_ARG(g->id), STR_ARG(g->site), STR_ARG(g->metric),
				 hours, t->near[0] ? ": did you mean \"" : "", t->near, t->near[0] ? "\"?" : "");
	}
	if (test->nr_bad)
		ctl_hint("warning: %zu records cannot be read", test->nr_bad);
	return rc;
}

/* Takes the triggers of the file, or those that are named, from s. */
static int gather(struct testing *test, const struct store *s, struct err *err)
{
	const struct args *args = &test->ctl->args;
	size_t nr = 0;
	const struct store_item **items = store_list(s, STORE_TRIGGERS, &nr, err);
	int rc = items ? 0 : -1;

	if (rc == 0 && (args->nr_rest > RULES_MAX || (!args->nr_rest && nr > RULES_MAX)))
		rc = err_set(err, ERR_REJECT, "more than %d triggers: try fewer at a time", RULES_MAX);
	for (size_t i = 0; rc == 0 && i < nr && !args->nr_rest; i++)
		if (!items[i]->fault)
			test->tried[test->nr++].trigger = &items[i]->v.trigger;
	free(items);
	for (int i = 0; rc == 0 && i < args->nr_rest; i++) {
		const struct trigger *t = store_trigger(s, str_from(args->rest[i]));

		if (!t)
			rc = err_set(err, ERR_REJECT, "there is no trigger \"%s\": millrace-ctl trigger list shows them", args->rest[i]);
		test->tried[test->nr++].trigger = t;
	}
	if (rc == 0 && !test->nr)
		rc = err_set(err, ERR_REJECT, "there is no trigger in it");
	for (size_t i = 0; rc == 0 && i < test->nr; i++)
		if (!store_site(cluster_store(test->ctl->cluster), test->tried[i].trigger->site))
			rc = err_set(err, ERR_REJECT, "trigger " STR_FMT ": there is no site \"" STR_FMT "\"", STR_ARG(test->tried[i].trigger->id),
				     STR_ARG(test->tried[i].trigger->site));
	return rc;
}

static void fini(struct testing *test)
{
	for (size_t i = 0; test->tried && i < test->nr; i++)
		free(test->tried[i].signs);
	free(test->tried);
	free(test->found);
	windows_fini(&test->windows);
	map_fini(&test->names);
	arena_fini(&test->arena);
	topic_scan_free(test->scan);
}

static int run(struct testing *test, const struct store *s, struct err *err)
{
	int64_t hours = args_int(&test->ctl->args, "hours"), now_ms = clock_now_ms(&test->ctl->program.clock);
	struct arena arena = ARENA_INIT;
	struct topic_list topics;
	int rc = -1;

	test->span.from_ms = (now_ms - hours * CLOCK_HOUR_MS) / CLOCK_MINUTE_MS * CLOCK_MINUTE_MS;
	test->tried = calloc(RULES_MAX, sizeof(*test->tried));
	if (!test->tried)
		return err_nomem(err, "triggers");
	test->scan = topic_scan_new(&test->ctl->program, test->ctl->progress, err);
	if (test->scan && gather(test, s, err) == 0 && topic_list_read(cluster_client(test->ctl->cluster), &arena, &topics, err) == 0 &&
	    read_cells(test, &topics, err) == 0 && judge(test, err) == 0)
		rc = 0;
	arena_fini(&arena);
	if (rc < 0)
		return -1;
	if (test->ctl->json && print_json(test, err) < 0)
		return -1;
	if (!test->ctl->json) {
		print_found(test);
		print_matches(test);
	}
	return warn(test);
}

/* The file's own faults are told before any trigger in it is tried. */
static int run_file(struct testing *test, const char *path, struct err *err)
{
	struct store s = STORE_INIT;
	struct rule_file file;
	int rc = rule_file_read(&file, path, &s, err);

	if (rc == 0)
		rc = rule_file_end(&file, stderr, err);
	if (rc == 0)
		rc = run(test, &s, err);
	fini(test);
	store_fini(&s);
	rule_file_fini(&file);
	return rc;
}

int trigger_test_run(struct ctl *ctl, struct err *err)
{
	const char *path = args_text(&ctl->args, "file");
	struct testing test = {.ctl = ctl, .newest_ms = -1};
	int rc;

	if ((path != NULL) == (ctl->args.nr_rest > 0))
		return err_set(err, ERR_REJECT, "which triggers? give ids, or a file with -f FILE");
	if (ctl_load_also(ctl, path ? 0 : CLUSTER_BIT(STORE_TRIGGERS), err) < 0)
		return -1;
	if (path)
		return run_file(&test, path, err);
	rc = run(&test, cluster_store(ctl->cluster), err);
	fini(&test);
	return rc;
}
