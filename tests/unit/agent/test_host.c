/* test_host.c - CPU, load, memory, disks' traffic and network, on trees of files as several kernels write them.
 *
 * What is expected is never computed from a file's text: the test draws what was counted between two readings, writes tables that say so,
 * and asks for just that. */
#include <inttypes.h>
#include <sys/sysinfo.h>

#include "tests/unit/agent/host_house.h"

static int no_file_system(const char *path, struct statvfs *out)
{
	(void)path, (void)out;
	return -1;
}

static const char *const states[] = {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"};

static void write_stat(const struct tree *t, const uint64_t *ticks, int nr, int cpus)
{
	char text[2048];
	int n = snprintf(text, sizeof(text), "cpu ");

	for (int i = 0; i < nr; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %" PRIu64, ticks[i]);
	if (nr == 8)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " 77 88"); /* guests, within user and nice */
	for (int i = 0; i < cpus; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "\ncpu%d 1 2 3 4", i);
	snprintf(text + n, sizeof(text) - (size_t)n, "\nintr 5 6\nctxt 7\nbtime 1795000000\n");
	tree_write(t, "/proc/stat", text);
}

static void expect_shares(const struct house *h, const uint64_t *more, int nr)
{
	char tag[32];
	uint64_t total = 0;

	for (int i = 0; i < nr; i++)
		total += more[i];
	ck_assert_uint_eq(house_count(h, "host.cpu.share"), total ? (size_t)nr : 0);
	for (int i = 0; i < nr && total; i++) {
		snprintf(tag, sizeof(tag), "state:%s", states[i]);
		house_expect(h, HOST_GAUGE, "host.cpu.share", tag, (double)more[i] / (double)total);
	}
}

/* Kernels of 4, 7 and 8 states; ticks near where a double is not exact any more. */
START_TEST(cpu_shares)
{
	static const int kernels[] = {4, 7, 8, 8};
	struct unit_random random = unit_random_new("cpu_shares");
	struct house h;
	uint64_t ticks[8], more[8];
	int nr = kernels[_i];

	house_open(&h, no_file_system);
	for (int i = 0; i < nr; i++)
		ticks[i] = unit_random_below(&random, _i == 3 ? UINT64_C(1) << 60 : 1000000);
	write_stat(&h.tree, ticks, nr, 3);
	house_read(&h);
	ck_assert_uint_eq(house_count(&h, "host.cpu.share"), 0);
	house_expect(&h, HOST_GAUGE, "host.cpu.count", "", 3);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < nr; i++) {
			more[i] = round == 7 ? 0 : unit_random_below(&random, 3000);
			ticks[i] += more[i];
		}
		write_stat(&h.tree, ticks, nr, 3);
		house_read(&h);
		expect_shares(&h, more, nr);
	}
	house_free(&h);
}
END_TEST

START_TEST(cpu_time_that_goes_back_counts_as_nothing)
{
	struct house h;
	uint64_t ticks[8] = {100, 0, 100, 1000, 500, 0, 0, 0};

	house_open(&h, no_file_system);
	write_stat(&h.tree, ticks, 8, 1);
	house_read(&h);
	ticks[4] = 490;
	ticks[0] += 30;
	ticks[3] += 10;
	write_stat(&h.tree, ticks, 8, 1);
	house_read(&h);
	expect_shares(&h, (uint64_t[]){30, 0, 0, 10, 0, 0, 0, 0}, 8);
	ticks[4] = 500; /* from 490 on */
	write_stat(&h.tree, ticks, 8, 1);
	house_read(&h);
	expect_shares(&h, (uint64_t[]){0, 0, 0, 0, 10, 0, 0, 0}, 8);
	house_free(&h);
}
END_TEST

