/* commands.c - the one table of commands and options; parsing, help and dispatch come from it.
 *
 * An option's row: name, type, letter, what its value is called, default, range, help (args.h). Defaults
 * that operators rely on are those of schemas/README.md: twelve partitions, two shards, three copies. */
#include "deploy/ctl/commands.h"

#include "common/control.h"
#include "common/route.h"
#include "common/silence.h"
#include "deploy/ctl/letters.h"
#include "deploy/ctl/topics.h"

#define REPLICATION_FACTOR \
	{"replication-factor", ARGS_INT, 0, "N", "3", 1, 9, "copies of each new topic; what is there is compared with it"}

/* One instance instead of Kafka. */
#define BY_ADMIN \
	{"admin", ARGS_TEXT, 0, "URL", NULL, 0, 0, "speak to the admin port of one instance (http://HOST:PORT); needs no Kafka"}, \
	{"token-file", ARGS_TEXT, 0, "FILE", NULL, 0, 0, "with the token of its admin.token_file; by default our own setting of that name"}

#define CONTROL_SCOPE \
	{"cell", ARGS_TEXT, 0, "CELL", NULL, 0, 0, "for this cell only"}, \
	{"site", ARGS_TEXT, 0, "SITE", NULL, 0, 0, "for this site only"}, \
	{"kind", ARGS_TEXT, 0, "KIND", NULL, 0, 0, "for this kind of documents only: minutely, hourly, errors, traces, markers, checkins, alerts or incidents"}, \
	{"trigger", ARGS_TEXT, 0, "TRIGGER", NULL, 0, 0, "for this trigger only"}

static const struct args_option options[] = {
	{"kafka", ARGS_TEXT, 0, "BROKERS", NULL, 0, 0, "host:port,..; short for --set kafka.bootstrap.servers=BROKERS"},
	{"config", ARGS_SETTING, 0, "FILE", NULL, 0, 0, "settings, as the other programs read them"},
	{"set", ARGS_SETTING, 0, "KEY=VALUE", NULL, 0, 0, "one setting; may be repeated"},
	{"json", ARGS_FLAG, 0, NULL, NULL, 0, 0, "print JSON"},
	{"author", ARGS_TEXT, 0, "NAME", NULL, 0, 0, "who acts, for the operator log; by default who is logged in"},
	{"test-clock", ARGS_SETTING, 0, NULL, NULL, 0, 0, "use clock.* (tests)"},
	{"test-faults", ARGS_SETTING, 0, "LIST", NULL, 0, 0, "where to break off (tests): ctl-after-epoch"},
	{"print-config", ARGS_INSTEAD, 0, NULL, NULL, 0, 0, "print all settings and their sources"},
	{"check-config", ARGS_INSTEAD, 0, NULL, NULL, 0, 0, "check the settings, do nothing"},
	{"version", ARGS_INSTEAD, 0, NULL, NULL, 0, 0, "print the version"},
	{0},
};

static const struct args_option topics_apply_options[] = {
	REPLICATION_FACTOR,
	{"partitions-check", ARGS_FLAG, 0, NULL, NULL, 0, 0, "also report partitions without a leader or with copies behind"},
	{"dry-run", ARGS_FLAG, 0, NULL, NULL, 0, 0, "say what would be made, make nothing"},
	{0},
};

static const struct args_option cell_add_options[] = {
	{"partitions", ARGS_INT, 0, "N", "12", 1, ROUTE_PARTITIONS_MAX, "of each of its topics, fixed for its life"},
	REPLICATION_FACTOR,
	{0},
};

static const struct args_option site_add_options[] = {
	{"cell", ARGS_NEEDED, 0, "CELL", NULL, 0, 0, "the cell that serves it"},
	{"name", ARGS_TEXT, 0, "NAME", NULL, 0, 0, "what people call it; by default its id"},
	{"shards", ARGS_INT, 0, "N", "2", 1, ROUTE_PARTITIONS_MAX, "partitions of the cell that it may use"},
	{0},
};

