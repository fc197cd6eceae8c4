/* SPDX-License-Identifier: MIT */
/* core/base/secret.c - memory for keys that live as long as the relay: locked,
 * left out of core dumps and of children, wiped before it is given back. Keys
 * of connections are not here: core/base/slab.c. */
#include "core/base/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <hyper-derp/module.h>
#include <hyper-derp/secret.h>
#include <hyper-derp/whole.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_FILE_MAX_BYTES 65536

struct head { /* in the first bytes of the mapping */
	size_t size;
	max_align_t data[];
};

/* It works without, but then it is not what the manual promises: said once. */
static void lock(void *at, size_t size)
{
	static bool warned;

	if (mlock(at, size) == 0 ||
	    __atomic_exchange_n(&warned, true, __ATOMIC_RELAXED))
		return;
	hd_log_warn("a key's memory cannot be locked, the kernel may swap it "
		    "out: %m (raise LimitMEMLOCK or ulimit -l)");
}

void *hd_secret_alloc(size_t len_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size =
		(sizeof(struct head) + len_bytes + page - 1) / page * page;
	struct head *head;

	if (size < len_bytes)
		return NULL;
	head = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (head == MAP_FAILED)
		return NULL;
	lock(head, size);
	(void)madvise(head, size, MADV_DONTDUMP);
	(void)madvise(head, size, MADV_WIPEONFORK);
	head->size = size;
	return head->data;
}

void hd_secret_free(void *secret)
{
	struct head *head;
	size_t size;

	if (secret == NULL)
		return;
	head = hd_container_of(secret, struct head, data);
	size = head->size;
	explicit_bzero(head, size);
	munmap(head, size);
}

void hd_secret_shrink(void *secret, size_t len_bytes)
{
	struct head *head = hd_container_of(secret, struct head, data);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t keep = (sizeof(*head) + len_bytes + page - 1) / page * page;
	uint8_t *rest = (uint8_t *)head + keep;

	if (keep >= head->size)
		return;
	explicit_bzero(rest, head->size - keep);
	munmap(rest, head->size - keep);
	head->size = keep;
}

void hd_process_protect(bool core_dumps)
{
	struct rlimit limit;

	/* A change of user has turned it off: 1 is no default by then. */
	(void)prctl(PR_SET_DUMPABLE, core_dumps ? 1 : 0);
	if (core_dumps || getrlimit(RLIMIT_CORE, &limit) < 0)
		return;
	limit.rlim_cur = 0;
	(void)setrlimit(RLIMIT_CORE, &limit);
}

/* Returns its bytes, fewer than SECRET_FILE_MAX_BYTES. */
static ssize_t read_secret(const char *path, uint8_t *buf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t r;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else
		r = hd_read_whole(fd, buf, SECRET_FILE_MAX_BYTES);
	close(fd);
	return r == SECRET_FILE_MAX_BYTES ? -EFBIG : r;
}

int hd_secret_read(const char *path, struct hd_secret *ret,
		   struct hd_error *err)
{
	uint8_t *buf = hd_secret_alloc(SECRET_FILE_MAX_BYTES);
	ssize_t n = buf == NULL ? -ENOMEM : read_secret(path, buf);

	while (n > 0 && strchr(" \t\r\n", buf[n - 1]) != NULL)
		n--;
	if (n <= 0) {
		int r = n == 0 ? -ENODATA : (int)n;

		hd_secret_free(buf);
		return hd_error_set(err, r, "cannot read the secret in %s: %s",
				    path,
				    r == -ENODATA  ? "the file is empty"
				    : r == -EINVAL ? "it is not a regular file"
						   : strerror(-r));
	}
	ret->v = buf;
	ret->len_bytes = (size_t)n;
	return 0;
}
