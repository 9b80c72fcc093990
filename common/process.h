/* process.h - what the kernel says about this process, from /proc.
 *
 * Two users: the metrics that every Prometheus client library exports under the same names, and whoever compares its memory with
 * its budget. Not cheap (files are opened): once a scrape or once a second, not once a record. */
#ifndef MILLRACE_PROCESS_H
#define MILLRACE_PROCESS_H

/* All of them doubles, as they go into gauges; 0 where /proc could not be read. */
struct process_figures {
	double rss_bytes;     /* resident memory */
	double cpu_seconds;   /* user and system time since the start, all threads */
	double start_seconds; /* since the epoch, by the kernel's boot time */
	double open_fds;
};

/* Reads all figures. Any thread. */
void process_read(struct process_figures *out);

/* Resident memory alone, in bytes; 0 when /proc could not be read. Any thread. */
double process_rss_bytes(void);

#endif
