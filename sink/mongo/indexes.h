/* indexes.h - the indexes that the sink's collections have, made at its start.
 *
 * {site, name, t}: a dashboard reads one series, or all series of a name, over a range. {t}: the database drops what is older
 * than its retention (TTL). There is no unique index but _id's: a second one would refuse fragments. */
#ifndef MILLRACE_SINK_MONGO_INDEXES_H
#define MILLRACE_SINK_MONGO_INDEXES_H

#include <mongoc/mongoc.h>

#include "common/err.h"
#include "sink/mongo/settings.h"

/* Makes the indexes of all collections that are not there yet; making one again is no error. ERR_REJECT when an index of other
 * options stands in the way (the message names collection and cure), ERR_RETRY for every other failure. Blocks on the network. */
int indexes_make(mongoc_client_t *client, const char *database, const struct sink_conf *conf, struct err *err);

#endif
