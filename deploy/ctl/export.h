/* export.h - the control plane as text; the command stands in commands.h. */
#ifndef MILLRACE_CTL_EXPORT_H
#define MILLRACE_CTL_EXPORT_H

#include "common/err.h"
#include "common/str.h"
#include "deploy/ctl/store.h"

/* Appends the export of all readable records to out, sorted by name, so that equal stores give equal text. */
int export_write(const struct store *s, struct buf *out, struct err *err);

#endif
