/* vault_file.h - the tables' rows in a file, which is written whole and believed whole.
 *
 * Knows bytes only: no row is looked into. A file takes the place of the one before in one step (rename), so that a crash or a full
 * disk at any moment leaves either of them, never half of one. What is read is believed only when its CRC-32, its bounds and its counts
 * all hold; no row is handed over before.
 * Call order of a writing: begin, add.., end, commit; abandon gives up in between. Not thread-safe: one owner. */
#ifndef MILLRACE_INGEST_VAULT_FILE_H
#define MILLRACE_INGEST_VAULT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum vault_table { VAULT_CELLS, VAULT_SITES, VAULT_TABLES };

struct vault_file;

/* Takes one row; key and value are borrowed for the call. -1 with *err set ends the reading. */
typedef int (*vault_file_fn)(void *ctx, enum vault_table table, struct str key, struct str value, struct err *err);

/* A file at path (copied), which is not opened yet. NULL when memory is short. */
struct vault_file *vault_file_new(const char *path);

/* Abandons what is being written; NULL is a no-op. */
void vault_file_free(struct vault_file *f);

/* Hands over all rows in the order in which they were written, and sets *refused_before to what vault_file_end() was given. No file there: 0, nothing
 * is handed over or set. ERR_REJECT: the file is damaged, or none of ours, or of another version. ERR_RETRY: it cannot be read. */
int vault_file_read(const struct vault_file *f, vault_file_fn take, void *ctx, uint64_t *refused_before, struct err *err);

/* Begins a new file beside the one at path, readable by its owner only. ERR_RETRY when it cannot. */
int vault_file_begin(struct vault_file *f, struct err *err);

/* Appends a row; a key has at most 65,535 bytes. A failure is sticky and told by vault_file_end(). */
void vault_file_add(struct vault_file *f, enum vault_table table, struct str key, struct str value);

/* Ends the rows. The bytes are with the kernel then, which has begun to write them to the disk. -1: abandoned. */
int vault_file_end(struct vault_file *f, uint64_t refused_before, struct err *err);

/* Waits until the bytes are on the disk and puts the file in its place. Best some time after vault_file_end(), when there is little left
 * to wait for. -1: abandoned, the file before is still there (or, if only the directory could not be synced, perhaps the new one). */
int vault_file_commit(struct vault_file *f, struct err *err);

/* Is a writing begun and neither committed nor abandoned? */
bool vault_file_pending(const struct vault_file *f);

/* Gives up what is being written; nothing begun is a no-op. */
void vault_file_abandon(struct vault_file *f);

#endif
