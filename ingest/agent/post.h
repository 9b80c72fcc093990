/* post.h - one payload on its way to the Push API and the answer back, over a connection that is kept for the next.
 *
 * HTTP/1.1 over TLS that is verified, or over plain HTTP where the address says so; the proxy is the environment's, as libcurl takes it;
 * redirects are not followed. An answer counts once its headers are whole: what a body lacks, or has too much, cannot undo the status.
 * Headers and body are bounded, and so is the time. The key is in the request's headers alone, which libcurl neither logs nor tells a
 * proxy of CONNECT. Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_POST_H
#define MILLRACE_AGENT_POST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "common/token.h"

enum { POST_HEADERS_MAX_BYTES = 64 << 10 };

struct post_conf {
	const char *url;                        /* http or https; /v1/push is put behind its path. Copied */
	const char *ca_file;                    /* PEM; NULL or empty: the system's. Copied */
	int64_t connect_timeout_ms, timeout_ms; /* real; of the whole post the latter */
};

struct post;

/* ERR_REJECT: an address or a file that cannot be used; ERR_FATAL: memory is short. */
struct post *post_new(const struct post_conf *conf, struct err *err);
void post_free(struct post *p); /* it must not be on a wire; NULL is a no-op */

/* Fits it out for body (borrowed until it has ended), with the headers of this attempt. ERR_FATAL: memory is short. */
int post_prepare(struct post *p, struct str body, const struct token *key, int64_t created_at_ms, int64_t sent_at_ms, struct err *err);

/* For wire_begin(); whose it is when it ends is told by post_is(). */
CURL *post_transfer(struct post *p);
bool post_is(const struct post *p, const CURL *transfer); /* is this its transfer? */

/* What came of it, good until it is prepared again. */
struct post_answer {
	int status;             /* 0: no answer, and error says why */
	int64_t retry_after_ms; /* clamped; -1: not asked for */
	struct str body;        /* as much as came, REPLY_MAX_BYTES at most */
	char error[256];        /* empty for a whole answer */
};

/* Reads what a post came to, curl having ended it with code, into *out; body is borrowed until the next post. */
void post_ended(struct post *p, CURLcode code, struct post_answer *out);

#endif
