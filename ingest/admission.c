/* admission.c - see admission.h.
 *
 * The order of the checks is part of the contract. Place and method come first, as they concern nobody's data. Then whether this
 * instance serves at all: while its tables are not loaded it cannot know a key from a stranger's, and must say 503 (a 401 makes an
 * agent give up for good). Then the key, so that only those who have one can learn our limits or take up room. What the body claims
 * to be comes next, and the budget last, when nothing else can refuse any more: what is charged is let in. */
#include "ingest/admission.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int check_place(const struct admission_head *head, struct refusal *no)
{
	if (strcmp(head->path, "/v1/push") != 0)
		return refuse(no, REASON_NOT_FOUND, "there is nothing at this path; payloads go to /v1/push");
	if (strcmp(head->method, "POST") != 0)
		return refuse(no, REASON_METHOD_NOT_ALLOWED, "/v1/push takes POST");
	return 0;
}

/* The key a client sends: of several, the first in this order. Empty: none. An Authorization of another scheme is some proxy's, not
 * ours, and does not hide a key beside it. */
static struct str find_key(const struct admission_head *head)
{
	static const char scheme[] = "Bearer ";
	const char *bearer = head->authorization;

	if (bearer && strncasecmp(bearer, scheme, strlen(scheme)) == 0)
		return str_from(bearer + strlen(scheme) + strspn(bearer + strlen(scheme), " "));
	return str_from(head->x_api_key ? head->x_api_key : head->api_key);
}

struct tenant *admission_tenant(const struct admission *a, const struct ticket *t, struct refusal *no)
{
	struct tenant *tenant = sites_find(a->sites, t->key_sha256);

	if (!tenant && !a->tables_fresh)
		refuse(no, REASON_TABLES_NOT_LOADED, "this key is not in the table, which may be out of date");
	else if (!tenant)
		refuse(no, REASON_UNAUTHORIZED, "the key is unknown, revoked, or its site is disabled");
	return tenant;
}

static int check_key(const struct admission *a, const struct admission_head *head, struct ticket *t, struct refusal *no)
{
	struct str key = find_key(head);

	if (!a->tables_loaded) /* before even the missing key, so that no answer depends on who asks */
		return refuse(no, REASON_TABLES_NOT_LOADED, "%s", "");
	if (key.len == 0)
		return refuse(no, REASON_UNAUTHORIZED, "no key: send Authorization: Bearer KEY, X-Api-Key: KEY or ?api_key=KEY");
	sites_hash_key(key, t->key_sha256);
	return admission_tenant(a, t, no) ? 0 : -1;
}

/* Is a media type, parameters aside, the one we take? */
static bool is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t n = type ? strcspn(type, "; \t") : 0;

	return n == strlen(json) && strncasecmp(type, json, n) == 0;
}

static int check_kind(const struct admission_head *head, struct refusal *no)
{
	if (!is_json(head->content_type))
		return refuse(no, REASON_UNSUPPORTED_TYPE, "Content-Type is %.80s; application/json is expected",
			      head->content_type ? head->content_type : "missing");
	if (head->content_encoding && strcasecmp(head->content_encoding, "identity") != 0)
		return refuse(no, REASON_UNSUPPORTED_ENCODING, "Content-Encoding is %.80s; send the body as it is",
			      head->content_encoding);
	return 0;
}

int admission_check_body(const struct admission *a, int64_t bytes, struct refusal *no)
{
	if (bytes > a->max_body_bytes)
		return refuse(no, REASON_BODY_TOO_LARGE, "the body is longer than %lld bytes", (long long)a->max_body_bytes);
	return 0;
}

/* The announced length; -1 without one. The server has refused what is no number; one too large for strtoll is its maximum. */
static int64_t announced(const struct admission_head *head)
{
	return head->content_length ? strtoll(head->content_length, NULL, 10) : -1;
}

int admission_enter(struct admission *a, const struct admission_head *head, struct ticket *t, struct refusal *no)
{
	t->announced_bytes = announced(head);
	if (check_place(head, no) < 0)
		return -1;
	if (a->draining)
		return refuse(no, REASON_DRAINING, "%s", "");
	if (check_key(a, head, t, no) < 0 || check_kind(head, no) < 0 || admission_check_body(a, t->announced_bytes, no) < 0)
		return -1;
	return t->announced_bytes > 0 ? admission_charge(a, t, t->announced_bytes, no) : 0;
}

int admission_charge(struct admission *a, struct ticket *t, int64_t bytes, struct refusal *no)
{
	if (bytes > a->budget_bytes - a->inflight_bytes) /* this way round: nothing can overflow */
		return refuse(no, REASON_OVER_BUDGET, "%lld bytes are in flight and %lld more would pass the %lld that may be",
			      (long long)a->inflight_bytes, (long long)bytes, (long long)a->budget_bytes);
	t->charged_bytes += bytes;
	a->inflight_bytes += bytes;
	metric_set(a->account->inflight_bytes, (double)a->inflight_bytes);
	return 0;
}

void admission_release(struct admission *a, struct ticket *t)
{
	a->inflight_bytes -= t->charged_bytes;
	t->charged_bytes = 0;
	metric_set(a->account->inflight_bytes, (double)a->inflight_bytes);
}
