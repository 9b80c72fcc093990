/* test_desk_model.c - a desk against a plain model of it, second by second: events, silences, pauses, acknowledgements, outcomes that come late, aborted
 * transactions, restarts and a clock that leaps, all at random.
 *
 * The model knows no records, versions or agenda, and forgets nothing: of each alert it counts how often it opened or closed, and of each receiver it
 * remembers those counts as they were when it was told. It looks at all receivers of all incidents each second. */
#include "common/map.h"
#include "tests/unit/notify/desk_world.h"

enum { SERIES = 5, RECEIVERS = 4, SILENCES = 3, TRIGGERS = 2, INCIDENTS = 400, SECONDS = 6000, WORDS = 64, JOIN_S = 7 * 60 };

struct m_alert {
	bool known, open, moved;
	int64_t join_until_s, episode_s;
	int changes;
};

struct m_told {
	bool any, pending, unsure, over, failed;
	int64_t first_s, at_s, sequence;
	int changes[SERIES];
};

struct m_incident {
	int trigger;
	bool open, acked;
	int64_t created_s, opened_s, resolved_s;
	struct m_alert alerts[SERIES];
	struct m_told told[RECEIVERS];
};

struct m_silence {
	char host; /* 0: all */
	int64_t from_s, until_s;
};

struct m_receiver {
	int64_t wait_s, interval_s, repeat_s, after_s;
	bool resolve, named;
	int to; /* -1: nobody */
};

struct last_event {
	enum alert_event_kind kind;
	int series;
	int64_t opened_s;
	bool any;
};

struct model {
	struct unit_random random;
	struct world *w;
	struct m_receiver receivers[RECEIVERS];
	struct m_silence silences[SILENCES];
	struct m_incident incidents[INCIDENTS];
	int nr, latest[TRIGGERS]; /* -1: none */
	struct last_event last[TRIGGERS];
	char got[WORDS][96], expected[WORDS][96];
	int nr_got, nr_expected;
	bool input;
	uint64_t total;
};

static const char *const names[] = {"a", "b", "c", "d"};
static const char *const triggers[] = {"t0", "t1"};

static int64_t now(const struct model *m)
{
	return m->w->now_s;
}

static bool chance(struct model *m, unsigned n)
{
	return unit_random_below(&m->random, n) == 0;
}

static int64_t any_of(struct model *m, const int64_t *values, size_t nr)
{
	return values[unit_random_below(&m->random, nr)];
}

/* What is heard. */

static void on_job(void *ctx, int64_t now_s, const struct desk_job *job)
{
	struct model *m = ctx;
	char *out = m->got[m->nr_got++];
	int len;
	bool has[SERIES][2] = {{false}};

	(void)now_s;
	ck_assert_int_lt(m->nr_got, WORDS);
	for (size_t i = 0; i < job->alerts_len; i++)
		has[job->alerts[i]->tags[0].value.p[0] - 'a'][job->alerts[i]->state == INCIDENT_ALERT_STATE_CLOSED] = true;
	len = snprintf(out, 96, "%.*s %.*s %lld %s", STR_ARG(job->incident->trigger), STR_ARG(job->receiver_id), (long long)job->sequence,
		       incident_state_name(job->state));
	for (int s = 0; s < SERIES; s++)
		if (has[s][0] || has[s][1])
			len += snprintf(out + len, 96 - (size_t)len, " %c%c", 'a' + s, has[s][1] ? '-' : '+');
}

/* What is expected. */

static bool covered(const struct model *m, int series, int64_t at_s)
{
	for (int i = 0; i < SILENCES; i++)
		if (m->silences[i].from_s <= at_s && at_s < m->silences[i].until_s &&
		    (m->silences[i].host == 0 || m->silences[i].host == 'a' + series))
			return true;
	return false;
}

static bool is_live(const struct m_alert *a)
{
	return a->open || a->moved;
}

static bool was_told(const struct m_told *t)
{
	return t->any && (t->sequence > 1 || (t->sequence == 1 && !t->failed));
}

