/* SPDX-License-Identifier: MIT */
/* tools/hdcat/departure.c - a file of ours, from its offer until it is over:
 * see outflow.h. */
#include "tools/hdcat/outflow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct departure *at(struct outflow *f, uint32_t number)
{
	return &f->ring[number % OFFERS_MAX];
}

static void fd_close(struct outflow *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void item_over(struct outflow *f, struct item *item)
{
	item->over = true;
	f->bytes_over += item->size;
}

static void item_failed(struct outflow *f, struct item *item, const char *why)
{
	char name[SHOWN_BYTES];

	item_over(f, item);
	f->failed++;
	warn(f->c, "%s: %s", shown(item->path, strlen(item->path), name), why);
}

void departures_reset(struct outflow *f)
{
	fd_close(f);
	f->done = f->turn = f->offered = 0;
	f->next = 0;
	f->bye = f->answered = false;
	f->in.at = f->in.n = f->out.at = f->out.n = 0;
	f->line = (struct line){ 0 };
}

/* ---- offers ---- */

static void offer_make(const struct item *item, const struct stat *st,
		       struct offer *ret)
{
	*ret = (struct offer){
		.is_dir = item->is_dir,
		.mode = st->st_mode & 0777,
		.mtime_s = st->st_mtim.tv_sec,
		.mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
		.size = item->is_dir ? 0 : (uint64_t)st->st_size,
		.name = item->path + item->name_at,
	};
}

static void offer(struct outflow *f, struct item *item)
{
	struct departure *d = at(f, f->offered);
	struct stat st;

	if (fstatat(AT_FDCWD, item->path, &st,
		    item->named ? 0 : AT_SYMLINK_NOFOLLOW) < 0) {
		item_failed(f, item, strerror(errno));
		return;
	}
	if (item->is_dir ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)) {
		item_failed(f, item, "it is something else now");
		return;
	}
	*d = (struct departure){ .item = item };
	offer_make(item, &st, &d->o);
	record_offer(&f->out, &d->o);
	f->offered++;
}

void departures_offer(struct outflow *f)
{
	for (; f->next < f->items.n && records_room(&f->out) &&
	       f->offered - f->done < OFFERS_MAX;
	     f->next++)
		if (!f->items.v[f->next].over)
			offer(f, &f->items.v[f->next]);
}

/* ---- turns ---- */

static void over(struct outflow *f, struct departure *d)
{
	d->state = DEPARTURE_OVER;
	while (f->done < f->turn && at(f, f->done)->state == DEPARTURE_OVER)
		f->done++;
}

static void turn_over(struct outflow *f)
{
	fd_close(f);
	f->turn++;
	while (f->done < f->turn && at(f, f->done)->state == DEPARTURE_OVER)
		f->done++;
}

static int drop(struct outflow *f, struct departure *d, const char *why)
{
	record_text(&f->out, RECORD_DROP, why);
	item_failed(f, d->item, why);
	d->state = DEPARTURE_OVER;
	turn_over(f);
	return 1;
}

static bool is_as_offered(const struct outflow *f, const struct departure *d)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == d->o.size &&
	       st.st_mtim.tv_sec == d->o.mtime_s &&
	       st.st_mtim.tv_nsec == d->o.mtime_ns;
}

#define CHANGED "it has changed meanwhile: send it again"

