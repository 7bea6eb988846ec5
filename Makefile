# basketd: build, test, run. `make help` lists the targets.
#
# Every kind of build has its own directory: build/release, build/debug, build/release-thread, …
# Sources are found by wildcard; a new file needs no line here.
VERSION := 0.1.0
MODE ?= release
SAN ?=
PREFIX ?= /usr/local
DATA ?= data
LISTEN ?= 127.0.0.1:8080
PYTHON ?= /usr/bin/python3
CLANG_FORMAT ?= clang-format-14
CLANG_TIDY ?= clang-tidy-14
CLANG ?= clang-14
ifeq ($(origin CC),default)
CC := gcc
endif

comma := ,
B := build/$(MODE)$(if $(SAN),-$(subst $(comma),-,$(SAN)))

OPT_release := -O2 -g
OPT_debug := -O0 -g3
SANITIZERS := address,undefined thread
ifeq ($(OPT_$(MODE)),)
$(error MODE is release or debug, not '$(MODE)')
endif
ifneq ($(SAN),$(filter $(SANITIZERS),$(SAN)))
$(error SAN is one of: $(SANITIZERS), not '$(SAN)')
endif
OPT := $(OPT_$(MODE))
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection
ifneq ($(SAN),)
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
else ifeq ($(MODE),release)
HARDEN += -D_FORTIFY_SOURCE=2
endif

# Asked once for the whole run, and only by goals that compile.
LIBRARIES := libmicrohttpd libuv jansson sqlite3 zlib libzstd libsodium inih libxxhash openblas
ifneq ($(filter-out help clean fmt,$(or $(MAKECMDGOALS),all)),)
ifeq ($(shell pkg-config --exists $(LIBRARIES) && echo yes),)
$(error libraries are missing; `sh deploy/run.sh` installs what deploy/packages.sh lists)
endif
LIB_CFLAGS := $(shell pkg-config --cflags $(LIBRARIES))
LIB_LIBS := $(shell pkg-config --libs $(LIBRARIES))
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	-Wpointer-arith -Wformat=2 -Wvla -Wconversion -Wno-sign-conversion
ALL_CPPFLAGS := -Iinclude -D_GNU_SOURCE $(LIB_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS := -std=c11 $(OPT) $(WARN) -Werror -fPIE $(HARDEN) $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS)
LINK = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^)

LIB_SRC := $(filter-out src/cli/%,$(wildcard src/*/*.c))
CLI_SRC := $(wildcard src/cli/*.c)
TEST_SRC := $(wildcard tests/unit/test_*.c)
BENCH_SRC := $(wildcard tests/bench/bench_*.c)
SUPPORT_SRC := $(wildcard tests/support/*.c)
ALL_SRC := $(LIB_SRC) $(CLI_SRC) $(TEST_SRC) $(BENCH_SRC) $(SUPPORT_SRC)
LIB_OBJ := $(LIB_SRC:%.c=$B/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$B/%.o)
SUPPORT_OBJ := $(SUPPORT_SRC:%.c=$B/%.o)
TESTS := $(TEST_SRC:tests/unit/%.c=$B/unit/%)
BENCHES := $(BENCH_SRC:tests/bench/%.c=$B/bench/%)
ASSETS := $(sort $(wildcard migrations/*/*.sql openapi.yaml))
# tests/support/oom.c makes the n-th allocation of our own code fail, and counts what is held.
WRAP := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc free)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run check lint unit api san bench bench-mine fuzz fmt install clean help build-ok tidy FORCE

all: $B/basketd ## build the program (MODE=release|debug, SAN=address,undefined|thread)

build-ok: $B/libbasketd.a $(CLI_OBJ) $(TESTS) $(BENCHES) ## compile everything, run nothing

$B/basketd: $(CLI_OBJ) $B/libbasketd.a
	@$(LINK) $(LIB_LIBS) -lm

$B/libbasketd.a: $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$B/unit/%: $B/tests/unit/%.o $(SUPPORT_OBJ) $B/libbasketd.a
	@mkdir -p $(@D)
	@$(LINK) $(WRAP) -lcmocka $(LIB_LIBS) -lm

$B/bench/%: $B/tests/bench/%.o $(SUPPORT_OBJ) $B/libbasketd.a
	@mkdir -p $(@D)
	@$(LINK) $(WRAP) -lcmocka $(LIB_LIBS) -lm

$B/%.o: %.c $B/gen/flags
	@mkdir -p $(@D)
	@$(CC) $(ALL_CPPFLAGS) $(if $(filter tests/%,$<),-Itests) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Generated files change only when what they say changes.
$B/gen/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$B/gen/assets.list: FORCE
	@mkdir -p $(@D)
	@n=0; for f in $(ASSETS); do n=$$((n + 1)); \
		printf 'ASSET(%d, "%s", %d)\n' $$n $$f $$(wc -c <$$f); done >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$B/gen/version.h: FORCE
	@mkdir -p $(@D)
	@commit=$$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown); \
		printf '#define BASKETD_VERSION "$(VERSION)"\n#define BASKETD_COMMIT "%s"\n' $$commit >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$B/src/base/assets.o: ALL_CPPFLAGS += -I$B/gen
