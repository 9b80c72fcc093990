/* page_words.c - see page_words.h.
 *
 * Of a maintenance, --from lies ahead and --for says its length; of trouble, --from is when it began, which has been. The same word is right for both, and which
 * is meant is known when the incident is. */
#include "deploy/ctl/page_words.h"

#include <string.h>
#include <time.h>

#include "deploy/ctl/file_read.h"
#include "deploy/ctl/moment.h"

enum { WORDS_MAX = 200 /* bytes of a list of words, for a message */ };

static bool given(const struct args *args, const char *name)
{
	return args_given_here(args, name);
}

static const char *phase_name(unsigned v)
{
	return v == STATUS_PHASE_RESOLVED ? NULL : status_phase_name((enum status_phase)v); /* the last one: there is a command for it */
}

/* A maintenance has an option of its own, as it needs its times too. */
static const char *impact_name(unsigned v)
{
	return status_impact_name((enum status_impact)(v + STATUS_IMPACT_DEGRADED));
}

static int read_word(const struct args *args, const char *option, const char *(*name)(unsigned v), bool *has, unsigned *out, struct err *err)
{
	const char *word = given(args, option) ? args_text(args, option) : NULL;
	char known[WORDS_MAX] = "";
	size_t len = 0;

	*has = word != NULL;
	if (!word)
		return 0;
	for (*out = 0; name(*out); (*out)++) {
		if (strcmp(word, name(*out)) == 0)
			return 0;
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "", name(*out));
	}
	return err_set(err, ERR_REJECT, "--%s %.40s: it is one of %s%s", option, word, known,
		       strcmp(option, "phase") == 0 ? "; resolved it becomes by incident resolve" : "; for a maintenance give --maintenance");
}

static int read_components(struct page_words *w, struct arena *arena, struct err *err)
{
	const char *text;
	int at = 0;

	w->components = arena_calloc(arena, (size_t)w->args->nr_listed + 1, sizeof(*w->components));
	if (!w->components)
		return err_nomem(err, "components");
	while ((text = args_next(w->args, "component", &at)) != NULL)
		w->components[w->nr_components++] = str_from(text);
	return 0;
}

/* A text that ends with a newline had an editor; the page needs none. */
static int read_text(struct page_words *w, const char *option, struct arena *arena, struct err *err)
{
	const char *text = given(w->args, option) ? args_text(w->args, option) : NULL;
	struct buf in = BUF_INIT;
	int rc = 0;

	w->text = str_from(text ? text : "");
	if (!text || strcmp(text, "-") != 0)
		return 0;
	if (file_read("-", STATUS_TEXT_MAX + 1, &in, err) < 0)
		rc = err_wrap(err, "--%s -", option);
	else if (!(w->text = arena_str(arena, buf_str(&in))).p)
		rc = err_nomem(err, "a text");
	buf_fini(&in);
	while (rc == 0 && w->text.len && strchr("\r\n", w->text.p[w->text.len - 1]))
		w->text.len--;
	if (rc == 0 && !w->text.len)
		rc = err_set(err, ERR_REJECT, "--%s -: standard input is empty", option);
	return rc;
}

int page_words_read(struct page_words *w, const struct args *args, enum status_action action, struct arena *arena, struct err *err)
{
	unsigned phase = 0, impact = 0;

	*w = (struct page_words){.args = args, .action = action, .title = STR("")};
	if (read_word(args, "phase", phase_name, &w->has_phase, &phase, err) < 0 || read_word(args, "impact", impact_name, &w->has_impact, &impact, err) < 0)
		return -1;
	w->phase = (enum status_phase)phase;
	w->impact = (enum status_impact)(impact + STATUS_IMPACT_DEGRADED);
	if (given(args, "maintenance")) {
		if (w->has_impact)
			return err_set(err, ERR_REJECT, "--maintenance is an impact by itself: leave out --impact");
		w->has_impact = true;
		w->impact = STATUS_IMPACT_MAINTENANCE;
	}
	if (given(args, "title"))
		w->title = str_from(args_text(args, "title"));
	if (action != STATUS_ACTION_VETO && action != STATUS_ACTION_RESOLVE && read_components(w, arena, err) < 0)
		return -1;
	return read_text(w, action == STATUS_ACTION_VETO ? "reason" : "text", arena, err);
}

