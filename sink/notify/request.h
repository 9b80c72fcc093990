/* request.h - one attempt at bringing one notification to a receiver, as a transfer of libcurl's, and what its end means.
 *
 * A request is used again for the next attempt; it keeps no connection and no secret in between. Not thread-safe. */
#ifndef MILLRACE_NOTIFY_REQUEST_H
#define MILLRACE_NOTIFY_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "sink/notify/guard.h"
#include "sink/notify/notification.h"

enum {
	REQUEST_ANSWER_MAX = 64 << 10,       /* bytes of an answer's body that are taken */
	REQUEST_HEADERS_MAX = 64 << 10,      /* and of its head */
	REQUEST_EXCERPT_MAX = 200,           /* bytes of it that an error quotes */
	REQUEST_ERROR_SIZE = 400,
	REQUEST_RETRY_AFTER_MAX_MS = 3600 * 1000,
};

/* Borrowed for the request's life. */
struct request_conf {
	struct guard guard;
	const char *secrets_dir, *ca_file, *user_agent; /* ca_file empty: the system's */
	int64_t timeout_ms;
};

enum request_verdict { REQUEST_DELIVERED, REQUEST_GIVE_UP, REQUEST_RETRY };

struct request_end {
	enum request_verdict verdict;
	int64_t retry_after_ms;          /* -1: nothing was asked for */
	bool refused_address;            /* the guard let no connection through */
	char error[REQUEST_ERROR_SIZE];  /* empty when it was delivered; UTF-8, no secrets */
};

struct request;

/* A request that can be made and sent any number of times, one after the other. Borrows conf until request_free(). NULL with *err set when memory is short. */
struct request *request_new(const struct request_conf *conf, struct err *err);

/* Its transfer must be off; NULL is a no-op. */
void request_free(struct request *r);

/* Makes the transfer: reads the secrets, writes the body. n and receiver are borrowed for the call. wall_ms: of the signature; date_ms: of the mail.
 * ERR_REJECT: this receiver can never be sent anything (its address, say); ERR_RETRY: a secret is not there; ERR_FATAL: memory is short. */
int request_prepare(struct request *r, const struct notification *n, const struct receiver *receiver, int64_t wall_ms, int64_t date_ms,
		    struct err *err);

/* What request_prepare() has made; borrowed. */
CURL *request_transfer(struct request *r);

/* Is the transfer the way to a mail server alone, on which request_talk() then sends the mail? Such a one is kept on its wire (wire_begin_kept()). */
bool request_is_mail(const struct request *r);

/* Once such a transfer has ended well: goes on with the mail. False: it goes on when *fd is ready (for writing, too, if *writing). True: it is over,
 * to be cut off the wire, and then read by request_ended(). */
bool request_talk(struct request *r, int *fd, bool *writing);

/* Reads how the transfer ended, and forgets its secrets. A mail that has not come to its end by itself ended by a time-out. wall_ms: for a Retry-After that is a date. */
void request_ended(struct request *r, CURLcode code, int64_t wall_ms, struct request_end *out);

/* What a status of HTTP or a reply of SMTP means, if it was the last that came; 0: none came. Pure. */
enum request_verdict request_verdict_http(int status);
enum request_verdict request_verdict_smtp(int reply); /* see above; of a mail that was not taken */

#endif
