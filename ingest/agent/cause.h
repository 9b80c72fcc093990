/* cause.h - why something that an application has told is not taken.
 *
 * One list for whoever refuses: statsd (form), label (names and tags), store (values and room). Each refusal is counted by its reason,
 * so that nothing is lost quietly on the way to a payload either. */
#ifndef MILLRACE_AGENT_CAUSE_H
#define MILLRACE_AGENT_CAUSE_H

enum cause {
	CAUSE_NONE = 0,      /* taken */
	CAUSE_SYNTAX,        /* no `name:value|type` */
	CAUSE_TYPE,          /* a type that is none of c g ms h d s */
	CAUSE_VALUE,         /* no finite number, or an empty member of a set */
	CAUSE_RATE,          /* a sample rate outside (0, 1], or below 1 / STATSD_WEIGHT_MAX */
	CAUSE_TIME,          /* a timestamp that is none, or outside of what is accepted */
	CAUSE_NAME,          /* empty, longer than 255 bytes, or with control characters */
	CAUSE_TAGS,          /* more than 32, a key that is empty, a key or value longer than 255 bytes */
	CAUSE_NEGATIVE,      /* a counter's value below 0: what has been counted cannot become less */
	CAUSE_RANGE,         /* the sum would leave a double, or the count what one sample may stand for */
	CAUSE_MEMORY,        /* no room under the budget, not even in the overflow series */
	NR_CAUSES,
};

/* A word for metrics and status: "syntax", "type", ..; "" for CAUSE_NONE. */
const char *cause_name(enum cause r);

#endif
