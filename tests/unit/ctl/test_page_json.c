/* test_page_json.c - the incidents of the status page as JSON: what is written is read back, and what no page would say is refused. */
#include "deploy/ctl/page_incidents.h"

#include <string.h>

#include "tests/unit/unit.h"

static void take(struct status_incidents *s, const char *incident, int n, enum status_action action, const char *text, bool by_page)
{
	static struct str components[] = {{"push", 4}, {"storage/main", 12}};
	char id[STATUS_ENTRY_ID_SIZE];
	struct status_entry e = {.incident = str_from(incident), .at = 1000 + n, .has_author = !by_page, .author = STR("ann \"the\" op"), .action = action, .has_impact = true,
				 .impact = STATUS_IMPACT_PARTIAL_OUTAGE, .components = components, .components_len = NR(components), .title = STR("Slow é"), .text = str_from(text),
				 .has_opened_at = true, .opened_at = 500, .has_recovery_at = true, .recovery_at = 9000, .has_publish_at = by_page, .publish_at = 7000};
	struct err err = ERR_INIT;

	snprintf(id, sizeof(id), "%016x", n);
	e.entry = str_from(id);
	ck_assert_msg(status_incidents_take(s, &e, &err) >= 0, "%s", err.msg);
}

static void fill(struct status_incidents *s)
{
	take(s, "a-draft", 1, STATUS_ACTION_DRAFT, "one\ntwo \x7e \"three\"", true);
	take(s, "posted", 2, STATUS_ACTION_POST, "", false);
	take(s, "posted", 3, STATUS_ACTION_POST, "again", false); /* refused, and kept */
	take(s, "over", 4, STATUS_ACTION_POST, "t", true);
	take(s, "over", 5, STATUS_ACTION_RESOLVE, "u", true);
	take(s, "never", 6, STATUS_ACTION_DRAFT, "t", true);
	take(s, "never", 7, STATUS_ACTION_VETO, "no", false);
}

static void write_all(const struct status_incidents *s, struct buf *out)
{
	struct json_writer w;
	struct err err = ERR_INIT;

	json_write_begin(&w);
	page_incidents_write_json(&w, s, true);
	ck_assert_msg(json_write_end(&w, out, &err) == 0, "%s", err.msg);
}

START_TEST(written_is_read)
{
	struct status_incidents s = {0}, back = {0};
	struct buf first = BUF_INIT, second = BUF_INIT;
	const struct status_incident *i;
	struct err err = ERR_INIT;

	fill(&s);
	write_all(&s, &first);
	ck_assert_msg(page_incidents_from_json(&back, buf_str(&first), &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(back.nr, 4);
	i = status_incidents_find(&back, STR("posted"));
	ck_assert(i && i->state == STATUS_INCIDENT_POSTED && i->nr_lines == 2 && i->lines[1].refused && !i->lines[0].refused && i->edited && i->nr_components == 2);
	ck_assert(i->impact == STATUS_IMPACT_PARTIAL_OUTAGE && i->recovery_at == 9000 && i->posted_at == 1002 && str_eq(i->lines[0].entry.author, STR("ann \"the\" op")));
	i = status_incidents_find(&back, STR("a-draft"));
	ck_assert(i && i->publish_at == 7000 && !i->lines[0].entry.has_author && str_eq(i->lines[0].entry.text, STR("one\ntwo ~ \"three\"")));
	for (size_t k = 0; k < back.nr / 2; k++) { /* the newest is written first: the other way round, it is the same text */
		struct status_incident *other = back.list[k];

		back.list[k] = back.list[back.nr - 1 - k];
		back.list[back.nr - 1 - k] = other;
	}
	write_all(&back, &second);
	ck_assert(str_eq(buf_str(&first), buf_str(&second)));
	buf_fini(&first);
	buf_fini(&second);
	status_incidents_fini(&s);
	status_incidents_fini(&back);
}
END_TEST

/* One change to what is good: each is refused, and says where. */
static const struct { const char *find, *replace, *says; } spoilt[] = {
	{"\"incidents\"", "\"incident\"", "incidents"}, {"\"draft\"", "\"lost\"", "\"lost\" is not known"}, {"\"partial_outage\"", "\"bad\"", "\"bad\" is not known"},
	{"\"investigating\"", "7", "phase"}, {"\"edited\": false", "\"edited\": 0", "edited"}, {"\"opened_at\": 500", "\"opened_at\": -1", "opened_at"},
	{"\"opened_at\": 500", "\"opened_at\": 1e3", "opened_at"}, {"\"push\"", "null", "components"}, {"\"refused\": false", "\"refused\": \"no\"", "refused"},
	{"\"author\": \"ann \\\"the\\\" op\"", "\"author\": 5", "author"}, {"\"id\": \"never\"", "\"id\": \"over\"", "twice"}, {"\"id\": \"never\"", "\"di\": \"never\"", "id"},
};

START_TEST(refused)
{
	struct status_incidents s = {0}, back = {0};
	struct buf text = BUF_INIT, bad = BUF_INIT;
	struct err err = ERR_INIT;
	const char *at;

	fill(&s);
	write_all(&s, &text);
	buf_add(&text, "", 1);
	at = strstr((char *)text.p, spoilt[_i].find);
	ck_assert_msg(at != NULL, "%s is not there", spoilt[_i].find);
	buf_printf(&bad, "%.*s%s%s", (int)(at - (char *)text.p), (char *)text.p, spoilt[_i].replace, at + strlen(spoilt[_i].find));
	ck_assert_int_eq(page_incidents_from_json(&back, buf_str(&bad), &err), -1);
	ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, spoilt[_i].says), "%s", err.msg);
	buf_fini(&text);
	buf_fini(&bad);
	status_incidents_fini(&s);
	status_incidents_fini(&back);
}
END_TEST

/* Cut off, or any byte another: never more than refused. */
START_TEST(any_damage)
{
	struct unit_random random = unit_random_new("page_json");
	struct status_incidents s = {0};
	struct buf text = BUF_INIT;

	fill(&s);
	write_all(&s, &text);
	for (int round = 0; round < 3000; round++) {
		struct status_incidents back = {0};
		struct err err = ERR_INIT;
		size_t at = unit_random_below(&random, text.len), len = round % 2 ? text.len : at;
		uint8_t was = text.p[at];

		text.p[at] = round % 2 ? (uint8_t)unit_random_next(&random) : was;
		if (page_incidents_from_json(&back, (struct str){(char *)text.p, len}, &err) < 0)
			ck_assert_msg(err.kind == ERR_REJECT && err.msg[0], "%d: %s", err.kind, err.msg);
		else
			ck_assert(len + 2 >= text.len); /* all but its last newline and bracket */
		text.p[at] = was;
		status_incidents_fini(&back);
	}
	buf_fini(&text);
	status_incidents_fini(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/page_json");
	TCase *tc = tcase_create("page_json");

	tcase_add_test(tc, written_is_read);
	tcase_add_loop_test(tc, refused, 0, NR(spoilt));
	tcase_add_test(tc, any_damage);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
