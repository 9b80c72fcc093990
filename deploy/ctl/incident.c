/* incident.c - the commands `incident list`, `incident show` and `incident ack`; see commands.h.
 *
 * An acknowledgement goes to a topic of its own: the incident is the notifier's to write. Until it has, within a second or so, the incident is shown without. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/silence.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/incidents.h"
#include "deploy/ctl/newest.h"
#include "deploy/ctl/page_list.h"
#include "deploy/ctl/word_json.h"

#define TOPIC_ACKS "millrace.acks"

/* Kafka as each of the three needs it. */
struct look {
	struct ctl *ctl;
	struct topic_scan *scan;
	struct incidents incidents;
};

static int look_init(struct look *l, struct ctl *ctl, struct err *err)
{
	*l = (struct look){.ctl = ctl};
	if (ctl_load(ctl, false, err) < 0 || !(l->scan = topic_scan_new(&ctl->program, ctl->progress, err)))
		return -1;
	return incidents_read(&l->incidents, ctl, l->scan, args_text(&ctl->args, "cell"), err);
}

static void look_fini(struct look *l)
{
	incidents_fini(&l->incidents);
	topic_scan_free(l->scan);
}

static bool is_wanted(const struct look *l, const struct incident *i)
{
	const char *site = args_text(&l->ctl->args, "site");

	return (i->state == INCIDENT_STATE_OPEN || args_given(&l->ctl->args, "all")) && (!site || str_eq(i->site, str_from(site)));
}

static enum grid_style style_of(const struct incident *i)
{
	return i->state != INCIDENT_STATE_OPEN ? GRID_DIM : i->has_acked_at ? GRID_PLAIN : GRID_BAD;
}

static void add_row(struct grid *g, const struct incident *i, int64_t now_ms)
{
	char id[INCIDENTS_SHORT_SIZE], for_long[GRID_NUMBER_SIZE];
	bool open = i->state == INCIDENT_STATE_OPEN;

	grid_add(g, GRID_PLAIN, "%s", incidents_short(i, id));
	grid_add(g, style_of(i), "%s", open ? i->has_acked_at ? "acknowledged" : "open" : "resolved");
	grid_add(g, GRID_PLAIN, "%s", alert_severity_name(i->severity));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(i->site));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(i->trigger));
	grid_add(g, GRID_PLAIN, "%s", grid_duration((open ? now_ms : i->resolved_at) - i->opened_at, for_long));
	grid_add(g, GRID_PLAIN, "%" PRId64 " of %" PRId64, i->open_alerts, i->alerts_total);
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(i->has_acked_by ? i->acked_by : STR("-")));
}

static void print_list(const struct look *l)
{
	static const char *const heads[] = {"INCIDENT", "STATE", "SEVERITY", "SITE", "TRIGGER", "FOR", "OPEN", "TAKEN BY"};
	int64_t now_ms = clock_now_ms(&l->ctl->program.clock);
	struct grid g;
	size_t nr = 0;

	grid_init(&g, "lllllrrl");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		grid_add(&g, GRID_HEAD, "%s", heads[i]);
	for (size_t i = l->incidents.nr; i-- > 0;)
		if (is_wanted(l, &l->incidents.list[i])) {
			add_row(&g, &l->incidents.list[i], now_ms);
			nr++;
		}
	if (nr)
		grid_print(&g, 0, grid_wants_colour(l->ctl->out), l->ctl->out);
	else
		fputs(args_given(&l->ctl->args, "all") ? "no incidents\n" : "no incident is open\n", l->ctl->out);
	grid_fini(&g);
}

static int print_list_json(const struct look *l, struct err *err)
{
	struct json_writer w;

	json_write_begin(&w);
	json_write_array(&w, "incidents");
	for (size_t i = l->incidents.nr; i-- > 0;)
		if (is_wanted(l, &l->incidents.list[i]))
			incidents_write(&w, NULL, &l->incidents.list[i]);
	json_write_array_end(&w);
	return json_write_print(&w, l->ctl->out, err);
}

int incident_list_run(struct ctl *ctl, struct err *err)
{
	struct look l;
	int rc;

	if (page_list_is_meant(ctl))
		return page_list_run(ctl, err);
	rc = look_init(&l, ctl, err);
	if (rc == 0 && ctl->json)
		rc = print_list_json(&l, err);
	else if (rc == 0)
		print_list(&l);
	look_fini(&l);
	return rc;
}

