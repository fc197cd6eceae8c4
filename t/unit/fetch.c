/* SPDX-License-Identifier: MIT */
/* t/unit/fetch.c - which requests are taken, what is asked, and the
 * headers of an answer. The rest: t/system/fetch.t. */
#include <hyper-derp/fetch.h>
#include <errno.h>
#include <string.h>
#include "t/unit/unit.h"
#ifdef HAVE_CURL
#include "core/fetch/fetch_private.h"
enum { WHEN_GOOD = 0 };
#else
enum { WHEN_GOOD = -ENOSYS };
#endif

static const char pin[] =
	"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
static const char pins[] =
	"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;"
	"sha256//BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=";

#define TAKEN(...)                                                             \
	assert_int_equal(hd_fetch_check(&(struct hd_fetch_request){            \
						__VA_ARGS__ },                 \
					NULL),                                 \
			 WHEN_GOOD)
#define REFUSED(word, ...)                                                     \
	do {                                                                   \
		struct hd_error err_ = { "" };                                 \
		assert_int_equal(                                              \
			hd_fetch_check(&(struct hd_fetch_request){             \
					       __VA_ARGS__ },                  \
				       &err_),                                 \
			-EINVAL);                                              \
		assert_non_null(strstr(err_.text, word));                      \
	} while (0)

static void good_ones_are_taken(void **state)
{
	const char *const headers[] = { "Accept: */*", "X-Empty:", NULL };

	(void)state;
	TAKEN(.url = "http://x");
	TAKEN(.url = "HTTPS://x.example:8443/path?query#part");
	TAKEN(.url = "http://[2001:db8::1]:80/");
	TAKEN(.url = "http://unix:/run/x.sock");
	TAKEN(.url = "http://unix:/run/x.sock:/path?a=b:c");
	TAKEN(.url = "http://x", .via = "[2001:db8::1]:443");
	TAKEN(.url = "http://x", .via = "unix:/run/x.sock");
	TAKEN(.url = "http://x", .method = "DELETE");
	TAKEN(.url = "http://x", .headers = headers);
	TAKEN(.url = "http://x", .pin = pin);
	TAKEN(.url = "http://x", .pin = pins, .redirects = 20);
}

static void wrong_ones_are_refused(void **state)
{
	const char *const split[] = { "A: b\r\nC: d", NULL };
	const char *const nameless[] = { ": b", NULL };
	const char *const bare[] = { "Accept", NULL };
	const char *const spaced[] = { "A b: c", NULL };

	(void)state;
	REFUSED("not a URL", .url = NULL);
	REFUSED("not a URL", .url = "x.example");
	REFUSED("not a URL", .url = "file:///etc/passwd");
	REFUSED("no host", .url = "http://");
	REFUSED("no host", .url = "http:///x");
	REFUSED("no host", .url = "http://:80/x");
	REFUSED("spaces", .url = "http://x/\r\nHost: y");
	REFUSED("absolute", .url = "http://unix:x.sock:/");
	REFUSED("HOST:PORT", .url = "http://x", .via = "x");
	REFUSED("HOST:PORT", .url = "http://x", .via = "x:");
	REFUSED("HOST:PORT", .url = "http://x", .via = "x:http");
	REFUSED("HOST:PORT", .url = "http://x", .via = "unix:x");
	REFUSED("method", .url = "http://x", .method = "");
	REFUSED("method", .url = "http://x", .method = "GET /\r\n");
	REFUSED("header", .url = "http://x", .headers = split);
	REFUSED("header", .url = "http://x", .headers = nameless);
	REFUSED("header", .url = "http://x", .headers = bare);
	REFUSED("header", .url = "http://x", .headers = spaced);
	REFUSED("pin", .url = "http://x", .pin = "");
	REFUSED("pin", .url = "http://x", .pin = pin + 1);
	REFUSED("redirects", .url = "http://x", .redirects = 21);
	REFUSED("bytes", .url = "http://x", .answer_max_bytes = 65 << 20);
	REFUSED("no body", .url = "http://x", .body_len_bytes = 1);
}

