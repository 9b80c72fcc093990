/* page_answers.c - all that the page has, as answers for the server. */
#include <stdio.h>

#include "sink/status/page_view.h"
#include "sink/status/server.h"
#include "sink/status/style.h"

#define HTML_TYPE "text/html; charset=utf-8"

/* How long others may keep a copy, in seconds. The style's address has its version. */
enum { AGE_PAGE_S = 5, AGE_HISTORY_S = 60, AGE_STYLE_S = 86400 };

enum { PATH_SIZE = sizeof(PAGE_PATH_INCIDENT) + STATUS_INCIDENT_ID_MAX };

/* All renderers of whole documents are alike. */
typedef int (*render_fn)(const struct page *p, struct buf *out, struct err *err);

int page_style(const struct page *p, struct buf *out, struct err *err)
{
	(void)p;
	style_write(out);
	return buf_failed(out) ? err_nomem(err, "the style sheet") : 0;
}

static const struct document { const char *path, *type; int max_age_s; render_fn render; } documents[] = {
	{PAGE_PATH, HTML_TYPE, AGE_PAGE_S, page_html},
	{PAGE_PATH_STILL, HTML_TYPE, AGE_PAGE_S, page_html_still},
	{PAGE_PATH_HISTORY, HTML_TYPE, AGE_HISTORY_S, page_html_history},
	{PAGE_PATH_JSON, "application/json", AGE_PAGE_S, page_json},
	{PAGE_PATH_ATOM, "application/atom+xml; charset=utf-8", AGE_HISTORY_S, page_atom},
	{PAGE_PATH_STYLE, "text/css; charset=utf-8", AGE_STYLE_S, page_style},
};

/* The body goes to the answers in any case, or is freed here. */
static int add_document(const struct page *p, struct answers *a, const struct document *d, struct err *err)
{
	struct buf body = BUF_INIT;

	if (d->render(p, &body, err) == 0)
		return answers_add(a, d->path, d->type, d->max_age_s, &body, err);
	buf_fini(&body);
	return -1;
}

static int add_incident(const struct page *p, struct answers *a, const struct status_incident *i, struct err *err)
{
	struct buf body = BUF_INIT;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), PAGE_PATH_INCIDENT STR_FMT, STR_ARG(i->id));
	if (page_html_incident(p, i, &body, err) == 0)
		return answers_add(a, path, HTML_TYPE, AGE_PAGE_S, &body, err);
	buf_fini(&body);
	return -1;
}

/* All or nothing: a set in which something is missing must not be served, and the caller frees it. */
int page_answers(const struct page *p, struct answers *a, struct err *err)
{
	struct page_selection s;
	int rc = 0;

	for (size_t k = 0; k < sizeof(documents) / sizeof(documents[0]); k++)
		if (add_document(p, a, &documents[k], err) < 0)
			return -1;
	answers_refresh(a, PAGE_PATH, PAGE_REFRESH_S);
	if (page_select(p, PAGE_LIST_PUBLIC, &s, err) < 0)
		return -1;
	for (size_t k = 0; rc == 0 && k < s.nr; k++)
		rc = add_incident(p, a, s.all[k], err);
	page_selection_fini(&s);
	return rc;
}
