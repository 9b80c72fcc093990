/* settings.h - millrace-status' own settings. */
#ifndef MILLRACE_STATUS_SETTINGS_H
#define MILLRACE_STATUS_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conf.h"
#include "sink/status/drafts.h"
#include "sink/status/judge.h"

struct status_conf {
	char *listen;
	char *dir;                  /* empty: nothing is kept */
	int64_t survey_interval_ms; /* real */
	char *page_title;
	char *page_url;             /* empty: links are relative */
	char *page_cells;           /* "main=Europe,other=US" */
	bool drafts_enabled;
	struct drafts_conf drafts;
	struct judge_conf judge;    /* its cell_titles are page_cells */
};

/* Rows over struct status_conf, ended by {0}. */
extern const struct conf_field status_conf_fields[];

#endif
