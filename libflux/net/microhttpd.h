/* libmicrohttpd, loaded at its first use (core/lazy.h): fx_mhd()->stop_daemon() is MHD_stop_daemon(). */
#ifndef FX_NET_MICROHTTPD_H
#define FX_NET_MICROHTTPD_H

#include "core/lazy.h"

#include <microhttpd.h>

/* clang-format off */
#define FX_MHD_FUNCTIONS(X) \
	X(MHD_, add_response_header) X(MHD_, create_response_from_buffer) \
	X(MHD_, create_response_from_callback) X(MHD_, create_response_from_fd_at_offset64) X(MHD_, destroy_response) X(MHD_, get_connection_info) \
	X(MHD_, lookup_connection_value) X(MHD_, queue_response) X(MHD_, quiesce_daemon) \
	X(MHD_, resume_connection) X(MHD_, start_daemon) X(MHD_, stop_daemon) X(MHD_, suspend_connection)
/* clang-format on */

FX_LAZY_TABLE(fx_mhd, FX_MHD_FUNCTIONS);

#endif
