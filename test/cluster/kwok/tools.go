//go:build tools

// Package kwok pins the simulated kubelet of the test cluster, in a module of
// its own because it needs other versions of the Kubernetes libraries.
package kwok

import _ "sigs.k8s.io/kwok/cmd/kwok"
