/* wire.h - libcurl's transfers in a loop that is not libcurl's: one descriptor to poll, one time to wake at.
 *
 * libcurl is told of its sockets' readiness (curl_multi_socket_action()); they stand in an epoll, whose descriptor is the one that the
 * loop polls. Names are resolved by getaddrinfo() on a thread of libcurl's for each lookup (Debian builds it without c-ares); its end
 * comes as a readable socket like any other. Times are real. Not thread-safe: one owner. */
#ifndef MILLRACE_WIRE_H
#define MILLRACE_WIRE_H

#include <curl/curl.h>
#include <stdbool.h>

#include "common/err.h"

/* A transfer has ended and, unless it was begun as one to keep, is no longer part of the wire: it may be begun anew here. */
typedef void (*wire_ended_fn)(void *ctx, CURL *transfer, CURLcode code);

struct wire;

/* ended is called from wire_turn() alone. NULL with *err set. */
struct wire *wire_new(wire_ended_fn ended, void *ctx, struct err *err);
void wire_free(struct wire *w); /* all transfers must be off; NULL is a no-op */

/* Begins a transfer; borrows it until it ends or is taken off. ERR_RETRY. */
int wire_begin(struct wire *w, CURL *transfer, struct err *err);

/* Likewise, of one that stays part of the wire when it has ended, as its connection would be closed with it (CURLOPT_CONNECT_ONLY); wire_cut() takes it
 * off. CURLOPT_PRIVATE is the wire's. */
int wire_begin_kept(struct wire *w, CURL *transfer, struct err *err);

/* Has wire_fd() be ready when fd is, for reading and, if asked, for writing, until fd is closed: a turn then finds nothing of libcurl's to do. For the
 * socket of one that was kept. */
void wire_watch(struct wire *w, int fd, bool writing);

/* Takes off a transfer that has not ended, or was kept. */
void wire_cut(struct wire *w, CURL *transfer);

/* For POLLIN. */
int wire_fd(const struct wire *w);

/* Until libcurl wants to be called though no socket is ready; -1: never. */
int wire_timeout_ms(const struct wire *w);

/* Moves all transfers on as far as they go without waiting. */
void wire_turn(struct wire *w);

#endif