START_TEST(load_uptime_memory)
{
	struct house h;

	house_open(&h, no_file_system);
	tree_write(&h.tree, "/proc/loadavg", "0.52 12.08 3.00 2/345 6789\n");
	tree_write(&h.tree, "/proc/uptime", "350735.47 234388.90\n");
	tree_write(&h.tree, "/proc/meminfo",
		   "MemTotal:       16384 kB\nMemFree:          100 kB\nMemAvailable:    6384 kB\nBuffers:   512 kB\nCached:        2048 kB\n"
		   "SwapCached:            9 kB\nSwapTotal:       4096 kB\nSwapFree:        1024 kB\nHugePages_Total:       0\n");
	house_read(&h);
	house_expect(&h, HOST_GAUGE, "host.load.1m", "", 0.52);
	house_expect(&h, HOST_GAUGE, "host.load.5m", "", 12.08);
	house_expect(&h, HOST_GAUGE, "host.load.15m", "", 3);
	house_expect(&h, HOST_GAUGE, "host.uptime_s", "", 350735.47);
	house_expect(&h, HOST_GAUGE, "host.memory.total_bytes", "", 16777216);
	house_expect(&h, HOST_GAUGE, "host.memory.available_bytes", "", 6537216);
	house_expect(&h, HOST_GAUGE, "host.memory.used_bytes", "", 10240000);
	house_expect(&h, HOST_GAUGE, "host.memory.buffers_bytes", "", 524288);
	house_expect(&h, HOST_GAUGE, "host.memory.cached_bytes", "", 2097152);
	house_expect(&h, HOST_GAUGE, "host.swap.total_bytes", "", 4194304);
	house_expect(&h, HOST_GAUGE, "host.swap.used_bytes", "", 3145728);
	house_free(&h);
}
END_TEST

