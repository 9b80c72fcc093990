/* diff_words.c - differences in words; see diff.h. Each field has its line here, or a change of it would
 * not be made. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/trigger.h"
#include "deploy/ctl/diff.h"
#include "deploy/ctl/printable.h"
#include "deploy/ctl/rule_json.h"

enum { SHOWN_MAX = 120 };

static const char *comma(const struct buf *out)
{
	return out->len ? ", " : "";
}

static void say_int(struct buf *out, const char *what, int64_t live, int64_t wanted)
{
	if (live != wanted)
		buf_printf(out, "%s%s %" PRId64 " -> %" PRId64, comma(out), what, live, wanted);
}

static void say_number(struct buf *out, const char *what, double live, double wanted)
{
	if (live != wanted)
		buf_printf(out, "%s%s %g -> %g", comma(out), what, live, wanted);
}

void diff_cell(const struct cell *live, const struct cell *wanted, struct buf *out)
{
	say_int(out, "partitions", live->partitions, wanted->partitions);
	say_int(out, "created_at", live->created_at, wanted->created_at);
}

/* Routes by their place in the history, as they have no names; a list that only got longer shows its new
 * end. */
static void say_routes(struct buf *out, const struct site *live, const struct site *wanted)
{
	say_int(out, "number of routes", (int64_t)live->routes_len, (int64_t)wanted->routes_len);
	for (size_t i = 0; i < wanted->routes_len; i++) {
		const struct route *to = &wanted->routes[i], *from = i < live->routes_len ? &live->routes[i] : NULL;

		if (!from || !str_eq(from->cell, to->cell) || from->shards != to->shards || from->effective_from != to->effective_from)
			buf_printf(out, "%sroutes[%zu] from %" PRId64 " on: cell " STR_FMT ", %d shards", comma(out), i, to->effective_from,
				   STR_ARG(to->cell), (int)to->shards);
	}
}

/* live NULL: the key is new. The hash itself is not printed: nobody compares 64 digits by eye. */
static void say_key(struct buf *out, const struct api_key *live, const struct api_key *wanted)
{
	char what[32];

	if (!live) {
		buf_printf(out, "%skey " STR_FMT " new", comma(out), STR_ARG(wanted->id));
		return;
	}
	if (memcmp(live->sha256, wanted->sha256, sizeof(live->sha256)) != 0)
		buf_printf(out, "%skey " STR_FMT " has another hash", comma(out), STR_ARG(wanted->id));
	snprintf(what, sizeof(what), "key %.*s created_at", (int)(wanted->id.len < 11 ? wanted->id.len : 11), wanted->id.p);
	say_int(out, what, live->created_at, wanted->created_at);
}

/* Keys are told apart by their ids, as they are revoked by them. */
static void say_keys(struct buf *out, const struct site *live, const struct site *wanted)
{
	bool moved = false;

	for (size_t i = 0; i < live->keys_len; i++)
		if (!diff_find_key(wanted, live->keys[i].id))
			buf_printf(out, "%skey " STR_FMT " gone", comma(out), STR_ARG(live->keys[i].id));
	for (size_t i = 0; i < wanted->keys_len; i++) {
		say_key(out, diff_find_key(live, wanted->keys[i].id), &wanted->keys[i]);
		moved |= live->keys_len == wanted->keys_len && !str_eq(live->keys[i].id, wanted->keys[i].id);
	}
	if (moved)
		buf_printf(out, "%skeys in another order", comma(out));
}

void diff_site(const struct site *live, const struct site *wanted, struct buf *out)
{
	if (!str_eq(live->name, wanted->name))
		buf_printf(out, "name \"" STR_FMT "\" -> \"" STR_FMT "\"", STR_ARG(live->name), STR_ARG(wanted->name));
	if (live->disabled != wanted->disabled)
		buf_printf(out, "%sdisabled %s -> %s", comma(out), live->disabled ? "true" : "false", wanted->disabled ? "true" : "false");
	say_int(out, "created_at", live->created_at, wanted->created_at);
	say_routes(out, live, wanted);
	say_keys(out, live, wanted);
	say_number(out, "payloads_per_s", live->payloads_per_s, wanted->payloads_per_s);
	say_number(out, "samples_per_s", live->samples_per_s, wanted->samples_per_s);
	say_int(out, "series_cap", live->series_cap, wanted->series_cap);
}

/* A member of a record as JSON, in one line; nothing where there is none of it. */
static void render(const struct rule_field *field, const void *record, struct buf *out)
{
	struct json_writer w;
	struct err err = ERR_INIT;

	json_write_begin_line(&w);
	field->write(&w, NULL, record);
	out->failed |= json_write_line_end(&w, out, &err) < 0;
}

static void say_value(struct buf *out, const struct buf *value)
{
	struct str text = str_cut_utf8(buf_str(value), SHOWN_MAX);

	if (!value->len)
		buf_printf(out, "none");
	else
		buf_printf(out, STR_FMT "%s", STR_ARG(text), text.len < value->len ? ".." : "");
}

