/* kafka.h - how every program talks to librdkafka: configuration, names, errors.
 *
 * The user's kafka.* settings come first; what correctness rests on (isolation level, acks, auto.offset.reset, commits) is set
 * after them by each caller, and a user who sets such a key gets an error instead of a silent override. */
#ifndef MILLRACE_KAFKA_H
#define MILLRACE_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"

enum { KAFKA_TOPIC_SIZE = 128 };

/* One property of librdkafka that a caller fixes. */
struct kafka_prop {
	const char *name, *value;
};

/* A configuration from kafka.*, a short client.id made of program and role, the house's defaults (socket.nagle.disable=true, bounded queues,
 * nothing committed or stored by itself; user's kafka.* may change these), and the caller's fixed properties (array ended by {0}). Borrows p until the
 * client that is made from it is destroyed (its log lines go to p->log). The caller owns the result until kafka_open(). */
rd_kafka_conf_t *kafka_conf(const struct program *p, const char *role, const struct kafka_prop *fixed, struct err *err);

/* Was a configuration made? Destroys it. For each client's X_check(): what its making would refuse is told before anything
 * runs, "return kafka_conf_check(kafka_conf(..))". 0, or -1 when conf is NULL. */
int kafka_conf_check(rd_kafka_conf_t *conf);

/* Makes a client. Takes conf in any case. NULL with *err set on failure; conf NULL gives NULL and leaves *err, so that
 * kafka_open(type, kafka_conf(..), err) works. conf must come from kafka_conf(); end the client with kafka_close(). */
rd_kafka_t *kafka_open(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *err);

/* Flushes nothing, closes a consumer with a deadline and destroys; a client that does not end in time is left behind, says nothing any
 * more, and false returned (closing during a rebalance can hang in 2.0.2). So is a member of a cooperative-sticky group that owns no
 * partition: it has left the group, but destroying it may abort. After false, end the process by _exit(): its threads still run.
 * Rebalance callbacks are served here; records fetched and not polled are dropped. A consumer that leaves in the middle of a rebalance
 * takes 5 s: give it more. NULL is a no-op and true. */
bool kafka_close(rd_kafka_t *rk, int timeout_ms);

/* A client that another thread will end by kafka_close(), or nobody, says nothing any more, as the program that it would log to may go away
 * before it. */
void kafka_abandon(rd_kafka_t *rk);

/* Writes "millrace.c.CELL.NAME" into out and returns out. */
const char *kafka_cell_topic(char out[KAFKA_TOPIC_SIZE], const char *cell, const char *name);

/* The kind of a client error: fatal, retriable, or rejected. */
enum err_kind kafka_err_kind(rd_kafka_resp_err_t code);

/* Sets *err from an error object and destroys it; err may be NULL. Always returns -1. */
int kafka_error(struct err *err, rd_kafka_error_t *error, const char *what);

/* Sets *err from a code. Always returns -1. */
int kafka_code(struct err *err, rd_kafka_resp_err_t code, const char *what);

/* Is the topic there, with so many partitions? Asks brokers, up to timeout_ms (real). ERR_RETRY: it is not there, or they do not answer; ERR_REJECT: another
 * number. A topic that is not there must not be subscribed to, which can crash. To a producer this also makes the leaders known, without which its first message
 * would be up to a second late. */
int kafka_check_topic(rd_kafka_t *rk, const char *topic, int32_t partitions, int timeout_ms, struct err *err);

/* From now on a consumer's queue makes fd, of events_wake_fd(), readable when something comes into it while it is empty; -1: no more, which must be said
 * before fd is closed. What is in the queue already makes nothing readable. */
void kafka_wake_on(rd_kafka_t *rk, int fd);

/* Waits for the answer to an admin request that was given queue; the caller destroys it. NULL with *err set when none came within timeout_ms (real), or
 * an error. what: "make topics". */
rd_kafka_event_t *kafka_await_event(rd_kafka_queue_t *queue, int timeout_ms, const char *what, struct err *err);

/* Waits until the cluster answers a metadata request, up to timeout_ms of real time. ERR_RETRY naming the brokers when it does not. */
int kafka_wait(rd_kafka_t *rk, int timeout_ms, struct err *err);

#endif