static bool all_covered(const struct model *m, const struct m_incident *in)
{
	for (int s = 0; s < SERIES; s++)
		if (in->alerts[s].known && (!in->open || is_live(&in->alerts[s])) && !covered(m, s, now(m)))
			return false;
	return true;
}

static bool has_news(const struct model *m, const struct m_incident *in, const struct m_told *t)
{
	for (int s = 0; s < SERIES; s++) {
		const struct m_alert *a = &in->alerts[s];

		if (!a->known || covered(m, s, now(m)))
			continue;
		if (a->changes > t->changes[s] || (in->open && is_live(a) && covered(m, s, t->at_s)))
			return true;
	}
	return false;
}

static void knows_now(const struct model *m, const struct m_incident *in, struct m_told *t)
{
	t->first_s = t->any ? t->first_s : now(m);
	t->any = true;
	t->unsure = false;
	t->over = !in->open;
	t->at_s = now(m);
	for (int s = 0; s < SERIES; s++)
		t->changes[s] = in->alerts[s].changes;
}

static void expect(struct model *m, struct m_incident *in, int r, bool again)
{
	struct m_told *t = &in->told[r];
	char *out = m->expected[m->nr_expected++];
	int len;

	ck_assert_int_lt(m->nr_expected, WORDS);
	t->sequence += !again;
	len = snprintf(out, 96, "%s %s %lld %s", triggers[in->trigger], names[r], (long long)t->sequence, in->open ? "open" : "resolved");
	for (int s = 0; s < SERIES; s++)
		if (in->alerts[s].known && !covered(m, s, now(m)))
			len += snprintf(out + len, 96 - (size_t)len, " %c%c", 'a' + s, is_live(&in->alerts[s]) ? '+' : '-');
	t->pending = m->w->holds;
	t->failed = m->w->outcome == SENT_OUTCOME_GAVE_UP && !t->pending;
	if (again)
		t->at_s = t->pending ? t->at_s : now(m);
	else
		knows_now(m, in, t);
	t->unsure = false;
}

/* When the receiver hears of it next: -1, never. */
static int64_t due_s(const struct model *m, const struct m_incident *in, int r, bool gets, bool escalated)
{
	const struct m_receiver *to = &m->receivers[r];
	const struct m_told *t = &in->told[r];
	bool news = t->any && has_news(m, in, t);

	if (in->open && !gets)
		return -1;
	if (!in->open && !to->resolve)
		return -1;
	if (!t->any)
		return escalated ? (in->open ? now(m) : -1) : in->created_s + to->wait_s;
	if (!in->open && (!was_told(t) || (t->over && !news)))
		return -1;
	if (t->unsure && (news || t->over == in->open))
		return now(m);
	if (!in->open)
		return t->over ? t->at_s + to->interval_s : now(m);
	if (news || t->over)
		return t->at_s + to->interval_s;
	return in->acked || to->repeat_s == 0 ? -1 : t->at_s + to->repeat_s;
}

/* Whom it is for: by itself, and by all escalations that lead there. */
static void find_whom(const struct model *m, const struct m_incident *in, bool *gets, bool *escalated)
{
	for (int r = 0; r < RECEIVERS; r++) {
		gets[r] = !m->receivers[r].named;
		escalated[r] = false;
	}
	for (int round = 0; round < RECEIVERS; round++)
		for (int r = 0; r < RECEIVERS; r++) {
			int to = m->receivers[r].to;

			if (!gets[r] || to < 0 || gets[to] || in->told[r].sequence == 0)
				continue;
			if (was_told(&in->told[to]) || (in->open && !in->acked && in->told[r].first_s + m->receivers[r].after_s <= now(m)))
				gets[to] = escalated[to] = true;
		}
}

