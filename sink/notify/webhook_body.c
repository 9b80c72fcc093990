/* webhook_body.c - see webhook_body.h.
 *
 * Names of labels are [a-zA-Z_][a-zA-Z0-9_]*, and two underscores in front are Prometheus' own. Five of ours come first: alertname, site, severity,
 * metric, cell. A tag is a label of its key where that is such a name and none of those; any other becomes tag_KEY with underscores for what no
 * name may have, numbered where two come to the same. A key that is a name already has it before one that is made, so that the labels of a
 * series do not depend on which odd tags it has besides. */
#include "sink/notify/webhook_body.h"

#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "common/arena.h"
#include "common/clock.h"

#define NO_TIME "0001-01-01T00:00:00Z" /* Go's zero: not yet */

enum { OWN_LABELS = 5 };

struct label {
	struct str name, value;
};

struct labels {
	struct label *p;
	size_t len;
};

struct writer {
	const struct notification *n;
	yajl_gen gen;
	struct buf *out;
	struct arena arena;
	struct labels *labels; /* of each alert that is told of */
	struct buf text;       /* of one string */
	bool failed;
};

static void print(void *ctx, const char *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static void note(struct writer *w, yajl_gen_status status)
{
	w->failed = w->failed || status != yajl_gen_status_ok;
}

static void add_str(struct writer *w, struct str s)
{
	if (!str_is_utf8(s)) {
		buf_clear(&w->text);
		notification_add_text(&w->text, s);
		w->failed = w->failed || buf_failed(&w->text);
		s = buf_str(&w->text);
	}
	note(w, yajl_gen_string(w->gen, (const unsigned char *)s.p, s.len));
}

static void add_field(struct writer *w, const char *key, struct str value)
{
	add_str(w, str_from(key));
	add_str(w, value);
}

/* What a function of notification.h makes. */
static void add_made(struct writer *w, const char *key, const struct buf *made)
{
	w->failed = w->failed || buf_failed(made);
	add_field(w, key, buf_str(made));
}

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
			return false;
	}
	return s.len > 0 && !(s.len > 1 && s.p[0] == '_' && s.p[1] == '_');
}

static bool has_name(const struct labels *l, struct str name)
{
	for (size_t i = 0; i < l->len; i++)
		if (str_eq(l->p[i].name, name))
			return true;
	return false;
}

/* tag_KEY, or tag_KEY_2 and so on; p is NULL when memory is short. */
static struct str made_name(struct writer *w, const struct labels *l, struct str key)
{
	struct buf name = BUF_INIT;
	struct str kept = {NULL, 0};

	for (unsigned nth = 1; nth == 1 || has_name(l, buf_str(&name)); nth++) {
		buf_clear(&name);
		buf_printf(&name, "tag_");
		for (size_t i = 0; i < key.len; i++) {
			char c = key.p[i];
			bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

			buf_add(&name, fits ? &c : "_", 1);
		}
		if (nth > 1)
			buf_printf(&name, "_%u", nth);
		if (buf_failed(&name))
			break;
	}
	if (!buf_failed(&name))
		kept = arena_str(&w->arena, buf_str(&name));
	buf_fini(&name);
	return kept;
}

static bool takes_key(const struct labels *own, struct str key)
{
	return is_name(key) && !has_name(own, key);
}

static bool make_labels(struct writer *w, const struct incident_alert *a, struct labels *l)
{
	const struct incident *i = w->n->incident;
	struct labels own;

	l->p = arena_calloc(&w->arena, OWN_LABELS + a->tags_len, sizeof(*l->p));
	if (!l->p)
		return false;
	l->p[0] = (struct label){STR("alertname"), i->trigger};
	l->p[1] = (struct label){STR("site"), i->site};
	l->p[2] = (struct label){STR("severity"), str_from(alert_severity_name(i->severity))};
	l->p[3] = (struct label){STR("metric"), a->name};
	l->p[4] = (struct label){STR("cell"), i->cell};
	l->len = OWN_LABELS;
	own = *l;
	for (size_t t = 0; t < a->tags_len; t++)
		if (takes_key(&own, a->tags[t].key) && !has_name(l, a->tags[t].key))
			l->p[l->len++] = (struct label){a->tags[t].key, a->tags[t].value};
	for (size_t t = 0; t < a->tags_len; t++) {
		if (takes_key(&own, a->tags[t].key))
			continue;
		l->p[l->len] = (struct label){made_name(w, l, a->tags[t].key), a->tags[t].value};
		if (!l->p[l->len].name.p)
			return false;
		l->len++;
	}
	return true;
}

