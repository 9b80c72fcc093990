/* scrub_keys.h - which keys name a secret.
 *
 * A key is read as words (apiKey, api_key, API-Key, user[api][key] are all "api", "key"), and rules are matched to runs of whole words, so that
 * `token` is found in access_token and in csrfToken, but not in tokenizer. What follows may say that it is only about a secret
 * (token_count, auth_method). */
#ifndef MILLRACE_INGEST_SCRUB_KEYS_H
#define MILLRACE_INGEST_SCRUB_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum { SCRUB_KEY_MAX = 96 }; /* bytes of a key that are looked at, the last ones */

struct scrub_keys; /* immutable: any thread may use one */

/* Both lists as settings have them, comma-separated; an entry without a letter or digit, or longer than SCRUB_KEY_MAX, is refused. NULL with *err set. */
struct scrub_keys *scrub_keys_new(const char *secret, const char *except, struct err *err);

/* NULL is a no-op. */
void scrub_keys_free(struct scrub_keys *k);

/* Does key name a secret? at_end: only when its last words do, more than one, for a key that is cut from a sentence. */
bool scrub_keys_match(const struct scrub_keys *k, struct str key, bool at_end);

/* For text of a whole line behind key and colon: is all of it the value, as of the headers Authorization and Cookie? */
bool scrub_keys_is_header(struct str key);

#endif