/* Its id is what makes two records one. */
void diff_rule(enum store_kind kind, const void *live, const void *wanted, struct buf *out)
{
	for (const struct rule_field *field = rule_json_fields(kind) + 1; field->name; field++) {
		struct buf from = BUF_INIT, to = BUF_INIT;

		render(field, live, &from);
		render(field, wanted, &to);
		if (!str_eq(buf_str(&from), buf_str(&to))) {
			buf_printf(out, "%s%s ", comma(out), field->name);
			say_value(out, &from);
			buf_printf(out, " -> ");
			say_value(out, &to);
		}
		out->failed |= buf_failed(&from) || buf_failed(&to);
		buf_fini(&from);
		buf_fini(&to);
	}
}

static void describe_site(const struct site *site, struct buf *out)
{
	const struct route *last = site->routes_len ? &site->routes[site->routes_len - 1] : NULL;

	if (last)
		buf_printf(out, "cell " STR_FMT ", %d shards, ", STR_ARG(last->cell), (int)last->shards);
	buf_printf(out, "%zu key%s%s", site->keys_len, site->keys_len == 1 ? "" : "s", site->disabled ? ", disabled" : "");
}

static void describe_trigger(const struct trigger *t, struct buf *out)
{
	char condition[TRIGGER_CONDITION_SIZE];

	buf_printf(out, "site " STR_FMT ", %s, %s", STR_ARG(t->site), alert_severity_name(t->severity), trigger_condition(t, condition));
}

/* A webhook's path may be as good as a password: the host is enough to know it by. */
static void describe_receiver(const struct receiver *r, struct buf *out)
{
	struct str url = r->has_webhook ? r->webhook.url : r->mail.server;
	const char *host = memmem(url.p, url.len, "://", 3);
	struct str rest = host ? (struct str){host + 3, url.len - (size_t)(host + 3 - url.p)} : url;
	size_t len = 0;

	while (len < rest.len && rest.p[len] != '/' && rest.p[len] != '?')
		len++;
	buf_printf(out, "%s by %.*s", r->has_webhook ? "webhook" : "mail", (int)len, rest.p);
	for (size_t i = 0; r->has_mail && i < r->mail.to_len; i++)
		buf_printf(out, "%s" STR_FMT, i ? ", " : " to ", STR_ARG(r->mail.to[i]));
}

/* A record that comes or goes, in the few words that tell one from another. */
static void describe_whole(enum store_kind kind, const struct store_item *item, struct buf *out)
{
	if (item->fault)
		buf_printf(out, "a record that cannot be read");
	else if (kind == STORE_CELLS)
		buf_printf(out, "%d partitions", (int)item->v.cell.partitions);
	else if (kind == STORE_SITES)
		describe_site(&item->v.site, out);
	else if (kind == STORE_TRIGGERS)
		describe_trigger(&item->v.trigger, out);
	else
		describe_receiver(&item->v.receiver, out);
}

void diff_describe(const struct diff_change *c, struct buf *out)
{
	if (c->op == DIFF_ADD)
		describe_whole(c->kind, c->wanted, out);
	else if (c->op == DIFF_REMOVE)
		describe_whole(c->kind, c->live, out);
	else if (c->live->fault)
		buf_printf(out, "in place of a record that cannot be read");
	else if (c->kind == STORE_CELLS)
		diff_cell(&c->live->v.cell, &c->wanted->v.cell, out);
	else if (c->kind == STORE_SITES)
		diff_site(&c->live->v.site, &c->wanted->v.site, out);
	else
		diff_rule(c->kind, &c->live->v, &c->wanted->v, out);
}

const char *diff_kind_name(enum store_kind kind)
{
	static const char *const names[STORE_KINDS] = {
		[STORE_CELLS] = "cell", [STORE_SITES] = "site", [STORE_TRIGGERS] = "trigger", [STORE_RECEIVERS] = "receiver"};

	return names[kind];
}

void diff_print(const struct diff_change *c, FILE *out)
{
	static const char signs[DIFF_OPS] = {'+', '~', '-'};
	const bool stays = c->op == DIFF_REMOVE && c->kind == STORE_CELLS;
	struct buf words = BUF_INIT, line = BUF_INIT;

	diff_describe(c, &words);
	buf_printf(&line, "%c %s " STR_FMT ": " STR_FMT "%s", signs[c->op], diff_kind_name(c->kind), STR_ARG((c->wanted ? c->wanted : c->live)->key),
		   STR_ARG(buf_str(&words)), stays ? " (its topics stay)" : "");
	buf_add(&line, "", 1);
	if (!buf_failed(&words) && !buf_failed(&line))
		fprintf(out, "%s\n", printable((char *)line.p));
	buf_fini(&words);
	buf_fini(&line);
}

void diff_write_json(const struct diff_change *c, struct json_writer *w)
{
	static const char *const ops[DIFF_OPS] = {"add", "change", "remove"};
	struct buf words = BUF_INIT;

	diff_describe(c, &words);
	json_write_map(w, NULL);
	json_write_text(w, "op", str_from(ops[c->op]));
	json_write_text(w, "kind", str_from(diff_kind_name(c->kind)));
	json_write_text(w, "key", (c->wanted ? c->wanted : c->live)->key);
	json_write_text(w, "text", buf_str(&words));
	json_write_map_end(w);
	buf_fini(&words);
}
