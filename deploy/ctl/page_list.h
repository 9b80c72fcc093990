/* page_list.h - `incident list --page` and `incident show ID --page`: the incidents that customers see, drafts too. */
#ifndef MILLRACE_CTL_PAGE_LIST_H
#define MILLRACE_CTL_PAGE_LIST_H

#include "deploy/ctl/ctl.h"

/* Is it the status page's incidents that are asked for: --page, or --admin, as only the page has such a port? */
bool page_list_is_meant(const struct ctl *ctl);

/* As commands are (commands.h). */
int page_list_run(struct ctl *ctl, struct err *err);
int page_show_run(struct ctl *ctl, struct err *err); /* see above */

#endif
