/* diagnose.c - see diagnose.h.
 *
 * One request, GET /v1/auth, tells of the connection, of TLS, of the key and of the clock: what could not be reached says nothing of what
 * lies behind it, so the checks after the first that fails are not made up. The order is that of a payload's way. */
#include "ingest/agent/diagnose.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "ingest/agent/bearer.h"
#include "ingest/agent/diagnose_local.h"

enum { BODY_KEPT = 400, OK = 200, UNAUTHORIZED = 401, FORBIDDEN = 403, BUSY = 503 };

struct request {
	CURL *curl;
	struct curl_slist *headers;
	CURLcode code;
	char why[CURL_ERROR_SIZE];
	long status;
	int64_t server_ms; /* by its Date; 0: it said none */
	int64_t sent_ms, answered_ms;
	char body[BODY_KEPT + 1];
	size_t body_len;
};

void diagnose_ok(struct diagnosis *d, const char *check, const char *fmt, ...)
{
	va_list args;

	fprintf(d->out, "ok   %-10s ", check);
	va_start(args, fmt);
	vfprintf(d->out, fmt, args);
	va_end(args);
	fputc('\n', d->out);
}

void diagnose_fail(struct diagnosis *d, const char *check, const char *remedy, const char *fmt, ...)
{
	va_list args;

	d->failed++;
	fprintf(d->out, "FAIL %-10s ", check);
	va_start(args, fmt);
	vfprintf(d->out, fmt, args);
	va_end(args);
	fprintf(d->out, "\n     %-10s %s\n", "", remedy);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct request *r = ctx;
	size_t room = BODY_KEPT - r->body_len, take = size * n < room ? size * n : room;

	memcpy(r->body + r->body_len, bytes, take);
	r->body_len += take;
	return size * n;
}

/* Makes what a server has answered fit to be shown: its first line, without what a terminal obeys, and without the key if somebody echoes
 * it. */
static void make_showable(struct request *r, const struct bearer *key)
{
	r->body[strcspn(r->body, "\r\n")] = '\0';
	if (strstr(r->body, key->key.text))
		snprintf(r->body, sizeof(r->body), "(an answer that repeats the key)");
	for (char *at = r->body; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
}

static bool behind_proxy(const char *url)
{
	bool tls = strncmp(url, "https:", 6) == 0;

	return (tls && (getenv("https_proxy") || getenv("HTTPS_PROXY"))) || (!tls && getenv("http_proxy")) || getenv("all_proxy") ||
	       getenv("ALL_PROXY");
}

static int check_dns(struct diagnosis *d)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	CURLU *url = curl_url();
	struct addrinfo *found = NULL;
	char *host = NULL, address[128] = "";
	int rc = -1;

	if (!url || curl_url_set(url, CURLUPART_URL, d->conf->push_url, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
		diagnose_fail(d, "name", "set push.url to https://HOST", "push.url '%s' is no address", d->conf->push_url);
		goto out;
	}
	if (host[0] == '[') { /* an address: nothing to ask for */
		rc = 0;
		goto out;
	}
	rc = getaddrinfo(host, NULL, &hints, &found);
	if (rc == 0 && getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof(address), NULL, 0, NI_NUMERICHOST) == 0)
		diagnose_ok(d, "name", "%s is %s", host, address);
	else if (behind_proxy(d->conf->push_url)) {
		diagnose_ok(d, "name", "%s is unknown here (%s): the proxy has to know it", host, gai_strerror(rc));
		rc = 0;
	} else
		diagnose_fail(d, "name", "is push.url right? does this machine resolve other names (/etc/resolv.conf)?", "%s: %s", host, gai_strerror(rc));
out:
	if (found)
		freeaddrinfo(found);
	curl_free(host);
	curl_url_cleanup(url);
	return rc;
}

static void prepare(struct request *r, const struct agent_conf *c, const char *url, const struct bearer *key)
{
	char header[TOKEN_MAX + 32];

	snprintf(header, sizeof(header), "Authorization: Bearer %s", key->key.text);
	r->headers = curl_slist_append(NULL, header);
	explicit_bzero(header, sizeof(header));
	curl_easy_setopt(r->curl, CURLOPT_URL, url);
	curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, (long)DIAGNOSE_PATIENCE_MS);
	curl_easy_setopt(r->curl, CURLOPT_USERAGENT, "millrace-agent");
	curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, r->headers);
	curl_easy_setopt(r->curl, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* the key is not for a proxy */
	curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, r->why);
	if (*c->ca_file)
		curl_easy_setopt(r->curl, CURLOPT_CAINFO, c->ca_file);
}

