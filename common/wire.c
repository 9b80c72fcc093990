/* wire.c - see wire.h. */
#include "common/wire.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"

enum { EVENTS_A_TURN = 16, CONNECTIONS_KEPT = 2 };

struct wire {
	CURLM *multi;
	int epoll_fd;
	int64_t wake_ms; /* real, monotonic; -1: no timer */
	wire_ended_fn ended;
	void *ctx;
};

/* A socket that libcurl closes leaves the epoll by itself; then the kernel says ENOENT or EBADF, which is as well. */
static int on_socket(CURL *transfer, curl_socket_t fd, int what, void *ctx, void *known)
{
	struct wire *w = ctx;
	struct epoll_event e = {.data.fd = fd};

	(void)transfer;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	e.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
	if (!known || epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, fd, &e) < 0)
		if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 && errno == EEXIST)
			epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, fd, &e);
	curl_multi_assign(w->multi, fd, w);
	return 0;
}

/* libcurl has one timer for all transfers, and sets it anew with each call. */
static int on_timer(CURLM *multi, long ms, void *ctx)
{
	struct wire *w = ctx;

	(void)multi;
	w->wake_ms = ms < 0 ? -1 : clock_mono_ms() + ms;
	return 0;
}

struct wire *wire_new(wire_ended_fn ended, void *ctx, struct err *err)
{
	struct wire *w = calloc(1, sizeof(*w));

	if (!w) {
		err_nomem(err, "libcurl's transfers");
		return NULL;
	}
	*w = (struct wire){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .multi = curl_multi_init(), .wake_ms = -1, .ended = ended, .ctx = ctx};
	if (w->epoll_fd < 0 || !w->multi) {
		err_set(err, ERR_FATAL, "libcurl's transfers: %s", w->epoll_fd < 0 ? strerror(errno) : "libcurl has no memory");
		wire_free(w);
		return NULL;
	}
	curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
	curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
	curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
	return w;
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	if (w->multi)
		curl_multi_cleanup(w->multi);
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	free(w);
}

int wire_begin(struct wire *w, CURL *transfer, struct err *err)
{
	CURLMcode code = curl_multi_add_handle(w->multi, transfer);

	return code == CURLM_OK ? 0 : err_set(err, ERR_RETRY, "begin a request: %s", curl_multi_strerror(code));
}

int wire_begin_kept(struct wire *w, CURL *transfer, struct err *err)
{
	curl_easy_setopt(transfer, CURLOPT_PRIVATE, w);
	return wire_begin(w, transfer, err);
}

void wire_watch(struct wire *w, int fd, bool writing)
{
	struct epoll_event e = {.data.fd = fd, .events = EPOLLIN | (writing ? EPOLLOUT : 0U)};

	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 && errno == EEXIST)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, fd, &e);
}

void wire_cut(struct wire *w, CURL *transfer)
{
	curl_multi_remove_handle(w->multi, transfer);
}

int wire_fd(const struct wire *w)
{
	return w->epoll_fd;
}

int wire_timeout_ms(const struct wire *w)
{
	int64_t ms = w->wake_ms < 0 ? -1 : w->wake_ms - clock_mono_ms();

	if (w->wake_ms < 0)
		return -1;
	return ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* What does not fit into one turn is ready again at the next. */
static void hear_sockets(struct wire *w)
{
	struct epoll_event events[EVENTS_A_TURN];
	int running, n = epoll_wait(w->epoll_fd, events, EVENTS_A_TURN, 0);

	for (int i = 0; i < n; i++) {
		int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

		curl_multi_socket_action(w->multi, events[i].data.fd, what, &running);
	}
}

/* The timer is off before libcurl is called, as the call may set the next. */
void wire_turn(struct wire *w)
{
	CURLMsg *msg;
	int running;

	hear_sockets(w);
	if (w->wake_ms >= 0 && w->wake_ms <= clock_mono_ms()) {
		w->wake_ms = -1;
		curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	while ((msg = curl_multi_info_read(w->multi, &running))) {
		CURL *transfer = msg->easy_handle;
		CURLcode code = msg->data.result;
		void *kept = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(transfer, CURLINFO_PRIVATE, &kept);
		if (!kept)
			curl_multi_remove_handle(w->multi, transfer); /* msg is gone with it */
		w->ended(w->ctx, transfer, code);
	}
}
