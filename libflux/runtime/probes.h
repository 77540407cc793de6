/*
 * The two HTTP servers that every controller has: metrics (`--metrics-addr`, /metrics) and
 * probes (`--health-addr`, /healthz and /readyz with one check named `ping`). Neither depends
 * on leadership.
 *
 * Source: runtime reference, sections 8 and 9.
 */
#ifndef FX_RUNTIME_PROBES_H
#define FX_RUNTIME_PROBES_H

#include "net/server.h"
#include "runtime/metrics.h"

/* Starts the metrics server on address; metrics is borrowed for its life. */
int fx_metrics_server_new(const char *address, struct fx_metrics *metrics, struct fx_server **out,
        struct fx_error *err) fx_must_use;

/* Starts the probe server on address. */
int fx_probe_server_new(const char *address, struct fx_server **out, struct fx_error *err) fx_must_use;

#endif