static void add_line(struct grid *g, const char *name, struct str value)
{
	grid_add(g, GRID_HEAD, "%s", name);
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(value));
}

static void add_time(struct grid *g, const char *name, int64_t at_ms)
{
	char iso[CLOCK_ISO_SIZE];

	add_line(g, name, str_from(clock_iso(at_ms, iso, sizeof(iso))));
}

static void print_head(struct ctl *ctl, const struct incident *i)
{
	char id[INCIDENTS_ID_SIZE];
	struct grid g;

	grid_init(&g, "ll");
	add_line(&g, "incident", str_from(incidents_id(i, id)));
	grid_add(&g, GRID_HEAD, "state");
	grid_add(&g, style_of(i), "%s", incident_state_name(i->state));
	add_line(&g, "severity", str_from(alert_severity_name(i->severity)));
	add_line(&g, "site", i->site);
	add_line(&g, "trigger", i->trigger);
	add_line(&g, "condition", i->condition);
	add_line(&g, "description", i->description);
	add_line(&g, "cell", i->cell);
	add_time(&g, "opened", i->opened_at);
	if (i->has_resolved_at)
		add_time(&g, "resolved", i->resolved_at);
	if (i->has_acked_at) {
		add_time(&g, "acknowledged", i->acked_at);
		add_line(&g, "by", i->acked_by);
		add_line(&g, "because", i->ack_reason);
	}
	if (i->behind_opened)
		grid_add(&g, GRID_HEAD, "while behind");
	if (i->behind_opened)
		grid_add(&g, GRID_PLAIN, "%" PRId64 " opened, %" PRId64 " of them closed", i->behind_opened, i->behind_closed);
	grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	grid_fini(&g);
}

static void add_alert(struct grid *g, const struct incident_alert *a)
{
	char opened[CLOCK_ISO_SIZE], closed[CLOCK_ISO_SIZE];
	struct buf series = BUF_INIT;

	buf_printf(&series, "%s" STR_FMT, a->has_series_kind ? "" : "check-in ", STR_ARG(a->name));
	for (size_t i = 0; i < a->tags_len; i++)
		buf_printf(&series, "%s" STR_FMT "=" STR_FMT, i ? "," : "{", STR_ARG(a->tags[i].key), STR_ARG(a->tags[i].value));
	buf_add(&series, "}", a->tags_len > 0);
	grid_add(g, a->state == INCIDENT_ALERT_STATE_CLOSED ? GRID_DIM : GRID_BAD, "%s", incident_alert_state_name(a->state));
	grid_add(g, GRID_PLAIN, "%.16sZ", clock_iso(a->opened_at, opened, sizeof(opened))); /* a full minute */
	if (a->has_closed_at)
		grid_add(g, GRID_PLAIN, "%.16sZ", clock_iso(a->closed_at, closed, sizeof(closed)));
	else
		grid_add(g, GRID_PLAIN, "-");
	grid_add(g, GRID_PLAIN, a->has_value ? "%.6g" : "-", a->value);
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(buf_str(&series)));
	buf_fini(&series);
}

static void print_incident(struct ctl *ctl, const struct incident *i)
{
	static const char *const heads[] = {"ALERT", "OPENED", "CLOSED", "VALUE", "SERIES"};
	struct grid g;

	print_head(ctl, i);
	grid_init(&g, "lllrl");
	for (size_t h = 0; h < sizeof(heads) / sizeof(heads[0]); h++)
		grid_add(&g, GRID_HEAD, "%s", heads[h]);
	for (size_t a = 0; a < i->alerts_len; a++)
		add_alert(&g, &i->alerts[a]);
	fputc('\n', ctl->out);
	grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	grid_fini(&g);
	if (i->alerts_total > (int64_t)i->alerts_len)
		fprintf(ctl->out, "and %" PRId64 " more\n", i->alerts_total - (int64_t)i->alerts_len);
}

int incident_show_run(struct ctl *ctl, struct err *err)
{
	const struct incident *i = NULL;
	struct json_writer w;
	struct look l;
	int rc;

	if (page_list_is_meant(ctl))
		return page_show_run(ctl, err);
	rc = look_init(&l, ctl, err);
	if (rc == 0 && !(i = incidents_find(&l.incidents, ctl->args.operands[0], err)))
		rc = -1;
	if (rc == 0 && ctl->json) {
		json_write_begin(&w);
		incidents_write(&w, "incident", i);
		rc = json_write_print(&w, ctl->out, err);
	} else if (rc == 0) {
		print_incident(ctl, i);
	}
	look_fini(&l);
	return rc;
}

