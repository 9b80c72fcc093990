/* request.c - see request.h.
 *
 * libcurl follows nothing and believes nothing of the environment here: no redirects, no proxy, no .netrc, two protocols, and its sockets come from the
 * guard. Each request has a connection of its own, so that none goes by what the guard said another time, of another list. Errors that are quoted
 * come from libcurl (hosts and ports, never a path: that of a webhook is often its secret) and from the answer's first bytes, unless the bearer's
 * token, or a piece of the path, is in it. */
#include "sink/notify/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/retry.h"
#include "sink/notify/dialog.h"
#include "sink/notify/mail_body.h"
#include "sink/notify/secret.h"
#include "sink/notify/sign.h"
#include "sink/notify/webhook_body.h"

/* Where a token that begins in the excerpt must have ended. */
enum { KEPT_MAX = REQUEST_EXCERPT_MAX + SECRET_BYTES_MAX };

enum { SECRET_PIECE_MIN = 8 }; /* bytes of a URL's piece that an answer is not quoted for */

struct request {
	const struct request_conf *conf;
	CURL *curl;
	CURLU *url;
	struct curl_slist *lines; /* headers */
	struct buf body;
	struct dialog dialog;     /* a mail's */
	bool talks;               /* it has begun */
	struct secret token;      /* of Authorization, or a mail's password, to be kept out of errors */
	struct guard_visit visit;
	bool is_mail, answered, packed;
	size_t answer_bytes, head_bytes, kept;
	char answer[KEPT_MAX];
	char error[CURL_ERROR_SIZE];
};

enum request_verdict request_verdict_http(int status)
{
	if (status >= 200 && status < 300)
		return REQUEST_DELIVERED;
	if (status >= 400 && status < 500 && status != 408 && status != 425 && status != 429)
		return REQUEST_GIVE_UP;
	return REQUEST_RETRY;
}

enum request_verdict request_verdict_smtp(int reply)
{
	return reply >= 500 && reply < 600 ? REQUEST_GIVE_UP : REQUEST_RETRY;
}

/* Less than what it has makes libcurl end the transfer. */
static size_t on_answer(char *bytes, size_t size, size_t n, void *ctx)
{
	struct request *r = ctx;
	size_t len = size * n, room = sizeof(r->answer) - r->kept;

	if (len > REQUEST_ANSWER_MAX - r->answer_bytes)
		return 0;
	r->answer_bytes += len;
	room = room < len ? room : len;
	memcpy(r->answer + r->kept, bytes, room);
	r->kept += room;
	return len;
}

/* libcurl unpacks what is packed for the transfer, asked for or not: of a few hundred bytes that are packed several times over it makes hours of
 * work, inside of a call, for the empty blocks that come out are no answer that could grow too long. */
static bool is_packed(struct str line)
{
	static const char name[] = "transfer-encoding:", plain[] = "chunked";
	size_t len = sizeof(name) - 1;

	if (line.len < len || strncasecmp(line.p, name, len) != 0)
		return false;
	while (len < line.len && (line.p[len] == ' ' || line.p[len] == '\t'))
		len++;
	while (line.len > len && strchr(" \t\r\n", line.p[line.len - 1]))
		line.len--;
	return line.len - len != sizeof(plain) - 1 || strncasecmp(line.p + len, plain, sizeof(plain) - 1) != 0;
}

/* The empty line ends a block of headers, of which a 1xx has one of its own. What follows is not read where it is packed. */
static size_t on_head(char *bytes, size_t size, size_t n, void *ctx)
{
	struct request *r = ctx;
	long status = 0;

	r->head_bytes += size * n;
	if (r->head_bytes > REQUEST_HEADERS_MAX)
		return 0;
	r->packed = r->packed || is_packed((struct str){bytes, size * n});
	if (!r->is_mail && size * n <= 2 && (bytes[0] == '\r' || bytes[0] == '\n')) {
		curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
		r->answered = r->answered || status >= 200;
	}
	return r->answered && r->packed ? 0 : size * n;
}

struct request *request_new(const struct request_conf *conf, struct err *err)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r || !(r->curl = curl_easy_init())) {
		err_nomem(err, "a request");
		request_free(r);
		return NULL;
	}
	r->conf = conf;
	return r;
}

