/* bearer.h - the site's API key, as a request carries it.
 *
 * It comes from the environment or from a file, and a file is read again when it changes, so that a new key needs no restart. It never
 * goes into a log, an error or a status: errors name the file. */
#ifndef MILLRACE_AGENT_BEARER_H
#define MILLRACE_AGENT_BEARER_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/token.h"

struct bearer {
	struct token key;
	char *path;       /* NULL: it cannot change */
	struct stat seen; /* of the file when it was last read, whatever came of it */
};

/* key or path: one of them is not empty; copied. ERR_REJECT when neither holds a key that a header line can carry (token_read());
 * ERR_FATAL when memory is short. */
int bearer_init(struct bearer *b, const char *key, const char *path, struct err *err);
void bearer_fini(struct bearer *b); /* forgets the key */

/* Has the key changed? Reads the file when it is another one than last time. 1: there is a new key; 0: the old one is still good to try;
 * -1 with *err: the file has changed and holds none, told once for each change. */
int bearer_refresh(struct bearer *b, struct err *err);

#endif
