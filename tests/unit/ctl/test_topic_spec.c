/* test_topic_spec.c - the topics against the table of schemas/README.md, written down here once more. */
#include "deploy/ctl/topic_spec.h"

#include <string.h>

#include "schemas/texts.h"
#include "tests/unit/unit.h"

/* name, of a cell, partitions (0: the cell's), cleanup.policy, retention.ms in hours (0: not set, -1: for ever), LogAppendTime */
static const struct { const char *name; bool of_cell; int partitions; const char *cleanup; int hours; bool append; } design[] = {
	{"samples", true, 0, "delete", 72, true},
	{"events", true, 0, "delete", 72, true},
	{"minutely", true, 0, "delete", 7 * 24, false},
	{"hourly", true, 0, "delete", 30 * 24, false},
	{"exemplars", true, 0, "delete", 7 * 24, false},
	{"alerts", true, 0, "delete", 30 * 24, false},
	{"samples-state", true, 0, "delete", -1, false},
	{"events-state", true, 0, "delete", -1, false},
	{"incidents", true, 1, "compact,delete", 30 * 24, false},
	{"sent", true, 1, "compact,delete", 30 * 24, false},
	{"cells", false, 1, "compact", 0, false},
	{"sites", false, 1, "compact", 0, false},
	{"triggers", false, 1, "compact", 0, false},
	{"receivers", false, 1, "compact", 0, false},
	{"silences", false, 1, "compact", 0, false},
	{"acks", false, 1, "compact,delete", 30 * 24, false},
	{"controls", false, 1, "compact", 0, false},
	{"status", false, 1, "compact", 0, false},
	{"heartbeats", false, 1, "compact,delete", 24, false},
	{"notices", false, 1, "delete", 400 * 24, false},
	{"deadletter", false, 1, "delete", 14 * 24, false},
};

static const struct topic_spec *find_spec(const char *name)
{
	size_t nr;
	const struct topic_spec *specs = topic_specs(&nr);

	for (size_t i = 0; i < nr; i++)
		if (strcmp(specs[i].name, name) == 0)
			return &specs[i];
	ck_abort_msg("no topic %s", name);
}

/* The value of a setting, or "" when it is not set. */
static const char *setting(const struct topic_setting *settings, size_t nr, const char *name)
{
	for (size_t i = 0; i < nr; i++)
		if (strcmp(settings[i].name, name) == 0)
			return settings[i].value;
	return "";
}

START_TEST(as_designed)
{
	const struct topic_spec *spec = find_spec(design[_i].name);
	struct topic_setting settings[TOPIC_SETTINGS_MAX];
	size_t nr = topic_spec_settings(spec, 3, settings);
	char retention[24] = "";

	ck_assert_uint_le(nr, TOPIC_SETTINGS_MAX);
	ck_assert_int_eq(spec->of_cell, design[_i].of_cell);
	ck_assert_int_eq(topic_spec_partitions(spec, 12), design[_i].partitions ? design[_i].partitions : 12);
	ck_assert_str_eq(setting(settings, nr, "cleanup.policy"), design[_i].cleanup);
	if (design[_i].hours)
		snprintf(retention, sizeof(retention), "%lld", design[_i].hours < 0 ? -1LL : design[_i].hours * 3600000LL);
	ck_assert_str_eq(setting(settings, nr, "retention.ms"), retention);
	ck_assert_str_eq(setting(settings, nr, "retention.bytes"), design[_i].hours ? "-1" : "");
	ck_assert_str_eq(setting(settings, nr, "message.timestamp.type"), design[_i].append ? "LogAppendTime" : "CreateTime");
	ck_assert_str_eq(setting(settings, nr, "min.insync.replicas"), "2");
	/* A segment is closed long before what it holds is due. */
	ck_assert_int_gt(spec->segment_ms, 0);
	ck_assert_int_le(spec->segment_ms, design[_i].hours > 0 ? design[_i].hours * 3600000LL / 10 : 3600000LL);
}
END_TEST

START_TEST(no_others)
{
	size_t nr;

	topic_specs(&nr);
	ck_assert_uint_eq(nr, NR(design));
}
END_TEST

/* schemas/topics.txt, which says what stands in each, has the same ones. */
START_TEST(topics_with_records)
{
	size_t nr, nr_specs;
	const struct schema_topic *topics = schema_topics(&nr);

	topic_specs(&nr_specs);
	ck_assert_uint_eq(nr, nr_specs);
	for (size_t i = 0; i < nr; i++)
		ck_assert_msg(find_spec(topics[i].name)->of_cell == topics[i].of_cell, "%s", topics[i].name);
}
END_TEST

static const struct { int replicas; const char *insync; } insync[] = {{1, "1"}, {2, "1"}, {3, "2"}, {5, "2"}};

START_TEST(min_insync)
{
	struct topic_setting settings[TOPIC_SETTINGS_MAX];
	size_t nr = topic_spec_settings(find_spec("cells"), insync[_i].replicas, settings);

	ck_assert_str_eq(setting(settings, nr, "min.insync.replicas"), insync[_i].insync);
}
END_TEST

/* Whose offsets stand in document ids or checkpoints. */
START_TEST(epoch_bound)
{
	static const char *const bound = " samples events minutely hourly exemplars alerts samples-state events-state ";
	size_t nr;
	const struct topic_spec *specs = topic_specs(&nr);

	for (size_t i = 0; i < nr; i++) {
		char word[40];

		snprintf(word, sizeof(word), " %s ", specs[i].name);
		ck_assert_msg(specs[i].epoch_bound == (strstr(bound, word) != NULL), "%s", specs[i].name);
	}
}
END_TEST

START_TEST(names)
{
	char name[KAFKA_TOPIC_SIZE];

	ck_assert_str_eq(topic_spec_name(find_spec("samples"), "main", name), "millrace.c.main.samples");
	ck_assert_str_eq(topic_spec_name(find_spec("samples-state"), "abcdefghijklmnopqrstuvwxyz-01234", name),
			 "millrace.c.abcdefghijklmnopqrstuvwxyz-01234.samples-state");
	ck_assert_str_eq(topic_spec_name(find_spec("cells"), NULL, name), "millrace.cells");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/topic_spec");
	TCase *t = tcase_create("topic_spec");

	tcase_add_loop_test(t, as_designed, 0, NR(design));
	tcase_add_test(t, no_others);
	tcase_add_test(t, topics_with_records);
	tcase_add_loop_test(t, min_insync, 0, NR(insync));
	tcase_add_test(t, epoch_bound);
	tcase_add_test(t, names);
	suite_add_tcase(s, t);
	return unit_main(s);
}
