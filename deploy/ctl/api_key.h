/* api_key.h - drawing and hashing a site's keys.
 *
 * A key is "mr_" and 32 random bytes in base64url: 43 characters that need no escaping in a header or an
 * address. Only its SHA-256 is stored: a random key of 256 bits needs no salt and no slow hash. Its first
 * characters name it afterwards. */
#ifndef MILLRACE_CTL_API_KEY_H
#define MILLRACE_CTL_API_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum {
	API_KEY_RANDOM_BYTES = 32,
	API_KEY_CHARS = 46,    /* "mr_" and 43 */
	API_KEY_ID_CHARS = 11, /* "mr_" and 8: they tell keys apart and leave 208 bits unknown */
	API_KEY_HASH_BYTES = 32,
};

/* Writes the key made of these bytes, NUL-terminated. */
void api_key_format(const uint8_t bytes[API_KEY_RANDOM_BYTES], char key[API_KEY_CHARS + 1]);

/* Draws a new key from the kernel. */
int api_key_draw(char key[API_KEY_CHARS + 1], struct err *err);

/* SHA-256 of a key's bytes as sent. */
int api_key_hash(struct str key, uint8_t out[API_KEY_HASH_BYTES], struct err *err);

#endif
