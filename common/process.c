/* process.c - see process.h.
 *
 * Formats: proc(5). A figure that cannot be had is 0 and not an error, since a scrape is worth more than any one of them. */
#include "common/process.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The second field of /proc/self/stat is the program's name in brackets, and it may hold anything, brackets and blanks included:
 * so fields are counted from behind the last one. utime and stime are fields 14 and 15, starttime is 22, all in ticks. */
static bool read_stat(double *cpu_ticks, double *start_ticks)
{
	char text[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	unsigned long long user, kernel, start;
	char *rest;

	if (file)
		fclose(file);
	text[n] = '\0';
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu", &user,
			    &kernel, &start) != 3)
		return false;
	*cpu_ticks = (double)(user + kernel);
	*start_ticks = (double)start;
	return true;
}

static double read_boot_seconds(void)
{
	char line[256];
	unsigned long long boot = 0;
	FILE *file = fopen("/proc/stat", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "btime %llu", &boot) == 1)
			break;
	if (file)
		fclose(file);
	return (double)boot;
}

double process_rss_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Does not count the descriptor that looks. */
static double count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n - 1;
}

void process_read(struct process_figures *out)
{
	double cpu_ticks, start_ticks, ticks_a_second = (double)sysconf(_SC_CLK_TCK);

	*out = (struct process_figures){.rss_bytes = process_rss_bytes(), .open_fds = count_fds()};
	if (!read_stat(&cpu_ticks, &start_ticks))
		return;
	out->cpu_seconds = cpu_ticks / ticks_a_second;
	out->start_seconds = read_boot_seconds() + start_ticks / ticks_a_second;
}
