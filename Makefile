# Flux in C. `make help` lists the targets.
#
# Every .c file below libflux/ goes into one static library; each program is
# linked from its folder and that library, and only against the shared
# libraries it really uses (--as-needed): they are most of the resident memory.

BUILD   ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
# V=1 shows the commands.
ifneq ($(V),1)
Q := @
endif
OPT     ?= -O2 -g
SAN     ?=
DESTDIR ?=
PREFIX  ?= /usr
JOBS    ?= $(shell nproc)
VERSION := 0.1.0

MAKEFLAGS += --no-print-directory

PKGS := libcurl libuv jansson yaml-0.1 libarchive zlib libmicrohttpd libpcre2-8 libcrypto libcrypt libgit2

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wformat=2 -Wno-format-nonliteral -Wvla
CPPFLAGS += -D_GNU_SOURCE -DFX_VERSION='"$(VERSION)"' -I. -Ilibflux
CFLAGS_ALL = -std=gnu11 $(OPT) $(WARN) -fno-strict-aliasing -fstack-protector-strong \
	-ffunction-sections -fdata-sections -pthread $(SAN) $(CFLAGS)
LDFLAGS_ALL = -Wl,--as-needed -Wl,--gc-sections -Wl,-z,relro,-z,now -pthread $(SAN) $(LDFLAGS)

# pkg-config runs only when something is compiled, after `make deps` could have installed it.
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm
CHECK_LIBS = $(shell pkg-config --libs check 2>/dev/null)

LIB      := $(BUILD)/libflux.a
LIB_SRC  := $(sort $(wildcard libflux/*/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)

CONTROLLERS := $(patsubst %/main.c,%,$(wildcard source-controller/main.c kustomize-controller/main.c helm-controller/main.c))
BINS := $(CONTROLLERS:%=$(BUILD)/bin/%)

src-of = $(sort $(wildcard $(1)/*.c) $(wildcard $(1)/*/*.c))
obj-of = $(patsubst %.c,$(BUILD)/obj/%.o,$(call src-of,$(1)))
# What the tests of a program link: all of it but its main.
lib-of = $(filter-out %/main.o,$(call obj-of,$(1)))

# Programs that only the tests and the demo use: test/NAME/main.c becomes bin/NAME.
TEST_PROGS := $(patsubst test/%/main.c,%,$(wildcard test/*/main.c))
TEST_BINS  := $(TEST_PROGS:%=$(BUILD)/bin/%)
HARNESS    := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard test/harness/*.c)))

UNIT_SRC := $(sort $(wildcard test/unit/*/test_*.c))
UNIT_BIN := $(UNIT_SRC:test/unit/%.c=$(BUILD)/test/%)
INTEGRATION_SRC := $(sort $(wildcard test/integration/test_*.c))
INTEGRATION_BIN := $(INTEGRATION_SRC:test/integration/%.c=$(BUILD)/test/integration/%)

.PHONY: all help clean deps install format lint
.DEFAULT_GOAL := all

all: $(LIB) $(BINS) $(TEST_BINS) ## build the controllers and the test programs (default)

help: ## list the targets
	@awk -F':.*## ' '/^[a-zA-Z_-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

# The dependencies are those of $@ as make calls it: a compiler cache may have written its path another way, and
# then no change of a header is seen.
$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP -MT $@ -c $< -o $@
	@sed -i '1s|^[^:]*:|$@:|' $(@:.o=.d)

define controller-rule
$(BUILD)/bin/$(1): $(call obj-of,$(1)) $(LIB)
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	$(Q)$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LDLIBS)
endef
$(foreach c,$(CONTROLLERS),$(eval $(call controller-rule,$(c))))

define test-prog-rule
$(BUILD)/bin/$(1): $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard test/$(1)/*.c)) $(HARNESS) $(LIB)
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	$(Q)$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LDLIBS)
endef
$(foreach p,$(TEST_PROGS),$(eval $(call test-prog-rule,$(p))))

# It also answers for parts that belong to one controller.
$(BUILD)/bin/conformance-eval: $(BUILD)/obj/kustomize-controller/envsubst.o $(BUILD)/obj/kustomize-controller/envsubst_ops.o

# A unit test lies in test/unit/MODULE/; tests of a controller's own files lie in
# test/unit/source-controller/ and so on and are linked with that controller's objects, those of a
# test program (test/unit/apiserver/) with that program's.
.SECONDEXPANSION:
unit-extra = $(if $(wildcard $(1)/*.c),$(call lib-of,$(1)))$(if $(wildcard test/$(1)/main.c),$(call lib-of,test/$(1)))
$(UNIT_BIN): $(BUILD)/test/%: $(BUILD)/obj/test/unit/%.o $$(call unit-extra,$$(patsubst %/,%,$$(dir $$*))) $(LIB)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CHECK_LIBS) $(LDLIBS)

# Its failing allocations work under the sanitizers too.
$(BUILD)/test/kustomize/test_alloc: LDFLAGS_ALL += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# Integration tests may call parts of the controllers; only what a test uses is taken from the archive.
PARTS := $(BUILD)/controllers.a
$(PARTS): $(foreach c,source-controller kustomize-controller helm-controller,$(call lib-of,$(c)))
	@rm -f $@
	@ar rcs $@ $^

$(INTEGRATION_BIN): $(BUILD)/test/integration/%: $(BUILD)/obj/test/integration/%.o $(HARNESS) $(PARTS) $(LIB)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CHECK_LIBS) $(LDLIBS)

-include test/rules.mk

deps: ## install the Debian packages that are missing (does nothing otherwise)
	@test/ci/deps.sh

install: $(BINS) ## install the controllers below DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(BINS) $(DESTDIR)$(PREFIX)/bin/

# ENGINE=docker does as well; REGISTRY is what manifests/kustomization.yaml names.
ENGINE   ?= podman
REGISTRY ?= localhost/fluxcd
IMAGES   := $(patsubst manifests/%/deployment.yaml,%,$(wildcard manifests/*/deployment.yaml))
.PHONY: images $(IMAGES:%=image-%)
images: $(IMAGES:%=image-%) ## build the controllers' container images (ENGINE=podman REGISTRY=localhost/fluxcd)
$(IMAGES:%=image-%): image-%:
	$(ENGINE) build -f manifests/Containerfile --build-arg CONTROLLER=$* -t $(REGISTRY)/$*:$(VERSION) .

FORMAT_FILES = $(shell git ls-files '*.c' '*.h')
format: ## format the sources in place
	clang-format -i $(FORMAT_FILES)

lint: ## static analysis: clang-tidy and cppcheck, and whether the sources are formatted
	@test/ci/lint.sh

clean: ## remove what was built
	rm -rf $(BUILD)

-include $(LIB_OBJ:.o=.d) $(foreach c,$(CONTROLLERS),$(patsubst %.o,%.d,$(call obj-of,$(c)))) \
	$(foreach p,$(TEST_PROGS),$(patsubst %.c,$(BUILD)/obj/%.d,$(wildcard test/$(p)/*.c))) \
	$(HARNESS:.o=.d) $(UNIT_SRC:%.c=$(BUILD)/obj/%.d) $(INTEGRATION_SRC:%.c=$(BUILD)/obj/%.d)
