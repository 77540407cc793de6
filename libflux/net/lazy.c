#include "net/curl.h"
#include "net/microhttpd.h"

FX_LAZY_DEFINE(fx_curl, "libcurl.so.4", FX_CURL_FUNCTIONS)
FX_LAZY_DEFINE(fx_mhd, "libmicrohttpd.so.12", FX_MHD_FUNCTIONS)
