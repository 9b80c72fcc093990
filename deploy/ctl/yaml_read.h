/* yaml_read.h - a YAML file as a tree that knows its lines, and everything that is wrong with it at once.
 *
 * An operator's file is written by hand: whoever has made three mistakes should be told of three. So faults are collected, in the file's order,
 * and reading goes on as long as it makes sense. Of YAML there is what such files need: one document of maps, lists and text. Anchors,
 * aliases, tags and merge keys are refused, with a word on quotes where somebody may have meant text. Plain text gets its type
 * from who asks for it (yaml_value.h): nothing here is a number because it looks like one.
 * Hostile files are bounded: bytes, depth, keys of a map, memory. Everything lives in the file's arena, never in the text. Not thread-safe: one owner. */
#ifndef MILLRACE_CTL_YAML_READ_H
#define MILLRACE_CTL_YAML_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"
#include "deploy/ctl/json_read.h"

enum { YAML_BYTES_MAX = 1 << 20, YAML_DEPTH_MAX = 16, YAML_KEYS_MAX = 200, YAML_FAULTS_MAX = 20 };

enum yaml_type { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml {
	enum yaml_type type;
	int line, column; /* from 1; of a value in a map: the value's own */
	bool plain;       /* YAML_TEXT: not in quotes, no block: it may be a number, a truth, or null */
	struct str key;   /* its name in a map, ends in NUL */
	struct str text;  /* YAML_TEXT; ends in NUL */
	struct yaml *child, *last, *next; /* children in the order of the file */
	size_t nr;        /* children */
};

struct yaml_fault {
	int line, column;
	const char *text;
};

struct yaml_file {
	struct arena arena;
	const struct yaml *root;     /* NULL: nothing could be read, and a fault says why */
	struct yaml_fault faults[YAML_FAULTS_MAX]; /* sorted by line and column */
	size_t nr_faults;            /* of all: those beyond the array are only counted, and are the last ones */
	bool nomem;
};

/* Reads a whole text. Ask yaml_ok() when all has been looked at. Call yaml_fini() in any case. */
void yaml_parse(struct yaml_file *f, struct str text);

/* Makes the same of a JSON tree, or of a part of it: its readers are those of YAML. Borrows node's arena. */
void yaml_from_json(struct yaml_file *f, const struct json *node);

/* Frees. */
void yaml_fini(struct yaml_file *f);

/* Adds a fault at a node; NULL: at the first line. */
void yaml_fail(struct yaml_file *f, const struct yaml *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* 0: no faults. -1: *err is ERR_REJECT and says the first one and how many there are more ("FILE:LINE: message (and 2 more)"), or ERR_FATAL: memory. */
int yaml_ok(const struct yaml_file *f, const char *path, struct err *err);

/* Prints each fault as "FILE:LINE: message", made printable, and how many more there are. */
void yaml_print_faults(const struct yaml_file *f, const char *path, FILE *out);

#endif
