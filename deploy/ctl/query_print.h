/* query_print.h - what a query found, as a table with a sparkline, and as JSON.
 *
 * Nothing is asked here: the query is finished and sorted. */
#ifndef MILLRACE_CTL_QUERY_PRINT_H
#define MILLRACE_CTL_QUERY_PRINT_H

#include <stdio.h>

#include "deploy/ctl/json_write.h"
#include "deploy/ctl/query_fold.h"

/* How it is to look. */
struct query_look {
	enum trigger_field field; /* what is drawn, and what groups are sorted by */
	size_t limit;             /* groups that are shown */
	bool colour;
	int spark;                /* characters that a sparkline may have; 0: none is drawn */
};

/* The field that tells most of a kind. */
enum trigger_field query_main_field(enum series_kind kind);

/* The kind of what was found. Something was. */
enum series_kind query_kind(const struct query *q);

/* How many windows from the first on there can be something in: up to the newest of any series that was read, or what must have been closed by now. */
size_t query_nr_closed(const struct query *q);

/* Prints windows as rows, or groups where a tag was asked for. -1 with *err set when memory is short. */
int query_print(const struct query *q, const struct query_look *look, FILE *out, struct err *err);

/* Writes the members of the object that is open. */
void query_write(const struct query *q, const struct query_look *look, struct json_writer *w);

#endif
