/* database.h - the connection to one cell's replica set: driver, pool, time-outs, write concern.
 *
 * The driver's defaults would let a write hang for 300 s, and a pool wait for ever. Time-outs that the user's URI does not name
 * are therefore set here. The URI may hold a password: it stands in no message and no log line. */
#ifndef MILLRACE_SINK_MONGO_DATABASE_H
#define MILLRACE_SINK_MONGO_DATABASE_H

#include <mongoc/mongoc.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/log.h"
#include "sink/mongo/settings.h"

struct database;

/* Refuses, naming the setting, a URI or a database's name that make no sense. Touches nothing but the driver's log handler; to be
 * called before database_new(). -1 with *err set. */
int database_check(const struct conf *settings, const struct sink_conf *conf, struct err *err);

/* Makes the pool, without connecting. Borrows conf and log until database_free(). One at a time a process: the driver has a
 * state and a log of its own. NULL with *err set: ERR_REJECT when the URI or the database's name makes no sense. */
struct database *database_new(const struct sink_conf *conf, const struct log *log, struct err *err);

/* Closes the pool, to which all clients have been given back; NULL is a no-op. */
void database_free(struct database *db);

/* A client for the calling thread alone. NULL with *err set. */
mongoc_client_t *database_take_client(struct database *db, struct err *err);

/* Gives a client back; NULL is a no-op. */
void database_give_client(struct database *db, mongoc_client_t *client);

/* Options of every insert: unordered, w:majority within a limit, not validated again. Borrowed, constant. */
const bson_t *database_insert_opts(const struct database *db);

/* The database's name. Borrowed. */
const char *database_name(const struct database *db);

#endif
