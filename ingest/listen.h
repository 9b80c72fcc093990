/* listen.h - a listening socket from a setting. */
#ifndef MILLRACE_INGEST_LISTEN_H
#define MILLRACE_INGEST_LISTEN_H

#include <stddef.h>

#include "common/err.h"

enum { LISTEN_ADDRESS_SIZE = 64 };

/* Is text an address that listen_open() understands? -1 with *err set: not. Opens nothing. */
int listen_check(const char *text, struct err *err);

/* A non-blocking socket that listens on "IPv4:port" or "[IPv6]:port" (numbers only; port 0: any free one); writes the address it
 * has got into address, in the same form. The caller closes it. -1 with *err set on failure. */
int listen_open(const char *text, char address[LISTEN_ADDRESS_SIZE], struct err *err);

#endif