static const struct args_option site_limit_options[] = {
	{"payloads-per-s", ARGS_RATE, 0, "N", NULL, 0, 1000000000, "payloads a second; 0 is no limit"},
	{"samples-per-s", ARGS_RATE, 0, "N", NULL, 0, 1000000000, "samples a second; 0 is no limit"},
	{"series", ARGS_INT, 0, "N", "0", 0, INT32_MAX, "series at a time, over all of its partitions; 0: the processors' series.site_max in each"},
	{0},
};

#define ROUTE_AT \
	{"at", ARGS_TEXT, 0, "TIME", NULL, 0, 0, \
	 "from when on: 2026-11-26T12:30:00Z, or 2h from now; by default the first full minute that is 15 minutes away, which is the earliest"}

static const struct args_option site_shards_options[] = {
	ROUTE_AT,
	{0},
};

static const struct args_option site_move_options[] = {
	{"shards", ARGS_INT, 0, "N", "0", 0, ROUTE_PARTITIONS_MAX, "partitions of the new cell that it may use; 0 is as many as now"},
	ROUTE_AT,
	{0},
};

static const struct args_option confirm_shrink_options[] = {
	{"reason", ARGS_NEEDED, 0, "TEXT", NULL, 0, 0, "why, for whoever comes next"},
	{"for", ARGS_MS, 0, "DURATION", "10m", 1000, CONTROL_LIFE_MAX_MS, "how long a smaller table is taken"},
	BY_ADMIN,
	{0},
};

static const struct args_option offsets_confirm_options[] = {
	{"reason", ARGS_NEEDED, 0, "TEXT", NULL, 0, 0, "why, for whoever comes next"},
	{"forget-state", ARGS_FLAG, 0, NULL, NULL, 0, 0,
	 "begin anew instead: what was open is lost, and what was counted already counts again when it is read or sent again"},
	{"for", ARGS_MS, 0, "DURATION", "10m", 1000, CONTROL_LIFE_MAX_MS, "how long it is accepted"},
	BY_ADMIN,
	{0},
};

static const struct args_option control_set_options[] = {
	{"on", ARGS_NEEDED, 0, "PROGRAM", NULL, 0, 0, "who obeys: ingest, processor, sink, notify"},
	{"do", ARGS_NEEDED, 0, "ACTION", NULL, 0, 0, "ingest: close, accept_shrink; processor: mute, accept_offsets, forget_state; sink, notify: pause, drop"},
	CONTROL_SCOPE,
	{"reason", ARGS_NEEDED, 0, "TEXT", NULL, 0, 0, "why, for whoever comes next"},
	{"for", ARGS_MS, 0, "DURATION", NULL, 1000, CONTROL_LIFE_MAX_MS, "90s, 10m, 2h, 14d: it ends by itself then; at most 30d"},
	BY_ADMIN,
	{0},
};

static const struct args_option control_clear_options[] = {
	{"id", ARGS_TEXT, 0, "ID", NULL, 0, 0, "as control list shows it, instead of the next six"},
	{"on", ARGS_TEXT, 0, "PROGRAM", NULL, 0, 0, "as it was set"},
	{"do", ARGS_TEXT, 0, "ACTION", NULL, 0, 0, "as it was set"},
	CONTROL_SCOPE,
	BY_ADMIN,
	{0},
};

static const struct args_option control_list_options[] = {
	BY_ADMIN,
	{0},
};

#define RULE_FILE \
	{"file", ARGS_NEEDED, 'f', "FILE", NULL, 0, 0, "YAML, or what list --json prints; - is standard input"}, \
	{"dry-run", ARGS_FLAG, 0, NULL, NULL, 0, 0, "say what would be changed, change nothing"}

