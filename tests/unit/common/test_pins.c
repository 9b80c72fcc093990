/* test_pins.c - the list of schema.write.version, and former versions of a record written out of today's struct.
 *
 * The schemas are those of versions/, as in test_versions.c. What is written is read by avro-c with the former schema's own text, and each field that
 * avro-c finds is held against the struct by hand, those that are gone today against the default as the schema's text has it. */
#include "versions/schemas.h"

#include <avro.h>
#include <string.h>

#include "versions/schemas.c"

#include "tests/unit/unit.h"

enum { ROUNDS = 2000, ITEMS_MAX = 4, NR_WORDS = 5 };

static const struct { const char *list; uint32_t thing, batch, other; } accepted[] = {
	{"", 3, 5, 6},
	{"Thing=1", 1, 5, 6},
	{"Thing=2", 2, 5, 6},
	{"Thing=3", 3, 5, 6}, /* today's own is a pin too: for the release after this one */
	{"SampleBatch=4,Thing=1", 1, 4, 6},
	{" Thing=2 ,\tOther=6, SampleBatch=5 ", 2, 5, 6},
};

START_TEST(lists)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(pins_set("Thing=2,SampleBatch=4", &err), 0); /* and what was pinned before is not any more */
	ck_assert_msg(pins_set(accepted[_i].list, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(pins_written_id(THING_SCHEMA_ID), accepted[_i].thing);
	ck_assert_uint_eq(pins_written_id(SAMPLE_BATCH_SCHEMA_ID), accepted[_i].batch);
	ck_assert_uint_eq(pins_written_id(OTHER_SCHEMA_ID), accepted[_i].other);
	ck_assert_uint_eq(pins_written_id(PINS_IDS), PINS_IDS);
}
END_TEST

static const struct { const char *list, *says; } refused[] = {
	{"Things=1", "names 'Things', which is none of Thing, SampleBatch, Other"},
	{"thing=1", "names 'thing', which is none of Thing, SampleBatch, Other"},
	{"=1", "names '', which is none of Thing, SampleBatch, Other"},
	{"Thing =1", "names 'Thing ', which is none of Thing, SampleBatch, Other"},
	{"Thing=4", "gives Thing the id '4', and it has only 1, 2, 3"},
	{"Thing=6", "gives Thing the id '6', and it has only 1, 2, 3"},
	{"Thing=7", "gives Thing the id '7', and it has only 1, 2, 3"},
	{"Thing=0", "gives Thing the id '0', and it has only 1, 2, 3"},
	{"Thing=01", "gives Thing the id '01', and it has only 1, 2, 3"},
	{"Thing=-1", "gives Thing the id '-1', and it has only 1, 2, 3"},
	{"Thing=", "gives Thing the id '', and it has only 1, 2, 3"},
	{"Thing=1x", "gives Thing the id '1x', and it has only 1, 2, 3"},
	{"Thing=4294967297", "gives Thing the id '4294967297', and it has only 1, 2, 3"},
	{"SampleBatch=5,SampleBatch=1", "gives SampleBatch the id '1', and it has only 4, 5"},
	{"Thing=1,Other=6,Thing=1", "names Thing twice"},
	{"Thing=3,Thing=1", "names Thing twice"},
	{"Thing", "is not Record=ID,..: 'Thing'"},
	{"Thing=1,", "is not Record=ID,..: ''"},
	{",Thing=1", "is not Record=ID,..: ''"},
	{" ", "is not Record=ID,..: ''"},
	{"Thing=1;Other=6", "gives Thing the id '1;Other=6', and it has only 1, 2, 3"},
};

START_TEST(refused_lists)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(pins_set("Thing=2", &err), 0);
	ck_assert_int_eq(pins_set(refused[_i].list, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_str_eq(err.msg, refused[_i].says);
	ck_assert_uint_eq(pins_written_id(THING_SCHEMA_ID), 2); /* as before, the list's good beginning with it */
	ck_assert_uint_eq(pins_written_id(SAMPLE_BATCH_SCHEMA_ID), 5);
}
END_TEST

/* A random Thing, and the room that it points into. */
struct random_thing {
	struct thing t;
	struct inner items[ITEMS_MAX];
	struct tag tags[ITEMS_MAX + 2][ITEMS_MAX];
	struct str words[ITEMS_MAX];
	int64_t longs[ITEMS_MAX];
};

static struct str random_word(struct unit_random *r)
{
	static const char *const words[NR_WORDS] = {"", "x", "ümläut", "日本", "a word that is longer than sixty-three bytes, so that its length takes two"};

	return str_from(words[unit_random_below(r, NR_WORDS)]);
}

static void random_inner(struct unit_random *r, struct inner *inner, struct tag *tags)
{
	static const char *const keys[ITEMS_MAX] = {"a", "b", "c", "d"};

	*inner = (struct inner){.a = (int32_t)unit_random_next(r), .extra = unit_random_unit(r), .tags = tags, .tags_len = unit_random_below(r, ITEMS_MAX)};
	for (size_t i = 0; i < inner->tags_len; i++)
		tags[i] = (struct tag){str_from(keys[i]), random_word(r)};
}

static void random_thing(struct unit_random *r, struct random_thing *out)
{
	struct thing *t = &out->t;

	*t = (struct thing){
		.label = random_word(r), .id = (int64_t)unit_random_next(r), .list = out->items, .list_len = unit_random_below(r, ITEMS_MAX),
		.has_maybe = unit_random_below(r, 2), .same = out->words, .same_len = unit_random_below(r, ITEMS_MAX),
		.yes = unit_random_below(r, 2), .count = (int64_t)unit_random_next(r), .has_none = unit_random_below(r, 2), .none = 5,
		.has_some = unit_random_below(r, 2), .some = 6, .text = random_word(r), .size = (enum size)unit_random_below(r, 2),
		.empty = out->longs, .empty_len = unit_random_below(r, ITEMS_MAX),
	};
	random_inner(r, &t->inner, out->tags[0]);
	random_inner(r, &t->maybe, out->tags[1]);
	for (size_t i = 0; i < ITEMS_MAX; i++) {
		random_inner(r, &out->items[i], out->tags[2 + i]);
		out->words[i] = random_word(r);
		out->longs[i] = (int64_t)unit_random_next(r);
	}
}

/* A field of what avro-c has read. */
static avro_value_t field(const avro_value_t *record, const char *name)
{
	avro_value_t value;

	ck_assert_msg(avro_value_get_by_name(record, name, &value, NULL) == 0, "no field %s", name);
	return value;
}

static avro_value_t item(const avro_value_t *list, size_t i)
{
	avro_value_t value;

	ck_assert_int_eq(avro_value_get_by_index(list, i, &value, NULL), 0);
	return value;
}

static void must_be_text(avro_value_t value, struct str text)
{
	const char *got;
	size_t size;

	ck_assert_int_eq(avro_value_get_string(&value, &got, &size), 0);
	ck_assert(str_eq((struct str){got, size - 1}, text));
}

static void must_be_long(avro_value_t value, int64_t wanted)
{
	int64_t got;

	ck_assert_int_eq(avro_value_get_long(&value, &got), 0);
	ck_assert_int_eq(got, wanted);
}

static void must_have(avro_value_t list, size_t wanted)
{
	size_t got;

	ck_assert_int_eq(avro_value_get_size(&list, &got), 0);
	ck_assert_uint_eq(got, wanted);
}

/* The second version's Inner is today's, the first one's has no extra. */
static void must_be_inner(avro_value_t value, const struct inner *inner, bool with_extra)
{
	avro_value_t a = field(&value, "a"), tags = field(&value, "tags"), extra;
	int32_t got;
	double number;

	ck_assert_int_eq(avro_value_get_int(&a, &got), 0);
	ck_assert_int_eq(got, inner->a);
	must_have(tags, inner->tags_len);
	for (size_t i = 0; i < inner->tags_len; i++) {
		char key[] = {inner->tags[i].key.p[0], '\0'};

		must_be_text(field(&tags, key), inner->tags[i].value);
	}
	ck_assert_int_eq(avro_value_get_by_name(&value, "extra", &extra, NULL) == 0, with_extra);
	if (with_extra)
		ck_assert(avro_value_get_double(&extra, &number) == 0 && memcmp(&number, &inner->extra, sizeof(number)) == 0);
}

/* What both former versions have of today's; null: the branch of maybe's union that is null. */
static void must_have_what_stays(const avro_value_t *value, const struct thing *t, int null, bool with_extra)
{
	avro_value_t list = field(value, "list"), same = field(value, "same"), maybe = field(value, "maybe"), branch;
	int which;

	must_be_text(field(value, "label"), t->label);
	must_be_long(field(value, "id"), t->id);
	must_be_inner(field(value, "inner"), &t->inner, with_extra);
	must_have(list, t->list_len);
	for (size_t i = 0; i < t->list_len; i++)
		must_be_inner(item(&list, i), &t->list[i], with_extra);
	must_have(same, t->same_len);
	for (size_t i = 0; i < t->same_len; i++)
		must_be_text(item(&same, i), t->same[i]);
	ck_assert_int_eq(avro_value_get_discriminant(&maybe, &which), 0);
	ck_assert_int_eq(which, t->has_maybe ? 1 - null : null);
	if (t->has_maybe && avro_value_get_current_branch(&maybe, &branch) == 0)
		must_be_inner(branch, &t->maybe, with_extra);
}

/* The numbers, texts and bytes that are gone, as thing.v1.avsc has their defaults. */
static void must_have_plain_defaults(const avro_value_t *value)
{
	avro_value_t flag = field(value, "gone_bool"), number = field(value, "gone_int"), real = field(value, "gone_float"), twice = field(value, "gone_double"),
		     bytes = field(value, "gone_bytes"), text = field(value, "gone_text"), choice = field(value, "gone_choice"), any;
	int got, n, branch;
	const void *raw;
	size_t size;
	float f;
	double d;

	ck_assert(avro_value_get_boolean(&flag, &got) == 0 && got == 1);
	ck_assert(avro_value_get_int(&number, &n) == 0 && n == -70);
	ck_assert(avro_value_get_float(&real, &f) == 0 && f == 1.5f);
	ck_assert(avro_value_get_double(&twice, &d) == 0 && d == -2.25);
	ck_assert(avro_value_get_bytes(&bytes, &raw, &size) == 0 && size == 2 && memcmp(raw, "\xff" "1", 2) == 0);
	ck_assert(avro_value_get_discriminant(&text, &branch) == 0 && branch == 0);
	ck_assert(avro_value_get_discriminant(&choice, &branch) == 0 && branch == 0 && avro_value_get_current_branch(&choice, &any) == 0);
	must_be_text(any, STR("any"));
}

static void must_have_defaults(const avro_value_t *value)
{
	struct tag tag = {STR("t"), STR("ü")};
	struct inner inner = {.a = 70000, .tags = &tag, .tags_len = 1};
	avro_value_t list = field(value, "gone_inner"), symbol = field(value, "gone_enum"), four = field(value, "gone_fixed"), map = field(value, "gone_map"), m;
	const void *raw;
	size_t size;
	int got;
	double d;

	must_have_plain_defaults(value);
	must_have(list, 1);
	must_be_inner(item(&list, 0), &inner, false);
	ck_assert(avro_value_get_enum(&symbol, &got) == 0 && got == 2);
	ck_assert(avro_value_get_fixed(&four, &raw, &size) == 0 && size == 4 && memcmp(raw, "f\xfcr4", 4) == 0);
	must_have(map, 1);
	m = field(&map, "m");
	ck_assert(avro_value_get_double(&m, &d) == 0 && d == 3.5);
}

/* Reads a message, all of it, by the text of the schema that it names. */
static void read_by_avro_c(struct str message, uint32_t id, avro_value_t *value)
{
	avro_reader_t reader = avro_reader_memory(message.p + CODEC_HEADER_BYTES, (int64_t)(message.len - CODEC_HEADER_BYTES));
	const uint8_t header[CODEC_HEADER_BYTES] = {0, 0, 0, 0, (uint8_t)id};
	const char *text = schema_json(id);
	avro_value_iface_t *iface;
	avro_schema_t schema;
	char more;

	ck_assert_mem_eq(message.p, header, sizeof(header));
	ck_assert_int_eq(avro_schema_from_json_length(text, strlen(text), &schema), 0);
	iface = avro_generic_class_from_schema(schema);
	ck_assert_int_eq(avro_generic_value_new(iface, value), 0);
	ck_assert_msg(avro_value_read(reader, value) == 0, "%s", avro_strerror());
	ck_assert_int_ne(avro_read(reader, &more, 1), 0); /* nothing is left over */
	avro_reader_free(reader);
	avro_value_iface_decref(iface);
	avro_schema_decref(schema);
}

START_TEST(former_versions_are_written)
{
	static const char *const pinned[] = {"Thing=1", "Thing=2"};
	struct unit_random r = unit_random_new("pins");
	struct random_thing random;
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(pins_set(pinned[_i], &err), 0);
	for (int round = 0; round < ROUNDS; round++) {
		avro_value_t value;

		random_thing(&r, &random);
		buf_clear(&bytes);
		ck_assert_msg(thing_encode(&random.t, &bytes, &err) == 0, "%s", err.msg);
		read_by_avro_c(buf_str(&bytes), (uint32_t)_i + 1, &value);
		must_have_what_stays(&value, &random.t, _i == 0, _i == 1);
		if (_i == 0) {
			must_have_defaults(&value);
		} else {
			avro_value_t yes = field(&value, "yes");
			int got;

			ck_assert(avro_value_get_boolean(&yes, &got) == 0 && got == random.t.yes);
			must_be_long(field(&value, "count"), random.t.count);
		}
		avro_value_decref(&value);
	}
	buf_fini(&bytes);
}
END_TEST

/* A batch's gone field lies between its list and its site. The other record is not pinned. */
START_TEST(one_is_pinned_the_other_not)
{
	static const uint8_t wanted[] = {0, 0, 0, 0, 4, 0, 2, 8, 's', 'h', 'o', 'p'}, other[] = {0, 0, 0, 0, 6, 10};
	struct sample_batch batch = {.site = STR("shop"), .weight = 20};
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(pins_set("SampleBatch=4", &err), 0);
	ck_assert_int_eq(sample_batch_encode(&batch, &bytes, &err), 0);
	ck_assert_uint_eq(bytes.len, sizeof(wanted));
	ck_assert_mem_eq(bytes.p, wanted, sizeof(wanted));
	buf_clear(&bytes);
	ck_assert_int_eq(other_encode(&(struct other){.x = 5}, &bytes, &err), 0);
	ck_assert_uint_eq(bytes.len, sizeof(other));
	ck_assert_mem_eq(bytes.p, other, sizeof(other));
	buf_fini(&bytes);
}
END_TEST

/* What today's schema does not bear is not written under a pin either, and leaves the buffer as it was. */
START_TEST(faults_are_todays)
{
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add(&bytes, "x", 1);
	ck_assert_int_eq(pins_set("Thing=2", &err), 0);
	ck_assert_int_eq(thing_encode(&(struct thing){.size = (enum size)2}, &bytes, &err), -1);
	ck_assert_str_eq(err.msg, "Thing: size is out of range");
	ck_assert_uint_eq(bytes.len, 1);
	buf_fini(&bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pins");
	TCase *tc = tcase_create("pins");

	tcase_add_loop_test(tc, lists, 0, NR(accepted));
	tcase_add_loop_test(tc, refused_lists, 0, NR(refused));
	tcase_add_loop_test(tc, former_versions_are_written, 0, 2);
	tcase_add_test(tc, one_is_pinned_the_other_not);
	tcase_add_test(tc, faults_are_todays);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
