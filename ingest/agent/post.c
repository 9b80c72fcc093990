/* post.c - see post.h. */
#include "ingest/agent/post.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "ingest/agent/outcome.h"
#include "ingest/agent/reply.h"

struct post {
	CURL *curl;
	struct curl_slist *headers;
	struct buf answer;
	size_t headers_bytes;
	bool answered; /* the headers of the final answer are whole */
	char error[CURL_ERROR_SIZE];
};

/* Less than what it has makes libcurl end the transfer. */
static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct post *p = ctx;

	if (size * n > REPLY_MAX_BYTES - p->answer.len)
		return 0;
	buf_add(&p->answer, bytes, size * n);
	return buf_failed(&p->answer) ? 0 : size * n;
}

/* The empty line ends a block of headers, of which a 1xx has one of its own. */
static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
	struct post *p = ctx;
	long status = 0;

	p->headers_bytes += size * n;
	if (p->headers_bytes > POST_HEADERS_MAX_BYTES)
		return 0;
	if (size * n <= 2 && (bytes[0] == '\r' || bytes[0] == '\n')) {
		curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
		p->answered = p->answered || status >= 200;
	}
	return size * n;
}

/* The address with /v1/push behind its path; what may stand behind a path is refused, as it would be lost. */
static int set_path(CURLU *url, struct err *err)
{
	char *scheme = NULL, *path = NULL, *more = NULL, *whole = NULL;
	int rc = -1;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) ||
	    curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK || curl_url_get(url, CURLUPART_QUERY, &more, 0) != CURLUE_NO_QUERY ||
	    curl_url_get(url, CURLUPART_FRAGMENT, &more, 0) != CURLUE_NO_FRAGMENT) {
		err_set(err, ERR_REJECT, "push.url is not like https://HOST:PORT");
		goto out;
	}
	if (path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = '\0';
	if (asprintf(&whole, "%s/v1/push", path) < 0)
		whole = NULL; /* it is undefined */
	if (whole && curl_url_set(url, CURLUPART_PATH, whole, 0) == CURLUE_OK)
		rc = 0;
	else
		err_nomem(err, "an address");
	free(whole);
out:
	curl_free(scheme);
	curl_free(path);
	curl_free(more);
	return rc;
}

static int set_url(struct post *p, const char *text, struct err *err)
{
	CURLU *url = curl_url();
	char *whole = NULL;
	int rc = -1;

	if (!url)
		return err_nomem(err, "an address");
	if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
		err_set(err, ERR_REJECT, "push.url is not like https://HOST:PORT");
	else
		rc = set_path(url, err);
	if (rc == 0 && (curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK || curl_easy_setopt(p->curl, CURLOPT_URL, whole) != CURLE_OK))
		rc = err_nomem(err, "an address");
	curl_free(whole);
	curl_url_cleanup(url);
	return rc;
}

/* QUICK_EXIT: a post that ends while its name is still being resolved would else wait for that thread, and the loop with it. */
static void set_options(struct post *p, const struct post_conf *conf)
{
	curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(p->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(p->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(p->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(p->curl, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(p->curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(p->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)conf->connect_timeout_ms);
	curl_easy_setopt(p->curl, CURLOPT_TIMEOUT_MS, (long)conf->timeout_ms);
	curl_easy_setopt(p->curl, CURLOPT_USERAGENT, "millrace-agent");
	curl_easy_setopt(p->curl, CURLOPT_ERRORBUFFER, p->error);
	curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, p);
	curl_easy_setopt(p->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(p->curl, CURLOPT_HEADERDATA, p);
}

struct post *post_new(const struct post_conf *conf, struct err *err)
{
	struct post *p = calloc(1, sizeof(*p));

	if (!p || !(p->curl = curl_easy_init())) {
		err_nomem(err, "a post");
		post_free(p);
		return NULL;
	}
	set_options(p, conf);
	if (set_url(p, conf->url, err) < 0) {
		post_free(p);
		return NULL;
	}
	if (conf->ca_file && *conf->ca_file && curl_easy_setopt(p->curl, CURLOPT_CAINFO, conf->ca_file) != CURLE_OK) {
		err_nomem(err, "a post");
		post_free(p);
		return NULL;
	}
	return p;
}

/* The key was in there. */
static void forget_headers(struct post *p)
{
	for (struct curl_slist *h = p->headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(p->headers);
	p->headers = NULL;
}

void post_free(struct post *p)
{
	if (!p)
		return;
	curl_easy_cleanup(p->curl);
	forget_headers(p);
	buf_fini(&p->answer);
	free(p);
}

static int add_header(struct post *p, const char *line)
{
	struct curl_slist *longer = curl_slist_append(p->headers, line);

	if (!longer)
		return -1;
	p->headers = longer;
	return 0;
}

/* "Expect:" empty: libcurl would wait a second for a permission to send what is larger than 1 MiB. */
static int set_headers(struct post *p, const struct token *key, int64_t created_at_ms, int64_t sent_at_ms)
{
	char authorization[TOKEN_MAX + 32], created[64], sent[64];
	const char *const lines[] = {authorization, created, sent, "Content-Type: application/x-protobuf", "Content-Encoding: zstd", "Expect:"};
	int rc = 0;

	snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", key->text);
	snprintf(created, sizeof(created), "Millrace-Created-At: %lld", (long long)created_at_ms);
	snprintf(sent, sizeof(sent), "Millrace-Sent-At: %lld", (long long)sent_at_ms);
	forget_headers(p);
	for (size_t i = 0; rc == 0 && i < sizeof(lines) / sizeof(lines[0]); i++)
		rc = add_header(p, lines[i]);
	explicit_bzero(authorization, sizeof(authorization));
	return rc;
}

int post_prepare(struct post *p, struct str body, const struct token *key, int64_t created_at_ms, int64_t sent_at_ms, struct err *err)
{
	buf_clear(&p->answer);
	p->headers_bytes = 0;
	p->answered = false;
	p->error[0] = '\0';
	if (set_headers(p, key, created_at_ms, sent_at_ms) < 0)
		return err_nomem(err, "a request");
	curl_easy_setopt(p->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, body.p);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, p->headers);
	return 0;
}

CURL *post_transfer(struct post *p)
{
	return p->curl;
}

bool post_is(const struct post *p, const CURL *transfer)
{
	return p->curl == transfer;
}

static const char *header(struct post *p, const char *name)
{
	struct curl_header *h;

	return curl_easy_header(p->curl, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

/* libcurl quotes a proxy's address that it cannot read, with the password in front of its @. */
static bool says_no_secret(const char *error)
{
	return error[0] && !strchr(error, '@');
}

void post_ended(struct post *p, CURLcode code, struct post_answer *out)
{
	long status = 0;

	*out = (struct post_answer){.retry_after_ms = -1};
	if (p->answered) { /* an end in the middle of the headers is no error to libcurl */
		char date[64];

		curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
		snprintf(date, sizeof(date), "%s", header(p, "Date") ? header(p, "Date") : "");
		out->retry_after_ms = outcome_retry_after_ms(header(p, "Retry-After"), date[0] ? date : NULL, clock_wall_ms());
	}
	out->status = (int)status;
	out->body = buf_str(&p->answer);
	if (code != CURLE_OK)
		snprintf(out->error, sizeof(out->error), "%s", says_no_secret(p->error) ? p->error : curl_easy_strerror(code));
	else if (status == 0)
		snprintf(out->error, sizeof(out->error), "no HTTP answer");
}
