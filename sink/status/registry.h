/* registry.h - the read half of the Confluent Schema Registry's API, from schemas/: so that standard deserializers work without a registry.
 *
 * GET /schemas/ids/N, /schemas/types, /subjects, /subjects/S/versions, /subjects/S/versions/V and /latest. A subject is TOPIC-value, the topic's whole
 * name. As ids are fixed at build time, so are all answers but the list of subjects, which follows the cells. */
#ifndef MILLRACE_STATUS_REGISTRY_H
#define MILLRACE_STATUS_REGISTRY_H

#include <stddef.h>

#include "common/err.h"
#include "common/str.h"
#include "sink/status/server.h"

#define REGISTRY_TYPE "application/vnd.schemaregistry.v1+json"

/* Adds all answers for these cells (names, sorted). Content type REGISTRY_TYPE. */
int registry_add(struct answers *a, const struct str *cells, size_t nr_cells, struct err *err);

/* The body of a 404 or 405 below /schemas and /subjects, in the registry's form ({"error_code":40403,"message":..}); static. */
const char *registry_error(const char *path, unsigned int status);

#endif
