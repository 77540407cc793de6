#include "data/crypto.h"

FX_LAZY_DEFINE(fx_crypto, "libcrypto.so.3", FX_CRYPTO_FUNCTIONS)