/* Before 3.14 there was no MemAvailable. */
START_TEST(memory_of_an_old_kernel)
{
	struct house h;

	house_open(&h, no_file_system);
	tree_write(&h.tree, "/proc/meminfo", "MemTotal:  1000 kB\nMemFree:  100 kB\nBuffers:  20 kB\nCached:  300 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
	house_read(&h);
	house_expect(&h, HOST_GAUGE, "host.memory.available_bytes", "", 420 * 1024);
	house_expect(&h, HOST_GAUGE, "host.memory.used_bytes", "", 580 * 1024);
	house_expect(&h, HOST_GAUGE, "host.swap.total_bytes", "", 0);
	house_expect(&h, HOST_GAUGE, "host.swap.used_bytes", "", 0);
	house_free(&h);
}
END_TEST

/* Files of which nothing must come, whatever they do to a parser. prefix: no sample of it. */
static const struct {
	const char *path, *text, *prefix, *source;
} hostile[] = {
	{"/proc/stat", "", "host.cpu", "cpu"},
	{"/proc/stat", "cpu 1 2 3", "host.cpu", "cpu"},
	{"/proc/stat", "cpu  -1 -2 -3 -4 -5\n", "host.cpu", "cpu"},
	{"/proc/stat", "cpu  99999999999999999999 1 1 1\n", "host.cpu", "cpu"},
	{"/proc/stat", "cpux 1 2 3 4\n", "host.cpu", "cpu"},
	{"/proc/loadavg", "nan nan nan\n", "host.load", "load"},
	{"/proc/loadavg", "1.0 2.0\n", "host.load", "load"},
	{"/proc/loadavg", "1.0 -2.0 3.0\n", "host.load", "load"},
	{"/proc/loadavg", "1.0 inf 3.0\n", "host.load", "load"},
	{"/proc/loadavg", "1.0 1e999 3.0\n", "host.load", "load"},
	{"/proc/loadavg", "1.0 2.0x 3.0\n", "host.load", "load"},
	{"/proc/uptime", "0000000000000000000000000000000000000000000000001 1\n", "host.uptime", "uptime"},
	{"/proc/meminfo", "MemTotal: many kB\nMemFree: 1 kB\n", "host.memory", "memory"},
	{"/proc/meminfo", "MemTotal: 18446744073709551615 kB\nMemFree: 1 kB\n", "host.memory", "memory"},
	{"/proc/meminfo", "MemTotal: 5 kB\n", "host.memory", "memory"},
	{"/proc/diskstats", "8 0 sda 1 2 3\n", "host.io", NULL},
	{"/proc/diskstats", "8 0\n\n \n8 0 sda 1 1 1 1 1 1 1 1 1 x\n", "host.io", NULL},
	{"/proc/net/dev", "eth0 1 2 3 4 5 6 7 8 9 10 11 12\n: 1 2 3 4 5 6 7 8 9 10 11 12\neth1: 1 2 3\n", "host.network", NULL},
	{"/proc/self/mountinfo", "1 2 8:1 / / rw ext4 /dev/sda\n1 2 8:1 / x rw - ext4 /dev/sda\n\n1\n", "host.disk", NULL},
};

START_TEST(hostile_files)
{
	struct house h;

	house_open(&h, NULL); /* what it calls a file system is none: nobody is asked */
	tree_write(&h.tree, hostile[_i].path, hostile[_i].text);
	for (int i = 0; i < 3; i++) {
		house_read(&h);
		ck_assert_uint_eq(house_count(&h, hostile[_i].prefix), 0);
	}
	if (hostile[_i].source) {
		char text[64];

		snprintf(text, sizeof(text), "source=%s ", hostile[_i].source);
		ck_assert_int_eq(house_said(&h, text), 1);
	}
	house_free(&h);
}
END_TEST

/* Neither a pipe that nobody writes to, nor a folder, nor a file without an end holds up or fills the agent. */
START_TEST(what_is_no_file)
{
	struct house h;
	char full[4096];
	char *large = malloc(HOST_FILE_MAX_BYTES + 1);

	house_open(&h, no_file_system);
	tree_path(&h.tree, "/proc/stat", full, sizeof(full));
	ck_assert_int_eq(mkfifo(full, 0600), 0);
	tree_path(&h.tree, "/proc/meminfo/x", full, sizeof(full));
	memset(large, ' ', HOST_FILE_MAX_BYTES + 1);
	memcpy(large, "0.1 0.2 0.3", 11);
	tree_write_bytes(&h.tree, "/proc/loadavg", large, HOST_FILE_MAX_BYTES + 1);
	house_read(&h);
	house_read(&h);
	ck_assert_uint_eq(h.len, 0);
	ck_assert_int_eq(house_said(&h, "event=host_metrics_missing"), 7);
	tree_write_bytes(&h.tree, "/proc/loadavg", large, HOST_FILE_MAX_BYTES);
	house_read(&h);
	house_expect(&h, HOST_GAUGE, "host.load.5m", "", 0.2);
	free(large);
	house_free(&h);
}
END_TEST

/* What an interface counts, in the order of the columns. */
struct traffic {
	uint64_t column[16];
};

static const struct {
	const char *name;
	int column;
} network[] = {
	{"host.network.received_bytes", 0}, {"host.network.received_packets", 1}, {"host.network.receive_errors", 2},
	{"host.network.receive_drops", 3},  {"host.network.sent_bytes", 8},       {"host.network.sent_packets", 9},
	{"host.network.send_errors", 10},   {"host.network.send_drops", 11},
};

static void add_interface(char *table, size_t size, const char *name, const char *blank, const struct traffic *t)
{
	size_t n = strlen(table);

	n += (size_t)snprintf(table + n, size - n, "%6s:%s", name, blank);
	for (int i = 0; i < 16; i++)
		n += (size_t)snprintf(table + n, size - n, "%" PRIu64 " ", t->column[i]);
	snprintf(table + n, size - n, "\n");
}

static const char *const network_head = "Inter-|   Receive                |  Transmit\n face |bytes    packets errs drop|bytes packets\n";

START_TEST(network_counts)
{
	static const char *const names[] = {"eth0", "wlp2s0", "eth0:1", "br-4f", "lo", "veth12ab"};
	struct unit_random random = unit_random_new("network_counts");
	struct traffic now[NR(names)], more[NR(names)];
	struct house h;
	char table[4096], tag[64];

	house_open(&h, no_file_system);
	for (size_t i = 0; i < NR(names); i++)
		for (int c = 0; c < 16; c++)
			now[i].column[c] = 1 + unit_random_below(&random, UINT64_C(1) << 62);
	for (int round = 0; round < 10; round++) {
		snprintf(table, sizeof(table), "%s", network_head);
		for (size_t i = 0; i < NR(names); i++) {
			for (int c = 0; c < 16; c++) {
				more[i].column[c] = round ? unit_random_below(&random, UINT64_C(1) << 40) : 0;
				now[i].column[c] += more[i].column[c];
			}
			add_interface(table, sizeof(table), names[i], i % 2 ? "" : " ", &now[i]); /* old kernels: no blank */
		}
		tree_write(&h.tree, "/proc/net/dev", table);
		house_read(&h);
		ck_assert_uint_eq(house_count(&h, "host.network"), round ? 4 * NR(network) : 0);
		for (size_t i = 0; i < 4 && round; i++)
			for (size_t c = 0; c < NR(network); c++) {
				snprintf(tag, sizeof(tag), "interface:%s", names[i]);
				house_expect(&h, HOST_COUNTER, network[c].name, tag, (double)more[i].column[network[c].column]);
			}
	}
	house_free(&h);
}
END_TEST

static void write_eth0(const struct house *h, uint64_t bytes, uint64_t errors)
{
	char table[1024];

	snprintf(table, sizeof(table), "%seth0: %" PRIu64 " 5 %" PRIu64 " 0 0 0 0 0 0 0 0 0 0 0 0 0\n", network_head, bytes, errors);
	tree_write(&h->tree, "/proc/net/dev", table);
}

/* A counter that wrapped, an interface that was made again, one that was away: no difference, and the next one is right. */
START_TEST(a_new_beginning_is_no_jump)
{
	struct house h;

	house_open(&h, no_file_system);
	write_eth0(&h, 1000, 0);
	house_read(&h);
	write_eth0(&h, 1500, 0);
	house_read(&h);
	house_expect(&h, HOST_COUNTER, "host.network.received_bytes", "interface:eth0", 500);
	house_expect(&h, HOST_COUNTER, "host.network.received_packets", "interface:eth0", 0);
	house_expect_none(&h, "host.network.receive_errors", "interface:eth0"); /* there never was one */
	write_eth0(&h, 300, 2);
	house_read(&h);
	house_expect_none(&h, "host.network.received_bytes", "interface:eth0");
	house_expect(&h, HOST_COUNTER, "host.network.receive_errors", "interface:eth0", 2);
	write_eth0(&h, 310, 2);
	house_read(&h);
	house_expect(&h, HOST_COUNTER, "host.network.received_bytes", "interface:eth0", 10);
	tree_write(&h.tree, "/proc/net/dev", network_head);
	house_read(&h);
	write_eth0(&h, UINT64_MAX, 2);
	house_read(&h);
	ck_assert_uint_eq(house_count(&h, "host.network"), 0);
	house_free(&h);
}
END_TEST

START_TEST(names_are_made_fit_to_be_tags)
{
	static const struct {
		const char *name, *tag;
	} odd[] = {
		{"a,b|c", "interface:a_b_c"}, {"x|y", "interface:x_y"}, {"x\x01y", "interface:x_y"}, {"h\xc3\xb6lle", "interface:h\xc3\xb6lle"}, {"\xff\xfe" "x\x01", "interface:__x_"}, {"#:x", "interface:#:x"},
	};
	struct traffic t = {.column = {7}};
	struct house h;

	house_open(&h, no_file_system);
	for (int round = 0; round < 2; round++) {
		char table[2048] = "";

		for (size_t i = 0; i < NR(odd); i++)
			add_interface(table, sizeof(table), odd[i].name, "", &t);
		tree_write(&h.tree, "/proc/net/dev", table);
		house_read(&h);
	}
	for (size_t i = 0; i < NR(odd); i++)
		house_expect(&h, HOST_COUNTER, "host.network.received_bytes", odd[i].tag, 0);
	house_free(&h);
}
END_TEST

START_TEST(devices_are_bounded)
{
	struct traffic t = {.column = {7}};
	struct house h;
	char table[HOST_DEVICES_MAX * 64 + 256], name[16];

	house_open(&h, no_file_system);
	for (int round = 0; round < 3; round++) {
		table[0] = '\0';
		for (int i = 0; i < HOST_DEVICES_MAX + 1; i++) {
			snprintf(name, sizeof(name), "e%d", i);
			add_interface(table, sizeof(table), name, " ", &t);
		}
		tree_write(&h.tree, "/proc/net/dev", table);
		house_read(&h);
	}
	ck_assert_uint_eq(house_count(&h, "host.network"), HOST_DEVICES_MAX);
	house_expect_none(&h, "host.network.received_bytes", "interface:e64");
	ck_assert_int_eq(house_said(&h, "source=devices "), 1);
	house_free(&h);
}
END_TEST

/* Fields of a disk: 11 since 2.6, 15 since 4.18, 17 since 5.5. A partition is no disk, nor is what is memory. */
static void write_disks(const struct tree *t, const char *name, int fields, const uint64_t *f)
{
	char table[2048];
	int n = snprintf(table, sizeof(table), "   7       0 loop0 9 9 9 9 9 9 9 9 9 9 9\n   8       0 %s", name);

	for (int i = 0; i < fields; i++)
		n += snprintf(table + n, sizeof(table) - (size_t)n, " %" PRIu64, f[i]);
	n += snprintf(table + n, sizeof(table) - (size_t)n, "\n   8       1 sda1 9 9 9 9 9 9 9 9 9 9 9\n   8  2 sda2 9 9 9 9\n");
	snprintf(table + n, sizeof(table) - (size_t)n, " 252 0 zram0 9 9 9 9 9 9 9 9 9 9 9\n 1 0 ram0 9 9 9 9 9 9 9 9 9 9 9\n 1 1 .. 9 9 9 9 9 9 9 9 9 9 9\n");
	tree_write(t, "/proc/diskstats", table);
}

START_TEST(disk_traffic)
{
	static const struct {
		const char *name, *folder;
		int fields;
	} kernels[] = {
		{"sda", "/sys/block/sda/stat", 11}, {"nvme0n1", "/sys/block/nvme0n1/stat", 15}, {"cciss/c0d0", "/sys/block/cciss!c0d0/stat", 17},
		{"dm-3", "/sys/block/dm-3/stat", 17},
	};
	struct unit_random random = unit_random_new("disk_traffic");
	uint64_t f[17], more[17] = {0};
	struct house h;
	char tag[64];

	house_open(&h, no_file_system);
	tree_write(&h.tree, kernels[_i].folder, "");
	tree_write(&h.tree, "/sys/block/loop0/stat", "");
	tree_write(&h.tree, "/sys/block/zram0/stat", "");
	tree_write(&h.tree, "/sys/block/ram0/stat", "");
	snprintf(tag, sizeof(tag), "device:%s", kernels[_i].name);
	for (int i = 0; i < 17; i++)
		f[i] = 1 + unit_random_below(&random, UINT64_C(1) << 50);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 17; i++) {
			more[i] = round ? unit_random_below(&random, 1 << 20) : 0;
			f[i] += more[i];
		}
		write_disks(&h.tree, kernels[_i].name, kernels[_i].fields, f);
		house_read(&h);
		ck_assert_uint_eq(house_count(&h, "host.io"), round ? 5 : 0);
		if (!round)
			continue;
		house_expect(&h, HOST_COUNTER, "host.io.reads", tag, (double)more[0]);
		house_expect(&h, HOST_COUNTER, "host.io.read_bytes", tag, (double)more[2] * 512);
		house_expect(&h, HOST_COUNTER, "host.io.writes", tag, (double)more[4]);
		house_expect(&h, HOST_COUNTER, "host.io.written_bytes", tag, (double)more[6] * 512);
		house_expect(&h, HOST_COUNTER, "host.io.busy_ms", tag, (double)more[9]);
	}
	house_free(&h);
}
END_TEST

