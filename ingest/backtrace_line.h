/* backtrace_line.h - one line of a backtrace, in each of the forms that are read. */
#ifndef MILLRACE_INGEST_BACKTRACE_LINE_H
#define MILLRACE_INGEST_BACKTRACE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"
#include "schemas/schemas.h"

enum backtrace_form { /* in the order in which they are tried */
	BACKTRACE_PYTHON,  /* File "shop.py", line 1, in f */
	BACKTRACE_NET,     /* at Acme.Shop.Sell(Int32 n) in /src/Shop.cs:line 12 */
	BACKTRACE_JAVA,    /* at com.acme.Shop.sell(Shop.java:12) */
	BACKTRACE_RUBY,    /* shop.rb:1:in 'f', shop.rb:1:in `f' */
	BACKTRACE_PLACE,   /* /src/shop.go:1 +0x1d, for the function on the line before */
	BACKTRACE_V8,      /* at f (file:1:2), at file:1:2 */
	BACKTRACE_C,       /* #0 0x1 in f (a=1) at shop.c:1; #0 0x1 in f shop.c:1:2; #0 shop.php(1): f(2) */
	BACKTRACE_GLIBC,   /* ./prog(f+0x1) [0x1] */
	BACKTRACE_FIREFOX, /* f@file:1:2, Safari's too */
	BACKTRACE_RUST,    /* 1: f, whose place is on the next line, in V8's form */
	BACKTRACE_GO,      /* main.f(0x1), whose place is on the next line */
	NR_BACKTRACE_FORMS,
};

/* The form of a line, and its frame, which borrows the line; NR_BACKTRACE_FORMS: it is no frame. number: of the frames that are numbered, else -1. */
enum backtrace_form backtrace_read_line(struct str line, struct backtrace_frame *frame, int *number);

/* Is a frame of this form the application's own code, by its file and function? */
bool backtrace_is_own(enum backtrace_form form, const struct backtrace_frame *frame);

#endif
