/* answer.c - see answer.h.
 *
 * A body that finds no memory is sent empty: the status alone still tells the client what to do. */
#include "ingest/answer.h"

enum { STATUS_OK = 200, STATUS_ACCEPTED = 202 };

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

/* A JSON string of any bytes: those that are no text become U+FFFD, as a detail may quote the client and may be cut anywhere. */
static void add_string(struct buf *out, struct str s)
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

/* Lists and reasons are words of ours: nothing in here needs escaping. */
static void add_rejection(struct buf *out, const struct payload_rejection *r)
{
	buf_printf(out, "{\"index\": \"%s[%u]", r->list, (unsigned)r->index);
	if (r->point >= 0)
		buf_printf(out, ".points[%lld]", (long long)r->point);
	buf_printf(out, "\", \"reason\": \"%s\"}", reason_name(r->reason));
}

static void finish(struct answer *a)
{
	if (buf_failed(&a->body))
		buf_fini(&a->body);
}

void answer_accept(struct answer *a, const struct payload *p)
{
	struct buf *out = &a->body;

	a->status = STATUS_ACCEPTED;
	buf_printf(out, "{\"accepted\": %llu, \"rejected\": [", (unsigned long long)p->accepted);
	for (size_t i = 0; i < p->rejections_len; i++) {
		if (i)
			buf_add(out, ", ", 2);
		add_rejection(out, &p->rejections[i]);
	}
	buf_printf(out, "], \"rejected_total\": %llu}\n", (unsigned long long)p->rejected);
	finish(a);
}

void answer_auth(struct answer *a, struct str site)
{
	a->status = STATUS_OK;
	buf_printf(&a->body, "{\"site\": \"" STR_FMT "\"}\n", STR_ARG(site)); /* of [a-z0-9-]: nothing to escape */
	finish(a);
}

void answer_refuse(struct answer *a, const struct refusal *no, unsigned retry_after_s)
{
	answer_fini(a);
	a->status = reason_status(no->reason);
	a->refused = true;
	a->reason = no->reason;
	a->retry_after_s = retry_after_s;
	buf_printf(&a->body, "{\"error\": \"%s\", \"detail\": ", reason_name(no->reason));
	add_string(&a->body, str_from(no->detail[0] ? no->detail : reason_text(no->reason)));
	buf_printf(&a->body, "}\n");
	finish(a);
}
