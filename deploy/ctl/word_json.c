/* word_json.c - see word_json.h. A scope's fields that are not set are left out: a reader sees at once what it is for. */
#include "deploy/ctl/word_json.h"

void word_json_write_maybe(struct json_writer *w, const char *key, bool has, struct str value)
{
	if (has)
		json_write_text(w, key, value);
}

void word_json_write_members(struct json_writer *w, const struct control *control)
{
	json_write_text(w, "id", control->id);
	json_write_text(w, "on", str_from(control_program_name(control->on)));
	json_write_text(w, "action", str_from(control_action_name(control->action)));
	word_json_write_maybe(w, "cell", control->has_cell, control->cell);
	word_json_write_maybe(w, "site", control->has_site, control->site);
	word_json_write_maybe(w, "kind", control->has_kind, control->kind);
	word_json_write_maybe(w, "trigger", control->has_trigger, control->trigger);
	json_write_text(w, "reason", control->reason);
	json_write_text(w, "author", control->author);
	json_write_int(w, "created_at", control->created_at);
	json_write_int(w, "expires_at", control->expires_at);
}

void word_json_write_control(struct json_writer *w, const char *key, const struct control *control)
{
	json_write_map(w, key);
	word_json_write_members(w, control);
	json_write_map_end(w);
}

static void write_selector(struct json_writer *w, const struct tag_selector *selector)
{
	json_write_map(w, NULL);
	json_write_text(w, "key", selector->key);
	json_write_text(w, "op", str_from(selector_op_name(selector->op)));
	json_write_array(w, "values");
	for (size_t i = 0; i < selector->values_len; i++)
		json_write_text(w, NULL, selector->values[i]);
	json_write_array_end(w);
	json_write_map_end(w);
}

void word_json_write_silence(struct json_writer *w, const char *key, const struct silence *silence)
{
	json_write_map(w, key);
	json_write_text(w, "id", silence->id);
	word_json_write_maybe(w, "site", silence->has_site, silence->site);
	word_json_write_maybe(w, "trigger", silence->has_trigger, silence->trigger);
	json_write_array(w, "tags");
	for (size_t i = 0; i < silence->tags_len; i++)
		write_selector(w, &silence->tags[i]);
	json_write_array_end(w);
	json_write_int(w, "starts_at", silence->starts_at);
	json_write_int(w, "ends_at", silence->ends_at);
	json_write_text(w, "reason", silence->reason);
	json_write_text(w, "author", silence->author);
	json_write_int(w, "created_at", silence->created_at);
	json_write_map_end(w);
}

void word_json_write_ack(struct json_writer *w, const char *key, const struct ack *ack)
{
	json_write_map(w, key);
	json_write_hex(w, "incident", ack->incident, sizeof(ack->incident));
	json_write_text(w, "author", ack->author);
	json_write_text(w, "reason", ack->reason);
	json_write_int(w, "at", ack->at);
	json_write_map_end(w);
}
