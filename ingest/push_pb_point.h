/* push_pb_point.h - a point of push_pb.c's, with its figures and its histogram. Only push_pb.c includes this. */
#ifndef MILLRACE_INGEST_PUSH_PB_POINT_H
#define MILLRACE_INGEST_PUSH_PB_POINT_H

#include "ingest/push_pb_parser.h"

/* Reads a Point, behind its field's key, into the draft. */
const uint8_t *push_pb_read_point(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end);

#endif
