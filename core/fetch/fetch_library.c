/* SPDX-License-Identifier: MIT */
/* core/fetch/fetch_library.c - libcurl, opened by name when it is first needed.
 * Linked into the relay it would bring 30 libraries, 4 MB resident and 0.7 MB
 * of them its own, to every relay, most of which never ask anybody. It stays
 * once it is there: threads of its resolver may run in it to the end. */
#include <dlfcn.h>
#include <stdio.h>
#include "core/fetch/fetch.h"
#include "core/fetch/fetch_curl.h"
#include "core/fetch/fetch_private.h"

#define LIBRARY "libcurl.so.4"

static struct hd_curl curl;

static const struct {
	const char *name;
	size_t at;
} functions[] = {
#define FUNCTION(name) { "curl_" #name, offsetof(struct hd_curl, name) },
	HD_CURL_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static const char *open_library(void)
{
	static char why[300];
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	for (size_t i = 0; handle != NULL && i < HD_ARRAY_N(functions); i++) {
		void *fn = dlsym(handle, functions[i].name);

		if (fn == NULL)
			handle = NULL;
		else
			*(void **)((char *)&curl + functions[i].at) = fn;
	}
	if (handle == NULL) {
		snprintf(why, sizeof(why), "no %s: %s; install libcurl4",
			 LIBRARY, dlerror());
		return why;
	}
	if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return LIBRARY " does not start";
	return NULL;
}

const struct hd_curl *hd_curl_load(const char **ret_why)
{
	static bool tried;
	static const char *why;

	if (!tried)
		why = open_library();
	tried = true;
	*ret_why = why;
	return why == NULL ? &curl : NULL;
}

const char *hd_fetch_library(void)
{
	static char text[80];
	const char *why;
	const struct hd_curl *c = hd_curl_load(&why);

	if (c == NULL)
		return why;
	const curl_version_info_data *v = c->version_info(CURLVERSION_NOW);

	snprintf(text, sizeof(text), "%s, %s", v->version,
		 v->ssl_version != NULL ? v->ssl_version : "without TLS");
	return text;
}
