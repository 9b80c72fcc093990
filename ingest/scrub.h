/* scrub.h - secrets are taken out of events and tags before they go anywhere.
 *
 * Two kinds of rules. A key whose name says that its value is a secret (password, token, authorization, ..) loses all of the value. A value that looks like
 * a secret whatever its key (a bearer token, a private key, a card number that passes Luhn's check, password=.. inside of a text) loses that part.
 * What is taken out leaves SCRUBBED behind, so that a reader knows. Operators add rules and except keys by settings (conf.h). */
#ifndef MILLRACE_INGEST_SCRUB_H
#define MILLRACE_INGEST_SCRUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/str.h"

#define SCRUBBED "[scrubbed]"

struct scrub; /* immutable rules: any thread may use one */

enum { SCRUB_AHEAD_BYTES = 8 << 10, SCRUB_MEMO_MAX = 64 };

/* Texts of one payload that have been scrubbed: many events share what their resource or their span says, and it is read once. Zeroed, it is empty. */
struct scrub_memo {
	struct {
		struct str was, is;
		size_t max_bytes;
		bool cut;
	} texts[SCRUB_MEMO_MAX];
	uint64_t read_bytes; /* of texts that had to be read */
};

/* Settings as they stand in the configuration: comma-separated. keys: words that make a key secret in addition to the built-in ones; values: POSIX extended
 * regular expressions, one a line or separated by blanks; except: keys that are never secret. NULL with *err set (ERR_REJECT names the rule). */
struct scrub *scrub_new(const char *keys, const char *values, const char *except, struct err *err);

/* NULL is a no-op. */
void scrub_free(struct scrub *s);

/* Does this key's name say that its value is a secret? Case, and -, _, . and blanks between words, do not matter. */
bool scrub_key_is_secret(const struct scrub *s, struct str key);

/* *text without secrets: itself when there are none, else a copy in arena. A NULL s changes nothing. -1 when memory is short. */
int scrub_text(const struct scrub *s, struct arena *arena, struct str *text);

/* The same for a text of which max_bytes are kept: cut to them, between two characters. A text is scrubbed first, as half of a secret is not known for one any
 * more; what lies SCRUB_AHEAD_BYTES behind what is kept is not read at all. memo: NULL, or a payload's, whose texts stay where and as they are. 1: it was cut,
 * 0: not; -1 when memory is short. */
int scrub_beginning(const struct scrub *s, struct scrub_memo *memo, struct arena *arena, struct str *text, size_t max_bytes);

/* The values of tags likewise, by key and by content; in place. 1: some are not what they were, 0: all are; -1 when memory is short. */
int scrub_tags(const struct scrub *s, struct scrub_memo *memo, struct arena *arena, struct tag *tags, size_t len, size_t max_bytes);

#endif
