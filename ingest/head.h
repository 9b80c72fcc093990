/* head.h - a request's headers, collected in one pass. */
#ifndef MILLRACE_INGEST_HEAD_H
#define MILLRACE_INGEST_HEAD_H

#include "ingest/admission.h"

struct MHD_Connection;

/* Fills head with what admission looks at, and nothing else; all strings are the connection's. Of a header that stands there twice the first
 * counts; headers that announce a length are counted. expect: is there an Expect? */
void head_read(struct MHD_Connection *connection, const char *method, const char *path, struct admission_head *head, bool *expect);

#endif
