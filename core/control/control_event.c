/* SPDX-License-Identifier: MIT */
/* core/control/control_event.c - from any thread to everybody who watches. The
 * way to the main thread is bounded; what does not fit is lost, and counted.
 * While nobody watches, no event comes here: core/base/event.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/base/clock.h"
#include "core/base/event.h"
#include "core/control/control.h"

enum {
	DRAIN_MS = 5000, /* at the end, for all together */
	DRAIN_STALL_MS = 1000, /* of that, while nobody takes a byte */
};

struct event {
	struct hd_main_post post;
	size_t len;
	const char *name; /* in text */
	char text[]; /* the line; then the name */
};

static unsigned watchers;
static unsigned waiting; /* atomic */
static uint64_t lost; /* atomic */

uint64_t hd_events_lost(void)
{
	return __atomic_load_n(&lost, __ATOMIC_RELAXED);
}

/* "peer" takes peer.up and peer.down; "peer.up" only that. */
static bool takes(const struct hd_client *c, const char *name)
{
	if (c->filters[0] == NULL)
		return true;
	for (unsigned i = 0;
	     i < HD_CONTROL_FILTERS_MAX && c->filters[i] != NULL; i++) {
		size_t n = strlen(c->filters[i]);

		if (strncmp(name, c->filters[i], n) == 0 &&
		    (name[n] == '\0' || name[n] == '.'))
			return true;
	}
	return false;
}

static bool offer(struct hd_client *c, void *event)
{
	const struct event *e = event;

	if (!c->watching || c->broken || !takes(c, e->name))
		return false;
	if (c->out.len - c->out_off > HD_CONTROL_WAITING_MAX_BYTES)
		c->broken = true; /* it does not read */
	else
		hd_client_send(c, e->text, e->len);
	return true;
}

static void deliver(struct hd_main_post *post)
{
	struct event *e = hd_container_of(post, struct event, post);

	__atomic_sub_fetch(&waiting, 1, __ATOMIC_RELAXED);
	hd_clients_each(offer, e);
	free(e);
}

static struct event *event_new(const char *name, const char *json)
{
	struct timespec now;
	size_t size = strlen(name) * 2 + strlen(json) + 80;
	struct event *e = malloc(sizeof(*e) + size);

	if (e == NULL)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	int n = snprintf(e->text, size,
			 "{\"event\":\"%s\",\"time\":%lld.%03ld,\"data\":%s}\n",
			 name, (long long)now.tv_sec, now.tv_nsec / 1000000,
			 json);

	hd_assert(n > 0 && (size_t)n + strlen(name) + 1 < size);
	e->len = (size_t)n;
	e->name = strcpy(e->text + n + 1, name);
	e->post.fn = deliver;
	return e;
}

/* Any thread. */
static void send_event(const char *name, const char *json)
{
	struct event *e = NULL;

	if (__atomic_add_fetch(&waiting, 1, __ATOMIC_RELAXED) <=
	    HD_CONTROL_EVENTS_MAX)
		e = event_new(name, json);
	if (e != NULL) {
		hd_main_post(&e->post);
		return;
	}
	__atomic_sub_fetch(&waiting, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&lost, 1, __ATOMIC_RELAXED);
}

/* The last line that answers or tells: what has no answer before it has not
 * begun, and what came meanwhile is answered behind it. */
static bool say_goodbye(struct hd_client *c, void *event)
{
	const struct event *e = event;

	hd_client_interrupt(c);
	if (e != NULL)
		hd_client_send(c, e->text, e->len);
	hd_client_receive(c);
	return true;
}

/* It is offered what waits for it, and what it says is answered. */
static bool push(struct hd_client *c, void *left)
{
	size_t n = c->out.len - c->out_off;

	*(size_t *)left += n;
	if (n > 0)
		hd_client_receive(c);
	return n > 0;
}

/* There may be answers of megabytes, and readers who have stopped. */
static void drain(void)
{
	const struct timespec step = { .tv_nsec = 1000000 };
	uint64_t began_ms = hd_clock_ms(), moved_ms = began_ms, now_ms;
	size_t before = 0, left;

	do {
		left = 0;
		hd_clients_each(push, &left);
		now_ms = hd_clock_ms();
		if (left != before)
			moved_ms = now_ms;
		before = left;
		if (left > 0)
			nanosleep(&step, NULL);
	} while (left > 0 && now_ms - moved_ms < DRAIN_STALL_MS &&
		 now_ms - began_ms < DRAIN_MS);
}

void hd_control_replaced(pid_t pid)
{
	char data[32];

	snprintf(data, sizeof(data), "{\"pid\":%d}", (int)pid);
	struct event *e = event_new("upgraded", data);

	hd_requests_refuse();
	hd_clients_deaf(false);
	hd_clients_each(say_goodbye, e);
	free(e);
	drain();
}

static void clear_filters(struct hd_client *c)
{
	for (unsigned i = 0; i < HD_CONTROL_FILTERS_MAX; i++) {
		free(c->filters[i]);
		c->filters[i] = NULL;
	}
}

void hd_watch_begin(struct hd_client *c, const char *filters)
{
	unsigned n = 0;

	clear_filters(c);
	while (filters != NULL && *filters != '\0' &&
	       n < HD_CONTROL_FILTERS_MAX) {
		size_t len = strcspn(filters, " ");

		c->filters[n] = len > 0 ? strndup(filters, len) : NULL;
		n += c->filters[n] != NULL;
		filters += len + (filters[len] == ' ');
	}
	if (!c->watching && watchers++ == 0)
		hd_events_to(send_event);
	c->watching = true;
}

void hd_watch_end(struct hd_client *c)
{
	clear_filters(c);
	if (c->watching && --watchers == 0)
		hd_events_to(NULL);
	c->watching = false;
}
