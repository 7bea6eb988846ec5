# basketd: build, test, run. `make help` lists the targets.
MODE ?= release
SAN ?=
VERSION := 0.1.0
PREFIX ?= /usr/local
CC ?= gcc
PYTHON ?= /usr/bin/python3

PACKAGES := libmicrohttpd libuv jansson sqlite3 zlib libzstd libsodium inih libxxhash libutf8proc openblas
comma := ,
B := build/$(MODE)$(if $(SAN),-$(subst $(comma),-,$(SAN)))

ifeq ($(MODE),release)
OPT := -O2 -g
else ifeq ($(MODE),debug)
OPT := -O0 -g
else
$(error MODE is release or debug, not '$(MODE)')
endif
ifneq ($(SAN),)
SANITIZERS := address,undefined thread
ifeq ($(filter $(SANITIZERS),$(SAN)),)
$(error SAN is address,undefined or thread, not '$(SAN)')
endif
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	-Wpointer-arith -Wformat=2 -Wvla -Wconversion -Wno-sign-conversion -Werror
CPPFLAGS += -Iinclude -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 $(shell pkg-config --cflags $(PACKAGES))
ifneq ($(SAN),)
CPPFLAGS += -U_FORTIFY_SOURCE
endif
CFLAGS += -std=c11 $(OPT) $(WARN) -fopenmp -fstack-protector-strong -fPIE
LDFLAGS += -fopenmp -pie -Wl,-z,relro,-z,now
LDLIBS += $(shell pkg-config --libs $(PACKAGES)) -lm -lpthread

LIB_SRC := $(filter-out src/cli/%,$(wildcard src/*/*.c))
CLI_SRC := $(wildcard src/cli/*.c)
TEST_SRC := $(wildcard tests/unit/test_*.c)
SUPPORT_SRC := $(wildcard tests/support/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$B/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$B/%.o)
SUPPORT_OBJ := $(SUPPORT_SRC:%.c=$B/%.o)
TESTS := $(TEST_SRC:tests/unit/%.c=$B/unit/%)
WRAP := $(if $(wildcard tests/support/oom.c),$(addprefix -Wl$(comma)--wrap=,malloc calloc realloc))

ASSETS := $(sort $(wildcard migrations/*/*.sql openapi.yaml))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all build-ok unit clean FORCE

all: $B/basketd ## build the program

build-ok: $B/libbasketd.a $(TESTS) ## library and unit tests compile

$B/libbasketd.a: $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$B/basketd: $(CLI_OBJ) $B/libbasketd.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$B/unit/%: $B/tests/unit/%.o $(SUPPORT_OBJ) $B/libbasketd.a
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(LDFLAGS) $(WRAP) -o $@ $^ -lcmocka $(LDLIBS)

$B/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(if $(findstring tests/,$<),-Itests) $(CFLAGS) -MMD -MP -c -o $@ $<

# Generated files change only when what they say changes.
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

$B/src/base/assets.o: CPPFLAGS += -I$B/gen
$B/src/base/assets.o: $B/gen/assets.list $(ASSETS)
$B/src/base/version.o: CPPFLAGS += -I$B/gen
$B/src/base/version.o: $B/gen/version.h

unit: $(TESTS) ## run the unit tests
	@failed=0; for t in $(TESTS); do $$t >$$t.log 2>&1 || { failed=1; cat $$t.log; }; done; exit $$failed

clean: ## remove everything built
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(SUPPORT_OBJ:.o=.d) $(TEST_SRC:%.c=$B/%.d)
