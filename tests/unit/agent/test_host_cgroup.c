/* test_host_cgroup.c - limits and use of the agent's cgroup, in trees as containers and services of both versions have them. */
#include "tests/unit/agent/host_house.h"

static int no_file_system(const char *path, struct statvfs *out)
{
	(void)path, (void)out;
	return -1;
}

#define V2_MOUNT "30 23 0:28 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"

/* Where the files are, by the two that say so. */
static const struct {
	const char *what, *cgroup, *mounts;
	const char *memory, *cpu, *cpuacct; /* folders; cpuacct NULL: version 2 */
} houses[] = {
	{"v2, a container", "0::/\n", V2_MOUNT, "/sys/fs/cgroup", "/sys/fs/cgroup", NULL},
	{"v2, a service", "0::/system.slice/millrace-agent.service\n", V2_MOUNT, "/sys/fs/cgroup/system.slice/millrace-agent.service",
	 "/sys/fs/cgroup/system.slice/millrace-agent.service", NULL},
	{"v2, the outer path in a container", "0::/docker/4f/x\n", V2_MOUNT, "/sys/fs/cgroup", "/sys/fs/cgroup", NULL},
	{"v2, outside of the name space", "0::/../other\n", V2_MOUNT, "/sys/fs/cgroup", "/sys/fs/cgroup", NULL},
	{"v2, part of the hierarchy is mounted", "0::/a/b/c\n", "30 23 0:28 /a/b /sys/my\\040fs rw - cgroup2 cgroup rw\n", "/sys/my fs/c", "/sys/my fs/c",
	 NULL},
	{"v2, what is mounted is our own", "0::/a/b\n", "30 23 0:28 /a/b /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "/sys/fs/cgroup", "/sys/fs/cgroup", NULL},
	{"v1, together", "5:cpuacct,cpu:/x\n4:memory:/x/y\n1:name=systemd:/z\n",
	 "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
	 "/sys/fs/cgroup/memory/x/y", "/sys/fs/cgroup/cpu,cpuacct/x", "/sys/fs/cgroup/cpu,cpuacct/x"},
	{"v1, docker: the mount is the container's", "4:memory:/docker/4f\n3:cpuacct:/docker/4f\n2:cpu:/docker/4f\n0::/\n",
	 "32 31 0:29 /docker/4f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n33 31 0:30 /docker/4f /sys/fs/cgroup/cpuacct ro - cgroup cgroup rw,cpuacct\n"
	 "35 31 0:32 /docker/4f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
	 "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpuacct"},
	{"hybrid: memory is v1, cpu is v2", "4:memory:/m\n0::/u\n",
	 "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
	 "/sys/fs/cgroup/memory/m", "/sys/fs/cgroup/unified/u", NULL},
};

static void write_in(const struct house *h, const char *folder, const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	tree_write(&h->tree, path, text);
}

static void printf_in(const struct house *h, const char *folder, const char *name, const char *fmt, long long a, long long b, long long c, long long d)
{
	char text[512];

	snprintf(text, sizeof(text), fmt, a, b, c, d);
	write_in(h, folder, name, text);
}

static bool is_v1_memory(int i)
{
	return strstr(houses[i].cgroup, "memory") != NULL;
}

/* The files of a reading: microseconds used and throttled, periods. */
static void write_cpu(const struct house *h, int i, long long used_us, long long throttled_us, long long periods, long long throttled)
{
	if (!houses[i].cpuacct) {
		printf_in(h, houses[i].cpu, "cpu.stat",
			  "usage_usec %lld\nuser_usec 1\nsystem_usec 2\nthrottled_usec %lld\nnr_periods %lld\nnr_throttled %lld\n", used_us, throttled_us, periods,
			  throttled);
		write_in(h, houses[i].cpu, "cpu.max", "150000 100000\n");
		return;
	}
	printf_in(h, houses[i].cpu, "cpu.stat", "nr_periods %lld\nnr_throttled %lld\nthrottled_time %lld\n", periods, throttled, throttled_us * 1000, 0);
	write_in(h, houses[i].cpu, "cpu.cfs_quota_us", "150000\n");
	write_in(h, houses[i].cpu, "cpu.cfs_period_us", "100000\n");
	printf_in(h, houses[i].cpuacct, "cpuacct.usage", "%lld\n", used_us * 1000, 0, 0, 0);
}

static void furnish(struct house *h, int i)
{
	house_open(h, no_file_system);
	tree_write(&h->tree, "/proc/self/cgroup", houses[i].cgroup);
	tree_write(&h->tree, "/proc/self/mountinfo", houses[i].mounts);
	write_in(h, houses[i].memory, is_v1_memory(i) ? "memory.usage_in_bytes" : "memory.current", "123456789\n");
	write_in(h, houses[i].memory, is_v1_memory(i) ? "memory.limit_in_bytes" : "memory.max", "536870912\n");
	tree_write(&h->tree, "/sys/fs/other/memory.current", "1\n"); /* where "/../other" would lead */
	tree_write(&h->tree, "/sys/fs/other/cpu.stat", "usage_usec 1\n");
}

START_TEST(limits_and_use)
{
	struct house h;

	furnish(&h, _i);
	write_cpu(&h, _i, 1000000, 5000, 70, 7);
	house_read(&h);
	house_expect(&h, HOST_GAUGE, "host.cgroup.memory.used_bytes", "", 123456789);
	house_expect(&h, HOST_GAUGE, "host.cgroup.memory.limit_bytes", "", 536870912);
	house_expect(&h, HOST_GAUGE, "host.cgroup.cpu.limit", "", 1.5);
	ck_assert_uint_eq(house_count(&h, "host.cgroup"), 3);
	write_cpu(&h, _i, 1012500, 9250, 370, 18);
	house_read(&h);
	house_expect(&h, HOST_COUNTER, "host.cgroup.cpu.used_ms", "", 12.5);
	house_expect(&h, HOST_COUNTER, "host.cgroup.cpu.throttled_ms", "", 4.25);
	house_expect(&h, HOST_COUNTER, "host.cgroup.cpu.periods", "", 300);
	house_expect(&h, HOST_COUNTER, "host.cgroup.cpu.throttled_periods", "", 11);
	ck_assert_uint_eq(house_count(&h, "host.cgroup"), 7);
	house_free(&h);
}
END_TEST

START_TEST(no_limit_is_no_metric)
{
	struct house h;

	furnish(&h, _i);
	write_cpu(&h, _i, 1, 1, 1, 1);
	write_in(&h, houses[_i].memory, is_v1_memory(_i) ? "memory.limit_in_bytes" : "memory.max", is_v1_memory(_i) ? "9223372036854771712\n" : "max\n");
	if (houses[_i].cpuacct)
		write_in(&h, houses[_i].cpu, "cpu.cfs_quota_us", "-1\n");
	else
		write_in(&h, houses[_i].cpu, "cpu.max", "max 100000\n");
	house_read(&h);
	house_expect(&h, HOST_GAUGE, "host.cgroup.memory.used_bytes", "", 123456789);
	ck_assert_uint_eq(house_count(&h, "host.cgroup"), 1);
	ck_assert_int_eq(house_said(&h, "source=cgroup"), 0);
	house_free(&h);
}
END_TEST

/* The root cgroup has no figures, and some machines no cgroups: nothing, and not a word. What is no number is said once. */
START_TEST(without)
{
	static const char *const cgroups[] = {"0::/\n", "", "nonsense\n:\n1:\n", "0::relative\n", "1:memory:/\n"};
	struct house h;

	house_open(&h, no_file_system);
	tree_write(&h.tree, "/proc/self/cgroup", cgroups[_i]);
	tree_write(&h.tree, "/proc/self/mountinfo", V2_MOUNT);
	tree_write(&h.tree, "/sys/fs/cgroup/cgroup.procs", "1\n");
	house_read(&h);
	ck_assert_uint_eq(house_count(&h, "host.cgroup"), 0);
	ck_assert_int_eq(house_said(&h, "source=cgroup"), 0);
	house_free(&h);
}
END_TEST

START_TEST(what_is_no_number)
{
	struct house h;

	house_open(&h, no_file_system);
	tree_write(&h.tree, "/proc/self/cgroup", "0::/\n");
	tree_write(&h.tree, "/proc/self/mountinfo", V2_MOUNT);
	tree_write(&h.tree, "/sys/fs/cgroup/memory.current", "\n");
	tree_write(&h.tree, "/sys/fs/cgroup/memory.max", "-5\n");
	tree_write(&h.tree, "/sys/fs/cgroup/cpu.max", "5 0\n");
	tree_write(&h.tree, "/sys/fs/cgroup/cpu.stat", "usage_usec\nnr_periods x\n");
	house_read(&h);
	house_read(&h);
	ck_assert_uint_eq(house_count(&h, "host.cgroup"), 0);
	ck_assert_int_eq(house_said(&h, "source=cgroup.memory"), 1);
	house_free(&h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("host_cgroup");
	TCase *tc = tcase_create("host_cgroup");

	tcase_add_loop_test(tc, limits_and_use, 0, NR(houses));
	tcase_add_loop_test(tc, no_limit_is_no_metric, 0, NR(houses));
	tcase_add_loop_test(tc, without, 0, 5);
	tcase_add_test(tc, what_is_no_number);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
