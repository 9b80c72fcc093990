/* build.c - see build.h. The one file that is compiled again with every commit. */
#include "common/build.h"

#include "version.h" /* generated */

const char *build_version(void)
{
	return MILLRACE_VERSION;
}
