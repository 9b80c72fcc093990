/* exemplars.h - random exemplars, as a processor may write them, for the tests of what the sink makes of them. */
#ifndef MILLRACE_TESTS_EXEMPLARS_H
#define MILLRACE_TESTS_EXEMPLARS_H

#include <string.h>

#include "schemas/schemas.h"
#include "tests/unit/unit.h"

enum { EXEMPLAR_T_S = 1795372020, EXEMPLAR_LIST_MAX = 5 };

/* Up to 12 bytes; a third of the texts are empty. Values may hold a NUL byte and what is not ASCII. */
static inline struct str exemplar_text(struct unit_random *r, struct arena *a, bool key)
{
	static const char *const pieces[] = {"a", "web-7", "\xc3\xa4", "$", ".", "\"", "<x>"};
	char *p = arena_alloc(a, 16);
	size_t len = 0;

	for (uint64_t n = unit_random_below(r, 3) ? 1 + unit_random_below(r, 2) : 0; n > 0; n--) {
		const char *piece = pieces[unit_random_below(r, NR(pieces))];

		memcpy(p + len, piece, strlen(piece));
		len += strlen(piece);
	}
	if (!key && len && unit_random_below(r, 8) == 0)
		p[len++] = '\0';
	return (struct str){p, len};
}

/* Of an event, sorted: their keys differ in the first byte. Or what an application calls its parameters: anything. */
static inline struct tag *exemplar_tags(struct unit_random *r, struct arena *a, size_t *len, bool sorted)
{
	struct tag *tags = arena_alloc(a, EXEMPLAR_LIST_MAX * sizeof(*tags));

	*len = unit_random_below(r, EXEMPLAR_LIST_MAX);
	for (size_t i = 0; i < *len; i++) {
		struct str rest = exemplar_text(r, a, sorted);
		char *key = arena_alloc(a, 16);

		if (!sorted) {
			tags[i] = (struct tag){rest, exemplar_text(r, a, false)};
			continue;
		}
		key[0] = (char)('a' + i);
		memcpy(key + 1, rest.p, rest.len);
		tags[i] = (struct tag){{key, rest.len + 1}, exemplar_text(r, a, false)};
	}
	return *len ? tags : NULL;
}

static inline struct error_detail exemplar_error(struct unit_random *r, struct arena *a)
{
	struct error_detail d = {.class = exemplar_text(r, a, false), .message = exemplar_text(r, a, false)};

	d.backtrace = arena_alloc(a, EXEMPLAR_LIST_MAX * sizeof(*d.backtrace));
	d.backtrace_len = unit_random_below(r, EXEMPLAR_LIST_MAX);
	for (size_t i = 0; i < d.backtrace_len; i++)
		d.backtrace[i] = (struct backtrace_frame){exemplar_text(r, a, false), (int32_t)unit_random_below(r, 3) * 77 - 77 * (i == 3),
							  exemplar_text(r, a, false), unit_random_below(r, 2)};
	d.params = exemplar_tags(r, a, &d.params_len, false);
	d.breadcrumbs = arena_alloc(a, EXEMPLAR_LIST_MAX * sizeof(*d.breadcrumbs));
	d.breadcrumbs_len = unit_random_below(r, EXEMPLAR_LIST_MAX);
	for (size_t i = 0; i < d.breadcrumbs_len; i++) {
		struct breadcrumb *b = &d.breadcrumbs[i];

		*b = (struct breadcrumb){.t = (int64_t)unit_random_below(r, 3) * EXEMPLAR_T_S * 1000 - (i == 2), .category = exemplar_text(r, a, false),
					 .action = exemplar_text(r, a, false), .message = exemplar_text(r, a, false)};
		b->metadata = exemplar_tags(r, a, &b->metadata_len, false);
	}
	return d;
}

static inline struct transaction_detail exemplar_transaction(struct unit_random *r, struct arena *a)
{
	struct transaction_detail d = {.id = exemplar_text(r, a, false), .duration_ms = unit_random_unit(r) * 1000,
				       .queue_ms = (double)unit_random_below(r, 3) / 2, .failed = unit_random_below(r, 2)};

	d.spans = arena_alloc(a, EXEMPLAR_LIST_MAX * sizeof(*d.spans));
	d.spans_len = unit_random_below(r, EXEMPLAR_LIST_MAX);
	for (size_t i = 0; i < d.spans_len; i++) {
		struct transaction_span *s = &d.spans[i];

		*s = (struct transaction_span){.id = exemplar_text(r, a, false), .parent_id = exemplar_text(r, a, false), .name = exemplar_text(r, a, false),
					       .start_ms = unit_random_unit(r) * 100 - 10, .duration_ms = unit_random_unit(r)};
		s->tags = exemplar_tags(r, a, &s->tags_len, false);
	}
	return d;
}

/* kind: 0 an error, 1 a transaction, 2 a marker, 3 a check-in. All texts and lists live in a. */
static inline struct exemplar exemplar_random(struct unit_random *r, struct arena *a, unsigned kind)
{
	struct exemplar x = {.epoch = (int64_t)unit_random_next(r), .site = unit_random_below(r, 2) ? STR("shop") : STR("blog"),
			     .window_start = EXEMPLAR_T_S * INT64_C(1000)};
	struct event *e = &x.event;

	for (int i = 0; i < 16; i++)
		x.fingerprint[i] = e->group[i] = (uint8_t)unit_random_next(r);
	e->t = x.window_start + (int64_t)unit_random_below(r, 60000);
	e->action = exemplar_text(r, a, false);
	e->namespace = exemplar_text(r, a, false);
	e->host = exemplar_text(r, a, false);
	e->environment = exemplar_text(r, a, false);
	e->revision = exemplar_text(r, a, false);
	e->tags = exemplar_tags(r, a, &e->tags_len, true);
	e->shortened = unit_random_below(r, 2);
	e->has_error = kind == 0;
	e->has_transaction = kind == 1;
	e->has_marker = kind == 2;
	e->has_check_in = kind == 3;
	if (kind == 0)
		e->error = exemplar_error(r, a);
	if (kind == 1)
		e->transaction = exemplar_transaction(r, a);
	if (kind == 2)
		e->marker = (struct marker_detail){exemplar_text(r, a, false), exemplar_text(r, a, false), exemplar_text(r, a, false)};
	if (kind == 3)
		e->check_in = (struct check_in_detail){exemplar_text(r, a, false), (enum check_in_kind)unit_random_below(r, 2),
						       (enum check_in_event)unit_random_below(r, 3)};
	return x;
}

#endif