static const struct args_option trigger_apply_options[] = {
	RULE_FILE,
	{"prune", ARGS_FLAG, 0, NULL, NULL, 0, 0, "also remove the triggers of --site that the file does not have"},
	{"site", ARGS_TEXT, 0, "SITE", NULL, 0, 0, "all triggers of the file must be of this site"},
	{0},
};

static const struct args_option trigger_list_options[] = {
	{"site", ARGS_TEXT, 0, "SITE", NULL, 0, 0, "of this site only"},
	{0},
};

static const struct args_option receiver_apply_options[] = {
	RULE_FILE,
	{"prune", ARGS_FLAG, 0, NULL, NULL, 0, 0, "also remove the receivers that the file does not have"},
	{0},
};

static const struct args_option export_options[] = {
	{"output", ARGS_TEXT, 'o', "FILE", NULL, 0, 0, "write to a file instead"},
	{0},
};

static const struct args_option apply_options[] = {
	{"file", ARGS_NEEDED, 'f', "FILE", NULL, 0, 0, "what export has written, perhaps edited; - is standard input"},
	{"dry-run", ARGS_FLAG, 0, NULL, NULL, 0, 0, "say what would be changed, change nothing"},
	{"prune", ARGS_FLAG, 0, NULL, NULL, 0, 0, "also remove the records that the file does not have"},
	REPLICATION_FACTOR,
	{0},
};

static const struct args_option status_options[] = {
	{"max-lag", ARGS_INT, 0, "RECORDS", "100000", 0, INT64_MAX, "a group that is further behind is a problem"},
	{"max-age", ARGS_MS, 0, "DURATION", "10m", 1000, INT64_MAX, "and one whose oldest unread record is older"},
	{0},
};

static const struct args_option verify_options[] = {
	{"cell", ARGS_NEEDED, 0, "CELL", NULL, 0, 0, "the cell whose hour it is"},
	{"hour", ARGS_NEEDED, 0, "HOUR", NULL, 0, 0, "its start, UTC: 2026-11-26T14, or 2026-11-26T14:00:00Z; one that has ended two minutes ago, at most 23 hours"},
	{"site", ARGS_TEXT, 0, "SITE", NULL, 0, 0, "this site's series only"},
	{"mongo", ARGS_TEXT, 0, "URI", NULL, 0, 0,
	 "where the cell's database is; one with a password belongs into MILLRACE_MONGO_URI or a file for --config (mongo.uri): others see this line"},
	{"database", ARGS_TEXT, 0, "NAME", NULL, 0, 0, "its name; by default the setting mongo.database, which is millrace"},
	{"limit", ARGS_INT, 0, "N", "20", 0, 1000000, "differences that are printed; all are counted"},
	{0},
};

static const struct args_option tail_options[] = {
	{"cell", ARGS_TEXT, 0, "CELL", NULL, 0, 0, "whose topic, where TOPIC is short; needed where there are several cells"},
	{"site", ARGS_TEXT, 0, "SITE", NULL, 0, 0, "only records that have this site"},
	{"name", ARGS_TEXT, 0, "NAME", NULL, 0, 0, "only records that have this name: of a metric, a check-in, .."},
	{"from", ARGS_TEXT, 0, "TIME", NULL, 0, 0, "begin with the first that is not older: 2026-11-26T12:30:00Z, or 10m for so long ago"},
	{"last", ARGS_INT, 0, "N", "10", 0, 10000, "begin with the newest so many, unless --from is given"},
	{"no-follow", ARGS_FLAG, 0, NULL, NULL, 0, 0, "end where the topic ends now, instead of waiting for more"},
	{0},
};

#define LETTER_FILTER \
	{"topic", ARGS_TEXT, 0, "TOPIC", NULL, 0, 0, "of records of this topic only: its name, or the last part of it"}, \
	{"cell", ARGS_TEXT, 0, "CELL", NULL, 0, 0, "of this cell only"}, \
	{"code", ARGS_TEXT, 0, "CODE", NULL, 0, 0, "with this code only"}, \
	{"since", ARGS_MS, 0, "DURATION", LETTERS_SINCE, 1000, CONTROL_LIFE_MAX_MS, "written no longer ago"}

