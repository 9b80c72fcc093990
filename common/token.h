/* token.h - the secret by which an operator is let in at the admin port; one side reads it to compare, the other to send.
 *
 * It never goes into a log, an error or an answer: errors name the file. */
#ifndef MILLRACE_TOKEN_H
#define MILLRACE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum { TOKEN_MIN = 16, TOKEN_MAX = 512 };

struct token {
	char text[TOKEN_MAX + 1]; /* a string; all that is behind it is zero */
};

/* Reads the token that a file holds, blanks and line ends around it cut off: TOKEN_MIN to TOKEN_MAX printable ASCII characters without
 * blanks, as a header line must carry it. ERR_REJECT naming path when it holds something else, cannot be read, or may be read by
 * everybody on the machine. */
int token_read(struct token *t, const char *path, struct err *err);

/* Is given the token? Takes as long for any given text of up to TOKEN_MAX bytes. NULL is not. */
bool token_matches(const struct token *t, const char *given);

/* Overwrites it. */
void token_forget(struct token *t);

#endif
