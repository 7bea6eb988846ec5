# basketd: build, test, run. `make help` lists the targets.
MODE ?= release
SAN ?=
PREFIX ?= /usr/local
CC ?= gcc
PYTHON ?= /usr/bin/python3

PACKAGES := libmicrohttpd libuv jansson sqlite3 zlib libzstd libsodium inih libxxhash libutf8proc openblas
B := build/$(MODE)$(if $(SAN),-$(subst $(comma),-,$(SAN)))
comma := ,

ifeq ($(MODE),release)
OPT := -O2 -g
else ifeq ($(MODE),debug)
OPT := -O0 -g
else
$(error MODE is release or debug, not '$(MODE)')
endif
ifneq ($(SAN),)
ifeq ($(filter address,undefined thread,$(SAN)),)
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
WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all build-ok unit clean

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

unit: $(TESTS) ## run the unit tests
	@failed=0; for t in $(TESTS); do $$t >$$t.log 2>&1 || { failed=1; cat $$t.log; }; done; exit $$failed

clean: ## remove everything built
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(SUPPORT_OBJ:.o=.d) $(TEST_SRC:%.c=$B/%.d)
