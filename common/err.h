/* err.h - one error value for the whole house.
 *
 * A function that can fail for more than one cause returns -1 and fills a struct err on its caller's stack; results are
 * written only on success, and the error is untouched on success, so that calls chain with ||. The message is complete
 * enough to print as it is; the kind says what the caller can do about it. Library code never logs. */
#ifndef MILLRACE_ERR_H
#define MILLRACE_ERR_H

enum err_kind {
	ERR_RETRY = 1, /* the same call may succeed later */
	ERR_REJECT,    /* this input will never be accepted; go on with the next */
	ERR_FATAL,     /* the process cannot go on */
};

struct err {
	enum err_kind kind; /* 0: no error */
	char msg[512];
};

#define ERR_INIT {0}

/* Sets kind and message (printf format; cut at the end of msg). err may be NULL. Always returns -1: "return err_set(...)". */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the message that is there; the kind stays. err may be NULL. Always returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The error of an allocation that failed: ERR_FATAL, naming what was to be allocated. Always returns -1. */
int err_nomem(struct err *err, const char *what);

/* "retry", "reject", "fatal", or "none". */
const char *err_kind_name(enum err_kind kind);

#endif
