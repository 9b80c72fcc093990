/* tls.h - certificate, key and accepted authorities of the Push API, from PEM files.
 *
 * A set is read as a whole and checked before it is used, so that a reload in the middle of a renewal (certificate new, key old) leaves
 * the one before in force. Not thread-safe: one owner each. */
#ifndef MILLRACE_INGEST_TLS_H
#define MILLRACE_INGEST_TLS_H

#include <stdbool.h>

#include "common/err.h"
#include "common/str.h"
#include "ingest/conf.h"

struct MHD_Connection;

/* NUL-terminated PEM texts; empty where there is none. */
struct tls {
	struct buf cert, key, client_ca;
};

#define TLS_INIT {BUF_INIT, BUF_INIT, BUF_INIT}

/* Is the Push API to speak TLS? */
bool tls_wanted(const struct ingest_conf *conf);

/* Reads and checks the files that conf names; nothing to do without any. -1 with *err set, and t empty: a file cannot be read, or
 * certificate and key do not belong together. */
int tls_load(struct tls *t, const struct ingest_conf *conf, struct err *err);

/* Frees the texts, the key's after overwriting it; t is as after TLS_INIT. */
void tls_fini(struct tls *t);

/* Has the client of a TLS connection shown a certificate of an accepted authority? */
bool tls_client_trusted(struct MHD_Connection *connection);

#endif
