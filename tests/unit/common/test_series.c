/* test_series.c - fingerprints and routing against schemas/vectors.json, which another language and library computed, and
 * the properties that routing promises. Run from the project's root. */
#include "common/series.h"

#include <string.h>
#include <yajl/yajl_tree.h>

#include "common/route.h"
#include "tests/unit/unit.h"

static yajl_val load_vectors(void)
{
	static const char path[] = "schemas/vectors.json";
	FILE *file = fopen(path, "rb");
	struct buf text = BUF_INIT;
	char chunk[4096], error[256] = "";
	size_t n;
	yajl_val root;

	ck_assert_msg(file != NULL, "%s: run from the project's root", path);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&text, chunk, n);
	fclose(file);
	buf_add(&text, "", 1);
	root = yajl_tree_parse((const char *)text.p, error, sizeof(error));
	ck_assert_msg(root != NULL, "%s: %s", path, error);
	buf_fini(&text);
	return root;
}

static yajl_val get(yajl_val object, const char *name, yajl_type type)
{
	const char *path[] = {name, NULL};
	yajl_val value = yajl_tree_get(object, path, type);

	ck_assert_msg(value != NULL, "schemas/vectors.json: no %s", name);
	return value;
}

static struct str get_str(yajl_val object, const char *name)
{
	return str_from(YAJL_GET_STRING(get(object, name, yajl_t_string)));
}

static void to_hex(const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], char out[2 * SERIES_FINGERPRINT_BYTES + 1])
{
	for (int i = 0; i < SERIES_FINGERPRINT_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", fingerprint[i]);
}

START_TEST(fingerprints)
{
	static const char *const kinds[] = {"counter", "gauge", "distribution"};
	yajl_val root = load_vectors(), list = get(root, "fingerprints", yajl_t_array);

	ck_assert_uint_ge(YAJL_GET_ARRAY(list)->len, 30);
	for (size_t i = 0; i < YAJL_GET_ARRAY(list)->len; i++) {
		yajl_val v = YAJL_GET_ARRAY(list)->values[i], tag_map = get(v, "tags", yajl_t_object);
		struct tag tags[SERIES_TAGS_MAX];
		struct series_id id = {.site = get_str(v, "site"), .name = get_str(v, "name"), .tags = tags};
		uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
		char hex[2 * SERIES_FINGERPRINT_BYTES + 1];

		while (!str_eq(str_from(kinds[id.kind]), get_str(v, "kind")))
			ck_assert_uint_lt(++id.kind, NR(kinds));
		id.tags_len = YAJL_GET_OBJECT(tag_map)->len;
		ck_assert_uint_le(id.tags_len, SERIES_TAGS_MAX);
		for (size_t t = 0; t < id.tags_len; t++) {
			tags[t].key = str_from(YAJL_GET_OBJECT(tag_map)->keys[t]);
			tags[t].value = str_from(YAJL_GET_STRING(YAJL_GET_OBJECT(tag_map)->values[t]));
		}
		ck_assert_int_eq(series_sort_tags(tags, id.tags_len), 0);
		series_fingerprint(&id, fingerprint);
		to_hex(fingerprint, hex);
		ck_assert_msg(str_eq(str_from(hex), get_str(v, "hex")), "vector %zu: %s", i, hex);
	}
	yajl_tree_free(root);
}
END_TEST

START_TEST(shards)
{
	yajl_val root = load_vectors(), list = get(root, "shards", yajl_t_array);

	for (size_t i = 0; i < YAJL_GET_ARRAY(list)->len; i++) {
		yajl_val v = YAJL_GET_ARRAY(list)->values[i], owned = get(v, "owned", yajl_t_array);
		int32_t out[ROUTE_PARTITIONS_MAX];
		size_t nr = route_site_partitions(get_str(v, "site"), (int32_t)YAJL_GET_INTEGER(get(v, "partitions", yajl_t_number)),
						  (int32_t)YAJL_GET_INTEGER(get(v, "shards", yajl_t_number)), out);

		ck_assert_uint_eq(nr, YAJL_GET_ARRAY(owned)->len);
		for (size_t k = 0; k < nr; k++)
			ck_assert_int_eq(out[k], YAJL_GET_INTEGER(YAJL_GET_ARRAY(owned)->values[k]));
	}
	yajl_tree_free(root);
}
END_TEST

START_TEST(indexes)
{
	yajl_val root = load_vectors(), list = get(root, "indexes", yajl_t_array);

	for (size_t i = 0; i < YAJL_GET_ARRAY(list)->len; i++) {
		yajl_val v = YAJL_GET_ARRAY(list)->values[i];
		uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];

		for (int b = 0; b < SERIES_FINGERPRINT_BYTES; b++) {
			unsigned byte;

			ck_assert_int_eq(sscanf(get_str(v, "hex").p + 2 * b, "%2x", &byte), 1);
			fingerprint[b] = (uint8_t)byte;
		}
		ck_assert_uint_eq(route_series_index(fingerprint, (size_t)YAJL_GET_INTEGER(get(v, "nr", yajl_t_number))),
				  (size_t)YAJL_GET_INTEGER(get(v, "index", yajl_t_number)));
	}
	yajl_tree_free(root);
}
END_TEST

