/* group_text.h - texts without what changes from one time to the next: for files, functions and messages, what is left names the same thing in every release. */
#ifndef MILLRACE_INGEST_GROUP_TEXT_H
#define MILLRACE_INGEST_GROUP_TEXT_H

#include <stddef.h>

#include "common/str.h"

enum { GROUP_TEXT_MAX = 1024 }; /* bytes of a text that are looked at */

/* Each writes into out, which has room for GROUP_TEXT_MAX bytes, and returns how many. */

/* A path: from the project's folder that is told by its name on, else its last two parts; without query, versions, and hashes of bundles. */
size_t group_file(struct str file, char *out);

/* A function: without addresses, generic parameters, numbers of closures and lambdas, and what compilers append. */
size_t group_function(struct str function, char *out);

/* A message: without numbers, addresses, ids, quoted words and mail addresses. */
size_t group_message(struct str message, char *out);

/* An action or class: numbers and ids that are a part between slashes become one; addresses too. */
size_t group_action(struct str action, char *out);

#endif
