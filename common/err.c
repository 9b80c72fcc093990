/* err.c - see err.h. */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return -1;
	err->kind = kind;
	va_start(args, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char inner[sizeof(err->msg)];
	va_list args;
	int n;

	if (!err)
		return -1;
	memcpy(inner, err->msg, sizeof(inner));
	va_start(args, fmt);
	n = vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(err->msg))
		snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", inner);
	return -1;
}

int err_nomem(struct err *err, const char *what)
{
	return err_set(err, ERR_FATAL, "out of memory for %s", what);
}

const char *err_kind_name(enum err_kind kind)
{
	switch (kind) {
	case ERR_RETRY:
		return "retry";
	case ERR_REJECT:
		return "reject";
	case ERR_FATAL:
		return "fatal";
	}
	return "none";
}
