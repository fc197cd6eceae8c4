/* SPDX-License-Identifier: MIT */
/* hyper-derp/mainloop.h - the main thread: timers, and descriptors of a
 * module's own (inotify, netlink, a library's socket). It also runs load(),
 * unload() and commands. What must not hold up packets belongs here; work for a
 * worker goes there by hd_post().
 *
 * Context: the main thread, all of it. A callback must not block: signals and
 * the control socket wait for it.
 *
 * Both are owned by the module. The core ends them when it is unloaded, also
 * when load() fails, and at a reload: before unload() of the old code is called
 * none of them fires any more, and load() of the new code makes them anew. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_main_timer - one timer. hd_main_timer_fn - what it calls. */
struct hd_main_timer;
typedef void hd_main_timer_fn(struct hd_module *mod, void *arg);

/* hd_main_timer_new - returns NULL when out of memory.
 * hd_main_timer_set - run once in delay_ms; 0 cancels. Replaces an earlier
 * time. Cannot fail.
 * hd_main_timer_free - also in its own callback, and in unload(). */
HD_API struct hd_main_timer *hd_main_timer_new(struct hd_module *mod,
					       hd_main_timer_fn *fn, void *arg);
HD_API void hd_main_timer_set(struct hd_main_timer *timer, uint32_t delay_ms);
HD_API void hd_main_timer_free(struct hd_main_timer **timer);

/* hd_watch - call fn as long as fd can be read or written.
 * @fd      stays the module's: hd_unwatch() it before it is closed, and close
 *          it in unload() at the latest
 * @events  HD_WATCH_READ, HD_WATCH_WRITE or both; again for the same fd: others
 * An error and a hang-up are told as what was asked for: the next read or write
 * says which.
 * Returns 0; -EINVAL neither was asked for; -EBUSY somebody else watches it;
 * -EPERM it cannot be waited for (a regular file); -EBADF; -ENOMEM. */
enum hd_watch_event { HD_WATCH_READ = 1, HD_WATCH_WRITE = 2 };
typedef void hd_watch_fn(struct hd_module *mod, int fd, unsigned events,
			 void *arg);
HD_API int hd_watch(struct hd_module *mod, int fd, unsigned events,
		    hd_watch_fn *fn, void *arg);
/* hd_unwatch - fn is not called any more. Nothing happens for an fd that the
 * module does not watch. */
HD_API void hd_unwatch(struct hd_module *mod, int fd);

#ifdef __cplusplus
}
#endif
