/* build.h - what this program was built from. */
#ifndef MILLRACE_BUILD_H
#define MILLRACE_BUILD_H

/* Version and commit, "0.1.0+1a2b3c4". Static. */
const char *build_version(void);

#endif