static void expect_for(struct model *m, struct m_incident *in, int r, bool gets, bool escalated)
{
	struct m_told *t = &in->told[r];
	bool again = t->unsure && !has_news(m, in, t) && t->over == !in->open && (gets || !in->open);
	int64_t due;
	bool repeats;

	if (t->pending || (!gets && !t->any))
		return;
	due = again ? now(m) : due_s(m, in, r, gets, escalated);
	repeats = in->open && t->any && !t->unsure && !t->over && !has_news(m, in, t);
	if (due >= 0 && m->w->drops && (!repeats || due <= now(m))) {
		t->sequence += t->sequence > 0;
		t->failed = true;
		knows_now(m, in, t);
		return;
	}
	if (due < 0 || due > now(m))
		return;
	if (all_covered(m, in)) {
		if (!t->any && !in->open)
			knows_now(m, in, t);
		return;
	}
	if (!m->w->pauses)
		expect(m, in, r, again);
}

static void resolve_if_over(struct model *m, struct m_incident *in)
{
	bool open = false;

	for (int s = 0; s < SERIES; s++)
		open |= is_live(&in->alerts[s]);
	if (in->open && !open)
		in->resolved_s = now(m);
	in->open = open;
}

static void expect_all(struct model *m)
{
	for (int i = 0; i < m->nr; i++) {
		struct m_incident *in = &m->incidents[i];
		bool gets[RECEIVERS], escalated[RECEIVERS];

		for (int s = 0; s < SERIES; s++)
			if (in->alerts[s].moved && in->alerts[s].join_until_s < now(m)) {
				in->alerts[s].moved = false;
				in->alerts[s].changes++;
			}
		resolve_if_over(m, in);
		for (int round = 0; round < RECEIVERS; round++) { /* who is told may let it go further at once */
			find_whom(m, in, gets, escalated);
			for (int r = 0; r < RECEIVERS; r++)
				expect_for(m, in, r, gets[r], escalated[r]);
		}
	}
}

/* What happens. */

static void m_opens(struct model *m, int trigger, int series, int64_t at_s)
{
	struct m_incident *in = m->latest[trigger] >= 0 ? &m->incidents[m->latest[trigger]] : NULL;
	struct m_alert *a;

	if (!in || !in->open) {
		ck_assert_int_lt(m->nr, INCIDENTS);
		m->latest[trigger] = m->nr;
		in = &m->incidents[m->nr++];
		*in = (struct m_incident){.trigger = trigger, .open = true, .created_s = now(m), .opened_s = at_s};
	}
	a = &in->alerts[series];
	if (!(a->open || (a->moved && now(m) <= a->join_until_s)))
		a->changes++;
	a->known = a->open = true;
	a->moved = false;
	a->episode_s = at_s;
}

static void m_ends(struct model *m, int trigger, int series, bool moves)
{
	struct m_incident *in = &m->incidents[m->latest[trigger]];
	struct m_alert *a = &in->alerts[series];

	a->open = false;
	a->moved = moves;
	a->join_until_s = now(m) + JOIN_S;
	a->changes += !moves;
	resolve_if_over(m, in);
}

static void send(struct model *m, int trigger)
{
	const struct last_event *e = &m->last[trigger];

	world_event(m->w, e->kind, triggers[trigger], (char)('a' + e->series), e->opened_s, now(m));
}

/* An event of a trigger, one a second at most; to the world it may come twice. */
static void some_event(struct model *m, int trigger)
{
	int series = (int)unit_random_below(&m->random, trigger == 0 ? SERIES : 2);
	struct m_incident *in = m->latest[trigger] >= 0 ? &m->incidents[m->latest[trigger]] : NULL;
	struct m_alert *a = in && in->open ? &in->alerts[series] : NULL;
	struct last_event *e = &m->last[trigger];

	if (!a || !a->open) {
		*e = (struct last_event){ALERT_EVENT_KIND_OPENED, series, now(m), !m->w->drops};
		if (!m->w->drops)
			m_opens(m, trigger, series, now(m));
	} else {
		bool moves = chance(m, 4);

		*e = (struct last_event){moves ? ALERT_EVENT_KIND_MOVED : ALERT_EVENT_KIND_CLOSED, series, a->episode_s, true};
		m_ends(m, trigger, series, moves);
	}
	send(m, trigger);
}

