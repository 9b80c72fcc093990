/* markup_skeleton.h - tests of markup by its bones: whatever the texts are, the tags must be the same.
 *
 * Two equal pages, one with harmless texts and one with random hostile ones in the same places, must have the same elements in the same order. It is a reader
 * of its own, which knows nothing of how the markup was escaped: it takes what a browser would take for a tag. */
#ifndef MILLRACE_TESTS_MARKUP_SKELETON_H
#define MILLRACE_TESTS_MARKUP_SKELETON_H

#include "common/str.h"
#include "tests/unit/status/page_samples.h"
#include "tests/unit/unit.h"

enum { HOSTILE_TEXT_SIZE = 120 };

/* Every '<' and what follows it up to a blank, a slash or a bracket; quotes of attributes are counted too. */
static inline void skeleton(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			buf_add(out, "\"", 1);
		if (s.p[i] != '<')
			continue;
		for (size_t k = i; k < s.len && !strchr(" >\n", s.p[k]); k++)
			buf_add(out, s.p + k, 1);
		buf_add(out, " ", 1);
	}
}

static inline struct str hostile_text(struct unit_random *r, char out[HOSTILE_TEXT_SIZE])
{
	static const char *const pieces[] = {"<script>", "</", "\"", "'", " onload=", "&", "&lt;", "]]>", "<!--", "-->", "<![CDATA[", "x", "\xe2\x80\xae", "\\", "}", "</style>"};
	size_t n = 0;

	for (size_t pieces_left = 1 + unit_random_below(r, 9); pieces_left > 0; pieces_left--)
		n += (size_t)snprintf(out + n, HOSTILE_TEXT_SIZE - n, "%s", pieces[unit_random_below(r, NR(pieces))]);
	return (struct str){out, n};
}

/* A page of which each text is this one; i is its one incident, which is over. */
static inline struct sample *page_of(struct str text, const struct status_incident **i)
{
	struct sample *s = sample_new("empty");
	struct str push[] = {STR("push")};
	struct status_moment moment = {SAMPLE_NOW_MS, text};
	struct status_component *c = s->components;

	s->page.title = s->page.build = text;
	s->page.as_of_ms = SAMPLE_NOW_MS;
	s->page.nr_components = 3;
	c[0] = (struct status_component){.id = STR("push"), .title = text, .detail = text, .state = COMPONENT_STATE_DEGRADED};
	c[1] = (struct status_component){.id = STR("storage/a"), .title = text, .detail = text, .state = COMPONENT_STATE_DEGRADED};
	c[2] = (struct status_component){.id = STR("storage/b"), .title = text, .detail = text};
	for (int over = 0; over < 2; over++)
		sample_say(s, (struct status_entry){.incident = over ? STR("over") : STR("open"), .at = SAMPLE_NOW_MS, .action = STATUS_ACTION_POST, .title = text, .text = text,
						    .has_impact = true, .impact = STATUS_IMPACT_DEGRADED, .components = push, .components_len = 1});
	sample_say(s, (struct status_entry){.incident = STR("over"), .at = SAMPLE_NOW_MS, .action = STATUS_ACTION_RESOLVE, .text = text, .timeline = &moment, .timeline_len = 1});
	*i = status_incidents_find(&s->incidents, STR("over"));
	return s;
}

#endif
