/* head.c - see head.h.
 *
 * libmicrohttpd looks a header up by walking its list, so ten look-ups are ten walks; one walk of our own costs a comparison of lengths for
 * most headers, and sees the ones that stand there twice. */
#include "ingest/head.h"

#include <microhttpd.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define HEAD(member) offsetof(struct admission_head, member)

static const struct {
	const char *name;
	size_t len;
	size_t offset; /* of a const char * in struct admission_head */
	bool length;   /* it announces the body's */
} wanted[] = {
	{"Authorization", 13, HEAD(authorization), false},
	{"X-Api-Key", 9, HEAD(x_api_key), false},
	{"Content-Type", 12, HEAD(content_type), false},
	{"Content-Encoding", 16, HEAD(content_encoding), false},
	{"Content-Length", 14, HEAD(content_length), true},
	{"Transfer-Encoding", 17, HEAD(transfer_encoding), true},
	{"Millrace-Sent-At", 16, HEAD(sent_at), false},
	{"Millrace-Created-At", 19, HEAD(created_at), false},
	{"Idempotency-Key", 15, HEAD(idempotency_key), false},
};

struct walk {
	struct admission_head *head;
	bool *expect;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static enum MHD_Result take_header(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct walk *w = ctx;
	size_t len = strlen(name);

	(void)kind;
	w->head->blank_in_name |= len > 0 && (is_blank(name[0]) || is_blank(name[len - 1]));
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const char **place = (const char **)((char *)w->head + wanted[i].offset);

		if (wanted[i].len != len || strcasecmp(wanted[i].name, name) != 0)
			continue;
		if (!*place)
			*place = value ? value : "";
		w->head->lengths += wanted[i].length;
		return MHD_YES;
	}
	if (len == strlen(MHD_HTTP_HEADER_EXPECT) && strcasecmp(name, MHD_HTTP_HEADER_EXPECT) == 0)
		*w->expect = true;
	return MHD_YES;
}

void head_read(struct MHD_Connection *connection, const char *method, const char *path, struct admission_head *head, bool *expect)
{
	struct walk w = {head, expect};

	*head = (struct admission_head){.method = method, .path = path};
	*expect = false;
	MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, &w);
	head->api_key = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "api_key");
}
