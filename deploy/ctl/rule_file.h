/* rule_file.h - an operator's file of triggers and receivers, from its path to records.
 *
 *   triggers: [..]      each entry as trigger_yaml.h reads it
 *   receivers: [..]     each entry as receiver_yaml.h reads it
 *
 * One file may hold both lists. Everything that is wrong by itself is found at once. */
#ifndef MILLRACE_CTL_RULE_FILE_H
#define MILLRACE_CTL_RULE_FILE_H

#include <stdio.h>

#include "common/err.h"
#include "deploy/ctl/store.h"
#include "deploy/ctl/yaml_read.h"

struct rule_file {
	const char *path; /* borrowed */
	struct yaml_file yaml;
	bool has_triggers, has_receivers; /* the list stands there, perhaps empty */
};

/* Reads path ("-": standard input) and puts its triggers and receivers into s, whose records borrow f: free s first. What can be read is put there also when
 * other entries have faults: call rule_file_end() when all that needs others beside it has been looked at too. -1: the file cannot be had. */
int rule_file_read(struct rule_file *f, const char *path, struct store *s, struct err *err);

/* The entry of an id in the list "triggers" or "receivers", for yaml_fail(); NULL when there is none. */
const struct yaml *rule_file_entry(const struct rule_file *f, enum store_kind kind, struct str id);

/* 0: no faults. -1: they are printed to out, each as FILE:LINE: message, and *err (ERR_REJECT) says how many there are. */
int rule_file_end(const struct rule_file *f, FILE *out, struct err *err);

/* Frees. */
void rule_file_fini(struct rule_file *f);

#endif