static void some_silence(struct model *m)
{
	int i = (int)unit_random_below(&m->random, SILENCES);
	struct m_silence *s = &m->silences[i];
	char id[] = "silence00", host[2] = "";
	struct str value = {host, 1};
	struct tag_selector selector = {.key = STR("host"), .op = SELECTOR_OP_EXACT, .values = &value, .values_len = 1};
	struct silence row = {.reason = STR("works"), .author = STR("ann")};

	*s = (struct m_silence){chance(m, 3) ? 0 : (char)('a' + unit_random_below(&m->random, SERIES)), now(m),
				now(m) + 1 + (int64_t)unit_random_below(&m->random, 900)};
	id[8] = (char)('0' + i);
	host[0] = s->host;
	row.id = str_from(id);
	row.starts_at = row.created_at = s->from_s * 1000;
	row.ends_at = s->until_s * 1000;
	row.tags = s->host ? &selector : NULL;
	row.tags_len = s->host ? 1 : 0;
	world_silence(m->w, &row);
}

static void some_ack(struct model *m)
{
	int trigger = (int)unit_random_below(&m->random, TRIGGERS);
	uint8_t id[16];
	struct m_incident *in = m->latest[trigger] >= 0 ? &m->incidents[m->latest[trigger]] : NULL;
	struct buf key = BUF_INIT;
	uint64_t opened;

	if (!in || !in->open || in->acked || m->w->nr_rows[2] > 60)
		return;
	buf_add(&key, "\4\0shop\2\0", 8); /* the id as schemas/README.md has it */
	buf_add(&key, triggers[trigger], 2);
	opened = htobe64((uint64_t)in->opened_s * 1000);
	buf_add(&key, &opened, sizeof(opened));
	map_key_of(buf_str(&key), id);
	buf_fini(&key);
	in->acked = true;
	world_ack(m->w, id);
}

static void outcomes(struct model *m)
{
	bool fail = chance(m, 3);

	for (size_t i = 0; i < m->w->nr_held; i++)
		ck_assert(world_outcome(m->w, &m->w->held[i], fail ? SENT_OUTCOME_GAVE_UP : SENT_OUTCOME_DELIVERED));
	m->w->nr_held = 0;
	for (int i = 0; i < m->nr; i++)
		for (int r = 0; r < RECEIVERS; r++)
			if (m->incidents[i].told[r].pending) {
				m->incidents[i].told[r].pending = false;
				m->incidents[i].told[r].failed = fail;
				m->incidents[i].told[r].at_s = now(m);
			}
}

/* Another process goes on, from what was committed. What came this second was not, and comes again. */
static void restart(struct model *m, const bool *came)
{
	struct buf key = BUF_INIT, value = BUF_INIT;
	enum desk_topic topic;

	ck_assert_int_eq(desk_turn(m->w->desk, now(m) * 1000, false, NULL), 0);
	while (!chance(m, 3) && desk_next_record(m->w->desk, &topic, &key, &value, NULL) == 1)
		;
	buf_fini(&key);
	buf_fini(&value);
	world_restart(m->w);
	for (int trigger = 0; trigger < TRIGGERS; trigger++)
		if (came[trigger])
			send(m, trigger);
	for (int i = 0; i < m->nr; i++)
		for (int r = 0; r < RECEIVERS; r++) {
			m->incidents[i].told[r].unsure |= m->incidents[i].told[r].pending;
			m->incidents[i].told[r].pending = false;
		}
}

/* What operators and the world outside do. */
static void controls(struct model *m)
{
	if (chance(m, 8))
		m->w->pauses = !m->w->pauses && chance(m, 3);
	if (chance(m, 8))
		m->w->drops = !m->w->drops && chance(m, 4);
	if (chance(m, 5))
		m->w->holds = !m->w->holds;
	if (chance(m, 5))
		m->w->outcome = chance(m, 3) ? SENT_OUTCOME_GAVE_UP : SENT_OUTCOME_DELIVERED;
	m->w->aborts = chance(m, 3);
	desk_recheck(m->w->desk);
}

