/*
 * Credentials of a Git remote: what a Secret holds and what the URL itself carries. Pure. Values
 * never appear in an error.
 *
 * Source: source-controller reference, sections 5.1 and 6.2.
 */
#ifndef FX_SOURCE_GIT_AUTH_H
#define FX_SOURCE_GIT_AUTH_H

#include "kube/secret.h"
#include "net/url.h"

/* secret: NULL when there is none. bearerToken beats username and password of the Secret; the URL
 * fills in what the Secret leaves out. FX_E_INVALID with Flux's texts for what does not go
 * together. Release out with fx_secret_auth_release(), also after an error. */
int fx_git_auth_read(const json_t *secret, const struct fx_url *url, struct fx_secret_auth *out,
        struct fx_error *err) fx_must_use;

/* True for a Secret with the data of a GitHub App. */
bool fx_git_auth_is_github_app(const json_t *secret);

#endif