static int take_from(const struct page_words *w, bool maintenance, int64_t now_ms, struct status_entry *e, struct err *err)
{
	const char *from = args_text(w->args, "from");

	e->has_opened_at = true;
	if ((maintenance ? moment_parse(from, now_ms, &e->opened_at, err) : moment_parse_past(from, now_ms, &e->opened_at, err)) < 0)
		return err_wrap(err, maintenance ? "--from" : "--from, when the trouble began");
	return 0;
}

/* When it begins, or began, by the entry or else as before. */
static int64_t begin_ms(const struct status_incident *before, int64_t now_ms, const struct status_entry *e)
{
	return e->has_opened_at ? e->opened_at : before ? before->opened_at : now_ms;
}

/* Likewise its end; 0: not known. */
static int64_t end_ms(const struct status_incident *before, const struct status_entry *e)
{
	return e->has_recovery_at ? e->recovery_at : before ? before->recovery_at : 0;
}

/* What becomes a maintenance has a beginning and, behind it, an end, by which the page ends it. */
static int take_times(const struct page_words *w, const struct status_incident *before, int64_t now_ms, struct status_entry *e, struct err *err)
{
	bool maintenance = e->has_impact ? e->impact == STATUS_IMPACT_MAINTENANCE : before && before->impact == STATUS_IMPACT_MAINTENANCE;
	bool has_for = given(w->args, "for"), becomes = e->has_impact && maintenance;

	if (has_for && !maintenance)
		return err_set(err, ERR_REJECT, "--for is a maintenance's; when trouble is expected to be over, --recovery says");
	if (has_for && given(w->args, "recovery"))
		return err_set(err, ERR_REJECT, "--for and --recovery both say when it ends: give one");
	if (given(w->args, "from") && take_from(w, maintenance, now_ms, e, err) < 0)
		return -1;
	if (given(w->args, "recovery") && moment_parse(args_text(w->args, "recovery"), now_ms, &e->recovery_at, err) < 0)
		return err_wrap(err, "--recovery");
	e->has_recovery_at = given(w->args, "recovery");
	if (has_for || (becomes && !e->has_recovery_at && !(before && before->recovery_at))) {
		e->has_recovery_at = true;
		e->recovery_at = begin_ms(before, now_ms, e) + args_int(w->args, "for");
	}
	if (e->has_recovery_at && e->recovery_at <= now_ms)
		return err_set(err, ERR_REJECT, "it would be over before now");
	if (maintenance && (e->has_opened_at || e->has_recovery_at) && end_ms(before, e) <= begin_ms(before, now_ms, e))
		return err_set(err, ERR_REJECT, "it would be over before it begins: give --from, and --for or --recovery, that fit");
	return 0;
}

/* "20261127-2323-storage-main-1f0c": the digits keep apart what is told in the same minute, by the page itself too. */
static struct str new_id(const struct status_entry *e, struct arena *arena)
{
	struct str component = e->components_len ? e->components[0] : STR("");
	char text[STATUS_INCIDENT_ID_MAX + 1];
	time_t seconds = (time_t)(e->at / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, sizeof(text), "%Y%m%d-%H%M-", &tm);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s-%.4s", (int)(component.len < 40 ? component.len : 40), component.p, e->entry.p);
	for (char *p = text; *p; p++)
		*p = *p == '/' ? '-' : *p;
	return arena_str(arena, (struct str){text, n});
}

int page_words_entry(const struct page_words *w, const struct status_incident *before, struct str author, struct str entry_id, int64_t now_ms, struct arena *arena,
		     struct status_entry *out, struct err *err)
{
	*out = (struct status_entry){.entry = entry_id, .at = now_ms, .has_author = true, .author = author, .action = w->action, .has_phase = w->has_phase,
				     .phase = w->phase, .has_impact = w->has_impact, .impact = w->impact, .components = w->components,
				     .components_len = w->nr_components, .title = w->title, .text = w->text};
	if (!before && (!w->nr_components || !w->title.len))
		return err_set(err, ERR_REJECT, "a new incident needs --component and --title; for one that is there, give its ID (incident list --page)");
	if (before && given(w->args, "id"))
		return err_set(err, ERR_REJECT, "--id names a new incident, and " STR_FMT " is there", STR_ARG(before->id));
	if (!before && !out->has_impact) {
		out->has_impact = true;
		out->impact = STATUS_IMPACT_DEGRADED;
	}
	if (take_times(w, before, now_ms, out, err) < 0)
		return -1;
	out->incident = before ? before->id : given(w->args, "id") ? str_from(args_text(w->args, "id")) : new_id(out, arena);
	if (!out->incident.p)
		return err_nomem(err, "an incident's id");
	return status_entry_check(out, err);
}
