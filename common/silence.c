/* silence.c - see silence.h.
 *
 * Selectors are judged as a trigger's, by asking of a trigger that has them: a silence written today must mean to the notifier what the same selectors mean
 * to the processor, whatever the rules become. */
#include "common/silence.h"

#include <inttypes.h>

#include "common/trigger.h"

bool silence_id_valid(struct str id)
{
	bool good = id.len >= SILENCE_ID_MIN && id.len <= SILENCE_ID_MAX;

	for (size_t i = 0; good && i < id.len; i++)
		good = (id.p[i] >= 'a' && id.p[i] <= 'z') || (id.p[i] >= '0' && id.p[i] <= '9');
	return good;
}

/* C0, DEL, and C1 as UTF-8 has it. */
static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char byte = (unsigned char)s.p[i], last = i ? (unsigned char)s.p[i - 1] : 0;

		if (byte < 0x20 || byte == 0x7f || (last == 0xc2 && byte < 0xa0))
			return true;
	}
	return false;
}

int silence_check_text(const char *what, struct str s, size_t min, size_t max, struct err *err)
{
	if (s.len < min || s.len > max)
		return err_set(err, ERR_REJECT, "the %s has %zu bytes: %zu to %zu are allowed", what, s.len, min, max);
	if (!str_is_utf8(s))
		return err_set(err, ERR_REJECT, "the %s must be UTF-8", what);
	if (has_control(s))
		return err_set(err, ERR_REJECT, "the %s may hold no control characters", what);
	return 0;
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

static int check_selectors(const struct silence *s, struct err *err)
{
	const struct trigger probe = {
		.id = STR("silence"), .site = STR("silence"), .metric = STR("silence"), .tags = s->tags, .tags_len = s->tags_len,
		.has_absent_minutes = true, .absent_minutes = 1, .warm_up_minutes = 1, .cooldown_minutes = 1, .author = STR("silence"),
	};

	return trigger_check(&probe, err);
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
	if (!silence_id_valid(s->id))
		return err_set(err, ERR_REJECT, "id: %d to %d of a-z and 0-9 are allowed", SILENCE_ID_MIN, SILENCE_ID_MAX);
	if (check_names(s, err) < 0 || check_selectors(s, err) < 0 || silence_check_text("reason", s->reason, 1, SILENCE_REASON_MAX, err) < 0 ||
	    silence_check_text("author", s->author, 1, SILENCE_AUTHOR_MAX, err) < 0 || check_times(s, err) < 0)
		return err_wrap(err, "silence " STR_FMT, STR_ARG(s->id));
	return 0;
}
