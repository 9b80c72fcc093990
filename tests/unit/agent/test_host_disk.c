/* test_host_disk.c - which file systems are asked for their use, each once, and above all which are never asked: those that may not
 * answer. */
#include <errno.h>

#include "tests/unit/agent/host_house.h"

/* What stands behind a path is said by the path itself, so that nothing has to be kept between the two: a file system of as many blocks as
 * the path has bytes, a quarter of them free. A path with "hang" in it would never have come back. */
static int fake(const char *path, struct statvfs *out)
{
	const char *point = strstr(path, "millrace-tree-");

	ck_assert_msg(point != NULL, "%s is outside of the tree", path);
	point += strlen("millrace-tree-XXXXXX");
	ck_assert_msg(!strstr(point, "hang"), "%s was asked", point);
	if (strstr(point, "gone")) {
		errno = ENOENT;
		return -1;
	}
	*out = (struct statvfs){.f_bsize = 4096, .f_frsize = 1024, .f_blocks = strlen(point) * 16, .f_bfree = strlen(point) * 4,
				.f_bavail = strlen(point) * 2, .f_files = 100, .f_ffree = 75};
	return 0;
}

/* Lines of mountinfo, and the tags of those that are told, in the tree's words. */
static const struct {
	const char *what;
	const char *lines[8];
	const char *told[4];
	const char *points[4];
} cases[] = {
	{"a plain machine",
	 {"22 27 0:21 / /proc rw,relatime - proc proc rw", "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard",
	  "28 27 254:2 / /boot/efi rw - vfat /dev/vda2 rw", "30 27 0:30 / /run rw - tmpfs tmpfs rw", "31 27 7:1 / /snap/x ro - squashfs /dev/loop1 ro"},
	 {"device:vda,mount:/", "device:vda2,mount:/boot/efi"}, {"/", "/boot/efi"}},
	{"optional fields, none and many",
	 {"27 1 254:0 / / rw shared:1 master:2 propagate_from:3 unbindable - xfs /dev/mapper/vg-root rw", "28 27 254:2 / /b rw - xfs /dev/vdb"},
	 {"device:mapper/vg-root,mount:/", "device:vdb,mount:/b"}, {"/", "/b"}},
	{"network and user-space file systems are never asked",
	 {"1 1 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:40 / /hang/nfs rw - nfs4 server:/x rw", "3 1 0:41 / /hang/fuse rw - fuse.sshfs a:/ rw",
	  "4 1 0:42 / /hang/cifs rw - cifs //a/b rw", "5 1 0:43 / /hang/9p rw - 9p x rw", "6 1 0:44 / /hang/auto rw - autofs auto rw",
	  "7 1 0:45 / /hang/ntfs rw - fuseblk /dev/sdb1 rw", "8 1 0:46 / /hang/unknown rw - newfs /dev/sdc rw"},
	 {"device:sda1,mount:/"}, {"/"}},
	{"below one that may hang",
	 {"1 1 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:40 / /hang rw - nfs server:/x rw", "3 2 8:17 / /hang/disk rw - ext4 /dev/sdb1 rw"},
	 {"device:sda1,mount:/"}, {"/"}},
	{"hidden by one that may hang",
	 {"1 1 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 8:17 / /hang rw - ext4 /dev/sdb1 rw", "3 2 0:40 / /hang rw - nfs server:/x rw"},
	 {"device:sda1,mount:/"}, {"/"}},
	{"hidden with its parent",
	 {"1 1 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 8:17 / /a/hang rw - ext4 /dev/sdb1 rw", "3 1 8:33 / /a rw - ext4 /dev/sdc1 rw"},
	 {"device:sda1,mount:/", "device:sdc1,mount:/a"}, {"/", "/a"}},
	{"over an automount point",
	 {"1 1 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:50 / /data rw - autofs systemd-1 rw", "3 2 8:17 / /data rw - ext4 /dev/sdb1 rw"},
	 {"device:sda1,mount:/", "device:sdb1,mount:/data"}, {"/", "/data"}},
	{"bind mounts and subvolumes: once, at the shortest path",
	 {"1 1 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 8:1 /x /srv/bind rw - ext4 /dev/sda1 rw", "3 1 0:33 /@home /home rw - btrfs /dev/sdb rw",
	  "4 1 0:33 /@ /var rw - btrfs /dev/sdb rw", "5 1 0:33 /@s /opt rw - btrfs /dev/sdb rw"},
	 {"device:sda1,mount:/", "device:sdb,mount:/var"}, {"/", "/var"}},
	{"a container: the overlay is its disk, a file bound into it is told by where it lies",
	 {"1 1 0:50 / / rw - overlay overlay rw,lowerdir=/a:/b", "2 1 0:51 / /hang/other rw - overlay overlay rw", "3 1 8:1 /h /etc/hosts rw - ext4 /dev/sda1 rw"},
	 {"device:overlay,mount:/", "device:sda1,mount:/etc/hosts"}, {"/", "/etc/hosts"}},
	{"zfs, each dataset its own device; escapes",
	 {"1 1 0:25 / / rw - zfs rpool/ROOT rw", "2 1 0:26 / /my\\040disk\\134x rw - zfs tank/a\\040b rw", "3 1 0:27 / /gone rw - zfs tank/c rw"},
	 {"device:rpool/ROOT,mount:/", "device:tank/a b,mount:/my disk\\x"}, {"/", "/my disk\\x"}},
};

