/* SPDX-License-Identifier: MIT */
/* modules/hd/people.c - see people.h. */
#include "modules/hd/people.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct hdp_people people;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct hdp_people *hdp_people(void)
{
	pthread_mutex_lock(&lock);
	return &people;
}

void hdp_people_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void hdp_people_clear(void)
{
	struct hdp_people *p = hdp_people();

	for (size_t i = 0; i < p->n_waiting; i++)
		hd_admit_answer(&p->waiting[i].ticket, HD_VERDICT_PENDING,
				NULL);
	free(p->person);
	free(p->invite);
	memset(p, 0, sizeof(*p));
	hdp_people_unlock();
}

/* Room for one more. */
static int room(void **v, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap == 0 ? 16 : 2 * *cap;
	void *grown;

	if (n < *cap)
		return 0;
	grown = reallocarray(*v, more, size);
	if (grown == NULL)
		return -ENOMEM;
	*v = grown;
	*cap = more;
	return 0;
}

/* ---- who has been let in, or put out ---- */

/* Returns the place of the first that is not less. */
static size_t place_of(const struct hdp_people *p, const struct hd_key *address)
{
	size_t lo = 0, hi = p->n_persons;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (memcmp(&p->person[mid].address, address, HD_KEY_BYTES) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct hdp_person *hdp_person_find(struct hdp_people *p,
				   const struct hd_key *address)
{
	size_t at = place_of(p, address);

	return at < p->n_persons && memcmp(&p->person[at].address, address,
					   HD_KEY_BYTES) == 0
		       ? &p->person[at]
		       : NULL;
}

int hdp_person_set(struct hdp_people *p, const struct hdp_person *person)
{
	struct hdp_person *old = hdp_person_find(p, &person->address);
	size_t at = place_of(p, &person->address);
	int r;

	if (old != NULL) {
		*old = *person;
		return 0;
	}
	r = room((void **)&p->person, p->n_persons, &p->persons_cap,
		 sizeof(*p->person));
	if (r < 0)
		return r;
	memmove(p->person + at + 1, p->person + at,
		(p->n_persons++ - at) * sizeof(*p->person));
	p->person[at] = *person;
	return 0;
}

void hdp_person_remove(struct hdp_people *p, struct hdp_person *person)
{
	size_t at = (size_t)(person - p->person);

	memmove(person, person + 1, (--p->n_persons - at) * sizeof(*person));
}

/* ---- who is invited ---- */

struct hdp_invite *hdp_invite_find(struct hdp_people *p, const uint8_t *id)
{
	for (size_t i = 0; i < p->n_invites; i++)
		if (memcmp(p->invite[i].id, id, sizeof(p->invite[i].id)) == 0)
			return &p->invite[i];
	return NULL;
}

int hdp_invite_add(struct hdp_people *p, const struct hdp_invite *invite)
{
	int r;

	if (p->n_invites >= HDP_INVITES_MAX)
		return -ENOSPC;
	r = room((void **)&p->invite, p->n_invites, &p->invites_cap,
		 sizeof(*p->invite));
	if (r == 0)
		p->invite[p->n_invites++] = *invite;
	return r;
}

void hdp_invite_remove(struct hdp_people *p, struct hdp_invite *invite)
{
	size_t at = (size_t)(invite - p->invite);

	memmove(invite, invite + 1, (--p->n_invites - at) * sizeof(*invite));
}
