/* indexes.h - the indexes that the sink's collections have, made at its start.
 *
 * {site, name, t}: a dashboard reads one series, or all series of a name, over a range; likewise the check-ins of a job. {site, t}: the latest errors,
 * transactions, deploys, alerts of a site. {site, group, t}: those of one group. {site, trigger, t}: alerts and incidents of one trigger. {incident, version}: how an
 * incident came to stand as it does. {t}: the database drops what is older than its retention (TTL). There is no unique index but _id's: a second one would refuse fragments. */
#ifndef MILLRACE_SINK_MONGO_INDEXES_H
#define MILLRACE_SINK_MONGO_INDEXES_H

#include <mongoc/mongoc.h>

#include "common/err.h"
#include "common/log.h"
#include "sink/mongo/settings.h"

/* Brings the indexes of all collections to what conf says: makes those that are not there, whatever their name, and gives a TTL index the
 * retention that the settings have now (collMod), which it logs with the old one. ERR_REJECT when an index stands in the way that only an
 * operator may touch (the message names collection, index and cure); every collection is looked at first, and the first conflict is told.
 * ERR_RETRY for every other failure. Repeating it does no harm. Blocks on the network. */
int indexes_make(mongoc_client_t *client, const char *database, const struct sink_conf *conf, const struct log *log, struct err *err);

#endif