START_TEST(file_systems)
{
	struct house h;
	char text[4096] = "";
	size_t told = 0;

	house_open(&h, fake);
	for (size_t i = 0; i < NR(cases[_i].lines) && cases[_i].lines[i]; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n", cases[_i].lines[i]);
	tree_write(&h.tree, "/proc/self/mountinfo", text);
	house_read(&h);
	for (; told < NR(cases[_i].told) && cases[_i].told[told]; told++) {
		const char *tags = cases[_i].told[told];
		double blocks = 16 * (double)strlen(cases[_i].points[told]);

		house_expect(&h, HOST_GAUGE, "host.disk.total_bytes", tags, blocks * 1024);
		house_expect(&h, HOST_GAUGE, "host.disk.used_bytes", tags, blocks * 1024 * 3 / 4);
		house_expect(&h, HOST_GAUGE, "host.disk.available_bytes", tags, blocks * 1024 / 8);
		house_expect(&h, HOST_GAUGE, "host.disk.used_share", tags, 6.0 / 7);
		house_expect(&h, HOST_GAUGE, "host.disk.inodes_used_share", tags, 0.25);
	}
	ck_assert_msg(house_count(&h, "host.disk") == 5 * told, "%s: %zu samples", cases[_i].what, house_count(&h, "host.disk"));
	house_free(&h);
}
END_TEST

/* Names that merely begin alike are not below one another. */
START_TEST(neighbours_of_what_hangs)
{
	struct house h;

	house_open(&h, fake);
	tree_write(&h.tree, "/proc/self/mountinfo",
		   "1 1 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:40 / /n rw - nfs server:/x rw\n3 1 8:33 / /nn rw - ext4 /dev/sdc1 rw\n");
	house_read(&h);
	house_expect(&h, HOST_GAUGE, "host.disk.total_bytes", "device:sdc1,mount:/nn", 3 * 16 * 1024);
	house_free(&h);
}
END_TEST

static int empty(const char *path, struct statvfs *out)
{
	(void)path;
	*out = (struct statvfs){.f_bsize = 512};
	return 0;
}

/* More free than there is, no blocks, no fixed number of inodes: nothing that makes no sense comes of it (house_take). */
static int absurd(const char *path, struct statvfs *out)
{
	(void)path;
	*out = (struct statvfs){.f_bsize = 512, .f_blocks = 1, .f_bfree = 2, .f_files = 1, .f_ffree = 2};
	return 0;
}

START_TEST(what_makes_no_sense)
{
	struct house h;

	house_open(&h, _i ? absurd : empty);
	tree_write(&h.tree, "/proc/self/mountinfo", "1 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
	house_read(&h);
	if (_i) {
		house_expect(&h, HOST_GAUGE, "host.disk.total_bytes", "device:sda1,mount:/", 512);
		house_expect_none(&h, "host.disk.used_share", "device:sda1,mount:/");
		house_expect_none(&h, "host.disk.inodes_used_share", "device:sda1,mount:/");
	} else {
		ck_assert_uint_eq(h.len, 0);
	}
	house_free(&h);
}
END_TEST

/* This machine's root, if it is on a disk, by the system's own answer. */
START_TEST(this_machine)
{
	struct house h;
	struct err err = ERR_INIT;
	struct statvfs s;

	house_open(&h, NULL);
	host_free(h.host);
	h.host = host_new(&(struct host_conf){.root = "", .name = "web-7"}, &h.log, &err);
	house_read(&h);
	ck_assert_int_eq(statvfs("/", &s), 0);
	for (size_t i = 0; i < h.len; i++)
		if (strcmp(h.samples[i].name, "host.disk.total_bytes") == 0 && strstr(h.samples[i].tags, ",mount:/") &&
		    !strstr(h.samples[i].tags, ",mount:/")[8])
			ck_assert(h.samples[i].value == (double)s.f_blocks * (double)s.f_frsize);
	house_free(&h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("host_disk");
	TCase *tc = tcase_create("host_disk");

	tcase_add_loop_test(tc, file_systems, 0, NR(cases));
	tcase_add_test(tc, neighbours_of_what_hangs);
	tcase_add_loop_test(tc, what_makes_no_sense, 0, 2);
	tcase_add_test(tc, this_machine);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
