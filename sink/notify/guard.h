/* guard.h - where deliveries may go: not into the house that sends them.
 *
 * Receivers' addresses are written by people who may not reach the notifier's network themselves, so a name that resolves to loopback, to a private
 * network or to a cloud's metadata service is refused unless notify.allow_networks has it. The address that is checked is the one that is connected
 * to (guard_open_socket() makes libcurl's sockets), so no second look-up, redirect or spelling of a number gets round it. */
#ifndef MILLRACE_NOTIFY_GUARD_H
#define MILLRACE_NOTIFY_GUARD_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"

enum { GUARD_NETWORKS_MAX = 256, GUARD_URL_MAX = 2048 };

/* IPv4 stands as ::ffff:a.b.c.d, its prefix 96 longer. */
struct guard_network {
	uint8_t address[16];
	unsigned bits;
};

/* Constant once filled: any thread may ask. */
struct guard {
	bool allow_http;
	struct guard_network *networks;
	size_t nr;
};

/* networks: CIDR, or single addresses, separated by commas or blanks; NULL or empty: none. ERR_REJECT names the one that is none. */
int guard_init(struct guard *g, bool allow_http, const char *networks, struct err *err);
void guard_fini(struct guard *g); /* zeroed is fine */

/* NULL: it may be connected to. Else in a word or two what it is: "loopback", "private". Static. */
const char *guard_refuses(const struct guard *g, const struct sockaddr *address, size_t len);

enum guard_use { GUARD_WEBHOOK, GUARD_MAIL };

/* The address of a webhook (https; http where it is allowed) or of a mail server (smtp, smtps, without a path), parsed once, so that what is
 * checked is what libcurl goes by. Nothing before an @: secrets stand in files. NULL with *err: ERR_REJECT, without the address, whose path may be a
 * secret; ERR_FATAL when memory is short. Free with curl_url_cleanup(). */
CURLU *guard_parse_url(const struct guard *g, const char *url, enum guard_use use, struct err *err);

/* One connection's way past the guard. */
struct guard_visit {
	const struct guard *guard;
	char refused[128]; /* the last address that was not let through, and why; empty: none */
};

/* For CURLOPT_OPENSOCKETFUNCTION; visit is CURLOPT_OPENSOCKETDATA, a struct guard_visit. */
curl_socket_t guard_open_socket(void *visit, curlsocktype purpose, struct curl_sockaddr *address);

#endif