static bool make_all_labels(struct writer *w)
{
	struct notification_walk walk = {0};
	const struct incident_alert *a;

	w->labels = arena_calloc(&w->arena, notification_told(w->n), sizeof(*w->labels));
	for (size_t i = 0; w->labels && (a = notification_next(w->n, &walk)); i++)
		if (!make_labels(w, a, &w->labels[i]))
			return false;
	return w->labels != NULL;
}

static void add_labels(struct writer *w, const char *key, const struct labels *l)
{
	add_str(w, str_from(key));
	note(w, yajl_gen_map_open(w->gen));
	for (size_t i = 0; i < l->len; i++) {
		add_str(w, l->p[i].name);
		add_str(w, l->p[i].value);
	}
	note(w, yajl_gen_map_close(w->gen));
}

static void add_annotations(struct writer *w, const char *key, struct str description)
{
	add_str(w, str_from(key));
	note(w, yajl_gen_map_open(w->gen));
	add_field(w, "summary", w->n->incident->description);
	if (description.p)
		add_field(w, "description", description);
	note(w, yajl_gen_map_close(w->gen));
}

/* RFC 3339 has years of four digits; a time that no clock says is none. */
static void add_time(struct writer *w, const char *key, bool known, int64_t t_ms)
{
	char text[CLOCK_ISO_SIZE];

	clock_iso(t_ms, text, sizeof(text));
	add_field(w, key, known && text[0] && text[strlen(text) - 1] == 'Z' ? str_from(text) : STR(NO_TIME));
}

static void add_alert(struct writer *w, const struct incident_alert *a, const struct labels *labels)
{
	struct buf condition = BUF_INIT, link = BUF_INIT;
	char fingerprint[NOTIFICATION_ID_SIZE];
	bool closed = notification_is_closed(a);

	notification_condition(w->n, a, &condition);
	notification_link(w->n, &link);
	note(w, yajl_gen_map_open(w->gen));
	add_field(w, "status", closed ? STR("resolved") : STR("firing"));
	add_labels(w, "labels", labels);
	w->failed = w->failed || buf_failed(&condition);
	add_annotations(w, "annotations", buf_str(&condition));
	add_time(w, "startsAt", true, a->opened_at);
	add_time(w, "endsAt", closed && a->has_closed_at, a->closed_at);
	add_made(w, "generatorURL", &link);
	add_field(w, "fingerprint", str_from(notification_hex(a->fingerprint, fingerprint)));
	note(w, yajl_gen_map_close(w->gen));
	buf_fini(&condition);
	buf_fini(&link);
}

static void add_alerts(struct writer *w)
{
	struct notification_walk walk = {0};
	const struct incident_alert *a;

	add_str(w, STR("alerts"));
	note(w, yajl_gen_array_open(w->gen));
	for (size_t i = 0; (a = notification_next(w->n, &walk)); i++)
		add_alert(w, a, &w->labels[i]);
	note(w, yajl_gen_array_close(w->gen));
}

static bool is_in_all(const struct writer *w, const struct label *wanted)
{
	for (size_t i = 1; i < notification_told(w->n); i++) {
		bool found = false;

		for (size_t k = 0; k < w->labels[i].len && !found; k++)
			found = str_eq(w->labels[i].p[k].name, wanted->name) && str_eq(w->labels[i].p[k].value, wanted->value);
		if (!found)
			return false;
	}
	return true;
}

