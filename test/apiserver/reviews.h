/*
 * Requests that are answered from themselves: reviews of tokens and access, and tokens of service accounts.
 */
#ifndef FX_TEST_APISERVER_REVIEWS_H
#define FX_TEST_APISERVER_REVIEWS_H

#include "rest.h"

/* True when the request is one of these; *out is then the answer (new reference). */
bool fx_as_review(struct fx_as *as, const struct fx_as_op *op, const json_t *body, json_t **out);

#endif
