/* receiver.h - what a receiver may be: whom alerts are sent to, and when.
 *
 * The record is struct receiver (schemas/receiver.avsc). Who writes one (millrace-ctl) and who sends to it (notify) hold it to the rules here: ids, exactly
 * one target, addresses of which no part can end a line or name another host, durations. Pure functions, any thread; errors are ERR_REJECT. */
#ifndef MILLRACE_RECEIVER_H
#define MILLRACE_RECEIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "schemas/schemas.h"

enum {
	RECEIVERS_MAX = 1000, /* that there may be */
	RECEIVER_URL_MAX = 2048,
	RECEIVER_PATH_MAX = 1024,
	RECEIVER_USER_MAX = 255,
	RECEIVER_ADDRESS_MAX = 254, /* RFC 5321, a path without its brackets */
	RECEIVER_TO_MAX = 50,
	RECEIVER_SITES_MAX = 1000,
	RECEIVER_CHAIN_MAX = 16,    /* receivers that one escalation may lead through */
};

#define RECEIVER_DURATION_MAX_MS (INT64_C(30) * 24 * 60 * 60 * 1000)

/* What holds where nobody says otherwise. */
enum { RECEIVER_GROUP_WAIT_MS = 30 * 1000, RECEIVER_GROUP_INTERVAL_MS = 5 * 60 * 1000, RECEIVER_REPEAT_MS = 4 * 60 * 60 * 1000 };

/* A whole record by itself. The message begins with the field's name, as YAML spells it ("webhook.url: ..", "group_wait: .."). */
int receiver_check(const struct receiver *r, struct err *err);

/* An URL of a webhook: http or https, a host, perhaps a port, path and query; no userinfo, no fragment, printable ASCII only. */
int receiver_check_url(struct str url, struct err *err);

/* A server for mail: smtp or smtps, a host, perhaps a port, and nothing behind. */
int receiver_check_server(struct str url, struct err *err);

/* One mail address, bare: LOCAL@DOMAIN of printable ASCII without blanks, quotes, brackets and commas. */
int receiver_check_address(struct str address, struct err *err);

/* The receiver of an id, or NULL. */
typedef const struct receiver *(*receiver_find_fn)(void *ctx, struct str id);

/* Where r's escalation leads: each receiver on the way is there, none comes twice, and there are at most RECEIVER_CHAIN_MAX. */
int receiver_check_chain(const struct receiver *r, receiver_find_fn find, void *ctx, struct err *err);

#endif
