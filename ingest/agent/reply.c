/* reply.c - see reply.h.
 *
 * Walked by yajl's callbacks, without a tree: a tree of deep brackets is freed by recursion as deep. */
#include "ingest/agent/reply.h"

#include <string.h>
#include <yajl/yajl_parse.h>

enum { IN_ANSWER = 1, IN_REJECTION = 3 /* map, list, map */ };

enum field { FIELD_OTHER, FIELD_ACCEPTED, FIELD_REJECTED, FIELD_REJECTED_TOTAL, FIELD_ERROR, FIELD_DETAIL };

struct walk {
	struct reply *out;
	struct str secret;
	size_t depth;
	enum field field; /* of the outermost map */
	bool reason;      /* the key in a rejection */
};

/* A copy that is safe to print, cut at its end; nothing of a text that holds the secret, which might be cut in its middle. */
static void copy_words(const struct walk *w, char *to, size_t size, struct str s)
{
	size_t n = s.len < size - 1 ? s.len : size - 1;

	if (w->secret.len && memmem(s.p, s.len, w->secret.p, w->secret.len))
		n = 0;
	for (size_t i = 0; i < n; i++)
		to[i] = s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?';
	to[n] = '\0';
}

static void count_reason(const struct walk *w, struct str s)
{
	struct reply *r = w->out;
	char reason[REPLY_REASON_SIZE];
	size_t i = 0;

	copy_words(w, reason, sizeof(reason), s);
	while (i < r->reasons_len && strcmp(r->reasons[i].reason, reason) != 0)
		i++;
	if (i == REPLY_REASONS_MAX)
		return;
	if (i == r->reasons_len)
		memcpy(r->reasons[r->reasons_len++].reason, reason, sizeof(reason));
	r->reasons[i].samples++;
}

static int on_string(void *ctx, const unsigned char *bytes, size_t len)
{
	struct walk *w = ctx;
	struct str s = {(const char *)bytes, len};

	if (w->depth == IN_REJECTION && w->field == FIELD_REJECTED && w->reason)
		count_reason(w, s);
	if (w->depth == IN_ANSWER && w->field == FIELD_ERROR)
		copy_words(w, w->out->error, sizeof(w->out->error), s);
	if (w->depth == IN_ANSWER && w->field == FIELD_DETAIL)
		copy_words(w, w->out->detail, sizeof(w->out->detail), s);
	return 1;
}

static int on_integer(void *ctx, long long n)
{
	struct walk *w = ctx;

	if (w->depth == IN_ANSWER && w->field == FIELD_ACCEPTED && n > 0)
		w->out->accepted = (uint64_t)n;
	if (w->depth == IN_ANSWER && w->field == FIELD_REJECTED_TOTAL && n > 0)
		w->out->rejected = (uint64_t)n;
	return 1;
}

static int on_key(void *ctx, const unsigned char *bytes, size_t len)
{
	static const char *const names[] = {[FIELD_ACCEPTED] = "accepted", [FIELD_REJECTED] = "rejected",
					    [FIELD_REJECTED_TOTAL] = "rejected_total", [FIELD_ERROR] = "error", [FIELD_DETAIL] = "detail"};
	struct walk *w = ctx;
	struct str key = {(const char *)bytes, len};

	w->reason = w->depth == IN_REJECTION && str_eq(key, STR("reason"));
	if (w->depth != IN_ANSWER)
		return 1;
	w->field = FIELD_OTHER;
	for (size_t i = FIELD_ACCEPTED; i <= FIELD_DETAIL; i++)
		if (str_eq(key, str_from(names[i])))
			w->field = (enum field)i;
	return 1;
}

static int on_begin(void *ctx)
{
	((struct walk *)ctx)->depth++;
	return 1;
}

static int on_end(void *ctx)
{
	((struct walk *)ctx)->depth--;
	return 1;
}

void reply_read(struct str body, struct str secret, struct reply *out)
{
	static const yajl_callbacks callbacks = {.yajl_integer = on_integer, .yajl_string = on_string, .yajl_map_key = on_key,
						 .yajl_start_map = on_begin, .yajl_start_array = on_begin, .yajl_end_map = on_end,
						 .yajl_end_array = on_end};
	struct walk w = {.out = out, .secret = secret};
	yajl_handle yajl;

	*out = (struct reply){0};
	yajl = yajl_alloc(&callbacks, NULL, &w);
	if (!yajl)
		return;
	if (yajl_parse(yajl, (const unsigned char *)body.p, body.len) == yajl_status_ok)
		yajl_complete_parse(yajl);
	yajl_free(yajl);
}
