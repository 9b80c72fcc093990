/* fuzz_yaml.c - any bytes at all as an operator's file of triggers and receivers.
 *
 * Whatever they are, it is told in a line of the file, or read; what is read is what the notifier and the processor take, and written as JSON it reads back
 * as the same record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/receiver.h"
#include "common/trigger.h"
#include "deploy/ctl/receiver_yaml.h"
#include "deploy/ctl/rule_json.h"
#include "deploy/ctl/trigger_yaml.h"
#include "deploy/ctl/yaml_value.h"

#define MUST(what)                                                                  \
	do {                                                                        \
		if (!(what)) {                                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                    \
		}                                                                   \
	} while (0)

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = {
	"triggers:\n", "receivers:\n", "- id: a\n  ", "site: s\n  ", "metric: m\n  ", "tags: {a: [b], c: {glob: x}, d: {present: false}}\n  ", "field: p95\n  ",
	"compare: \">\"\n  ", "threshold: 1e3\n  ", "absent_minutes: 5\n  ", "check_in: {name: n, cron: \"0 3 * * *\"}\n  ", "every_minutes: 5", "receivers: [r]\n  ",
	"severity: critical\n  ", "webhook: {url: \"https://h/\"}\n  ", "mail: {server: \"smtp://h\", from: a@b, to: c@d}\n  ", "escalate_to: b\n  ", "escalate_after: 5m\n  ",
	"repeat: 4h\n  ", "group_wait: ", "null", "~", "\"", "'", "[", "]", "{", "}", ": ", "- ", "\n", "\n  ", "&a ", "*a", "!!str ", "| \n", "> \n", "<<: ", "---\n", "...\n", "%YAML 1.1\n",
	"# ", "\\u0000", "\xef\xbb\xbf",
};

/* Puts a word somewhere: bytes alone would take days to spell one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	const char *word = words[seed / 8 % (sizeof(words) / sizeof(words[0]))];
	size_t n = strlen(word), at = size ? seed / 1024 % (size + 1) : 0;

	if (seed % 8 > 4 || size + n > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, word, n);
	return size + n;
}

static void encode(enum store_kind kind, const void *record, struct buf *out)
{
	MUST((kind == STORE_TRIGGERS ? trigger_encode(record, out, NULL) : receiver_encode(record, out, NULL)) == 0);
}

static bool read_entry(struct yaml_file *f, const struct yaml *node, enum store_kind kind, void *record)
{
	return kind == STORE_TRIGGERS ? trigger_yaml_read(f, node, record) : receiver_yaml_read(f, node, record);
}

static void check_back(enum store_kind kind, const void *record)
{
	union { struct trigger trigger; struct receiver receiver; } back;
	struct buf text = BUF_INIT, was = BUF_INIT, is = BUF_INIT;
	struct json_writer w;
	struct yaml_file f;

	json_write_begin_line(&w);
	rule_json_write(&w, NULL, kind, record);
	MUST(json_write_line_end(&w, &text, NULL) == 0);
	yaml_parse(&f, buf_str(&text));
	MUST(f.root && read_entry(&f, f.root, kind, &back));
	encode(kind, record, &was);
	encode(kind, &back, &is);
	MUST(str_eq(buf_str(&was), buf_str(&is)));
	yaml_fini(&f);
	buf_fini(&text);
	buf_fini(&was);
	buf_fini(&is);
}

static void check_list(struct yaml_file *f, enum store_kind kind)
{
	const struct yaml *list = yaml_get(f->root, kind == STORE_TRIGGERS ? "triggers" : "receivers");

	for (const struct yaml *node = list && list->type == YAML_LIST ? list->child : NULL; node; node = node->next) {
		union { struct trigger trigger; struct receiver receiver; } record;
		size_t faults = f->nr_faults;

		if (!read_entry(f, node, kind, &record)) {
			MUST(f->nr_faults > faults);
			continue;
		}
		MUST(f->nr_faults == faults);
		MUST((kind == STORE_TRIGGERS ? trigger_check(&record.trigger, NULL) : receiver_check(&record.receiver, NULL)) == 0);
		check_back(kind, &record);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1); /* a byte read behind it is seen */
	struct yaml_file f;
	int lines = 2;

	MUST(exact);
	memcpy(exact, data, size);
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n' || data[i] == '\r' || data[i] >= 0x80;
	yaml_parse(&f, (struct str){exact, size});
	free(exact); /* the tree borrows nothing of it */
	MUST(f.root || f.nr_faults);
	if (f.root) {
		check_list(&f, STORE_TRIGGERS);
		check_list(&f, STORE_RECEIVERS);
	}
	for (size_t i = 0; i < f.nr_faults && i < YAML_FAULTS_MAX; i++) {
		MUST(f.faults[i].line >= 1 && f.faults[i].line <= lines);
		MUST(i == 0 || f.faults[i].line >= f.faults[i - 1].line);
	}
	yaml_fini(&f);
	return 0;
}