#define LETTER_ACT \
	{"again", ARGS_FLAG, 0, NULL, NULL, 0, 0, "also what has been retried or dropped before"}, \
	{"dry-run", ARGS_FLAG, 0, NULL, NULL, 0, 0, "say what would be done, do nothing"}

static const struct args_option deadletter_list_options[] = {
	LETTER_FILTER,
	{"open", ARGS_FLAG, 0, NULL, NULL, 0, 0, "only what has been neither retried nor dropped"},
	{"limit", ARGS_INT, 0, "N", "100", 1, 100000, "the newest so many"},
	{0},
};

static const struct args_option deadletter_retry_options[] = {
	LETTER_FILTER,
	{"reason", ARGS_TEXT, 0, "TEXT", NULL, 0, 0, "why, for the operator log"},
	LETTER_ACT,
	{0},
};

static const struct args_option deadletter_drop_options[] = {
	LETTER_FILTER,
	{"reason", ARGS_NEEDED, 0, "TEXT", NULL, 0, 0, "why, for whoever comes next"},
	LETTER_ACT,
	{0},
};

static const struct args_option silence_add_options[] = {
	{"for", ARGS_MS, 0, "DURATION", NULL, 1000, SILENCE_LIFE_MAX_MS, "90s, 10m, 2h, 14d: it ends by itself then; at most 90d"},
	{"at", ARGS_TEXT, 0, "TIME", NULL, 0, 0, "from when on: 2026-11-26T12:30:00Z, or 2h from now; by default at once"},
	{"site", ARGS_TEXT, 0, "SITE", NULL, 0, 0, "alerts of this site only"},
	{"trigger", ARGS_TEXT, 0, "TRIGGER", NULL, 0, 0, "alerts of this trigger only"},
	{"tag", ARGS_LIST, 0, "KEY=VALUE", NULL, 0, 0, "alerts of series with this tag only; * and ? in the value stand for any bytes and one"},
	{"reason", ARGS_NEEDED, 0, "TEXT", NULL, 0, 0, "why, for whoever comes next"},
	{0},
};

#define INCIDENT_CELL \
	{"cell", ARGS_TEXT, 0, "CELL", NULL, 0, 0, "look at this cell only"}, \
	{"site", ARGS_TEXT, 0, "SITE", NULL, 0, 0, "those of this site only"}

#define PAGE \
	{"page", ARGS_FLAG, 0, NULL, NULL, 0, 0, "those of the status page, drafts too, instead of those of alerts"}, \
	BY_ADMIN

static const struct args_option incident_list_options[] = {
	{"all", ARGS_FLAG, 0, NULL, NULL, 0, 0, "also what is resolved, as far back as the topic goes: 30 days"},
	INCIDENT_CELL,
	PAGE,
	{0},
};

static const struct args_option incident_show_options[] = {
	{"cell", ARGS_TEXT, 0, "CELL", NULL, 0, 0, "look at this cell only"},
	PAGE,
	{0},
};

static const struct args_option incident_ack_options[] = {
	{"cell", ARGS_TEXT, 0, "CELL", NULL, 0, 0, "look at this cell only"},
	{"reason", ARGS_TEXT, 0, "TEXT", NULL, 0, 0, "for the others"},
	{0},
};

