/* fuzz_origin.c - any bytes as the header that says where a record stood first.
 *
 * What is taken is exactly what would be written of it: there is one form for each origin, so that a retry of a retry carries the same
 * bytes. */
#include <stdlib.h>
#include <string.h>

#include "common/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str line = {(const char *)data, size};
	struct origin o, place;
	char text[ORIGIN_SIZE];
	struct err err = ERR_INIT;

	if (origin_parse(line, &o, &err) < 0) {
		if (err.kind != ERR_REJECT || !*err.msg)
			abort();
		return 0;
	}
	if (!str_eq(str_from(origin_format(&o, text)), line) || o.partition < 0 || o.offset < 0)
		abort();
	place = o;
	if (origin_check(&o, &place, NULL) == 0) /* nobody is a copy of himself */
		abort();
	return 0;
}