static void ask(struct request *r, const struct agent_conf *c, const struct bearer *key)
{
	struct buf url = BUF_INIT;
	struct curl_header *date;

	r->curl = curl_easy_init();
	buf_printf(&url, "%s/v1/auth%c", c->push_url, '\0');
	if (!r->curl || buf_failed(&url)) {
		r->code = CURLE_OUT_OF_MEMORY;
	} else {
		prepare(r, c, (const char *)url.p, key);
		r->sent_ms = clock_wall_ms();
		r->code = curl_easy_perform(r->curl);
		r->answered_ms = clock_wall_ms();
		curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &r->status);
		if (curl_easy_header(r->curl, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK && curl_getdate(date->value, NULL) > 0)
			r->server_ms = (int64_t)curl_getdate(date->value, NULL) * 1000;
	}
	curl_slist_free_all(r->headers);
	curl_easy_cleanup(r->curl);
	buf_fini(&url);
}

static bool is_of_tls(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CACERT_BADFILE ||
	       code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_INVALIDCERTSTATUS || code == CURLE_SSL_CIPHER;
}

static int check_connection(struct diagnosis *d, const struct request *r)
{
	const char *why = *r->why ? r->why : curl_easy_strerror(r->code);
	bool tls = strncmp(d->conf->push_url, "https:", 6) == 0;

	if (r->code != CURLE_OK && !is_of_tls(r->code)) {
		diagnose_fail(d, "connection", behind_proxy(d->conf->push_url) ? "is the environment's proxy right, and does it let this through?"
									       : "is a firewall in between, or a proxy needed (https_proxy)? is the port right?",
			      "%s: %s", d->conf->push_url, why);
		return -1;
	}
	diagnose_ok(d, "connection", "%s", d->conf->push_url);
	if (r->code != CURLE_OK) {
		diagnose_fail(d, "tls", "push.ca_file names the authorities to trust; a certificate that is too old or too new may be this machine's clock",
			      "%s", why);
		return -1;
	}
	diagnose_ok(d, "tls", "%s", tls ? "the certificate is good" : "none: over a network the key could be read on the way, use https");
	return 0;
}

static void check_answer(struct diagnosis *d, const struct request *r)
{
	switch (r->status) {
	case OK:
		diagnose_ok(d, "key", "is good: %s", r->body);
		return;
	case UNAUTHORIZED:
		diagnose_fail(d, "key", "make a key for the site and put it into key.file", "the server knows no such key: %s", r->body);
		return;
	case FORBIDDEN:
		diagnose_fail(d, "key", "the server asks for a client certificate: a proxy that has one must stand in between", "%s",
			      r->body);
		return;
	case BUSY:
		diagnose_fail(d, "key", "try again in a minute; payloads wait meanwhile", "the server takes nothing now: %s", r->body);
		return;
	default:
		diagnose_fail(d, "key", "is push.url the Push API's? what a proxy in between says may stand above", "answer %ld: %s", r->status,
			      r->body);
	}
}

/* The server's second began at its Date, and it read its clock between our two readings. */
static void check_clock(struct diagnosis *d, const struct request *r)
{
	int64_t ahead = r->sent_ms - r->server_ms - 1000, behind = r->answered_ms - r->server_ms;
	int64_t skew = ahead > 0 ? ahead : behind < 0 ? behind : 0;

	if (!r->server_ms)
		diagnose_ok(d, "clock", "the server did not tell its time");
	else if (skew > DIAGNOSE_SKEW_MS || skew < -DIAGNOSE_SKEW_MS)
		diagnose_fail(d, "clock", "set this machine's clock by NTP (timedatectl): samples are counted in the wrong minute",
			      "%" PRId64 " s %s the server's", (skew < 0 ? -skew : skew) / 1000, skew < 0 ? "behind" : "ahead of");
	else
		diagnose_ok(d, "clock", "within %" PRId64 " s of the server's", (skew < 0 ? -skew : skew) / 1000 + 1);
}

static void check_network(struct diagnosis *d)
{
	struct request r = {.code = CURLE_OK};
	struct bearer key;
	struct err err = ERR_INIT;

	if (bearer_init(&key, d->conf->key, d->conf->key_file, &err) < 0) {
		diagnose_fail(d, "key", "set key.file, or MILLRACE_KEY in the environment", "%s", err.msg);
		return;
	}
	if (check_dns(d) == 0) {
		ask(&r, d->conf, &key);
		make_showable(&r, &key);
		if (check_connection(d, &r) == 0) {
			check_answer(d, &r);
			check_clock(d, &r);
		}
	}
	bearer_fini(&key);
}

int diagnose(const struct program *p, const struct agent_conf *c, FILE *out)
{
	struct diagnosis d = {.program = p, .conf = c, .out = out};

	check_network(&d);
	diagnose_local(&d);
	return d.failed;
}
