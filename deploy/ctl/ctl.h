/* ctl.h - what every command is given, and what all of them do alike.
 *
 * struct ctl hangs on main's stack and lives for one command. Output for people and scripts goes to out;
 * main prints errors. */
#ifndef MILLRACE_CTL_CTL_H
#define MILLRACE_CTL_CTL_H

#include <stdbool.h>
#include <stdio.h>

#include "common/program.h"
#include "deploy/ctl/admin_port.h"
#include "deploy/ctl/args.h"
#include "deploy/ctl/cluster.h"
#include "deploy/ctl/json_write.h"
#include "deploy/ctl/progress.h"
#include "deploy/ctl/record_text.h"

/* Settings of this program alone; their rows stand in main.c. */
struct ctl_conf {
	char *mongo_uri; /* a secret: it may hold a password */
	char *mongo_database;
};

struct ctl {
	struct args args;
	struct ctl_conf conf;
	struct program program;
	struct cluster *cluster; /* connected; the tables are not read yet. NULL by --admin: Kafka is not asked */
	struct progress *progress; /* NULL: nobody wants to know */
	FILE *out;
	bool json;
	char author[65]; /* who acts, for the operator log */
};

/* What happened, for the operator log. cell and site: NULL when it belongs to none. */
struct ctl_event {
	enum severity severity;
	const char *event;      /* a fixed word */
	const char *cell, *site;
	const struct tag *fields; /* names and numbers behind the text; borrowed */
	size_t nr_fields;         /* CTL_FIELDS_MAX at most */
	/* The record that it changed, as it was and is; NULL: there was none, is none. They become the fields before and after. Borrowed. */
	enum record_kind record;  /* RECORD_NONE: it changed none */
	const void *before, *after;
};

enum { CTL_FIELDS_MAX = 8 };

/* Fills author: --author, else who logged in, else $USER, else the user's number; unprintable bytes become
 * "?". */
void ctl_name_author(struct ctl *ctl);

/* Does the command go to one instance's admin port (--admin) instead of to Kafka? */
bool ctl_by_admin(const struct ctl *ctl);

/* A desk (admin_port.h) of that port, with the token of --token-file, else of the setting admin.token_file. The caller frees it. NULL with *err set. */
struct admin_port *ctl_open_admin(const struct ctl *ctl, const char *desk, struct err *err);

/* Reads the tables, and tells on standard error of records that cannot be read. */
int ctl_load(struct ctl *ctl, bool with_beats, struct err *err);

/* Likewise, and the tables of these kinds too (cluster.h). */
int ctl_load_also(struct ctl *ctl, unsigned kinds, struct err *err);

/* Writes a Notice whose text is fmt. Call it after what it tells of: an error says that the change itself
 * is made. */
int ctl_notice(struct ctl *ctl, const struct ctl_event *event, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Likewise with text as it is, whatever its length, of a time that need not be now; an error is told as it is. */
int ctl_notice_at(struct ctl *ctl, const struct ctl_event *event, int64_t at_ms, struct str text, struct err *err);

/* The live cell or site of a name from the command line; NULL with *err set (says how to see what there
 * is). Borrowed. */
const struct cell *ctl_find_cell(const struct ctl *ctl, const char *name, struct err *err);
const struct site *ctl_find_site(const struct ctl *ctl, const char *id, struct err *err); /* see above */

/* A line on standard error, made printable: errors, and hints that a script reading standard output must
 * not find there. */
void ctl_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The exit code of an error: 1 refused, 2 could not be asked. */
int ctl_exit_code(const struct err *err);

#endif