/* A module that knows fewer fields: those behind are zero. */
static void older_requests_are_taken(void **state)
{
	struct hd_fetch_request r = { .url = "http://x", .pin = "junk" };

	(void)state;
	assert_int_equal(hd_fetch_check_sized(
				 &r, offsetof(struct hd_fetch_request, pin),
				 NULL),
			 WHEN_GOOD);
	assert_int_equal(hd_fetch_check_sized(&r, sizeof(r), NULL), -EINVAL);
}

#ifdef HAVE_CURL
/* ---- what is freed is wiped ---- */

void __real_free(void *p);
void __wrap_free(void *p);

static struct {
	const void *p[3];
	unsigned n, wiped;
} watched;

void __wrap_free(void *p)
{
	for (unsigned i = 0; p != NULL && i < watched.n; i++)
		watched.wiped += p == watched.p[i] && *(char *)p == '\0';
	__real_free(p);
}

static void secrets_are_wiped(void **state)
{
	static const char *const headers[] = { "Authorization: Bearer me",
					       NULL };
	const struct hd_fetch_request r = { .url = "http://me:secret@x/",
					    .headers = headers,
					    .body = "secret",
					    .body_len_bytes = 6 };
	struct hd_fetch_job job;

	(void)state;
	assert_int_equal(hd_fetch_job_make(&job, &r, sizeof(r), NULL), 0);
	watched.p[0] = job.url;
	watched.p[1] = job.headers[0];
	watched.p[2] = job.body;
	watched.n = 3;
	hd_fetch_job_free(&job);
	watched.n = 0;
	assert_int_equal(watched.wiped, 3);
}

/* ---- what is asked ---- */

static void who_is_asked(const char *url, const char *via, const char *host,
			 const char *asked)
{
	const struct hd_fetch_request r = { .url = url, .via = via };
	struct hd_fetch_job job;

	assert_int_equal(hd_fetch_job_make(&job, &r, sizeof(r), NULL), 0);
	assert_string_equal(job.host, host);
	assert_string_equal(job.url, asked);
	assert_string_equal(job.method, "GET");
	hd_fetch_job_free(&job);
}

static void servers_have_names(void **state)
{
	(void)state;
	who_is_asked("http://x:80/y?z", NULL, "x:80", "http://x:80/y?z");
	who_is_asked("https://me:secret@x/y", NULL, "x",
		     "https://me:secret@x/y");
	who_is_asked("http://x/", "192.0.2.1:443", "192.0.2.1:443",
		     "http://x/");
	who_is_asked("http://x/y", "unix:/run/s", "unix:/run/s", "http://x/y");
	who_is_asked("http://unix:/run/s:/y:z", NULL, "unix:/run/s",
		     "http://localhost/y:z");
	who_is_asked("https://unix:/run/s", NULL, "unix:/run/s",
		     "https://localhost/");
}

static void headers_are_found(void **state)
{
	const struct hd_fetched got = {
		.head = "HTTP/1.1 200 OK\r\nLink: <a>\r\nEmpty:\r\n"
			"Links: c\r\nlink:\t<b> \r\n\r\n",
	};
	size_t n;

	(void)state;
	assert_memory_equal(hd_fetched_header(&got, "link", 0, &n), "<a>", 3);
	assert_int_equal(n, 3);
	assert_memory_equal(hd_fetched_header(&got, "LINK", 1, &n), "<b>", 3);
	assert_null(hd_fetched_header(&got, "Link", 2, &n));
	assert_int_equal(n, 0);
	assert_non_null(hd_fetched_header(&got, "Empty", 0, &n));
	assert_int_equal(n, 0);
	assert_null(hd_fetched_header(&got, "Lin", 0, &n));
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_taken),
		cmocka_unit_test(wrong_ones_are_refused),
		cmocka_unit_test(older_requests_are_taken),
#ifdef HAVE_CURL
		cmocka_unit_test(secrets_are_wiped),
		cmocka_unit_test(servers_have_names),
		cmocka_unit_test(headers_are_found),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
