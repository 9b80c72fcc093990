/* label.h - what a series is called: the name and tags of a line, in the form in which Millrace knows them.
 *
 * Names and tag keys are [A-Za-z0-9_.:/-]; of others, each byte becomes '_' (a character beyond ASCII as many as it has bytes). Control
 * characters (below 0x20, and 0x7f) refuse a name and become '_' in tags. Tag values are UTF-8; where they are not, each byte from 0x80 on
 * becomes '_'. A tag without ':' is a key with the value "true". Empty tags (",,") are passed over. Of a key that stands there twice the
 * first one is taken, as no series of Millrace has a key twice. Tags are sorted bytewise by key. Nothing is cut: what is too long is
 * refused. */
#ifndef MILLRACE_AGENT_LABEL_H
#define MILLRACE_AGENT_LABEL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/series.h"
#include "ingest/agent/cause.h"

/* On the stack of whoever makes it: it holds its own bytes. */
struct label {
	struct str name;
	struct tag tags[SERIES_TAGS_MAX];
	size_t tags_len;
	size_t used;
	char bytes[SERIES_STRING_MAX + (SERIES_TAGS_MAX * 2 + 1) * SERIES_STRING_MAX]; /* and a key that may turn out to be there */
};

/* Makes *out of a name and of tags as StatsD writes them ("key:value,bare"), and adds those of `more` (configured ones: good already) whose
 * key the line has not. out's strings are its own: it may not be moved. CAUSE_NONE, CAUSE_NAME or CAUSE_TAGS. */
enum cause label_make(struct label *out, struct str name, struct str raw_tags, const struct tag *more, size_t more_len);

#endif
