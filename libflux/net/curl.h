/* libcurl, loaded at its first use (core/lazy.h): fx_curl()->easy_init() is curl_easy_init(). */
#ifndef FX_NET_CURL_H
#define FX_NET_CURL_H

#include "core/lazy.h"

#include <curl/curl.h>

/* clang-format off */
#define FX_CURL_FUNCTIONS(X) \
	X(curl_, easy_cleanup) X(curl_, easy_getinfo) X(curl_, easy_init) X(curl_, easy_pause) \
	X(curl_, easy_reset) X(curl_, easy_setopt) X(curl_, easy_strerror) X(curl_, free) X(curl_, getdate) \
	X(curl_, global_init) X(curl_, multi_add_handle) X(curl_, multi_assign) X(curl_, multi_cleanup) \
	X(curl_, multi_info_read) X(curl_, multi_init) X(curl_, multi_remove_handle) X(curl_, multi_setopt) \
	X(curl_, multi_socket_action) X(curl_, multi_strerror) X(curl_, url) X(curl_, url_cleanup) \
	X(curl_, url_get) X(curl_, url_set) X(curl_, url_strerror)
/* clang-format on */

FX_LAZY_TABLE(fx_curl, FX_CURL_FUNCTIONS);

#endif
