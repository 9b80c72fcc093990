/* admin_port.c - see admin_port.h.
 *
 * The answer may come from anything that listens there: it is bounded while it is read, and its words go through ctl_hint() like all foreign
 * text. */
#include "deploy/ctl/admin_port.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 5000, WHOLE_MS = 10000, WORDS_MAX = 300 };

struct admin_port {
	CURL *curl;
	CURLU *url;               /* of the desk */
	char *name;               /* as the operator wrote it */
	char *desk;               /* "/controls" */
	struct curl_slist *heads;
	struct buf answer;
};

/* libcurl stops when less is taken than it has. */
static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct admin_port *p = ctx;

	if (size * n > ADMIN_PORT_LIST_MAX - p->answer.len)
		return 0;
	buf_add(&p->answer, bytes, size * n);
	return buf_failed(&p->answer) ? 0 : size * n;
}

static int parse_url(struct admin_port *p, const char *text, struct err *err)
{
	char *scheme = NULL, *path = NULL, *whole = NULL;
	int rc = -1;

	if (!p->url)
		return err_nomem(err, "an address");
	if (curl_url_set(p->url, CURLUPART_URL, text, 0) != CURLUE_OK ||
	    curl_url_get(p->url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK || curl_url_get(p->url, CURLUPART_PATH, &path, 0) != CURLUE_OK ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
		err_set(err, ERR_REJECT, "--admin %s is no address like http://HOST:PORT", text);
		goto out;
	}
	if (path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = '\0';
	if (asprintf(&whole, "%s%s", path, p->desk) < 0)
		whole = NULL; /* it is undefined */
	if (whole && curl_url_set(p->url, CURLUPART_PATH, whole, 0) == CURLUE_OK)
		rc = 0;
	else
		err_nomem(err, "an address");
	free(whole);
out:
	curl_free(scheme);
	curl_free(path);
	return rc;
}

/* "Expect:" empty: libcurl would wait a second for a permission that the port gives at once. */
static int set_heads(struct admin_port *p, const struct token *token, struct err *err)
{
	static const char *const more[] = {"Expect:", "Content-Type: application/octet-stream"};
	char head[TOKEN_MAX + 32];

	snprintf(head, sizeof(head), "Authorization: Bearer %s", token->text);
	p->heads = curl_slist_append(NULL, head);
	explicit_bzero(head, sizeof(head));
	for (size_t i = 0; p->heads && i < sizeof(more) / sizeof(more[0]); i++) {
		struct curl_slist *longer = curl_slist_append(p->heads, more[i]);

		if (!longer)
			return err_nomem(err, "a request");
	}
	return p->heads ? 0 : err_nomem(err, "a request");
}

struct admin_port *admin_port_new(const char *url, const char *desk, const struct token *token, struct err *err)
{
	struct admin_port *p = calloc(1, sizeof(*p));

	if (!p || !(p->name = strdup(url)) || !(p->desk = strdup(desk))) {
		err_nomem(err, "a request");
		admin_port_free(p);
		return NULL;
	}
	p->url = curl_url();
	p->curl = curl_easy_init();
	if (!p->curl || parse_url(p, url, err) < 0 || set_heads(p, token, err) < 0) {
		if (!p->curl)
			err_nomem(err, "a request");
		admin_port_free(p);
		return NULL;
	}
	curl_easy_setopt(p->curl, CURLOPT_CURLU, p->url);
	curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(p->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(p->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(p->curl, CURLOPT_TIMEOUT_MS, (long)WHOLE_MS);
	curl_easy_setopt(p->curl, CURLOPT_USERAGENT, "millrace-ctl");
	curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, p->heads);
	curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, p);
	return p;
}

void admin_port_free(struct admin_port *p)
{
	if (!p)
		return;
	curl_easy_cleanup(p->curl);
	curl_slist_free_all(p->heads);
	curl_url_cleanup(p->url);
	buf_fini(&p->answer);
	free(p->name);
	free(p->desk);
	free(p);
}

/* What a status that is not the wanted one means. A program that cannot now may later. */
static int refused(const struct admin_port *p, long status, struct err *err)
{
	struct str words = buf_str(&p->answer);

	while (words.len && (words.p[words.len - 1] == '\n' || words.len > WORDS_MAX))
		words.len--;
	return err_set(err, status >= 500 ? ERR_RETRY : ERR_REJECT, "%s answers %ld%s" STR_FMT, p->name, status, words.len ? ": " : "",
		       STR_ARG(words));
}

/* One request, whose status is 2xx when all went well. body NULL: none; libcurl keeps what an earlier one had until it is told otherwise. */
static int perform(struct admin_port *p, const char *method, const struct str *body, struct err *err)
{
	char why[CURL_ERROR_SIZE] = "";
	CURLcode code;
	long status = 0;

	buf_clear(&p->answer);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE, body ? (long)body->len : 0);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, body ? body->p : NULL);
	if (!body)
		curl_easy_setopt(p->curl, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(p->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(p->curl, CURLOPT_ERRORBUFFER, why);
	code = curl_easy_perform(p->curl);
	curl_easy_setopt(p->curl, CURLOPT_ERRORBUFFER, NULL);
	if (code == CURLE_WRITE_ERROR)
		return err_set(err, ERR_RETRY, "%s answers more than can be held", p->name);
	if (code != CURLE_OK)
		return err_set(err, ERR_RETRY, "%s: %s", p->name, why[0] ? why : curl_easy_strerror(code));
	curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
	return status / 100 == 2 ? 0 : refused(p, status, err);
}

int admin_port_put(struct admin_port *p, struct str record, struct err *err)
{
	return perform(p, "PUT", &record, err);
}

int admin_port_clear(struct admin_port *p, const char *id, struct err *err)
{
	char *query;
	int rc = -1;

	if (asprintf(&query, "id=%s", id) < 0)
		return err_nomem(err, "a request");
	if (curl_url_set(p->url, CURLUPART_QUERY, query, CURLU_APPENDQUERY | CURLU_URLENCODE) == CURLUE_OK)
		rc = perform(p, "DELETE", NULL, err);
	else
		err_nomem(err, "a request");
	curl_url_set(p->url, CURLUPART_QUERY, NULL, 0);
	free(query);
	return rc;
}

int admin_port_list(struct admin_port *p, struct buf *out, struct err *err)
{
	long status = 0;
	int rc = perform(p, "GET", NULL, err);

	curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 404)
		return err_set(err, ERR_REJECT, "%s has no %s: it is another program's admin port", p->name, p->desk);
	if (rc < 0 || status != 200)
		return rc < 0 ? -1 : refused(p, status, err);
	buf_add(out, p->answer.p, p->answer.len);
	return buf_failed(out) ? err_nomem(err, "what an admin port has") : 0;
}