static void happen(struct model *m)
{
	bool came[TRIGGERS] = {false}, late = chance(m, 60);

	if (chance(m, 20))
		controls(m);
	for (int trigger = 0; trigger < TRIGGERS; trigger++) {
		came[trigger] = chance(m, 90);
		if (came[trigger])
			some_event(m, trigger);
		if (m->last[trigger].any && chance(m, 200))
			send(m, trigger);
		m->input |= came[trigger];
	}
	if (chance(m, 300))
		some_silence(m);
	if (chance(m, 200))
		some_ack(m);
	if (late)
		outcomes(m);
	else if (chance(m, 150))
		restart(m, came);
}

/* Check. */

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void second(struct model *m)
{
	m->nr_got = m->nr_expected = 0;
	happen(m);
	if (desk_next_ms(m->w->desk) > now(m) * 1000) { /* it asked not to be woken */
		world_turn(m->w);
		ck_assert_int_eq(m->nr_got, 0);
	}
	world_turn(m->w);
	expect_all(m);
	qsort(m->got, (size_t)m->nr_got, sizeof(m->got[0]), by_text);
	qsort(m->expected, (size_t)m->nr_expected, sizeof(m->expected[0]), by_text);
	for (int i = 0; i < m->nr_got || i < m->nr_expected; i++)
		ck_assert_msg(i < m->nr_got && i < m->nr_expected && strcmp(m->got[i], m->expected[i]) == 0, "second %lld: got \"%s\", expected \"%s\"",
			      (long long)now(m), i < m->nr_got ? m->got[i] : "nothing", i < m->nr_expected ? m->expected[i] : "nothing");
	m->total += (uint64_t)m->nr_got;
}

static void make_receivers(struct model *m)
{
	static const int64_t waits[] = {0, 10, 30}, intervals[] = {5, 60, 300}, repeats[] = {0, 120, 600}, afters[] = {0, 60, 400};

	for (int r = 0; r < RECEIVERS; r++) {
		struct m_receiver *to = &m->receivers[r];
		struct receiver row = world_plain_receiver(names[r]);

		*to = (struct m_receiver){any_of(m, waits, 3), any_of(m, intervals, 3), any_of(m, repeats, 3), any_of(m, afters, 3), !chance(m, 4),
					  r > 0 && !chance(m, 3), -1};
		to->to = chance(m, 3) ? -1 : (int)((unsigned)(r + 1 + (int)unit_random_below(&m->random, RECEIVERS - 1)) % RECEIVERS);
		row.group_wait_ms = to->wait_s * 1000;
		row.group_interval_ms = to->interval_s * 1000;
		row.repeat_ms = to->repeat_s * 1000;
		row.escalate_after_ms = to->to < 0 ? 0 : to->after_s * 1000;
		row.escalate_to = str_from(to->to < 0 ? "" : names[to->to]);
		row.resolve = to->resolve;
		row.only_named = to->named;
		world_receiver(m->w, &row);
	}
}

START_TEST(random_life)
{
	struct unit_random r = unit_random_new("random_life");
	struct model *m = calloc(1, sizeof(*m));

	ck_assert_ptr_nonnull(m);
	for (int i = 0; i <= _i; i++)
		m->random.state = unit_random_next(&r) | 1;
	m->w = world_new(0);
	m->w->on_job = on_job;
	m->w->ctx = m;
	m->latest[0] = m->latest[1] = -1;
	m->w->now_s = 1000000;
	make_receivers(m);
	for (int i = 0; i < SECONDS; i++) {
		second(m);
		m->w->now_s += chance(m, 400) ? 1 + (int64_t)unit_random_below(&m->random, 2500) : 1;
	}
	ck_assert_uint_gt(m->total, 5);
	world_free(m->w);
	free(m);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("desk_model");
	TCase *tc = tcase_create("model");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, random_life, 0, 12);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