/* Those of the first alert that all others have, too; without alerts, those of the incident. */
static void add_common_labels(struct writer *w)
{
	struct incident_alert none = {.name = STR("")};
	struct labels first = {0}, common = {0};

	if (notification_told(w->n)) {
		first = w->labels[0];
	} else if (!make_labels(w, &none, &first)) {
		w->failed = true;
		return;
	}
	common.p = arena_calloc(&w->arena, first.len, sizeof(*common.p));
	w->failed = w->failed || !common.p;
	for (size_t i = 0; common.p && i < first.len; i++)
		if (notification_told(w->n) ? is_in_all(w, &first.p[i]) : !str_eq(first.p[i].name, STR("metric")))
			common.p[common.len++] = first.p[i];
	add_labels(w, "commonLabels", &common);
}

/* The description where all alerts have the same. */
static void add_common_annotations(struct writer *w)
{
	struct buf first = BUF_INIT, other = BUF_INIT;
	struct notification_walk walk = {0};
	const struct incident_alert *a = notification_next(w->n, &walk);
	bool same = true;

	notification_condition(w->n, a, &first);
	while (a && same && (a = notification_next(w->n, &walk))) {
		buf_clear(&other);
		notification_condition(w->n, a, &other);
		same = str_eq(buf_str(&first), buf_str(&other));
	}
	w->failed = w->failed || buf_failed(&first) || buf_failed(&other);
	add_annotations(w, "commonAnnotations", same ? buf_str(&first) : (struct str){NULL, 0});
	buf_fini(&first);
	buf_fini(&other);
}

static void add_quoted(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, "%s=\"", name);
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			buf_add(out, "\\", 1);
		buf_add(out, &value.p[i], 1);
	}
	buf_add(out, "\"", 1);
}

/* As Alertmanager names a group: what it keeps apart is one conversation to its receivers. */
static void add_group(struct writer *w)
{
	struct label p[] = {{STR("alertname"), w->n->incident->trigger}, {STR("site"), w->n->incident->site}};
	struct buf key = BUF_INIT;

	buf_printf(&key, "{}:{");
	add_quoted(&key, "alertname", p[0].value);
	buf_printf(&key, ", ");
	add_quoted(&key, "site", p[1].value);
	buf_printf(&key, "}");
	add_made(w, "groupKey", &key);
	add_labels(w, "groupLabels", &(struct labels){p, sizeof(p) / sizeof(p[0])});
	buf_fini(&key);
}

static void add_whole(struct writer *w)
{
	note(w, yajl_gen_map_open(w->gen));
	add_field(w, "version", STR("4"));
	add_group(w);
	add_str(w, STR("truncatedAlerts"));
	note(w, yajl_gen_integer(w->gen, (long long)notification_left_out(w->n)));
	add_field(w, "status", w->n->state == INCIDENT_STATE_RESOLVED ? STR("resolved") : STR("firing"));
	add_field(w, "receiver", w->n->receiver);
	add_common_labels(w);
	add_common_annotations(w);
	add_field(w, "externalURL", str_from(w->n->external_url));
	add_alerts(w);
	note(w, yajl_gen_map_close(w->gen));
}

int webhook_body_write(const struct notification *n, struct buf *out, struct err *err)
{
	struct writer w = {.n = n, .gen = yajl_gen_alloc(NULL), .out = out, .arena = ARENA_INIT, .text = BUF_INIT};
	bool failed = !w.gen || !make_all_labels(&w);

	if (!failed) {
		yajl_gen_config(w.gen, yajl_gen_print_callback, print, out);
		add_whole(&w);
		failed = w.failed || buf_failed(out);
	}
	if (w.gen)
		yajl_gen_free(w.gen);
	arena_fini(&w.arena);
	buf_fini(&w.text);
	return failed ? err_nomem(err, "a webhook's body") : 0;
}
