/* push_pb_event.h - an event of push_pb.c's. Only push_pb.c includes this. */
#ifndef MILLRACE_INGEST_PUSH_PB_EVENT_H
#define MILLRACE_INGEST_PUSH_PB_EVENT_H

#include "ingest/push_pb_parser.h"

/* Reads an Error, Transaction, Marker or CheckIn, behind its field's key, and hands it to event_add() as the index-th of list, a literal. */
const uint8_t *push_pb_read_event(struct push_pb_parser *ps, enum payload_event_kind kind, const char *list, uint32_t index, const uint8_t *at,
				  const uint8_t *end);

#endif
