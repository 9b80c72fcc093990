/* test_settings.c - what holds when nobody says otherwise: nothing goes to internal networks or over plain http. */
#include "sink/notify/settings.h"

#include <string.h>

#include "sink/notify/dispatch.h"
#include "tests/unit/unit.h"

static int load(struct notify_conf *conf, struct conf **c, const char *const *options, struct err *err)
{
	const struct conf_section section = {notify_conf_fields, conf};
	static char *const no_environment[] = {NULL};

	memset(conf, 0, sizeof(*conf));
	*c = conf_new(&section, 1);
	for (; *options; options++)
		if (conf_set_option(*c, *options, err) < 0)
			return -1;
	return conf_load(*c, no_environment, err);
}

START_TEST(defaults)
{
	struct notify_conf conf;
	struct err err = ERR_INIT;
	struct conf *c;

	ck_assert_msg(load(&conf, &c, (const char *const[]){NULL}, &err) == 0, "%s", err.msg);
	ck_assert(!conf.allow_http);
	ck_assert_str_eq(conf.allow_networks, "");
	ck_assert_str_eq(conf.external_url, "");
	ck_assert_str_eq(conf.secrets_dir, "");
	ck_assert_int_eq(conf.site_rate, 60);
	ck_assert_int_eq(conf.timeout_ms, 10000);
	ck_assert_msg(dispatch_check(&conf, &err) == 0, "%s", err.msg);
	conf_free(c);
}
END_TEST

static const struct { const char *option; bool good; } options[] = {
	{"notify.allow_http=true", true}, {"notify.allow_http=perhaps", false}, {"notify.allow_networks=10.0.0.0/8,fd00::/8", true},
	{"notify.allow_networks=10.0.0.0/33", false}, {"notify.allow_networks=everywhere", false}, {"notify.site_rate=0", true},
	{"notify.site_rate=-1", false}, {"notify.timeout=99ms", false}, {"notify.timeout=30s", true}, {"notify.unknown=1", false},
};

START_TEST(option)
{
	struct notify_conf conf;
	struct err err = ERR_INIT;
	struct conf *c;
	bool good = load(&conf, &c, (const char *const[]){options[_i].option, NULL}, &err) == 0 && dispatch_check(&conf, &err) == 0;

	ck_assert_msg(good == options[_i].good, "%s: %s", options[_i].option, err.msg);
	conf_free(c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settings");
	TCase *tc = tcase_create("settings");

	tcase_add_test(tc, defaults);
	tcase_add_loop_test(tc, option, 0, NR(options));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