$B/src/base/assets.o: $B/gen/assets.list $(ASSETS)
$B/src/base/version.o: ALL_CPPFLAGS += -I$B/gen
$B/src/base/version.o: $B/gen/version.h

run: all ## make the demo shop in DATA (./data) if it is empty and serve it on LISTEN (127.0.0.1:8080)
	@sh deploy/serve-demo.sh $B/basketd "$(DATA)" "$(LISTEN)"

check: ## lint and all tests; ends with "N passed, N failed"
	+@sh tests/check.sh lint unit api

lint: build-ok ## formatting, floors, lengths, banned calls, globals, cppcheck, clang-tidy
	+@BUILD=$B COMPILE='$(CC) $(ALL_CPPFLAGS) -std=c11 $(WARN) -Werror' sh tests/lint/run.sh

# One stamp per file, made anew when its object is: clang-tidy runs on what changed only. Tests go
# without the analyzer, which cannot know that cmocka's asserts end a test.
tidy: $(ALL_SRC:%.c=$B/%.tidy)
$B/%.tidy: $B/%.o .clang-tidy tests/lint/analyzer.h
	@$(CLANG_TIDY) --quiet $(if $(filter tests/%,$*),--checks='-clang-analyzer-*') $*.c -- -std=c11 $(ALL_CPPFLAGS) -I$B/gen \
		$(if $(filter tests/%,$*),-Itests) \
		$(if $(filter src/base/error,$*),,-include tests/lint/analyzer.h) 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

unit: $(TESTS) ## run the unit tests (cmocka)
	@sh tests/unit/run.sh $B $(TESTS)

api: $B/basketd ## run the API tests (pytest) against the program; API= adds pytest arguments
	@BUILD=$B BASKETD=$(CURDIR)/$B/basketd PYTHON=$(PYTHON) sh tests/api/run.sh $(API)

san: ## unit and API tests under sanitizers: address and undefined, then thread
	+@SAN=address,undefined sh tests/check.sh unit api
	+@SAN=thread API='-m threads' sh tests/check.sh unit api

bench: $B/basketd $B/bench/bare_responder $(BENCHES) ## run the benchmarks: a table, and build/…/bench.json
	@BUILD=$B BASKETD=$(CURDIR)/$B/basketd PYTHON=$(PYTHON) sh tests/bench/run.sh $(BENCHES)

bench-mine: $B/basketd $B/bench/timed ## compare the miner with others: docs/benchmarks.md says how
	@BUILD=$B BASKETD=$(CURDIR)/$B/basketd $(PYTHON) -B tests/bench/mining/main.py

fmt: ## format the C sources in place
	@find src include tests -name '*.[ch]' | xargs $(CLANG_FORMAT) -i

install: all ## install the program and its systemd unit under DESTDIR, PREFIX (/usr/local)
	install -D -m 755 $B/basketd $(DESTDIR)$(PREFIX)/bin/basketd
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,@PREFIX@,$(PREFIX),' deploy/basketd.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/basketd.service
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/basketd README.md CHANGELOG.md LICENSE openapi.yaml

# libFuzzer (clang, libclang-rt): each driver for FUZZ_SECONDS, starting from the saved inputs.
FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MADE := src/base/assets.c src/base/version.c
FUZZ_SRC := $(filter-out $(FUZZ_MADE), $(LIB_SRC)) \
	$(patsubst %,tests/support/%.c,fuzzcheck transcript basketcheck evalcheck)
FUZZ_OBJ := $(FUZZ_SRC:%.c=build/fuzz/%.o)

build/fuzz/%.o: %.c
	@mkdir -p $(@D)
	@$(CLANG) -Iinclude -Itests -D_GNU_SOURCE $(LIB_CFLAGS) -std=c11 -O1 -g -fno-sanitize-recover=all \
		-fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

build/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o $(FUZZ_OBJ) $(FUZZ_MADE:%.c=$B/%.o)
	@$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIB_LIBS) -lm

fuzz: $(FUZZERS:%=build/fuzz/fuzz_%) ## run the fuzz drivers; a failing input goes to build/fuzz
	@set -e; for f in $(FUZZERS); do echo "== $$f"; mkdir -p build/fuzz/corpus/$$f; \
		dict=tests/fuzz/$$f.dict; [ -f $$dict ] && dict=-dict=$$dict || dict=; \
		build/fuzz/fuzz_$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=4096 $$dict \
			-print_final_stats=1 -artifact_prefix=build/fuzz/$$f- -verbosity=0 \
			build/fuzz/corpus/$$f tests/fuzz/regression/$$f; done

clean: ## remove everything built
	rm -rf build

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

-include $(ALL_SRC:%.c=$B/%.d) $(FUZZ_OBJ:%.o=%.d) $(FUZZERS:%=build/fuzz/tests/fuzz/fuzz_%.d)
