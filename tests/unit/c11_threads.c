/* c11_threads.c - c11_threads.h for whole programs: the Makefile links it into what is built under ThreadSanitizer, and into nothing else. */
#include "tests/unit/c11_threads.h"