static int begin(struct outflow *f, struct departure *d)
{
	f->fd = open(d->item->path,
		     O_RDONLY | O_NONBLOCK | O_CLOEXEC |
			     (d->item->named ? 0 : O_NOFOLLOW));
	if (f->fd < 0)
		return drop(f, d, strerror(errno));
	if (!is_as_offered(f, d))
		return drop(f, d, CHANGED);
	(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	sum_reset(f->sum);
	d->state = DEPARTURE_CHECKING;
	return 1;
}

static int sent(struct outflow *f, struct departure *d)
{
	sum_get(f->sum, d->hash);
	d->state = DEPARTURE_SENT;
	turn_over(f);
	return 1;
}

/* What the other end has is in the sum, as we have it. */
static int checked(struct outflow *f, struct departure *d)
{
	const struct want *w = &d->want;
	bool whole = (w->flags & WANT_WHOLE) != 0;
	uint8_t hash[HASH_BYTES];

	sum_get(f->sum, hash);
	if (memcmp(hash, w->hash, sizeof(hash)) == 0) {
		if (whole) {
			record_put(&f->out, RECORD_SKIP, NULL, 0);
			return sent(f, d);
		}
	} else if (whole && (w->flags & WANT_MAY_REPLACE) == 0) {
		return drop(f, d, "is there already, and is different");
	} else {
		sum_reset(f->sum);
	}
	record_go(&f->out, f->sum->n);
	d->state = DEPARTURE_SENDING;
	return 1;
}

static int check(struct outflow *f, struct departure *d)
{
	int r = sum_file(f->sum, f->fd, d->want.offset);

	if (r < 0)
		return drop(f, d, r == -ENODATA ? CHANGED : strerror(-r));
	return r > 0 ? checked(f, d) : 1;
}

static int end(struct outflow *f, struct departure *d)
{
	uint8_t hash[HASH_BYTES];

	if (!is_as_offered(f, d))
		return drop(f, d, CHANGED);
	sum_get(f->sum, hash);
	record_put(&f->out, RECORD_END, hash, sizeof(hash));
	return sent(f, d);
}

static int send_some(struct outflow *f, struct departure *d)
{
	uint64_t left = d->o.size - f->sum->n;
	uint8_t *p = record_data_at(&f->out);
	ssize_t n;

	if (left == 0)
		return end(f, d);
	if (!is_as_offered(f, d)) /* now, not after all the rest */
		return drop(f, d, CHANGED);
	n = pread(f->fd, p,
		  left < RECORD_BODY_BYTES ? (size_t)left : RECORD_BODY_BYTES,
		  (off_t)f->sum->n);
	if (n < 0 && errno == EINTR)
		return 1;
	if (n <= 0)
		return drop(f, d, n == 0 ? CHANGED : strerror(errno));
	sum_add(f->sum, p, (size_t)n);
	record_data(&f->out, (size_t)n);
	return 1;
}

static int bye(struct outflow *f)
{
	if (f->bye || f->next < f->items.n || f->done < f->offered)
		return 0;
	record_put(&f->out, RECORD_BYE, NULL, 0);
	f->bye = true;
	return 1;
}

int departure_turn(struct outflow *f)
{
	struct departure *d = at(f, f->turn);

	if (!records_room(&f->out))
		return 0;
	if (f->turn == f->offered)
		return bye(f);
	switch (d->state) {
	case DEPARTURE_OFFERED:
		if (!d->o.is_dir)
			return 0;
		d->state = DEPARTURE_SENT; /* its turn comes by itself */
		turn_over(f);
		return 1;
	case DEPARTURE_WANTED:
		return begin(f, d);
	case DEPARTURE_CHECKING:
		return check(f, d);
	case DEPARTURE_SENDING:
		return send_some(f, d);
	case DEPARTURE_SENT:
	case DEPARTURE_OVER:
		break;
	}
	turn_over(f);
	return 1;
}

/* ---- answers ---- */

static int wanted(struct departure *d, const struct record *r)
{
	if (want_parse(r, &d->want) < 0 || d->state != DEPARTURE_OFFERED ||
	    d->o.is_dir || d->want.offset > d->o.size)
		return -EPROTO;
	if ((d->want.flags & WANT_WHOLE) != 0 && d->want.offset != d->o.size)
		return -EPROTO;
	d->state = DEPARTURE_WANTED;
	return 0;
}

static bool has_turn(const struct departure *d)
{
	return d->state == DEPARTURE_CHECKING || d->state == DEPARTURE_SENDING;
}

/* It may come in the middle: then what is sent of it goes nowhere. */
static int refused(struct outflow *f, struct departure *d,
		   const struct record *r)
{
	char why[SHOWN_BYTES];

	if (d->state == DEPARTURE_OVER)
		return 0; /* we have left it, too */
	item_failed(f, d->item,
		    shown((const char *)r->body + 4, r->n - 4, why));
	if (has_turn(d)) {
		record_text(&f->out, RECORD_DROP, "");
		d->state = DEPARTURE_OVER;
		turn_over(f);
		return 0;
	}
	over(f, d);
	return 0;
}

/* A directory's may come with the answer that brings its turn. */
static bool awaits_done(const struct departure *d)
{
	return d->state == DEPARTURE_SENT ||
	       (d->o.is_dir && d->state == DEPARTURE_OFFERED);
}

static int done(struct outflow *f, struct departure *d, const struct record *r)
{
	if (!awaits_done(d))
		return -EPROTO;
	if (!d->o.is_dir && memcmp(r->body + 4, d->hash, HASH_BYTES) != 0) {
		item_failed(f, d->item, "its checksum differs over there");
	} else {
		item_over(f, d->item);
		f->files += !d->o.is_dir;
	}
	over(f, d);
	return 0;
}

int departure_answer(struct outflow *f, const struct record *r)
{
	uint32_t number = record_number(r);
	struct departure *d = at(f, number);

	if (r->type == RECORD_REFUSED && number < f->done)
		return 0; /* it has crossed our DROP */
	if (number < f->done || number >= f->offered)
		return -EPROTO;
	if (r->type == RECORD_WANT)
		return wanted(d, r);
	if (r->type == RECORD_REFUSED)
		return refused(f, d, r);
	return done(f, d, r);
}
