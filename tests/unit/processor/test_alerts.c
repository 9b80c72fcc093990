/* test_alerts.c - which alerts open and close, over histories of one series written as text, a letter a minute; and against a model that judges whole
 * histories at once. */
#include "tests/unit/processor/judged.h"

enum { MINUTES_MAX = 64, RANDOM_HISTORIES = 3000, RANDOM_MINUTES = 40 };

/* A trigger about the series "load". */
static struct trigger trigger_of(int absent, enum trigger_field field, enum trigger_comparison comparison, double threshold, int warm_up, int cooldown)
{
	struct trigger t = {.id = STR("t"), .site = STR(J_SITE), .description = STR("load is high"), .severity = ALERT_SEVERITY_CRITICAL, .metric = STR("load"),
			    .warm_up_minutes = warm_up, .cooldown_minutes = cooldown, .author = STR("test"), .updated_at = 1};

	t.has_absent_minutes = absent > 0;
	t.absent_minutes = absent;
	t.has_threshold = !absent;
	t.threshold = (struct threshold_rule){field, comparison, threshold};
	return t;
}

/* One letter a minute. What happens in it: q nobody listens, the next record comes after the run of them; c ingest is closed; w an agent says that it has older payloads;
 * l a flush takes it, and there is no room to keep it; f a flush in the middle of it, and at its end; g the same, saved and restored in between, without the end; m the trigger is muted; r the task is saved and restored after it. */
static char letter(const char *text, int minute)
{
	return (int)strlen(text) > minute ? text[minute] : ' ';
}

static void flush(struct world *w, bool keep)
{
	struct err err = ERR_INIT;

	w->rules.judging.shadow_bytes = keep ? 1 << 20 : 0;
	ck_assert_int_eq(task_close(w->task, w->task->watermark_ms, &w->rules, &err), 0);
	ck_assert_int_eq(task_flush(w->task, &err), 0);
	j_read(w, -1);
	while (w->task->outbox.len)
		pane_free(pane_list_take(&w->task->outbox, w->task->outbox.len - 1), &w->task->windows.series);
}

/* The records of one minute; they come at now_ms. */
static void send_minute(struct world *w, int minute, char value, char what, int64_t now_ms)
{
	int64_t t_ms = j_minute(minute) + 20000;

	j_value(w, -1, t_ms, 1, now_ms, what == 'w');
	if (value != '.' && strchr("fgl", what)) {
		j_value(w, 0, t_ms, (value - '0') / 2.0, now_ms, false);
		flush(w, what != 'l');
		if (what == 'g')
			j_restore(w);
		j_value(w, 0, t_ms, (value - '0') / 2.0, now_ms, false);
	} else if (value != '.') {
		j_value(w, 0, t_ms, value - '0', now_ms, false);
	}
	if (what == 'f' || (what == 'l' && value == '.'))
		flush(w, what == 'f');
}

/* Plays a history. */
static void play(struct world *w, const char *values, const char *what)
{
	int nr = (int)strlen(values), first = 0; /* first: that has not been sent */

	for (int i = 0; i < nr; i++)
		if (letter(what, i) == 'c')
			j_shut(w, i);
	for (int i = 0; i < nr; i++) {
		if (letter(what, i) == 'q' && i + 1 < nr)
			continue;
		w->clock.start_ms = j_minute(i) + 1;
		for (; first <= i; first++)
			send_minute(w, first, values[first], letter(what, first), j_minute(i) + 30000);
		if (letter(what, i) == 'm')
			j_mute(w, i % 2 ? "t" : NULL, i, i + 1);
		j_close(w, i);
		if (letter(what, i) == 'r')
			j_restore(w);
	}
	ck_assert_uint_eq(w->task->shadow.panes.len, 0);
}