/* Secrets are in the headers and in libcurl's options; the body may go on. */
static void forget(struct request *r)
{
	curl_easy_reset(r->curl);
	for (struct curl_slist *l = r->lines; l; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(r->lines);
	r->lines = NULL;
	curl_url_cleanup(r->url);
	r->url = NULL;
	secret_forget(&r->token);
	buf_clear(&r->body);
	dialog_fini(&r->dialog);
	r->dialog = (struct dialog){.state = DIALOG_FROM};
}

void request_free(struct request *r)
{
	if (!r)
		return;
	if (r->curl)
		forget(r);
	curl_easy_cleanup(r->curl);
	buf_fini(&r->body);
	free(r);
}

static int add_line(struct request *r, const char *line, struct err *err)
{
	struct curl_slist *longer = curl_slist_append(r->lines, line);

	if (!longer)
		return err_nomem(err, "a request");
	r->lines = longer;
	return 0;
}

/* QUICK_EXIT: one that ends while its name is still being resolved would else wait for that thread, and the loop with it. What takes memory is asked whether it
 * got it: without these two the environment's proxy would be used. */
static int set_common(struct request *r, struct err *err)
{
	const struct request_conf *conf = r->conf;

	if (curl_easy_setopt(r->curl, CURLOPT_PROXY, "") != CURLE_OK || curl_easy_setopt(r->curl, CURLOPT_NOPROXY, "*") != CURLE_OK)
		return err_nomem(err, "a request");
	curl_easy_setopt(r->curl, CURLOPT_CURLU, r->url);
	curl_easy_setopt(r->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(r->curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(r->curl, CURLOPT_OPENSOCKETFUNCTION, guard_open_socket);
	curl_easy_setopt(r->curl, CURLOPT_OPENSOCKETDATA, &r->visit);
	curl_easy_setopt(r->curl, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(r->curl, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(r->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(r->curl, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(r->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)conf->timeout_ms);
	curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, (long)conf->timeout_ms);
	curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(r->curl, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(r->curl, CURLOPT_HEADERDATA, r);
	return 0;
}

static int parse_url(struct request *r, struct str text, enum guard_use use, struct err *err)
{
	char url[GUARD_URL_MAX + 1];

	if (text.len >= sizeof(url) || (text.len && memchr(text.p, '\0', text.len)))
		return err_set(err, ERR_REJECT, "the receiver's address cannot be used: it is none");
	memcpy(url, text.p, text.len);
	url[text.len] = '\0';
	r->url = guard_parse_url(&r->conf->guard, url, use, err);
	return r->url ? 0 : -1;
}

static int add_bearer(struct request *r, struct str path, struct err *err)
{
	char line[SECRET_BYTES_MAX + 32];
	int rc;

	if (path.len == 0)
		return 0;
	if (secret_read(&r->token, r->conf->secrets_dir, path, err) < 0 || secret_check_token(&r->token, err) < 0)
		return -1;
	snprintf(line, sizeof(line), "Authorization: Bearer %s", r->token.bytes);
	rc = add_line(r, line, err);
	explicit_bzero(line, sizeof(line));
	return rc;
}

static int add_signature(struct request *r, struct str path, int64_t wall_ms, struct err *err)
{
	char line[SIGN_TEXT_SIZE + 32], text[SIGN_TEXT_SIZE];
	struct secret key;
	int rc;

	if (path.len == 0)
		return 0;
	if (secret_read(&key, r->conf->secrets_dir, path, err) < 0)
		return -1;
	rc = sign_text((struct str){key.bytes, key.len}, wall_ms / 1000, buf_str(&r->body), text, err);
	secret_forget(&key);
	if (rc < 0)
		return -1;
	snprintf(line, sizeof(line), "Millrace-Signature: %s", text);
	return add_line(r, line, err);
}

/* "Expect:" empty: libcurl would wait a second for a permission to send what is larger than 1 MiB. */
static int prepare_webhook(struct request *r, const struct notification *n, const struct webhook_target *t, int64_t wall_ms, struct err *err)
{
	char line[NOTIFICATION_KEY_SIZE + 32], key[NOTIFICATION_KEY_SIZE];

	snprintf(line, sizeof(line), "Idempotency-Key: %s", notification_key(n, n->sequence, key));
	if (parse_url(r, t->url, GUARD_WEBHOOK, err) < 0 || webhook_body_write(n, &r->body, err) < 0 ||
	    add_line(r, "Content-Type: application/json", err) < 0 || add_line(r, "Expect:", err) < 0 || add_line(r, line, err) < 0 ||
	    add_bearer(r, t->bearer_file, err) < 0 || add_signature(r, t->secret_file, wall_ms, err) < 0 || set_common(r, err) < 0)
		return -1;
	curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, r->conf->guard.allow_http ? "https,http" : "https");
	curl_easy_setopt(r->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(r->curl, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(r->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, r->body.p);
	curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
	if (curl_easy_setopt(r->curl, CURLOPT_USERAGENT, r->conf->user_agent) != CURLE_OK)
		return err_nomem(err, "a request");
	curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, r->lines);
	return 0;
}

/* libcurl takes the first it knows of what a server offers, and of GSSAPI and NTLM it would ask this house, inside of a call, and not come back to the
 * password. */
#define BY_PASSWORD "AUTH=PLAIN;AUTH=LOGIN;AUTH=CRAM-MD5;AUTH=DIGEST-MD5"

/* A password goes over TLS, whatever require_tls says, unless plain text is allowed everywhere. */
static int set_login(struct request *r, const struct mail_target *t, struct err *err)
{
	bool needs_tls = t->require_tls || (t->user.len && !r->conf->guard.allow_http);
	char *user;
	int rc = 0;

	curl_easy_setopt(r->curl, CURLOPT_USE_SSL, (long)(needs_tls ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	if (t->user.len == 0)
		return 0;
	if (secret_read(&r->token, r->conf->secrets_dir, t->password_file, err) < 0)
		return -1;
	user = strndup(t->user.p, t->user.len);
	if (!user || curl_easy_setopt(r->curl, CURLOPT_USERNAME, user) != CURLE_OK ||
	    curl_easy_setopt(r->curl, CURLOPT_PASSWORD, r->token.bytes) != CURLE_OK ||
	    curl_easy_setopt(r->curl, CURLOPT_LOGIN_OPTIONS, BY_PASSWORD) != CURLE_OK)
		rc = err_nomem(err, "a request");
	free(user);
	return rc;
}

/* CONNECT_ONLY: libcurl greets, goes over to TLS and logs in, and leaves the rest to the dialog. */
static int prepare_mail(struct request *r, const struct notification *n, const struct mail_target *t, int64_t date_ms, struct err *err)
{
	if (parse_url(r, t->server, GUARD_MAIL, err) < 0 || mail_body_write(n, t, date_ms, &r->body, err) < 0 ||
	    dialog_init(&r->dialog, t, buf_str(&r->body), err) < 0 || set_common(r, err) < 0)
		return -1;
	curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(r->curl, CURLOPT_CONNECT_ONLY, 1L);
	return set_login(r, t, err);
}

int request_prepare(struct request *r, const struct notification *n, const struct receiver *receiver, int64_t wall_ms, int64_t date_ms,
		    struct err *err)
{
	const char *ca_file = r->conf->ca_file;
	int rc;

	forget(r);
	r->visit = (struct guard_visit){.guard = &r->conf->guard};
	r->is_mail = receiver->has_mail;
	r->answered = r->packed = false;
	r->talks = false;
	r->answer_bytes = r->head_bytes = r->kept = 0;
	r->error[0] = '\0';
	if (receiver->has_webhook == receiver->has_mail)
		rc = err_set(err, ERR_REJECT, "the receiver has not one of webhook and mail");
	else if (receiver->has_mail)
		rc = prepare_mail(r, n, &receiver->mail, date_ms, err);
	else
		rc = prepare_webhook(r, n, &receiver->webhook, wall_ms, err);
	if (rc == 0 && ca_file && *ca_file && curl_easy_setopt(r->curl, CURLOPT_CAINFO, ca_file) != CURLE_OK)
		rc = err_nomem(err, "a request");
	if (rc < 0)
		forget(r);
	return rc;
}

CURL *request_transfer(struct request *r)
{
	return r->curl;
}

bool request_is_mail(const struct request *r)
{
	return r->is_mail;
}

static ptrdiff_t send_some(void *ctx, const void *bytes, size_t len)
{
	struct request *r = ctx;
	size_t n = 0;
	CURLcode code = curl_easy_send(r->curl, bytes, len, &n);

	return code == CURLE_OK ? (ptrdiff_t)n : code == CURLE_AGAIN ? 0 : -1;
}

static ptrdiff_t recv_some(void *ctx, void *bytes, size_t size)
{
	struct request *r = ctx;
	size_t n = 0;
	CURLcode code = curl_easy_recv(r->curl, bytes, size, &n);

	return code == CURLE_OK && n > 0 ? (ptrdiff_t)n : code == CURLE_AGAIN ? 0 : -1;
}

bool request_talk(struct request *r, int *fd, bool *writing)
{
	curl_socket_t s = CURL_SOCKET_BAD;

	r->talks = true;
	if (curl_easy_getinfo(r->curl, CURLINFO_ACTIVESOCKET, &s) != CURLE_OK || s == CURL_SOCKET_BAD || dialog_move(&r->dialog, send_some, recv_some, r))
		return true;
	*fd = s;
	*writing = dialog_wants_write(&r->dialog);
	return false;
}

static const char *header(struct request *r, const char *name)
{
	struct curl_header *h;

	return curl_easy_header(r->curl, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

static int64_t asked_to_wait_ms(struct request *r, int64_t wall_ms)
{
	static const struct retry_bounds bounds = {1000, REQUEST_RETRY_AFTER_MAX_MS};
	char date[64];

	snprintf(date, sizeof(date), "%s", header(r, "Date") ? header(r, "Date") : "");
	return retry_after_ms(header(r, "Retry-After"), date[0] ? date : NULL, wall_ms, &bounds);
}

/* Does text hold a piece of the URL's part that may be a secret, as those of chats' webhooks are? Servers repeat what they do not know. */
static bool has_piece(const char *part, struct str text)
{
	static const char ends[] = "/?&=";

	for (const char *piece = part + strspn(part, ends); *piece; piece += strspn(piece, ends)) {
		size_t len = strcspn(piece, ends);

		if (len >= SECRET_PIECE_MIN && memmem(text.p, text.len, piece, len))
			return true;
		piece += len;
	}
	return false;
}

static bool tells_secret(const struct request *r, struct str text)
{
	static const CURLUPart parts[] = {CURLUPART_PATH, CURLUPART_QUERY};
	bool tells = r->token.len && memmem(text.p, text.len, r->token.bytes, r->token.len);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !tells; i++) {
		char *part = NULL;

		if (curl_url_get(r->url, parts[i], &part, 0) == CURLUE_OK)
			tells = has_piece(part, text);
		curl_free(part);
	}
	return tells;
}

/* Printable ASCII alone, as nobody knows what the bytes are meant to be. */
static void quote_answer(const struct request *r, char *out, size_t size)
{
	size_t n = r->kept < REQUEST_EXCERPT_MAX ? r->kept : REQUEST_EXCERPT_MAX, at = 0;

	if (tells_secret(r, (struct str){r->answer, r->kept}))
		n = 0;
	for (size_t i = 0; i < n && at + 1 < size; i++)
		if (r->answer[i] >= ' ' && r->answer[i] <= '~')
			out[at++] = r->answer[i];
	out[at] = '\0';
}

static const char *words_of(const struct request *r, CURLcode code)
{
	return r->error[0] && !strchr(r->error, '@') ? r->error : curl_easy_strerror(code);
}

static void describe_mail(const struct request *r, int status, char out[REQUEST_ERROR_SIZE])
{
	const char *words = tells_secret(r, str_from(r->dialog.words)) ? "" : r->dialog.words;

	if (status)
		snprintf(out, REQUEST_ERROR_SIZE, "the mail server said %s", words);
	else
		snprintf(out, REQUEST_ERROR_SIZE, "the mail server broke off, or fell silent%s%s", *words ? ": " : "", words);
	if (status && !*words)
		snprintf(out, REQUEST_ERROR_SIZE, "the mail server said %d", status);
}

static void describe(const struct request *r, CURLcode code, int status, char out[REQUEST_ERROR_SIZE])
{
	char quoted[REQUEST_EXCERPT_MAX + 1];

	if (r->visit.refused[0] && status == 0) {
		snprintf(out, REQUEST_ERROR_SIZE, "%s", r->visit.refused);
	} else if (r->answered) {
		quote_answer(r, quoted, sizeof(quoted));
		snprintf(out, REQUEST_ERROR_SIZE, "status %d%s%s", status, quoted[0] ? ": " : "", quoted);
	} else if (r->talks) {
		describe_mail(r, status, out);
	} else if (code == CURLE_OK) {
		snprintf(out, REQUEST_ERROR_SIZE, "no HTTP answer");
	} else {
		snprintf(out, REQUEST_ERROR_SIZE, "%.300s", words_of(r, code));
	}
	for (char *c = out; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

void request_ended(struct request *r, CURLcode code, int64_t wall_ms, struct request_end *out)
{
	long status = 0;

	*out = (struct request_end){.verdict = REQUEST_RETRY, .retry_after_ms = -1};
	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
	if (r->talks) {
		status = r->dialog.refused;
		out->verdict = r->dialog.delivered ? REQUEST_DELIVERED : request_verdict_smtp((int)status);
	} else if (r->is_mail) {
		out->verdict = request_verdict_smtp((int)status);
	} else if (r->answered) { /* an end in the middle of the headers is no answer; one in its body is */
		out->verdict = request_verdict_http((int)status);
		out->retry_after_ms = asked_to_wait_ms(r, wall_ms);
	} else {
		status = 0;
	}
	out->refused_address = r->visit.refused[0] && status == 0;
	if (out->verdict != REQUEST_DELIVERED)
		describe(r, code, (int)status, out->error);
	forget(r);
}