#define PAGE_WORDS(text_type) \
	{"text", text_type, 0, "TEXT", NULL, 0, 0, "for the public; - is standard input, and may have lines"}, \
	{"title", ARGS_TEXT, 0, "TITLE", NULL, 0, 0, "in one line, for the public"}, \
	{"impact", ARGS_TEXT, 0, "IMPACT", NULL, 0, 0, "degraded, partial_outage or major_outage; of a new one degraded unless given"}, \
	{"phase", ARGS_TEXT, 0, "PHASE", NULL, 0, 0, "investigating, identified or monitoring; of a new one investigating unless given"}, \
	{"component", ARGS_LIST, 0, "COMPONENT", NULL, 0, 0, "what is affected: push, processing, storage/CELL, alerts, notifications"}, \
	{"recovery", ARGS_TEXT, 0, "TIME", NULL, 0, 0, "when it is expected to be over: 2026-11-26T12:30:00Z, or 2h from now; of a maintenance its end"}

/* Of what may be new. */
#define PAGE_NEW \
	PAGE_WORDS(ARGS_TEXT), \
	{"id", ARGS_TEXT, 0, "NAME", NULL, 0, 0, "what a new one is called here and in its address: [a-z0-9-]; by default by time and component"}, \
	{"maintenance", ARGS_FLAG, 0, NULL, NULL, 0, 0, "it is planned: it ends by itself at its end"}, \
	{"from", ARGS_TEXT, 0, "TIME", NULL, 0, 0, "when a maintenance begins (2h: from now), or when trouble began (20m: ago); by default now"}, \
	{"for", ARGS_MS, 0, "DURATION", "1h", 60000, CONTROL_LIFE_MAX_MS, "how long a maintenance takes"}, \
	BY_ADMIN

static const struct args_option page_new_options[] = {
	PAGE_NEW,
	{0},
};

static const struct args_option page_update_options[] = {
	PAGE_WORDS(ARGS_NEEDED),
	BY_ADMIN,
	{0},
};

static const struct args_option page_veto_options[] = {
	{"reason", ARGS_NEEDED, 0, "TEXT", NULL, 0, 0, "why, for whoever comes next; the public never sees it"},
	BY_ADMIN,
	{0},
};

static const struct args_option page_resolve_options[] = {
	{"text", ARGS_NEEDED, 0, "TEXT", NULL, 0, 0, "for the public; - is standard input, and may have lines"},
	BY_ADMIN,
	{0},
};

static const struct args_option note_options[] = {
	{"site", ARGS_TEXT, 0, "SITE", NULL, 0, 0, "it is about this site"},
	{"cell", ARGS_TEXT, 0, "CELL", NULL, 0, 0, "it is about this cell"},
	{"at", ARGS_TEXT, 0, "TIME", NULL, 0, 0, "when it was: 2026-11-26T12:30:00Z, or 20m for so long ago; by default now"},
	{0},
};

static const struct args_option timeline_options[] = {
	{"from", ARGS_NEEDED, 0, "TIME", NULL, 0, 0, "its beginning: 2026-11-26T12:30:00Z, or 2h for so long ago"},
	{"to", ARGS_TEXT, 0, "TIME", "now", 0, 0, "its end, likewise"},
	{"cell", ARGS_TEXT, 0, "CELL", NULL, 0, 0, "leave out what is of another cell"},
	{"site", ARGS_TEXT, 0, "SITE", NULL, 0, 0, "leave out what is of another site"},
	{"output", ARGS_TEXT, 'o', "FILE", NULL, 0, 0, "write to a new file instead"},
	{0},
};

