/* silence.c - the commands `silence add`, `silence list` and `silence end`; see commands.h.
 *
 * A silence that has ended says nothing any more, and its topic is compacted, never deleted from: so whoever adds one removes those that ended a day ago. A
 * silence is ended by being removed; the operator log keeps what it was. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/silence.h"
#include "common/trigger.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/newest.h"
#include "deploy/ctl/word_json.h"

#define TOPIC_SILENCES "millrace.silences"
#define SWEPT_AFTER_MS (24 * CLOCK_HOUR_MS)

enum { ID_CHARS = 8 };

/* 36^8 ids: two that are in force at once do not come together. */
static int draw_id(char id[ID_CHARS + 1], struct err *err)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		return err_set(err, ERR_FATAL, "no random bytes");
	for (int i = 0; i < ID_CHARS; i++, bits /= 36)
		id[i] = alphabet[bits % 36];
	id[ID_CHARS] = '\0';
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct tag_selector *x = a, *y = b;

	return str_cmp(x->key, y->key);
}

/* --tag KEY=VALUE, as often as it stands there; a value with * or ? is a pattern. values: room for one each. */
static int read_tags(const struct args *args, struct silence *s, struct tag_selector *tags, struct str *values, struct err *err)
{
	const char *text;
	int at = 0;

	s->tags = tags;
	while ((text = args_next(args, "tag", &at)) != NULL) {
		const char *equals = strchr(text, '=');

		if (s->tags_len == TRIGGER_SELECTORS_MAX)
			return err_set(err, ERR_REJECT, "--tag stands there more than %d times", TRIGGER_SELECTORS_MAX);
		if (!equals || equals == text)
			return err_set(err, ERR_REJECT, "--tag %.80s: write it like region=eu, or region=eu-* for all that begin so", text);
		values[s->tags_len] = str_from(equals + 1);
		tags[s->tags_len] = (struct tag_selector){.key = {text, (size_t)(equals - text)}, .values = &values[s->tags_len], .values_len = 1,
							  .op = strpbrk(equals + 1, "*?") ? SELECTOR_OP_GLOB : SELECTOR_OP_EXACT};
		s->tags_len++;
	}
	qsort(tags, s->tags_len, sizeof(*tags), by_key);
	return 0;
}

static int read_times(const struct ctl *ctl, struct silence *s, struct err *err)
{
	const char *at = args_text(&ctl->args, "at");

	s->created_at = s->starts_at = clock_now_ms(&ctl->program.clock);
	if (at && moment_parse(at, s->created_at, &s->starts_at, err) < 0)
		return err_wrap(err, "--at");
	s->ends_at = s->starts_at + args_int(&ctl->args, "for");
	if (s->ends_at <= s->created_at)
		return err_set(err, ERR_REJECT, "--at %.80s: it would have ended already", at);
	return 0;
}

/* "site=shop trigger=slow region=eu", "everything". */
static void say_scope(const struct silence *s, struct buf *out)
{
	if (s->has_site)
		buf_printf(out, "site=" STR_FMT " ", STR_ARG(s->site));
	if (s->has_trigger)
		buf_printf(out, "trigger=" STR_FMT " ", STR_ARG(s->trigger));
	for (size_t i = 0; i < s->tags_len; i++) {
		const struct tag_selector *t = &s->tags[i];

		buf_printf(out, "%s" STR_FMT, t->op == SELECTOR_OP_ABSENT ? "!" : "", STR_ARG(t->key));
		for (size_t v = 0; v < t->values_len; v++)
			buf_printf(out, "%s" STR_FMT, v ? "|" : "=", STR_ARG(t->values[v]));
		buf_add(out, " ", 1);
	}
	if (!out->len)
		buf_printf(out, "everything");
	else
		out->len--;
}

static int tell(struct ctl *ctl, const char *event_name, const struct silence *s, bool added, struct err *err)
{
	char id[SILENCE_ID_MAX + 1], site[TRIGGER_ID_MAX + 1], until[CLOCK_ISO_SIZE];
	struct buf scope = BUF_INIT;
	struct tag fields[] = {{STR("id"), s->id}, {STR("reason"), s->reason}};
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = event_name, .site = s->has_site ? site : NULL, .fields = fields, .nr_fields = 2,
				  .record = RECORD_SILENCE, .before = added ? NULL : s, .after = added ? s : NULL};
	int rc;

	snprintf(id, sizeof(id), STR_FMT, STR_ARG(s->id));
	snprintf(site, sizeof(site), STR_FMT, STR_ARG(s->site));
	say_scope(s, &scope);
	if (buf_failed(&scope))
		rc = err_nomem(err, "a silence in words");
	else if (added)
		rc = ctl_notice(ctl, &event, err, "silence %s of " STR_FMT " until %s: " STR_FMT, id, STR_ARG(buf_str(&scope)),
				clock_iso(s->ends_at, until, sizeof(until)), STR_ARG(s->reason));
	else
		rc = ctl_notice(ctl, &event, err, "silence %s of " STR_FMT " ended: it was for " STR_FMT, id, STR_ARG(buf_str(&scope)), STR_ARG(s->reason));
	buf_fini(&scope);
	return rc;
}

