/* args_help.c - what --help prints at its three levels; see args.h. Printed from the rows that parse, so it
 * cannot lie. */
#include <string.h>

#include "deploy/ctl/args.h"

/* "site add ID" */
static int command_title(const struct args_command *c, char *out, size_t size)
{
	int n = snprintf(out, size, "%s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "");

	for (int i = 0; c->operands[i] && n > 0 && (size_t)n < size; i++)
		n += snprintf(out + n, size - (size_t)n, " %s", c->operands[i]);
	return n;
}

static void print_options(const struct args_option *options, FILE *out)
{
	for (const struct args_option *o = options; o && o->name; o++) {
		char name[64], letter[8] = "";

		if (o->letter)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(name, sizeof(name), "%s--%s%s%s", letter, o->name, o->metavar ? " " : "", o->metavar ? o->metavar : "");
		fprintf(out, "  %-26s %s", name, o->help);
		if (o->type == ARGS_NEEDED || (o->type == ARGS_MS && !o->def))
			fputs(" (must be given)", out);
		if (o->type == ARGS_LIST)
			fputs(" (may be repeated)", out);
		if (o->def)
			fprintf(out, " (default %s)", o->def);
		fputc('\n', out);
	}
}

static void print_commands(const struct args *a, FILE *out)
{
	for (const struct args_command *c = a->commands; c->noun; c++) {
		char title[64];

		if (a->noun && strcmp(c->noun, a->noun) != 0)
			continue;
		command_title(c, title, sizeof(title));
		fprintf(out, "  %-26s %s\n", title, c->summary);
	}
}

static void print_command(const struct args_command *c, FILE *out)
{
	char title[64];

	command_title(c, title, sizeof(title));
	fprintf(out, "millrace-ctl %s%s\n\n%s\n", title, c->options ? " [OPTION].." : "", c->summary);
	if (c->options)
		fputs("\nOptions:\n", out);
	print_options(c->options, out);
}

void args_help(const struct args *a, FILE *out)
{
	if (a->command) {
		print_command(a->command, out);
	} else if (a->noun) {
		fprintf(out, "millrace-ctl %s VERB [OPTION]..\n\nVerbs:\n", a->noun);
		print_commands(a, out);
	} else {
		fputs("millrace-ctl [OPTION].. COMMAND [OPTION]..: looks after Millrace's topics, cells, sites, keys, triggers and controls\n\n"
		      "Commands:\n", out);
		print_commands(a, out);
	}
	fputs("\nOptions of every command:\n", out);
	print_options(a->globals, out);
	fputs("  -h, --help                 this, for the whole, a noun or one command\n\n"
	      "Exit code: 0 all well; 1 refused, or something is not well; 2 wrong command line, or Kafka (or --admin) cannot be asked.\n", out);
}
