# The targets that run things: tests, sanitizers, benchmarks, the demo.
.PHONY: test test-unit test-cluster test-integration conformance sanitize bench features demo

test-unit: $(UNIT_BIN) ## build and run the unit tests
	@test/ci/run-tests.sh $(UNIT_BIN)

unit-bins: $(UNIT_BIN)

features: ## count the feature rows by state; fails when a test named there does not exist
	@test/ci/features.sh
