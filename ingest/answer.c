/* answer.c - see answer.h.
 *
 * A body that finds no memory is sent empty: the status alone still tells the client what to do. */
#include "ingest/answer.h"

#include "ingest/answer_otlp.h"

enum { STATUS_OK = 200, STATUS_ACCEPTED = 202, STATUS_TIMED_OUT = 408, STATUS_UNAVAILABLE = 503 };

void answer_fini(struct answer *a)
{
	buf_fini(&a->body);
	*a = (struct answer)ANSWER_INIT;
}

/* Length of the well-formed UTF-8 sequence at the start of s, or 0. */
static size_t sequence_length(struct str s)
{
	for (size_t n = 1; n <= 4 && n <= s.len; n++)
		if (str_is_utf8((struct str){s.p, n}))
			return n;
	return 0;
}

/* A detail may quote the client and may be cut anywhere: what is no text becomes U+FFFD. */
void answer_add_json(struct buf *out, struct str s)
{
	buf_add(out, "\"", 1);
	while (s.len) {
		size_t n = sequence_length(s);
		unsigned char c = (unsigned char)*s.p;

		if (n == 0)
			buf_printf(out, "\\ufffd");
		else if (n == 1 && (c < 0x20 || c == '"' || c == '\\'))
			buf_printf(out, "\\u%04x", c);
		else
			buf_add(out, s.p, n);
		n = n ? n : 1;
		s = (struct str){s.p + n, s.len - n};
	}
	buf_add(out, "\"", 1);
}

void answer_add_text(struct buf *out, struct str s)
{
	while (s.len) {
		size_t n = sequence_length(s);

		if (n == 0)
			buf_add(out, "\xef\xbf\xbd", 3);
		else
			buf_add(out, s.p, n);
		n = n ? n : 1;
		s = (struct str){s.p + n, s.len - n};
	}
}

/* Lists and reasons are words of ours: nothing in here needs escaping. */
void answer_add_place(struct buf *out, const struct payload_rejection *r)
{
	buf_printf(out, "%s[%u]", r->list, (unsigned)r->index);
	if (r->point >= 0)
		buf_printf(out, ".points[%lld]", (long long)r->point);
}

static void finish(struct answer *a)
{
	if (buf_failed(&a->body))
		buf_fini(&a->body);
}

static void add_accepted(struct buf *out, const struct payload *p)
{
	buf_printf(out, "{\"accepted\": %llu, \"rejected\": [", (unsigned long long)p->accepted);
	for (size_t i = 0; i < p->rejections_len; i++) {
		buf_printf(out, "%s{\"index\": \"", i ? ", " : "");
		answer_add_place(out, &p->rejections[i]);
		buf_printf(out, "\", \"reason\": \"%s\"}", reason_name(p->rejections[i].reason));
	}
	buf_printf(out, "], \"rejected_total\": %llu}\n", (unsigned long long)p->rejected);
}

void answer_accept(struct answer *a, const struct answer_form *form, const struct payload *p)
{
	a->form = *form;
	a->status = form->otlp ? STATUS_OK : STATUS_ACCEPTED;
	if (form->otlp)
		answer_otlp_accept(&a->body, form, p);
	else
		add_accepted(&a->body, p);
	finish(a);
}

void answer_auth(struct answer *a, struct str site)
{
	a->status = STATUS_OK;
	buf_printf(&a->body, "{\"site\": \"" STR_FMT "\"}\n", STR_ARG(site)); /* of [a-z0-9-]: nothing to escape */
	finish(a);
}

/* What came too slowly is good, and may come again: OTLP's clients repeat no 408. */
static int status_of(enum reason reason, const struct answer_form *form)
{
	int status = reason_status(reason);

	return form->otlp && status == STATUS_TIMED_OUT ? STATUS_UNAVAILABLE : status;
}

void answer_refuse(struct answer *a, const struct answer_form *form, const struct refusal *no, unsigned retry_after_s)
{
	struct str detail = str_from(no->detail[0] ? no->detail : reason_text(no->reason));

	answer_fini(a);
	a->form = *form;
	a->status = status_of(no->reason, form);
	a->refused = true;
	a->reason = no->reason;
	a->retry_after_s = !retry_after_s && form->otlp && a->status == STATUS_UNAVAILABLE ? 1 : retry_after_s;
	if (form->otlp) {
		answer_otlp_refuse(&a->body, form, a->status, no->reason, detail);
	} else {
		buf_printf(&a->body, "{\"error\": \"%s\", \"detail\": ", reason_name(no->reason));
		answer_add_json(&a->body, detail);
		buf_printf(&a->body, "}\n");
	}
	finish(a);
}

const char *answer_type(const struct answer *a)
{
	return a->form.protobuf ? "application/x-protobuf" : "application/json";
}