static int print_added(struct ctl *ctl, const struct silence *s, struct err *err)
{
	char from[CLOCK_ISO_SIZE], until[CLOCK_ISO_SIZE];
	struct buf scope = BUF_INIT;
	struct json_writer w;

	if (ctl->json) {
		json_write_begin(&w);
		word_json_write_silence(&w, "silence", s);
		return json_write_print(&w, ctl->out, err);
	}
	say_scope(s, &scope);
	if (buf_failed(&scope)) {
		buf_fini(&scope);
		return err_nomem(err, "a silence in words");
	}
	fprintf(ctl->out, "+ silence " STR_FMT " of " STR_FMT ", from %s until %s\n", STR_ARG(s->id), STR_ARG(buf_str(&scope)),
		clock_iso(s->starts_at, from, sizeof(from)), clock_iso(s->ends_at, until, sizeof(until)));
	buf_fini(&scope);
	if (!s->has_site && !s->has_trigger && !s->tags_len)
		ctl_hint("this silences all alerts of all sites");
	return 0;
}

/* A trigger that is not there may still be written; but it is more often a slip of the hand. */
static void warn_of_trigger(const struct ctl *ctl, const struct silence *s)
{
	if (s->has_trigger && !store_trigger(cluster_store(ctl->cluster), s->trigger))
		ctl_hint("warning: there is no trigger \"" STR_FMT "\": millrace-ctl trigger list shows them", STR_ARG(s->trigger));
}

/* Removes silences that ended long ago, and records that are none. */
static int sweep(struct ctl *ctl, const struct newest *rows, int64_t now_ms, struct err *err)
{
	struct arena arena = ARENA_INIT;
	size_t nr;
	const struct newest_row **list = newest_list(rows, &nr, err);
	int rc = list ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < nr; i++) {
		struct silence s = {0};
		struct err why = ERR_INIT;

		arena_clear(&arena);
		if (silence_decode(list[i]->value, &arena, &s, &why) == 0 && s.ends_at < now_ms - SWEPT_AFTER_MS)
			rc = cluster_write(ctl->cluster, TOPIC_SILENCES, list[i]->key, (struct str){0}, NULL, err);
	}
	free(list);
	arena_fini(&arena);
	return rc;
}

static int put(struct ctl *ctl, const struct silence *s, struct err *err)
{
	struct buf value = BUF_INIT;
	int rc = silence_encode(s, &value, err);

	if (rc == 0)
		rc = cluster_write(ctl->cluster, TOPIC_SILENCES, s->id, buf_str(&value), NULL, err);
	buf_fini(&value);
	return rc;
}

static int add(struct ctl *ctl, const struct silence *s, struct err *err)
{
	struct topic_scan *scan = topic_scan_new(&ctl->program, ctl->progress, err);
	struct newest rows = {0};
	int rc = -1;

	if (scan && newest_read(&rows, scan, TOPIC_SILENCES, err) == 0 && put(ctl, s, err) == 0 &&
	    tell(ctl, "silence_added", s, true, err) == 0 && sweep(ctl, &rows, s->created_at, err) == 0)
		rc = print_added(ctl, s, err);
	newest_fini(&rows);
	topic_scan_free(scan);
	return rc;
}

int silence_add_run(struct ctl *ctl, struct err *err)
{
	const struct args *args = &ctl->args;
	const char *site = args_text(args, "site"), *trigger = args_text(args, "trigger");
	struct tag_selector tags[TRIGGER_SELECTORS_MAX];
	struct str values[TRIGGER_SELECTORS_MAX];
	char id[ID_CHARS + 1];
	struct silence s = {.has_site = site != NULL, .site = str_from(site), .has_trigger = trigger != NULL, .trigger = str_from(trigger),
			    .reason = str_from(args_text(args, "reason")), .author = str_from(ctl->author)};

	if (draw_id(id, err) < 0 || read_times(ctl, &s, err) < 0 || read_tags(args, &s, tags, values, err) < 0)
		return -1;
	s.id = str_from(id);
	if (silence_check(&s, err) < 0 || ctl_load_also(ctl, trigger ? CLUSTER_BIT(STORE_TRIGGERS) : 0, err) < 0 ||
	    (site && !ctl_find_site(ctl, site, err)))
		return -1;
	warn_of_trigger(ctl, &s);
	return add(ctl, &s, err);
}

