/* SPDX-License-Identifier: MIT */
/* t/unit/hdcat_lookup.c - look-ups of names by a resolver that is slow: those
 * that wait cost nothing when nobody wants to know any more, the others have
 * their turn. */
#include "tools/hdcat/lookup.h"
#include "t/unit/unit.h"
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>

#define THREADS 32
#define GONE 100
#define WAIT_MS 60000

static sem_t begun, may_end;

/* In place of libc's. */
int getaddrinfo(const char *host, const char *port,
		const struct addrinfo *hints, struct addrinfo **ret)
{
	(void)port, (void)hints, (void)ret;
	sem_post(&begun);
	sem_wait(&may_end);
	return strcmp(host, "last") == 0 ? EAI_NONAME : EAI_AGAIN;
}

static struct lookup *begin(const char *host)
{
	struct lookup *l;

	assert_int_equal(lookup_begin(host, "1", &l), 0);
	return l;
}

static int result(struct lookup *l)
{
	struct pollfd p = { .fd = lookup_fd(l), .events = POLLIN };
	struct addrinfo *found;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	return lookup_take(l, &found);
}

static void who_has_left_is_not_looked_up(void **state)
{
	struct lookup *v[THREADS], *first, *l, *last;
	int fd;

	(void)state;
	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	for (unsigned i = 0; i < THREADS; i++)
		v[i] = begin("slow");
	for (unsigned i = 0; i < THREADS; i++)
		sem_wait(&begun);
	first = begin("first");
	l = begin("x");
	fd = lookup_fd(l);
	lookup_free(&l);
	for (unsigned i = 0; i < GONE; i++) {
		l = begin("x");
		assert_int_equal(lookup_fd(l), fd); /* it was free again */
		lookup_free(&l);
	}
	last = begin("last");
	lookup_free(&first);
	for (unsigned i = 0; i <= THREADS; i++)
		sem_post(&may_end);
	assert_int_equal(result(last), EAI_NONAME);
	lookup_free(&last);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(result(v[i]), EAI_AGAIN);
		lookup_free(&v[i]);
	}
	sem_wait(&begun); /* of the last one, and of none besides */
	assert_int_equal(sem_trywait(&begun), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_left_is_not_looked_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
