/* reason.h - why something that an application has told is not taken.
 *
 * One list for whoever refuses: statsd (form), label (names and tags), store (values and room). Each refusal is counted by its reason,
 * so that nothing is lost quietly on the way to a payload either. */
#ifndef MILLRACE_AGENT_REASON_H
#define MILLRACE_AGENT_REASON_H

enum reason {
	REASON_NONE = 0,      /* taken */
	REASON_SYNTAX,        /* no `name:value|type` */
	REASON_TYPE,          /* a type that is none of c g ms h d s */
	REASON_VALUE,         /* no finite number, or an empty member of a set */
	REASON_RATE,          /* a sample rate outside (0, 1], or below 1 / STATSD_WEIGHT_MAX */
	REASON_TIME,          /* a timestamp that is none, or outside of what is accepted */
	REASON_NAME,          /* empty, longer than 255 bytes, or with control characters */
	REASON_TAGS,          /* more than 32, a key that is empty, a key or value longer than 255 bytes */
	REASON_NEGATIVE,      /* a counter's value below 0: what has been counted cannot become less */
	REASON_RANGE,         /* the sum would leave a double, or the count what one sample may stand for */
	REASON_MEMORY,        /* no room under the budget, not even in the overflow series */
	NR_REASONS,
};

/* A word for metrics and status: "syntax", "type", ..; "" for REASON_NONE. */
const char *reason_name(enum reason r);

#endif
