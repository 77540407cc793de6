# The targets that run things: tests, sanitizers, benchmarks, the demo.
.PHONY: test test-unit test-unit-threads test-cluster test-integration test-manifests conformance sanitize bench features demo

test-unit: $(UNIT_BIN) ## build and run the unit tests
	@test/ci/run-tests.sh $(UNIT_BIN)

unit-bins: $(UNIT_BIN)

# Those whose code runs on several threads.
test-unit-threads: $(filter $(addprefix $(BUILD)/test/,core/% net/% kube/% runtime/% artifact/%),$(UNIT_BIN))
	@test/ci/run-tests.sh $^

test: deps ## install what is missing, build, run all tests
	@MAKE="$(MAKE)" test/ci/test.sh $(BUILD)

# Each program starts the servers it needs; FX_TEST_API says which API server that is.
test-integration: all $(INTEGRATION_BIN) ## run the integration tests on the embedded API server
	@FX_TEST_API=embedded FX_BUILD=$(abspath $(BUILD)) test/ci/run-tests.sh $(INTEGRATION_BIN)

test-cluster: all $(INTEGRATION_BIN) ## run the integration tests on a real kube-apiserver
	@FX_TEST_API=real FX_BUILD=$(abspath $(BUILD)) test/ci/run-tests.sh $(INTEGRATION_BIN)

test-manifests: ## what manifests/ installs, and what its kinds accept and refuse, on a real kube-apiserver
	@test/manifests/run.sh
	@FLUX_CRDS=$${FLUX_CRDS-$$(test/cluster/tools.sh crds | sed 's,/bin$$,/crds,')} test/crds/run.sh

sanitize: ## unit and integration tests under the address, undefined and thread sanitizers
	@$(MAKE) BUILD=$(BUILD)/asan SAN=-fsanitize=address,undefined OPT="-O1 -g" test-unit test-integration
	@$(MAKE) BUILD=$(BUILD)/tsan SAN=-fsanitize=thread OPT="-O1 -g" test-unit-threads test-integration

features: ## count the feature rows by state; fails when a test named there does not exist
	@test/ci/features.sh

bench: all ## figures of the controllers on a real API server, upstream's beside them (BENCH='--runs ...')
	@test/bench/kustomize.py --build $(abspath $(BUILD)) --limit 60 || true
	@test/bench/bench.py --build $(BUILD) $(BENCH)

demo: deps ## build and show the main job end to end, on the embedded API server (DEMO_CLUSTER=1: that of KUBECONFIG)
	@echo "Building (half a minute on two cores) ..."
	@$(MAKE) BUILD=$(BUILD) -j$(JOBS) all >/dev/null
	@FX_BUILD=$(abspath $(BUILD)) $(BUILD)/bin/demo

conformance: all ## compare the engines with recorded outputs of the reference tools
	@test/conformance/run.sh $(BUILD)

# TREES=DIR: also every kustomization of a collection; BENCH_BUILDS='--sizes 10,1000 ...'.
.PHONY: compare-builds bench-builds
bench-builds: all ## kustomizations of 10 to 10,000 resources, kustomize 5.8.1 beside ours (TREES=DIR: a collection too)
	@test/bench/kustomize.py --build $(abspath $(BUILD)) $(if $(TREES),--trees $(TREES)) $(BENCH_BUILDS)

compare-builds: $(BUILD)/bin/kustomize-controller ## real kustomize and ours on every kustomization below TREES=DIR
	@test/ci/compare-builds.sh $(BUILD) $(TREES)

.PHONY: compare-charts
compare-charts: $(BUILD)/bin/helm-controller ## real helm ($$HELM) and ours on every chart below CHARTS=DIR, default, ci/ and some flags
	@test/ci/compare-charts.py $(BUILD) $(CHARTS)

# Clang's libFuzzer on the engine, FUZZ_SECONDS for each of the five targets. What it finds stays in
# BUILD/fuzz/corpusN and is where the next run goes on.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= 1 2 3 4 5 11 12 13 14 15 21 22 23 24 25
FUZZ_SAN := -fsanitize=address,undefined
.PHONY: fuzz
fuzz: ## run the libFuzzer targets (FUZZ_SECONDS=600 each)
	@$(MAKE) BUILD=$(BUILD)/fuzz CC=clang OPT="-O1 -g" SAN="$(FUZZ_SAN) -fsanitize=fuzzer-no-link" $(BUILD)/fuzz/libflux.a
	@test/fuzz/seeds.py $(BUILD)/fuzz test/conformance/kustomize $(wildcard ../shared/conformance/kustomize)
	@test/fuzz/seeds_helm.py $(BUILD)/fuzz
	@for t in $(FUZZ_TARGETS); do clang $(CPPFLAGS) $(PKG_CFLAGS) -std=gnu11 -O1 -g $(FUZZ_SAN) -fsanitize=fuzzer -DFX_FUZZ=$$t \
		test/fuzz/fuzz_$$([ $$t -gt 20 ] && echo chart || { [ $$t -gt 10 ] && echo helm || echo engine; }).c $(BUILD)/fuzz/libflux.a -o $(BUILD)/fuzz/target$$t $(LDLIBS) && \
	$(BUILD)/fuzz/target$$t -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/corpus$$t || exit 1; done