/* This machine, by system calls that read none of the files. */
START_TEST(this_machine)
{
	struct house h;
	struct sysinfo info;
	double loads[3];
	struct err err = ERR_INIT;

	house_open(&h, NULL);
	host_free(h.host);
	h.host = host_new(&(struct host_conf){.root = "", .name = "web-7"}, &h.log, &err);
	house_read(&h);
	ck_assert_int_eq(sysinfo(&info), 0);
	ck_assert_int_eq(getloadavg(loads, 3), 3);
	house_expect(&h, HOST_GAUGE, "host.memory.total_bytes", "", (double)info.totalram * info.mem_unit);
	house_expect(&h, HOST_GAUGE, "host.swap.total_bytes", "", (double)info.totalswap * info.mem_unit);
	house_expect(&h, HOST_GAUGE, "host.cpu.count", "", (double)sysconf(_SC_NPROCESSORS_ONLN));
	ck_assert(fabs(house_find(&h, "host.uptime_s", "")->value - (double)info.uptime) < 5);
	ck_assert(fabs(house_find(&h, "host.load.15m", "")->value - loads[2]) < 1);
	for (int i = 0; i < 20000 && !house_find(&h, "host.cpu.share", "state:user"); i++)
		house_read(&h); /* until the kernel's clock has ticked */
	ck_assert_uint_eq(house_count(&h, "host.cpu.share"), 8);
	house_free(&h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("host");
	TCase *tc = tcase_create("host");

	tcase_add_loop_test(tc, cpu_shares, 0, 4);
	tcase_add_test(tc, cpu_time_that_goes_back_counts_as_nothing);
	tcase_add_test(tc, load_uptime_memory);
	tcase_add_test(tc, memory_of_an_old_kernel);
	tcase_add_loop_test(tc, hostile_files, 0, NR(hostile));
	tcase_add_test(tc, what_is_no_file);
	tcase_add_test(tc, network_counts);
	tcase_add_test(tc, a_new_beginning_is_no_jump);
	tcase_add_test(tc, names_are_made_fit_to_be_tags);
	tcase_add_test(tc, devices_are_bounded);
	tcase_add_loop_test(tc, disk_traffic, 0, 4);
	tcase_add_test(tc, this_machine);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
