/* verify_sheet.h - all series of one hour: what each of its minutes and the hour itself must hold, and what is stored.
 *
 * It grows with the series that have anything in the hour: about a KiB a series, and 130 bytes and 16 a bucket for each of its windows
 * on either side. Series are told apart by the fingerprint of what they are called, computed here, not by what a record or document says
 * it is. Not thread-safe. */
#ifndef MILLRACE_CTL_VERIFY_SHEET_H
#define MILLRACE_CTL_VERIFY_SHEET_H

#include "common/arena.h"
#include "common/map.h"
#include "common/series.h"
#include "deploy/ctl/verify_window.h"

/* The slots of an hour: its minutes, and the hour. */
enum { VERIFY_MINUTES = 60, VERIFY_HOUR_SLOT = VERIFY_MINUTES, NR_VERIFY_SLOTS };

enum verify_side { VERIFY_EXPECTED, VERIFY_STORED, NR_VERIFY_SIDES };

struct verify_series {
	struct series_id id; /* its strings are the sheet's */
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	bool cumulative;     /* cumulative points are among what is expected */
	struct verify_window *windows[NR_VERIFY_SIDES][NR_VERIFY_SLOTS]; /* NULL: nothing */
};

struct verify_sheet {
	int64_t hour_ms;
	struct map series; /* by fingerprint */
	struct arena arena;
};

#define VERIFY_SHEET_INIT {.hour_ms = 0}

/* Frees everything. */
void verify_sheet_fini(struct verify_sheet *s);

/* The slot of a time: its minute's; -1: not in the hour. */
int verify_sheet_slot(const struct verify_sheet *s, int64_t t_ms);

/* The start of a slot's window. */
int64_t verify_sheet_start(const struct verify_sheet *s, int slot);

/* The series of this name, made when it is new; id's strings are copied. NULL with *err set. */
struct verify_series *verify_sheet_series(struct verify_sheet *s, const struct series_id *id, struct err *err);

/* The window of a series in a slot, made when there is none. NULL with *err set. */
struct verify_window *verify_sheet_window(struct verify_sheet *s, struct verify_series *series, enum verify_side side, int slot,
					  struct err *err);

/* Adds the minutes that are expected up to the hours. Once. */
int verify_sheet_add_up(struct verify_sheet *s, struct err *err);

/* All series in the order of site, kind, name, tags; *nr of them. The caller frees the array. NULL with *err set. */
struct verify_series **verify_sheet_list(const struct verify_sheet *s, size_t *nr, struct err *err);

#endif