static const struct args_option query_options[] = {
	{"tags", ARGS_LIST, 0, "KEY=VALUE,..", NULL, 0, 0, "series with these tags only; * and ? in a value stand for any bytes and one"},
	{"kind", ARGS_TEXT, 0, "KIND", NULL, 0, 0, "counter, gauge or distribution, where the name has several"},
	{"last", ARGS_MS, 0, "DURATION", "1h", 60000, INT64_C(31) * 24 * 3600 * 1000, "so long up to now, or up to --to"},
	{"from", ARGS_TEXT, 0, "TIME", NULL, 0, 0, "the beginning instead: 2026-11-26T12:30:00Z, or 2h for so long ago"},
	{"to", ARGS_TEXT, 0, "TIME", "now", 0, 0, "the end, likewise"},
	{"by", ARGS_TEXT, 0, "TAG", NULL, 0, 0, "a row for each value of this tag, the highest first, instead of one for each minute"},
	{"field", ARGS_TEXT, 0, "FIELD", NULL, 0, 0, "what is drawn and sorted by: count, sum, mean, min, max, last, p50, p90, p95, p99, rate, error_rate"},
	{"hourly", ARGS_FLAG, 0, NULL, NULL, 0, 0, "hours instead of minutes; they are kept for 30 days, minutes for 7"},
	{"limit", ARGS_INT, 0, "N", "20", 1, 100000, "rows of --by; all are in the last one"},
	{0},
};

static const struct args_option trigger_test_options[] = {
	{"file", ARGS_TEXT, 'f', "FILE", NULL, 0, 0, "the triggers of this YAML file, instead of those of ids; - is standard input"},
	{"hours", ARGS_INT, 0, "N", "1", 1, 24, "how far back, 1 to 24"},
	{0},
};