static void add_row(struct grid *g, const struct silence *s, int64_t now_ms)
{
	bool begun = s->starts_at <= now_ms;
	char left[GRID_NUMBER_SIZE];
	struct buf scope = BUF_INIT;

	say_scope(s, &scope);
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(s->id));
	grid_add(g, begun ? GRID_GOOD : GRID_DIM, begun ? "in force" : "to come");
	grid_add(g, GRID_PLAIN, "%s", grid_duration(begun ? s->ends_at - now_ms : s->starts_at - now_ms, left));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(buf_str(&scope)));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(s->author));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(s->reason));
	buf_fini(&scope);
}

static void print_list(struct ctl *ctl, const struct silence *silences, size_t nr, int64_t now_ms)
{
	static const char *const heads[] = {"SILENCE", "STATE", "LEFT", "OF", "AUTHOR", "REASON"};
	struct grid g;

	if (!nr) {
		fputs("no silence is in force, or to come\n", ctl->out);
		return;
	}
	grid_init(&g, "llrlll");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		grid_add(&g, GRID_HEAD, "%s", heads[i]);
	for (size_t i = 0; i < nr; i++)
		add_row(&g, &silences[i], now_ms);
	grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	grid_fini(&g);
}

static int print_silences(struct ctl *ctl, const struct silence *silences, size_t nr, int64_t now_ms, struct err *err)
{
	struct json_writer w;

	if (!ctl->json) {
		print_list(ctl, silences, nr, now_ms);
		return 0;
	}
	json_write_begin(&w);
	json_write_array(&w, "silences");
	for (size_t i = 0; i < nr; i++)
		word_json_write_silence(&w, NULL, &silences[i]);
	json_write_array_end(&w);
	return json_write_print(&w, ctl->out, err);
}

/* Those that have not ended, into arena, with a word on what cannot be read. */
static struct silence *gather(const struct newest *rows, int64_t now_ms, struct arena *arena, size_t *nr, struct err *err)
{
	size_t nr_rows;
	const struct newest_row **list = newest_list(rows, &nr_rows, err);
	struct silence *silences = list ? arena_calloc(arena, nr_rows, sizeof(*silences)) : NULL;

	*nr = 0;
	for (size_t i = 0; silences && i < nr_rows; i++) {
		struct silence *s = &silences[*nr];
		struct err why = ERR_INIT;

		if (silence_decode(list[i]->value, arena, s, &why) < 0)
			ctl_hint("warning: silence \"" STR_FMT "\" cannot be read: %s", STR_ARG(list[i]->key), why.msg);
		else if (s->ends_at > now_ms)
			(*nr)++;
	}
	free(list);
	if (!silences)
		err_nomem(err, "a list of silences");
	return silences;
}

int silence_list_run(struct ctl *ctl, struct err *err)
{
	struct topic_scan *scan = topic_scan_new(&ctl->program, ctl->progress, err);
	int64_t now_ms = clock_now_ms(&ctl->program.clock);
	struct newest rows = {0};
	struct arena arena = ARENA_INIT;
	struct silence *silences;
	size_t nr;
	int rc = -1;

	if (scan && newest_read(&rows, scan, TOPIC_SILENCES, err) == 0 && (silences = gather(&rows, now_ms, &arena, &nr, err)) != NULL)
		rc = print_silences(ctl, silences, nr, now_ms, err);
	arena_fini(&arena);
	newest_fini(&rows);
	topic_scan_free(scan);
	return rc;
}

static int print_ended(struct ctl *ctl, const struct silence *s, struct err *err)
{
	struct json_writer w;

	if (!ctl->json) {
		fprintf(ctl->out, "- silence %s\n", ctl->args.operands[0]);
		return 0;
	}
	json_write_begin(&w);
	word_json_write_silence(&w, "ended", s);
	return json_write_print(&w, ctl->out, err);
}

/* One that cannot be read is removed too, without a word of what it was. */
static int end(struct ctl *ctl, const struct newest_row *row, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct silence s = {0};
	struct err why = ERR_INIT;
	int rc = cluster_write(ctl->cluster, TOPIC_SILENCES, row->key, (struct str){0}, NULL, err);

	if (rc == 0 && silence_decode(row->value, &arena, &s, &why) < 0)
		s = (struct silence){.id = row->key};
	if (rc == 0 && (rc = tell(ctl, "silence_ended", &s, false, err)) == 0)
		rc = print_ended(ctl, &s, err);
	arena_fini(&arena);
	return rc;
}

int silence_end_run(struct ctl *ctl, struct err *err)
{
	const char *id = ctl->args.operands[0];
	struct topic_scan *scan = topic_scan_new(&ctl->program, ctl->progress, err);
	struct newest rows = {0};
	const struct newest_row *row = NULL;
	int rc = -1;

	if (scan && newest_read(&rows, scan, TOPIC_SILENCES, err) == 0) {
		row = newest_find(&rows, str_from(id));
		rc = row ? end(ctl, row, err) : err_set(err, ERR_REJECT, "there is no silence \"%s\": millrace-ctl silence list shows them", id);
	}
	newest_fini(&rows);
	topic_scan_free(scan);
	return rc;
}
