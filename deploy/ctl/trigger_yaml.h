/* trigger_yaml.h - triggers as operators write them (deploy/ctl/README.md, "Triggers and receivers").
 *
 * What is taken has passed trigger_check() (common/trigger.h). Whether site and receivers exist is for who knows them. */
#ifndef MILLRACE_CTL_TRIGGER_YAML_H
#define MILLRACE_CTL_TRIGGER_YAML_H

#include <stdbool.h>

#include "deploy/ctl/yaml_read.h"
#include "schemas/schemas.h"

/* Reads one entry of the list `triggers`. False: something is wrong, and is a fault of the file. Strings and arrays of *out are the file's. author and
 * updated_at are empty: they may stand there, as lists print them, and are not read. */
bool trigger_yaml_read(struct yaml_file *f, const struct yaml *node, struct trigger *out);

#endif