/* before: who had said it before, for the operator log; NULL: nobody. */
static int tell(struct ctl *ctl, const struct incident *i, const struct ack *before, const struct ack *ack, struct err *err)
{
	char id[INCIDENTS_ID_SIZE], cell[64], site[128];
	struct tag fields[] = {{STR("incident"), str_from(incidents_id(i, id))}, {STR("trigger"), i->trigger}, {STR("reason"), ack->reason}};
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = "incident_acked", .cell = cell, .site = site, .fields = fields,
				  .nr_fields = ack->reason.len ? 3 : 2, .record = RECORD_ACK, .before = before, .after = ack};

	snprintf(cell, sizeof(cell), "%.*s", (int)(i->cell.len < 60 ? i->cell.len : 60), i->cell.p);
	snprintf(site, sizeof(site), "%.*s", (int)(i->site.len < 100 ? i->site.len : 100), i->site.p);
	return ctl_notice(ctl, &event, err, "incident %.12s (trigger " STR_FMT ") taken care of%s" STR_FMT, id, STR_ARG(i->trigger),
			  ack->reason.len ? ": " : "", STR_ARG(ack->reason));
}

static int put(struct ctl *ctl, const struct ack *ack, struct err *err)
{
	struct buf value = BUF_INIT;
	int rc = ack_encode(ack, &value, err);

	if (rc == 0)
		rc = cluster_write(ctl->cluster, TOPIC_ACKS, (struct str){(const char *)ack->incident, sizeof(ack->incident)}, buf_str(&value), NULL, err);
	buf_fini(&value);
	return rc;
}

static int acknowledge(struct look *l, const struct incident *i, const struct ack *ack, struct err *err)
{
	struct newest rows = {0};
	struct arena arena = ARENA_INIT;
	struct ack before = {0};
	const struct newest_row *row = NULL;
	int rc = newest_read(&rows, l->scan, TOPIC_ACKS, err);

	if (rc == 0)
		row = newest_find(&rows, (struct str){(const char *)ack->incident, sizeof(ack->incident)});
	if (row && ack_decode(row->value, &arena, &before, NULL) < 0)
		row = NULL;
	if (rc == 0 && (rc = put(l->ctl, ack, err)) == 0)
		rc = tell(l->ctl, i, row ? &before : NULL, ack, err);
	arena_fini(&arena);
	newest_fini(&rows);
	return rc;
}

static int print_acked(struct ctl *ctl, const struct incident *i, const struct ack *ack, struct err *err)
{
	char id[INCIDENTS_SHORT_SIZE];
	struct json_writer w;

	if (!ctl->json) {
		fprintf(ctl->out, "+ incident %s, trigger " STR_FMT " of site " STR_FMT ": %s takes care of it\n", incidents_short(i, id),
			STR_ARG(i->trigger), STR_ARG(i->site), ctl->author);
		if (i->has_acked_by)
			ctl_hint("until now it was " STR_FMT, STR_ARG(i->acked_by));
		return 0;
	}
	json_write_begin(&w);
	word_json_write_ack(&w, "ack", ack);
	return json_write_print(&w, ctl->out, err);
}

int incident_ack_run(struct ctl *ctl, struct err *err)
{
	const char *reason = args_text(&ctl->args, "reason");
	struct ack ack = {.author = str_from(ctl->author), .reason = str_from(reason ? reason : ""),
			  .at = clock_now_ms(&ctl->program.clock)};
	const struct incident *i = NULL;
	struct look l;
	int rc;

	if (silence_check_text("reason", ack.reason, 0, SILENCE_REASON_MAX, err) < 0)
		return -1;
	rc = look_init(&l, ctl, err);
	if (rc == 0 && !(i = incidents_find(&l.incidents, ctl->args.operands[0], err)))
		rc = -1;
	if (rc == 0 && i->state != INCIDENT_STATE_OPEN)
		rc = err_set(err, ERR_REJECT, "incident %s is resolved: there is nothing to take care of", ctl->args.operands[0]);
	if (rc == 0) {
		memcpy(ack.incident, i->id, sizeof(ack.incident));
		rc = acknowledge(&l, i, &ack, err);
	}
	if (rc == 0)
		rc = print_acked(ctl, i, &ack, err);
	look_fini(&l);
	return rc;
}
