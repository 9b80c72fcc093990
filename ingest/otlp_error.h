/* otlp_error.h - exceptions of OTLP become errors.
 *
 * By the semantic conventions an exception is attributes: exception.type, exception.message, exception.stacktrace, on an event of a span or on a
 * log record. One of the first two makes it one. */
#ifndef MILLRACE_INGEST_OTLP_ERROR_H
#define MILLRACE_INGEST_OTLP_ERROR_H

#include "ingest/event.h"
#include "ingest/otlp_scope.h"

enum { OTLP_PARAMS_MAX = EVENT_PARAMS_MAX + 1, OTLP_BREADCRUMBS_MAX = EVENT_BREADCRUMBS_MAX + 1 }; /* one more than is kept of an error, so that it shows */

/* An exception where it stood. Borrows all. */
struct otlp_exception {
	const char *list;
	uint32_t index;
	struct otlp_scope *scope;
	bool has_t;
	int64_t t_ms;
	struct str action, namespace;
	struct str body; /* stands for a message */
	const struct tag *attributes, *more; /* of its event or record; and what else belongs to its params */
	size_t attributes_len, more_len;
	const struct tag *tags;
	size_t tags_len;
	struct breadcrumb *breadcrumbs;
	size_t breadcrumbs_len;
};

/* Are these the attributes of an exception? */
bool otlp_is_exception(const struct tag *attributes, size_t len);

/* Copies the first attributes that do not belong to an exception itself, at most OTLP_PARAMS_MAX, behind the len ones of params; gives the new len. */
size_t otlp_params_add(struct tag *params, size_t len, const struct tag *attributes, size_t attributes_len);

/* Hands the error to event_add(). -1 when memory is short. */
int otlp_add_exception(struct payload *p, const struct otlp_rules *rules, const struct otlp_exception *x);

#endif