/* Raising shards by one keeps what was owned and adds one: what rendezvous is for. */
START_TEST(more_shards_keep_the_old_ones)
{
	static const char *const sites[] = {"a", "shop", "a-much-longer-site-name", ""};

	for (size_t s = 0; s < NR(sites); s++)
		for (int32_t n = 1; n < 12; n++) {
			int32_t few[12], more[12];
			size_t nr_few = route_site_partitions(str_from(sites[s]), 12, n, few);
			size_t nr_more = route_site_partitions(str_from(sites[s]), 12, n + 1, more);
			size_t at = 0;

			ck_assert_uint_eq(nr_few, (size_t)n);
			ck_assert_uint_eq(nr_more, (size_t)n + 1);
			for (size_t i = 0; i < nr_few; i++) {
				while (at < nr_more && more[at] != few[i])
					at++;
				ck_assert_uint_lt(at, nr_more);
			}
		}
}
END_TEST

START_TEST(shards_are_at_most_the_partitions)
{
	int32_t out[3];

	ck_assert_uint_eq(route_site_partitions(STR("x"), 3, 9, out), 3);
	for (int32_t p = 0; p < 3; p++)
		ck_assert_int_eq(out[p], p);
}
END_TEST

START_TEST(a_long_site_takes_the_slow_way_to_the_same_place)
{
	char site[400];
	uint8_t short_way[SERIES_FINGERPRINT_BYTES], long_way[SERIES_FINGERPRINT_BYTES];
	struct series_id id = {.site = {site, 255}, .kind = 1, .name = STR("n")};

	memset(site, 's', sizeof(site));
	series_fingerprint(&id, short_way);
	id.site.len = 256;
	series_fingerprint(&id, long_way);
	ck_assert_mem_ne(short_way, long_way, sizeof(short_way));
	ck_assert_uint_eq(series_fingerprint_low((const uint8_t *)"01234567\x01\x02\x03\x04\x05\x06\x07\x08"), 0x0102030405060708);
}
END_TEST

static const struct { const char *name; int good; } name_cases[] = {
	{"", 0}, {"a", 1}, {"A-z_0.9:/x", 1}, {"a b", 0}, {"\xc3\xa9", 0}, {"a\n", 0}, {"a{b", 0}, {"$x", 0},
};

START_TEST(names)
{
	ck_assert_int_eq(series_name_valid(str_from(name_cases[_i].name)), name_cases[_i].good);
}
END_TEST

START_TEST(name_length)
{
	char name[SERIES_STRING_MAX + 1];

	memset(name, 'n', sizeof(name));
	ck_assert_int_eq(series_name_valid((struct str){name, SERIES_STRING_MAX}), 1);
	ck_assert_int_eq(series_name_valid((struct str){name, SERIES_STRING_MAX + 1}), 0);
}
END_TEST

/* Every byte at every place of every length that is read in another way. */
START_TEST(name_bytes)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/-";

	for (size_t len = 1; len <= 20; len++) {
		char *name = malloc(len); /* so that a sanitizer sees any byte read beside it */

		for (size_t i = 0; i < len; i++) {
			for (int byte = 0; byte < 256; byte++) {
				memset(name, 'n', len);
				name[i] = (char)byte;
				ck_assert_msg(series_name_valid((struct str){name, len}) == (memchr(good, byte, sizeof(good) - 1) != NULL),
					      "byte %d, the %zu. of %zu", byte, i, len);
			}
		}
		free(name);
	}
}
END_TEST

/* Random tags, short keys so that some are the same, against the definition. */
START_TEST(tags_in_any_order)
{
	struct unit_random r = unit_random_new("series");

	for (int round = 0; round < 20000; round++) {
		char keys[SERIES_TAGS_MAX][2];
		struct tag tags[SERIES_TAGS_MAX];
		size_t len = unit_random_below(&r, SERIES_TAGS_MAX + 1);
		bool doubled = false;

		for (size_t i = 0; i < len; i++) {
			keys[i][0] = (char)unit_random_below(&r, 256);
			keys[i][1] = (char)unit_random_below(&r, 256);
			tags[i] = (struct tag){.key = {keys[i], 1 + unit_random_below(&r, 2)}};
			tags[i].value = tags[i].key; /* must stay beside it */
			for (size_t k = 0; k < i; k++)
				doubled = doubled || str_eq(tags[k].key, tags[i].key);
		}
		ck_assert_int_eq(series_sort_tags(tags, len), doubled ? -1 : 0);
		for (size_t i = 1; !doubled && i < len; i++)
			ck_assert(str_cmp(tags[i - 1].key, tags[i].key) < 0 && tags[i].key.p == tags[i].value.p);
	}
}
END_TEST

START_TEST(tags_are_sorted_bytewise)
{
	struct tag tags[] = {{STR("b"), STR("1")}, {STR("\xc3\xa9"), STR("2")}, {STR("B"), STR("3")}, {STR("ab"), STR("4")}, {STR("a"), STR("5")}};
	static const char order[] = "35412";

	ck_assert_int_eq(series_sort_tags(tags, NR(tags)), 0);
	for (size_t i = 0; i < NR(tags); i++)
		ck_assert_int_eq(tags[i].value.p[0], order[i]);
	tags[0].key = STR("b");
	ck_assert_int_eq(series_sort_tags(tags, NR(tags)), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("series");
	TCase *tc = tcase_create("series");

	tcase_add_test(tc, fingerprints);
	tcase_add_test(tc, shards);
	tcase_add_test(tc, indexes);
	tcase_add_test(tc, more_shards_keep_the_old_ones);
	tcase_add_test(tc, shards_are_at_most_the_partitions);
	tcase_add_test(tc, a_long_site_takes_the_slow_way_to_the_same_place);
	tcase_add_loop_test(tc, names, 0, NR(name_cases));
	tcase_add_test(tc, name_length);
	tcase_add_test(tc, name_bytes);
	tcase_add_test(tc, tags_are_sorted_bytewise);
	tcase_add_test(tc, tags_in_any_order);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
