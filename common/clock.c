/* clock.c - see clock.h. The one file that may call the system's clocks. */
#include "common/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_map_ms(const struct clock *c, int64_t wall_ms)
{
	if (!c->test)
		return wall_ms;
	return c->start_ms + (int64_t)floor((double)(wall_ms - c->real_ms) * c->speed);
}

int64_t clock_now_ms(const struct clock *c)
{
	return clock_map_ms(c, clock_wall_ms());
}

int64_t clock_real_duration_ms(const struct clock *c, int64_t virtual_ms)
{
	return c->test ? (int64_t)ceil((double)virtual_ms / c->speed) : virtual_ms;
}

char *clock_iso(int64_t t_ms, char *out, size_t size)
{
	time_t seconds = (time_t)(t_ms / 1000);
	struct tm tm;
	char text[24];

	if (t_ms < 0 || t_ms >= INT64_C(253402300800000) || !gmtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(out, size, "%" PRId64, t_ms);
	else
		snprintf(out, size, "%s.%03dZ", text, (int)(t_ms % 1000));
	return out;
}