static const struct {
	const char *name;
	int absent;
	enum trigger_field field;
	enum trigger_comparison comparison;
	double threshold;
	int warm_up, cooldown;
	const char *values, *what, *told;
} histories[] = {
	{"opens at once", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 0, 0, "1151", "", "+2 -3 "},
	{"the threshold itself does not compare", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "14445", "", "+4 "},
	{"warms up", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 3, 1, "55155551", "", "+5 -7 "},
	{"cools down", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 3, "511511151", "", "+0 -6 +7 "},
	{"silence of a sum is 0", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 2, 1, "5.55.", "", "+3 -4 "},
	{"silence of a reading is no reading", 0, TRIGGER_FIELD_LAST, TRIGGER_COMPARISON_LT, 4, 1, 2, "33..3", "", "+0 -3 +4 "},
	{"only what is alive is asked when it is silent", 0, TRIGGER_FIELD_COUNT, TRIGGER_COMPARISON_LT, 1, 1, 1, "5...", "", ""},
	{"too little goes on in silence", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_LT, 2, 2, 1, "1..5", "", "+1 -3 "},
	{"muted while open", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "5111", " mm ", "+0 -3 "},
	{"muted while warming", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 3, 1, "55555551", "  m", "+5 -7 "},
	{"muted does not open", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "1551", " mm", ""},
	{"what waits at agents is no silence", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "5..1", " ww", "+0 -3 "},
	{"a window is judged though others wait", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "51", "ww", "+0 -1 "},
	{"closed ingest is no silence", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "5...1", "  c", "+0 -3 "},
	{"a closed minute's windows are judged", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "511", " cc", "+0 -1 "},
	{"nobody listened", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "5......", " qqqq", "+0 -6 "},
	{"nobody listened for two minutes", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "5......", " qq", "+0 -1 "},
	{"what was sent meanwhile counts", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "55.1...", " qqqq", "+0 -3 "},
	{"a flush changes nothing", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 2, 1, "1551", " ff", "+2 -3 "},
	{"two halves of a flushed minute", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "1515", " f g", "+1 -2 +3 "},
	{"a flush of what memory is too short for", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 2, 1, "1555111", "  l l", "+3 -5 "},
	{"restored at any time", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 3, 3, "5551115", "rrrrrrr", "+2 -5 "},
	{"restored while flushed", 0, TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4, 1, 1, "151", "ggg", "+1 -2 "},
	{"absent", 3, 0, 0, 0, 0, 1, "1.....1", "", "+3 -6 "},
	{"absent is not begun by silence", 3, 0, 0, 0, 0, 1, "......", "", ""},
	{"absent begins anew with each sign", 3, 0, 0, 0, 0, 2, "1..1..1...11", "", "+9 -11 "},
	{"absent is back, and gone again, while it cools", 2, 0, 0, 0, 0, 3, "1..1..1111", "", "+2 -8 "},
	{"absent does not warm up", 1, 0, 0, 0, 9, 1, "1.1", "", "+1 -2 "},
	{"absent counts known minutes", 3, 0, 0, 0, 0, 1, "1......", "  ww", "+5 "},
	{"absent: ingest was closed", 3, 0, 0, 0, 0, 1, "1.......", "  c", "+5 "},
	{"absent: muted", 2, 0, 0, 0, 0, 1, "1.....", " m", "+3 "},
	{"absent: restored", 3, 0, 0, 0, 0, 1, "1.....1", "rrrrrrr", "+3 -6 "},
	{"absent: flushed", 2, 0, 0, 0, 0, 1, "1..1...", "fffffff", "+2 -3 +5 "},
	{"absent: nobody listened", 2, 0, 0, 0, 0, 1, "1........", " qqqq", "+7 "},
};

START_TEST(a_history)
{
	struct trigger t = trigger_of(histories[_i].absent, histories[_i].field, histories[_i].comparison, histories[_i].threshold, histories[_i].warm_up,
				      histories[_i].cooldown);
	struct world w;

	j_init(&w, INPUT_SAMPLES);
	j_trigger(&w, t.id, &t);
	play(&w, histories[_i].values, histories[_i].what);
	ck_assert_msg(strcmp(w.told, histories[_i].told) == 0, "%s: \"%s\", expected \"%s\"", histories[_i].name, w.told, histories[_i].told);
	j_fini(&w);
}
END_TEST

/* The model. Verdicts first, of all minutes, each as a letter: H holds, N not, and U when nobody can tell, with M for muted ones; then the episodes, by looking at the
 * last few known letters. It knows no states and counts no runs. */

/* The letter of the minute with which a minute is sent and judged: what holds then holds for it. */
static char model_end(const char *what, int minute, int nr)
{
	while (letter(what, minute) == 'q' && minute + 1 < nr)
		minute++;
	return letter(what, minute);
}

/* Is a minute that has a window lost? Those of a run but for its last two are judged by the closing that comes before the flush. */
static bool model_lost(const char *what, int minute, int nr)
{
	return model_end(what, minute, nr) == 'l' && !(letter(what, minute) == 'q' && letter(what, minute + 1) == 'q');
}

/* Is silence unknown in a minute? A run of q from a to b-1 is a span from 45 s into minute a to 30 s into minute b. */
static bool model_deaf(const char *what, int minute, int nr)
{
	int a = minute, b;

	if (model_end(what, minute, nr) == 'w' || letter(what, minute) == 'c' || letter(what, minute + 1) == 'c')
		return true;
	while (a > 0 && letter(what, a - 1) == 'q' && letter(what, a) != 'q')
		a--; /* the minute behind a run belongs to it */
	while (a > 0 && letter(what, a) == 'q' && letter(what, a - 1) == 'q')
		a--;
	if (letter(what, a) != 'q')
		return false;
	for (b = a; b + 1 < nr && letter(what, b) == 'q'; b++)
		;
	return minute <= b && (b - a) * 60 - 15 > 120 && a > 0;
}

