/* SPDX-License-Identifier: MIT */
/* core/fetch/fetch_curl.h - the functions of libcurl that are looked up. */
#pragma once
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#define HD_CURL_FUNCTIONS(X)                                                   \
	X(easy_cleanup)                                                        \
	X(easy_getinfo)                                                        \
	X(easy_init)                                                           \
	X(easy_setopt)                                                         \
	X(easy_strerror)                                                       \
	X(global_init)                                                         \
	X(multi_add_handle)                                                    \
	X(multi_cleanup)                                                       \
	X(multi_info_read)                                                     \
	X(multi_init)                                                          \
	X(multi_perform)                                                       \
	X(multi_poll)                                                          \
	X(multi_remove_handle)                                                 \
	X(slist_append)                                                        \
	X(slist_free_all)                                                      \
	X(version_info)

struct hd_curl {
#define HD_CURL_MEMBER(name) __typeof__(&curl_##name) name;
	HD_CURL_FUNCTIONS(HD_CURL_MEMBER)
#undef HD_CURL_MEMBER
};
