/* silence.c - see silence.h.
 *
 * Selectors are judged by the code that judges a trigger's: a silence must mean to the notifier what the same selectors mean to the processor. */
#include "common/silence.h"

#include <inttypes.h>

#include "common/trigger.h"

static bool id_valid(struct str id)
{
	bool good = id.len >= SILENCE_ID_MIN && id.len <= SILENCE_ID_MAX;

	for (size_t i = 0; good && i < id.len; i++)
		good = (id.p[i] >= 'a' && id.p[i] <= 'z') || (id.p[i] >= '0' && id.p[i] <= '9');
	return good;
}

int silence_check_text(const char *what, struct str s, size_t min, size_t max, struct err *err)
{
	if (s.len < min || s.len > max)
		return err_set(err, ERR_REJECT, "the %s has %zu bytes: %zu to %zu are allowed", what, s.len, min, max);
	return str_is_line(s) ? 0 : err_set(err, ERR_REJECT, "the %s must be one line of UTF-8", what);
}

/* Sites' ids have the alphabet of triggers' and receivers'. */
static int check_names(const struct silence *s, struct err *err)
{
	if (s->has_site && !trigger_id_valid(s->site))
		return err_set(err, ERR_REJECT, "site: 1 to %d of a-z, 0-9 and - are allowed", TRIGGER_ID_MAX);
	if (s->has_trigger && !trigger_id_valid(s->trigger))
		return err_set(err, ERR_REJECT, "trigger: 1 to %d of a-z, 0-9 and - are allowed", TRIGGER_ID_MAX);
	return 0;
}

/* Subtraction cannot overflow once neither is negative. */
static int check_times(const struct silence *s, struct err *err)
{
	if (s->starts_at < 0 || s->created_at < 0 || s->ends_at <= s->starts_at)
		return err_set(err, ERR_REJECT, "it starts at %" PRId64 " and ends at %" PRId64 ": that is no time to be silent", s->starts_at, s->ends_at);
	if (s->ends_at - s->starts_at > SILENCE_LIFE_MAX_MS)
		return err_set(err, ERR_REJECT, "it would last for longer than 90 days");
	return 0;
}

int silence_check(const struct silence *s, struct err *err)
{
	if (!id_valid(s->id))
		return err_set(err, ERR_REJECT, "id: %d to %d of a-z and 0-9 are allowed", SILENCE_ID_MIN, SILENCE_ID_MAX);
	if (check_names(s, err) < 0 || trigger_check_selectors(s->tags, s->tags_len, err) < 0 || silence_check_text("reason", s->reason, 1, SILENCE_REASON_MAX, err) < 0 ||
	    silence_check_text("author", s->author, 1, SILENCE_AUTHOR_MAX, err) < 0 || check_times(s, err) < 0)
		return err_wrap(err, "silence " STR_FMT, STR_ARG(s->id));
	return 0;
}
