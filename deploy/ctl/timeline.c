/* timeline.c - the command `timeline`: what story.h makes of the operator log and the incidents; see commands.h.
 *
 * The log is read from an hour before the beginning, as who writes a line and who keeps it have two clocks, to its end: a note may be written later for a
 * time that has been. A file that is there is not written over: somebody may have gone on writing in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/report.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/incidents.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/story.h"
#include "deploy/ctl/verify_raw.h"

#define SLACK_MS CLOCK_HOUR_MS

struct telling {
	struct story story;
	struct arena arena; /* of one record */
	size_t unreadable;
};

static int read_times(const struct ctl *ctl, struct story *s, struct err *err)
{
	int64_t now_ms = clock_now_ms(&ctl->program.clock);

	if (moment_parse_past(args_text(&ctl->args, "from"), now_ms, &s->from_ms, err) < 0)
		return err_wrap(err, "--from");
	if (moment_parse_past(args_text(&ctl->args, "to"), now_ms, &s->to_ms, err) < 0)
		return err_wrap(err, "--to");
	if (s->from_ms >= s->to_ms)
		return err_set(err, ERR_REJECT, "--from is not before --to");
	return 0;
}

static int on_notice(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	struct telling *t = ctx;
	struct notice notice = {0};

	arena_clear(&t->arena);
	if (notice_decode((struct str){message->payload ? message->payload : "", message->len}, &t->arena, &notice, NULL) < 0) {
		t->unreadable++;
		return 0;
	}
	return story_take_notice(&t->story, &notice, err);
}

static int read_notices(struct telling *t, struct ctl *ctl, struct topic_scan *scan, struct err *err)
{
	int64_t since_ms = verify_raw_wall_ms(&ctl->program.clock, t->story.from_ms) - SLACK_MS, from, to;

	if (topic_scan_bounds(scan, TOPIC_NOTICES, 0, since_ms, &from, &to, err) < 0)
		return -1;
	return topic_scan_read(scan, TOPIC_NOTICES, 0, from, to, on_notice, t, err);
}

static int take_incidents(struct telling *t, struct ctl *ctl, struct topic_scan *scan, struct err *err)
{
	struct incidents incidents = {0};
	int rc = incidents_read(&incidents, ctl, scan, t->story.cell, err);

	for (size_t i = 0; rc == 0 && i < incidents.nr; i++)
		rc = story_take_incident(&t->story, &incidents.list[i], err);
	incidents_fini(&incidents);
	return rc;
}

/* "eu, main" */
static int name_cells(const struct store *s, struct buf *out, struct err *err)
{
	size_t nr;
	const struct store_item **cells = store_list(s, STORE_CELLS, &nr, err);

	for (size_t i = 0; cells && i < nr; i++)
		buf_printf(out, "%s" STR_FMT, i ? ", " : "", STR_ARG(cells[i]->key));
	buf_add(out, nr ? "" : "none", nr ? 1 : 5);
	free(cells);
	return cells && !buf_failed(out) ? 0 : err_nomem(err, "the names of cells");
}

static int write_new(const char *path, struct str text, struct err *err)
{
	FILE *file = fopen(path, "wxe");
	bool whole;

	if (!file && errno == EEXIST)
		return err_set(err, ERR_REJECT, "%s is there already, and somebody may have gone on writing in it: name another file", path);
	if (!file)
		return err_set(err, ERR_FATAL, "cannot write %s: %s", path, strerror(errno));
	whole = fwrite(text.p, 1, text.len, file) == text.len;
	if (fclose(file) != 0 || !whole)
		return err_set(err, ERR_FATAL, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

static int print(struct telling *t, struct ctl *ctl, struct err *err)
{
	const char *path = args_text(&ctl->args, "output");
	struct buf text = BUF_INIT;
	struct json_writer w;
	int rc;

	if (ctl->json) {
		json_write_begin(&w);
		story_write(&t->story, &w);
		rc = json_write_end(&w, &text, err);
	} else {
		rc = story_print(&t->story, &text, err);
	}
	if (rc == 0 && path && (rc = write_new(path, buf_str(&text), err)) == 0)
		fprintf(ctl->out, "%zu bytes written to %s\n", text.len, path);
	else if (rc == 0)
		fwrite(text.p, 1, text.len, ctl->out);
	buf_fini(&text);
	return rc;
}

int timeline_run(struct ctl *ctl, struct err *err)
{
	struct telling t = {.story = {.cell = args_text(&ctl->args, "cell"), .site = args_text(&ctl->args, "site")}};
	struct topic_scan *scan = NULL;
	struct buf cells = BUF_INIT;
	int rc = read_times(ctl, &t.story, err);

	if (rc == 0 && (ctl_load(ctl, false, err) < 0 || name_cells(cluster_store(ctl->cluster), &cells, err) < 0))
		rc = -1;
	t.story.cells = (const char *)cells.p;
	if (rc == 0 && (!(scan = topic_scan_new(&ctl->program, ctl->progress, err)) || take_incidents(&t, ctl, scan, err) < 0 || read_notices(&t, ctl, scan, err) < 0))
		rc = -1;
	if (rc == 0 && t.unreadable)
		ctl_hint("warning: %zu lines of the operator log cannot be read", t.unreadable);
	if (rc == 0)
		rc = print(&t, ctl, err);
	story_fini(&t.story);
	arena_fini(&t.arena);
	buf_fini(&cells);
	topic_scan_free(scan);
	return rc;
}
