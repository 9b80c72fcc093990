/* verify_mongo.h - an hour's documents of a cell, read from MongoDB into the sheet.
 *
 * Reads only. A URI may hold a password: no error says anything of it but the hosts. Blocking, with deadlines. */
#ifndef MILLRACE_CTL_VERIFY_MONGO_H
#define MILLRACE_CTL_VERIFY_MONGO_H

#include "deploy/ctl/verify_sheet.h"

struct verify_source {
	const char *uri, *database; /* borrowed */
	struct str site;            /* this one's documents only; empty: all */
	int64_t epoch;              /* of the cell's topics */
};

struct verify_stock {
	uint64_t documents; /* of this cell */
	uint64_t foreign;   /* of other topics: another cell's, or topics that were made again since */
	uint64_t bad;       /* no fragments at all */
	char first_bad[160]; /* the first of them, in words */
};

/* Told with each document: how many there were. */
typedef void (*verify_progress_fn)(void *ctx, uint64_t nr);

/* Adds all documents of the sheet's hour. ERR_REJECT: the URI or the name of the database is no such thing; ERR_RETRY: the database
 * cannot be reached or asked; ERR_FATAL: memory. */
int verify_mongo_read(const struct verify_source *source, struct verify_sheet *sheet, verify_progress_fn progress, void *ctx,
		      struct verify_stock *stock, struct err *err);

#endif
