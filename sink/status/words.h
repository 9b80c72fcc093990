/* words.h - what the page says by itself: titles and texts of incidents, from what the components say.
 *
 * Pure; for the public. All append to out. */
#ifndef MILLRACE_STATUS_WORDS_H
#define MILLRACE_STATUS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "schemas/schemas.h"

/* Of an incident that the component leads: "Storing data in Europe is delayed". */
void words_title(struct buf *out, const struct status_component *leader);

/* What is known of the trouble now: of each component that is not operational its sentence, then when it is expected to be over. still: it was told before. */
void words_trouble(struct buf *out, const struct status_component *const *components, size_t nr, int64_t now_ms, bool still);

/* It has begun to become less, and when it is expected to be over. */
void words_recovering(struct buf *out, const struct status_component *const *components, size_t nr, int64_t now_ms);

/* It is over, since then, and whether anything was lost. */
void words_over(struct buf *out, const struct status_component *const *components, size_t nr, int64_t since_ms);

/* When it is expected to be over: of the components the latest; 0: not known. */
int64_t words_recovery_at(const struct status_component *const *components, size_t nr, int64_t now_ms);

#endif
