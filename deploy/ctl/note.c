/* note.c - the command `note`: an operator's own line in the operator log; see commands.h.
 *
 * What has been done by hand is in no topic; whoever writes it down at once has it in the timeline. It may be written later for a time that has been: the
 * timeline goes by what the line says, not by when it came. */
#include "common/silence.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/moment.h"

enum { NOTE_MAX = 2000 };

static int print_note(struct ctl *ctl, int64_t at_ms, struct err *err)
{
	char at[CLOCK_ISO_SIZE];
	struct json_writer w;

	if (!ctl->json) {
		fprintf(ctl->out, "+ note at %s\n", clock_iso(at_ms, at, sizeof(at)));
		return 0;
	}
	json_write_begin(&w);
	json_write_int(&w, "at", at_ms);
	json_write_text(&w, "author", str_from(ctl->author));
	json_write_text(&w, "text", str_from(ctl->args.operands[0]));
	return json_write_print(&w, ctl->out, err);
}

int note_run(struct ctl *ctl, struct err *err)
{
	const struct args *args = &ctl->args;
	const char *at = args_text(args, "at");
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = "note", .cell = args_text(args, "cell"), .site = args_text(args, "site")};
	struct str text = str_from(args->operands[0]);
	int64_t at_ms = clock_now_ms(&ctl->program.clock);

	if (silence_check_text("note", text, 1, NOTE_MAX, err) < 0)
		return -1;
	if (at && moment_parse_past(at, at_ms, &at_ms, err) < 0)
		return err_wrap(err, "--at");
	if (ctl_load(ctl, false, err) < 0 || (event.cell && !ctl_find_cell(ctl, event.cell, err)) ||
	    (event.site && !ctl_find_site(ctl, event.site, err)) || ctl_notice_at(ctl, &event, at_ms, text, err) < 0)
		return -1;
	return print_note(ctl, at_ms, err);
}
