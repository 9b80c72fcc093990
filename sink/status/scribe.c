/* scribe.c - see scribe.h.
 *
 * The journal comes before the fold: what it has no room for must not stand on the page as if it had been said. What operators bring is in the fold already, and the
 * desk took no more than there was room for. */
#include "sink/status/scribe.h"

#include <stdio.h>

/* Logs a failure that the loop outlives. */
static void complain(const struct scribe *s, const char *event, const struct err *err)
{
	log_repeat(&s->program->log, event, LOG_STR("error", err->msg));
}

/* What an entry of the page's own means to operators. */
static void tell_operators(const struct scribe *s, const struct status_entry *e)
{
	static const struct { const char *event, *says; enum severity severity; } words[] = {
		[STATUS_ACTION_DRAFT] = {"status_drafted", "was drafted for the status page, and will be posted unless you edit or veto it", SEVERITY_WARNING},
		[STATUS_ACTION_POST] = {"status_posted", "was posted on the status page", SEVERITY_WARNING},
		[STATUS_ACTION_UPDATE] = {"status_updated", "was updated on the status page", SEVERITY_INFO},
		[STATUS_ACTION_VETO] = {"status_withdrawn", "was over before it was posted", SEVERITY_INFO},
		[STATUS_ACTION_RESOLVE] = {"status_resolved", "was resolved on the status page", SEVERITY_INFO},
		[STATUS_ACTION_REMIND] = {"status_update_due", "is yours, and its last update is older than drafts.cadence", SEVERITY_WARNING},
	};
	char text[320];
	const struct tag field = {STR("incident"), e->incident};

	snprintf(text, sizeof(text), "incident " STR_FMT " %s", STR_ARG(e->incident), words[e->action].says);
	report_notice(s->report, words[e->action].severity, words[e->action].event, text, &field, 1);
	log_info(&s->program->log, words[e->action].event, LOG_STR("text", text));
}

static void write_entry(const struct scribe *s, struct status_incidents *incidents, const struct status_entry *e)
{
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	char key[STATUS_KEY_SIZE];

	if (status_entry_encode(e, &bytes, &err) < 0 || journal_add(s->journal, str_from(status_entry_key(e, key)), buf_str(&bytes), true, &err) < 0 ||
	    status_incidents_take(incidents, e, &err) < 0)
		complain(s, "entry_not_written", &err);
	else
		tell_operators(s, e);
	buf_fini(&bytes);
}

bool scribe_draft(const struct scribe *s, struct status_incidents *incidents, const struct status_component *components, size_t nr)
{
	const struct status_entry *entries;
	struct err err = ERR_INIT;
	size_t nr_entries = 0;

	if (drafts_turn(s->drafts, clock_now_ms(&s->program->clock), components, nr, incidents, timeline_tell, s->timeline, &entries, &nr_entries, &err) < 0)
		complain(s, "drafts_not_made", &err);
	for (size_t i = 0; i < nr_entries; i++)
		write_entry(s, incidents, &entries[i]);
	return nr_entries > 0;
}

bool scribe_take(const struct scribe *s)
{
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	bool came = false;

	while (entry_desk_next(s->desk, &bytes)) {
		struct arena scratch = ARENA_INIT;
		struct status_entry e = {0};
		char key[STATUS_KEY_SIZE];

		if (status_entry_decode(buf_str(&bytes), &scratch, &e, &err) < 0 ||
		    journal_add(s->journal, str_from(status_entry_key(&e, key)), buf_str(&bytes), false, &err) < 0)
			complain(s, "entry_not_written", &err);
		arena_fini(&scratch);
		came = true;
	}
	entry_desk_set_room(s->desk, journal_room(s->journal));
	buf_fini(&bytes);
	return came;
}
