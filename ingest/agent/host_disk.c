/* host_disk.c - see host_disk.h.
 *
 * statvfs() waits for whoever answers for the file system, and for those of all directories on the way to it. So only types in a list are
 * asked: those on local disks, and only where the way leads over types of that list or of the one of types that are memory. A server of
 * NFS that is away, or a FUSE process that hangs, is never asked, whatever is mounted above or below it.
 *
 * A mount that a later one hides cannot be asked by its path, and is left out. A device mounted several times is told once, at its
 * shortest path. */
#include "ingest/agent/host_disk.h"

#include <stdio.h>

#include "ingest/agent/host_mounts.h"

static const char *const on_disks[] = {"ext2", "ext3",     "ext4", "xfs",  "btrfs", "zfs",      "f2fs",   "bcachefs", "jfs",
				       "ufs",  "reiserfs", "vfat", "exfat", "ntfs3", "hfsplus", "nilfs2", NULL};

static const char *const in_memory[] = {"rootfs",   "tmpfs", "devtmpfs", "ramfs", "overlay",
					"squashfs", "erofs", "proc",     "sysfs", "iso9660", NULL};

static bool is_one_of(struct str type, const char *const *list)
{
	for (; *list; list++)
		if (str_eq(type, str_from(*list)))
			return true;
	return false;
}

static bool is_measured(const struct host_mount *m)
{
	return is_one_of(m->type, on_disks) || (str_eq(m->type, STR("overlay")) && str_eq(m->point, STR("/")));
}

/* May the path be asked for without meeting anyone who lets us wait, and is it this mount that answers? What it hides itself is not met. */
static bool is_reachable(const struct host_mounts *all, size_t at)
{
	const struct host_mount *m = &all->items[at];

	for (size_t i = 0; i < all->len; i++) {
		const struct host_mount *other = &all->items[i];

		if (i == at || !host_mounts_is_below(m->point, other->point) || (i < at && str_eq(m->point, other->point)))
			continue;
		if (i > at || (!is_one_of(other->type, on_disks) && !is_one_of(other->type, in_memory)))
			return false;
	}
	return true;
}

/* Is there another mount of the same device that stands for it? */
static bool is_told_elsewhere(const struct host_mounts *all, size_t at)
{
	const struct host_mount *m = &all->items[at];

	for (size_t i = 0; i < all->len; i++) {
		const struct host_mount *other = &all->items[i];
		bool before = other->point.len != m->point.len ? other->point.len < m->point.len : i < at;

		if (i != at && before && str_eq(other->device, m->device) && is_measured(other) && is_reachable(all, i))
			return true;
	}
	return false;
}

static struct host_tags disk_tags(const struct host_report *r, const char *source, const char *point)
{
	struct str device = str_from(source);
	struct host_tags tags;

	str_take(&device, "/dev/");
	tags = host_report_tag(r, "device", device);
	host_report_tag_more(&tags, "mount", str_from(point));
	return tags;
}

/* As df has it: what is reserved for root is neither used nor available. */
static void report_disk(struct host_report *r, const struct host_tags *tags, const struct statvfs *s)
{
	double unit = (double)(s->f_frsize ? s->f_frsize : s->f_bsize);
	double used = s->f_blocks >= s->f_bfree ? (double)(s->f_blocks - s->f_bfree) * unit : 0, left = (double)s->f_bavail * unit;

	host_report_gauge(r, "host.disk.total_bytes", tags, (double)s->f_blocks * unit);
	host_report_gauge(r, "host.disk.used_bytes", tags, used);
	host_report_gauge(r, "host.disk.available_bytes", tags, left);
	if (used + left > 0)
		host_report_gauge(r, "host.disk.used_share", tags, used / (used + left));
	if (s->f_files && s->f_files >= s->f_ffree) /* some have no fixed number */
		host_report_gauge(r, "host.disk.inodes_used_share", tags, (double)(s->f_files - s->f_ffree) / (double)s->f_files);
}

static void read_one(struct host_report *r, const struct host_mount *m)
{
	char point[HOST_PATH_MAX], source[HOST_PATH_MAX], path[2 * HOST_PATH_MAX];
	struct statvfs s;
	struct host_tags tags;

	if (!host_mounts_unescape(m->point, point, sizeof(point)) || !host_mounts_unescape(m->source, source, sizeof(source)))
		return;
	snprintf(path, sizeof(path), "%s%s", r->root, point);
	if (r->statvfs(path, &s) < 0 || s.f_blocks == 0)
		return;
	tags = disk_tags(r, source, point);
	report_disk(r, &tags, &s);
}

void host_disk_read(struct host_report *r)
{
	struct host_mounts mounts;
	unsigned devices = 0;

	if (!host_mounts_read(r, &mounts)) {
		host_report_missing(r, HOST_DISK, "/proc/self/mountinfo cannot be read");
		return;
	}
	for (size_t i = 0; i < mounts.len; i++) {
		if (!is_measured(&mounts.items[i]) || !is_reachable(&mounts, i) || is_told_elsewhere(&mounts, i))
			continue;
		if (++devices > HOST_DEVICES_MAX) {
			host_report_missing(r, HOST_TOO_MANY, "there are more than 64 file systems");
			break;
		}
		read_one(r, &mounts.items[i]);
	}
	host_mounts_fini(&mounts);
}
