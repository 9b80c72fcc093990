/* sign.h - by what a receiver tells that a webhook is ours, and not an old one again: HMAC-SHA256 over time and body. */
#ifndef MILLRACE_NOTIFY_SIGN_H
#define MILLRACE_NOTIFY_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum { SIGN_MAC_BYTES = 32, SIGN_TEXT_SIZE = 96 };

/* HMAC-SHA256 (RFC 2104) of first, then second. ERR_FATAL: libcrypto could not. Any thread. */
int sign_mac(struct str key, struct str first, struct str second, uint8_t out[SIGN_MAC_BYTES], struct err *err);

/* "t=UNIX_S,v1=HEX": the MAC of "UNIX_S." and body. Any thread. */
int sign_text(struct str key, int64_t unix_s, struct str body, char out[SIGN_TEXT_SIZE], struct err *err);

#endif
