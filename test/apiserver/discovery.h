/*
 * Discovery, legacy and aggregated, and the OpenAPI documents. Called with the server's lock held; results
 * are new references.
 */
#ifndef FX_TEST_APISERVER_DISCOVERY_H
#define FX_TEST_APISERVER_DISCOVERY_H

#include "state.h"

/* /api and /apis. */
json_t *fx_as_discovery_versions(const struct fx_as *as);
json_t *fx_as_discovery_groups(const struct fx_as *as);
/* The same, aggregated (apidiscovery.k8s.io/v2); core: /api, else /apis. */
json_t *fx_as_discovery_aggregated(const struct fx_as *as, bool core);
/* /apis/GROUP; NULL when there is none. */
json_t *fx_as_discovery_group(const struct fx_as *as, const char *group);
/* /api/v1 and /apis/GROUP/VERSION; NULL when there is none. */
json_t *fx_as_discovery_resources(const struct fx_as *as, const char *group, const char *version);

/* /openapi/v3: where the documents are. */
json_t *fx_as_openapi_index(const struct fx_as *as);
/* The document of one group and version; NULL when there is none. */
json_t *fx_as_openapi_document(const struct fx_as *as, const char *group, const char *version);

#endif
