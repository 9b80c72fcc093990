/* lag_age.h - lag in time: how old the oldest unread record of a partition is, and when retention will cut it.
 *
 * The record at the committed offset is read itself, for its timestamp: what has been waiting longest is what an operator asks for, and
 * records a second differ by thousands between one cell and another. */
#ifndef MILLRACE_LAG_AGE_H
#define MILLRACE_LAG_AGE_H

#include "common/program.h"
#include "common/lag.h"

/* Told of each record that has come, of how many. */
typedef void (*lag_age_fn)(void *ctx, size_t done, size_t total);

/* Reads one record of each partition that is behind and whose age_ms is not known, and sets its age_ms, by p's clock. All are asked at once, but groups that are
 * behind in the same partition one after the other, three of them at most. What has not answered within two seconds stays unknown (-1), and is no error; -1 with
 * *err set when there is no client. lag_sum() comes before it. told may be NULL. */
int lag_age_read(const struct program *p, struct lag_group *groups, size_t nr, lag_age_fn told, void *ctx, struct err *err);

/* Asks Kafka for retention.ms of the groups' topics, and sets retention_ms. */
int lag_retention_read(rd_kafka_t *rk, struct lag_group *groups, size_t nr, struct err *err);

/* Computes left_ms, oldest, next and nr_unknown from age_ms and retention_ms. */
void lag_age_sum(struct lag_group *group, const struct clock *clock);

#endif
