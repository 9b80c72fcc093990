/* args.h - millrace-ctl's command line: a noun, a verb, operands, options.
 *
 * The other programs take settings and nothing else (common/program.h); an operator's tool has commands.
 * This module knows no single one of them: commands are rows of a table, options rows of theirs, and help,
 * defaults, ranges and "did you mean" come from the same rows. Options that all programs share (--config,
 * --set, ..) are not read here but kept, in order, for program_init(). Options may stand anywhere, those of
 * a command behind its name; "--" ends them. */
#ifndef MILLRACE_CTL_ARGS_H
#define MILLRACE_CTL_ARGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

enum { ARGS_OPERANDS_MAX = 2, ARGS_OPTIONS_MAX = 24 };

enum args_type {
	ARGS_END = 0,
	ARGS_FLAG,    /* no value */
	ARGS_TEXT,    /* any value but the empty one */
	ARGS_NEEDED,  /* likewise, and the command is not complete without it */
	ARGS_LIST,    /* like ARGS_TEXT, and may be given several times */
	ARGS_INT,     /* a decimal number within [min, max] */
	ARGS_RATE,    /* a decimal number, not negative, perhaps with a fraction */
	ARGS_MS,      /* a duration like 90s, 10m, 2h or 14d within [min, max] milliseconds; must be given where it has no default */
	ARGS_SETTING, /* passed on to program_init(), with its value when it has a metavar */
	ARGS_INSTEAD, /* likewise, and stands for a command: program_init() does it */
};

/* One option; rows end with {0}. */
struct args_option {
	const char *name; /* without the dashes */
	enum args_type type;
	char letter;         /* its short form, or 0 */
	const char *metavar; /* what the value is called in --help; NULL: it takes none */
	const char *def;     /* value when not given, or NULL */
	int64_t min, max;
	const char *help;
};

struct ctl;

/* One command; rows end with {0}. */
struct args_command {
	const char *noun, *verb; /* verb NULL: the noun is the whole command */
	/* Their names, ended by NULL; all must be given, but for a last one in brackets, which may be left out, and one that ends with "..": that one takes any
	 * number, also none. */
	const char *operands[ARGS_OPERANDS_MAX + 1];
	const char *summary;
	const struct args_option *options; /* its own, or NULL */
	/* 0: all well; 1: done, but something is not well, and it has said so; -1 with *err set. */
	int (*run)(struct ctl *ctl, struct err *err);
};

/* One of several values of an option. */
struct args_listed {
	const struct args_option *option;
	const char *text;
};

struct args_value {
	const struct args_option *option;
	const char *text; /* NULL: neither given nor a default */
	int64_t number; /* ARGS_INT; ARGS_MS in milliseconds */
	double rate;    /* ARGS_RATE; 0 when not given */
	bool given;
};

struct args {
	const struct args_command *commands; /* the table, for help */
	const struct args_option *globals;   /* likewise */
	const struct args_command *command;  /* NULL while none is named */
	const char *noun;                    /* named, with or without a verb; for help */
	const char *operands[ARGS_OPERANDS_MAX];
	int nr_operands;
	const char **rest; /* of a last operand that takes any number */
	int nr_rest;
	struct args_listed *listed; /* each value of an ARGS_LIST, in the order they were given */
	int nr_listed;
	struct args_value values[ARGS_OPTIONS_MAX]; /* the global options', then the command's */
	int nr_values;
	char **settings; /* for program_init(): [0] is the program's name, ended by NULL */
	int nr_settings;
	bool help;    /* --help was there: print it, do nothing */
	bool instead; /* an ARGS_INSTEAD was there: command may be NULL */
};

/* Reads the command line; borrows argv and both tables until args_fini(). A global option with type
 * ARGS_TEXT named "kafka" becomes the setting kafka.bootstrap.servers. 0; or -1 with *err set (ERR_REJECT,
 * worded for the person who typed it). Call args_fini() in any case. */
int args_parse(struct args *a, const struct args_command *commands, const struct args_option *globals, int argc, char **argv,
	       struct err *err);

/* Puts a setting ("key=value", copied) before those of the command line, which win over it. Call it at most
 * once. */
int args_prefer(struct args *a, const char *key_value, struct err *err);

/* Frees what args_parse() made. */
void args_fini(struct args *a);

/* Prints help for the level reached: the program, a noun, or one command. */
void args_help(const struct args *a, FILE *out);

/* The value of an option, its default, or NULL. An option that the command does not have is a bug of the
 * caller's (abort). */
const char *args_text(const struct args *a, const char *name);

/* The values of an ARGS_LIST one after the other: *at starts at 0; NULL ends. */
const char *args_next(const struct args *a, const char *name, int *at);

/* Likewise args_text(), for ARGS_INT (which always has a default), and for ARGS_MS in milliseconds. */
int64_t args_int(const struct args *a, const char *name);

/* Likewise, for ARGS_RATE. */
double args_rate(const struct args *a, const char *name);

/* Was the option given? */
bool args_given(const struct args *a, const char *name);

/* Likewise, and false when the command does not have it. */
bool args_given_here(const struct args *a, const char *name);

/* How many edits (insert, delete, replace, swap neighbours) make b of a; what is longer than 31 bytes
 * counts as far away. */
int args_distance(const char *a, const char *b);

#endif
