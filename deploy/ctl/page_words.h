/* page_words.h - an operator's words for the status page, made an entry.
 *
 * What is left out stays as it was; of a new incident what must be there has a default, or is asked for. Pure but for --text -, which reads standard input.
 * Errors are ERR_REJECT, worded for the person who typed. */
#ifndef MILLRACE_CTL_PAGE_WORDS_H
#define MILLRACE_CTL_PAGE_WORDS_H

#include "common/arena.h"
#include "common/status_incident.h"
#include "deploy/ctl/args.h"

/* What the options of a command say, read before anybody is asked. Text is borrowed from args and arena. */
struct page_words {
	const struct args *args;
	enum status_action action;
	bool has_phase, has_impact;
	enum status_phase phase;
	enum status_impact impact;
	struct str *components;
	size_t nr_components;
	struct str title, text; /* empty: not given */
};

/* Reads --phase, --impact, --maintenance, --component, --title, --text (of a veto: --reason), as far as the command has them. */
int page_words_read(struct page_words *w, const struct args *args, enum status_action action, struct arena *arena, struct err *err);

/* Makes them an entry about `before`, or, where that is NULL, about a new incident, which is named by --id, else by time, first component and digits of the entry's id. author
 * and entry_id are borrowed; the rest lives in arena. Reads the times: --from, --for, --recovery. Whether it may stand where it would is not asked. */
int page_words_entry(const struct page_words *w, const struct status_incident *before, struct str author, struct str entry_id, int64_t now_ms, struct arena *arena,
		     struct status_entry *out, struct err *err);

#endif