/* Plays the trigger with these parameters over a history; writes what must be told. */
static void model(const struct trigger *t, const char *values, const char *what, char out[J_WORDS_SIZE])
{
	int nr = (int)strlen(values), seen = -1, nr_known = 0, nr_silent = 0, since = 0, opened = -1;
	char letters[MINUTES_MAX];
	int warm = t->has_absent_minutes || t->warm_up_minutes < 1 ? 1 : t->warm_up_minutes, cool = t->cooldown_minutes < 1 ? 1 : t->cooldown_minutes;

	*out = '\0';
	for (int i = 0; i < nr; i++) {
		bool window = values[i] != '.', lost = model_lost(what, i, nr) && window, mute = model_end(what, i, nr) == 'm';
		bool unknown = mute || lost || (!window && model_deaf(what, i, nr));
		bool holds = false;

		if (window && !lost) {
			seen = i;
			nr_silent = 0;
		} else if (!unknown && seen >= 0) {
			nr_silent++;
		}
		if (mute && opened < 0)
			since = nr_known;
		if (unknown)
			continue;
		if (t->has_absent_minutes)
			holds = !window && seen >= 0 && nr_silent >= t->absent_minutes;
		else if (window || opened >= 0 || (nr_known > since && letters[nr_known - 1] == 'H'))
			holds = t->threshold.comparison == TRIGGER_COMPARISON_GT ? (window ? values[i] - '0' : 0) > t->threshold.threshold
										 : (window ? values[i] - '0' : 0) < t->threshold.threshold;
		letters[nr_known++] = holds ? 'H' : 'N';
		letters[nr_known] = '\0';
		if (opened < 0 && nr_known - since >= warm && strspn(letters + nr_known - warm, "H") == (size_t)warm) {
			opened = i;
			since = nr_known;
			j_expect(out, '+', i);
		} else if (opened >= 0 && nr_known - since >= cool && strspn(letters + nr_known - cool, "N") == (size_t)cool) {
			opened = -1;
			since = nr_known;
			j_expect(out, '-', i);
		}
	}
}

static void draw(struct unit_random *r, char *values, char *what, int nr)
{
	static const char whats[] = "      qqcwlfgmr";
	int sticky = 1 + (int)unit_random_below(r, 4);

	for (int i = 0; i < nr; i++) {
		bool again = i && unit_random_below(r, (uint64_t)sticky);

		values[i] = again ? values[i - 1] : ".159"[unit_random_below(r, 4)];
		what[i] = i && unit_random_below(r, 3) ? what[i - 1] == 'q' ? 'q' : ' ' : whats[unit_random_below(r, sizeof(whats) - 1)];
	}
	what[0] = what[nr - 1] = ' ';
	values[nr] = what[nr] = '\0';
}

START_TEST(whole_histories_are_judged_as_the_model_does)
{
	struct unit_random r = unit_random_new("histories");
	char values[MINUTES_MAX], what[MINUTES_MAX], want[J_WORDS_SIZE];
	size_t nr_told = 0;

	for (int i = 0; i < RANDOM_HISTORIES; i++) {
		bool absent = unit_random_below(&r, 2);
		struct trigger t = trigger_of(absent ? 1 + (int)unit_random_below(&r, 4) : 0, TRIGGER_FIELD_SUM,
					      unit_random_below(&r, 3) ? TRIGGER_COMPARISON_GT : TRIGGER_COMPARISON_LT, 3, (int)unit_random_below(&r, 4),
					      (int)unit_random_below(&r, 4));
		struct world w;

		draw(&r, values, what, RANDOM_MINUTES);
		model(&t, values, what, want);
		j_init(&w, INPUT_SAMPLES);
		j_trigger(&w, t.id, &t);
		play(&w, values, what);
		ck_assert_msg(strcmp(w.told, want) == 0, "history %d, absent %d, comparison %d, warm-up %d, cooldown %d:\n%s\n%s\ntold     %s\nexpected %s", i,
			      t.absent_minutes, t.threshold.comparison, t.warm_up_minutes, t.cooldown_minutes, values, what, w.told, want);
		nr_told += w.told_len;
		j_fini(&w);
	}
	ck_assert_uint_gt(nr_told, RANDOM_HISTORIES * 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alerts");
	TCase *tc = tcase_create("alerts");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_history, 0, (int)NR(histories));
	tcase_add_test(tc, whole_histories_are_judged_as_the_model_does);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