static const struct args_command commands[] = {
	{"topics", "apply", {NULL}, "make the topics that are missing, tell what differs", topics_apply_options, topics_apply_run},
	{"cell", "add", {"NAME", NULL}, "make a cell and its topics", cell_add_options, cell_add_run},
	{"cell", "list", {NULL}, "show the cells", NULL, cell_list_run},
	{"site", "add", {"ID", NULL}, "make a site", site_add_options, site_add_run},
	{"site", "list", {NULL}, "show the sites and the names of their keys", NULL, site_list_run},
	{"site", "disable", {"ID", NULL}, "refuse a site's keys", NULL, site_disable_run},
	{"site", "enable", {"ID", NULL}, "accept them again", NULL, site_enable_run},
	{"site", "show", {"ID", NULL}, "show all of one site", NULL, site_show_run},
	{"site", "limit", {"ID", NULL}, "limit what a site may send", site_limit_options, site_limit_run},
	{"site", "shards", {"ID", "N", NULL}, "let a site use more or fewer of its cell's partitions, from a minute on", site_shards_options,
	 site_shards_run},
	{"site", "move", {"ID", "CELL", NULL}, "let another cell serve a site, from a minute on; the old one finishes what was created before",
	 site_move_options, site_move_run},
	{"site", "stay", {"ID", NULL}, "take a move or change of shards back that is still 15 minutes away", NULL, site_stay_run},
	{"site", "confirm-shrink", {NULL}, "let ingest take a table of sites that has lost half of its rows at once", confirm_shrink_options,
	 site_confirm_shrink_run},
	{"key", "create", {"SITE", NULL}, "make a key and print it, once", NULL, key_create_run},
	{"key", "revoke", {"SITE", "KEYID", NULL}, "take a key out of use", NULL, key_revoke_run},
	{"offsets", "show", {"CELL", NULL}, "show what a cell's processors have committed, and what they will refuse", NULL, offsets_show_run},
	{"offsets", "confirm", {"CELL", NULL},
	 "let a cell's processors take partitions that they refuse: on from the last snapshot, at the offset that was set or at the snapshot's own",
	 offsets_confirm_options, offsets_confirm_run},
	{"control", "set", {NULL}, "stop something, for a while: close, mute, pause, drop", control_set_options, control_set_run},
	{"control", "list", {NULL}, "show what is in force, and who obeys", control_list_options, control_list_run},
	{"control", "clear", {NULL}, "end it before its time", control_clear_options, control_clear_run},
	{"silence", "add", {NULL}, "tell nobody of some alerts, for a while", silence_add_options, silence_add_run},
	{"silence", "list", {NULL}, "show those in force and to come", NULL, silence_list_run},
	{"silence", "end", {"ID", NULL}, "end one before its time", NULL, silence_end_run},
	{"incident", "list", {NULL}, "show the incidents that are open", incident_list_options, incident_list_run},
	{"incident", "show", {"ID", NULL}, "show all of one; four digits of its id or more will do", incident_show_options, incident_show_run},
	{"incident", "ack", {"ID", NULL}, "say that you take care of one: no repeats and no escalation", incident_ack_options, incident_ack_run},
	{"incident", "draft", {"[ID]", NULL}, "write, or edit, an incident that only operators see: the page does not post it by itself then", page_new_options,
	 incident_draft_run},
	{"incident", "post", {"[ID]", NULL}, "put a draft on the status page, as it is or with other words; without ID a new incident, at once", page_new_options,
	 incident_post_run},
	{"incident", "update", {"ID", NULL}, "say more of an incident on the status page", page_update_options, incident_update_run},
	{"incident", "veto", {"ID", NULL}, "never post a draft", page_veto_options, incident_veto_run},
	{"incident", "resolve", {"ID", NULL}, "say that an incident on the status page is over", page_resolve_options, incident_resolve_run},
	{"note", NULL, {"TEXT", NULL}, "write a line into the operator log", note_options, note_run},
	{"timeline", NULL, {NULL}, "print what happened between two times, as the beginning of a post-mortem", timeline_options, timeline_run},
	{"query", NULL, {"SITE", "METRIC", NULL}, "show a metric's minutes or hours as the topics have them, merged over all of its series, or by a tag", query_options, query_run},
	{"trigger", "apply", {NULL}, "make triggers what a file says", trigger_apply_options, trigger_apply_run},
	{"trigger", "list", {NULL}, "show the triggers", trigger_list_options, trigger_list_run},
	{"trigger", "delete", {"ID..", NULL}, "remove triggers: their open alerts close", NULL, trigger_delete_run},
	{"trigger", "test", {"ID..", NULL}, "say what triggers would have done in the last hours", trigger_test_options, trigger_test_run},
	{"receiver", "apply", {NULL}, "make receivers what a file says", receiver_apply_options, receiver_apply_run},
	{"receiver", "list", {NULL}, "show who is told of alerts", NULL, receiver_list_run},
	{"receiver", "delete", {"ID..", NULL}, "remove receivers", NULL, receiver_delete_run},
	{"deadletter", "list", {NULL}, "show the records that could not be processed", deadletter_list_options, deadletter_list_run},
	{"deadletter", "show", {"ID", NULL}, "show all of one, the record included", NULL, deadletter_show_run},
	{"deadletter", "retry", {"ID..", NULL}, "send them again, to where they stood: 12 or 12-40, or by the options; counted and stored once, also when sent twice",
	 deadletter_retry_options, deadletter_retry_run},
	{"deadletter", "drop", {"ID..", NULL}, "say that they are dealt with: nothing is sent, they stay where they are", deadletter_drop_options, deadletter_drop_run},
	{"export", NULL, {NULL}, "print all of it as JSON (cells, sites, routes, hashes of keys, receivers, triggers)", export_options, export_run},
	{"apply", NULL, {NULL}, "make all of it what a file says", apply_options, apply_run},
	{"tail", NULL, {"TOPIC", NULL}, "print the records of a topic, decoded, and those that come: millrace.c.main.samples, samples or heartbeats; one line each, or JSON", tail_options,
	 tail_run},
	{"verify", NULL, {NULL}, "compute an hour again from the raw samples and compare it with MongoDB: 0 equal, 1 differs, 2 cannot be told",
	 verify_options, verify_run},
	{"status", NULL, {NULL}, "show what is wrong, worst first, and programs, lag, controls and dead letters, on one screen: 0 all well, hints or not; 1 problems", status_options, status_run},
	{0},
};

const struct args_command *commands_table(void)
{
	return commands;
}

const struct args_option *commands_options(void)
{
	return options;
}
