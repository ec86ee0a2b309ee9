# rundbrief: `make help` says what there is.
#
# VARIANT=asan|tsan|cov|clang|fuzz builds the same rules with other flags into build/<variant>/.

VARIANT ?=
B       := build$(if $(VARIANT),/$(VARIANT))
PREFIX  ?= /usr
DESTDIR ?=

PACKAGES := libcurl libical inih libsodium sqlite3 libsystemd libmicrohttpd libcmark libidn2 jansson gmime-3.0 libseccomp
LIBS_UNPACKAGED := -lcsv -lunistring

CC       := $(if $(filter clang fuzz,$(VARIANT)),clang,gcc)
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wvla -Wstrict-prototypes -Wmissing-prototypes \
            -Wwrite-strings -Wformat=2 -Wundef -Wimplicit-fallthrough -Wswitch-enum
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fcf-protection
OPTIMISE := -O2 -g
CPPFLAGS  = -D_GNU_SOURCE -Idaemon -I$(B)/generated $(PKG_CFLAGS)
CFLAGS    = -std=gnu2x $(WARNINGS) $(HARDEN) $(OPTIMISE) $(SANITIZE)
LDFLAGS   = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE)
LDLIBS    = $(PKG_LIBS) $(LIBS_UNPACKAGED) -lpthread

ifeq ($(VARIANT),asan)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDEN   := -fPIE
OPTIMISE := -O1 -g
else ifeq ($(VARIANT),tsan)
SANITIZE := -fsanitize=thread
HARDEN   := -fPIE
else ifeq ($(VARIANT),fuzz)
SANITIZE := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDEN   := -fPIE
OPTIMISE := -O1 -g
else ifeq ($(VARIANT),cov)
SANITIZE := --coverage
OPTIMISE := -O0 -g
endif

# Asked once, and only when something is built: the packages may not be there yet.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PACKAGES)))$(PKG_LIBS)

MAINS     := $(wildcard daemon/app/rundbrief*.c)
LIB_SRC   := $(filter-out $(MAINS),$(wildcard daemon/*/*.c))
LIB_OBJ   := $(LIB_SRC:daemon/%.c=$(B)/obj/%.o)
LIB       := $(B)/librundbrief.a
PROGRAMS  := $(MAINS:daemon/app/%.c=$(B)/%)
UNIT      := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
REPLAYS   := $(patsubst tests/fuzz/%.c,$(B)/replay/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZERS   := $(REPLAYS:$(B)/replay/%=$(B)/fuzzers/%)
TOOLS     := $(patsubst tests/tools/%.c,$(B)/tools/%,$(wildcard tests/tools/*.c)) $(B)/tools/sink $(B)/tools/forgetful.so $(B)/tools/failing.so $(B)/tools/faster.so
GENERATED := $(patsubst daemon/store/%.sql,$(B)/generated/%_sql.h,$(wildcard daemon/store/*.sql)) \
             $(B)/generated/prefix.h $(B)/generated/events.h

MANUAL    := $(patsubst docs/man/%,$(B)/man/%,$(wildcard docs/man/*.[158]))
COMPLETION := $(B)/completion/rundbrief $(B)/completion/_rundbrief

.DEFAULT_GOAL := all
.PHONY: FORCE all help deps replay fuzzers demo check storm bench fuzz lint deb install clean tools unit check-layers check-headers
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) $(LIB) $(MANUAL) $(COMPLETION) ## build the programs into build/

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

deps: ## install the Debian packages that are missing (or say the one command)
	@tests/deps.sh build test deb

tools: $(TOOLS)
unit: $(UNIT)
replay: $(REPLAYS)
fuzzers: $(FUZZERS)

$(B)/generated/%_sql.h: daemon/store/%.sql
	@mkdir -p $(@D)
	(echo 'static const char $*_sql[] ='; sed 's/\\/\\\\/g; s/"/\\"/g; s/^/    "/; s/$$/\\n"/' $<; echo '    ;') >$@

$(B)/generated/events.h: systemd/rundbrief.catalog
	@mkdir -p $(@D)
	awk '/^# [a-z-]+$$/ { name = $$2 } /^-- / { print "{\"" name "\", \"" $$2 "\"}," }' $< >$@

# Written only when PREFIX is another one, so that only what names it is built again.
$(B)/generated/prefix.h: FORCE
	@mkdir -p $(@D)
	@printf '#define RUNDBRIEF_%s_DIR "$(PREFIX)/%s/rundbrief"\n' DATA share LIB lib >$@.new
	@cmp -s $@.new $@ || mv $@.new $@
	@rm -f $@.new

$(B)/obj/%.o: daemon/%.c | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcsD $@ $^

$(B)/%: $(B)/obj/app/%.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Of the pages only that of the options has a part that is made.
$(B)/man/%: docs/man/% docs/man/options.awk config/rundbrief.ini
	@mkdir -p $(@D)
	awk -f docs/man/options.awk config/rundbrief.ini | sed -e '/^@OPTIONS@$$/{r /dev/stdin' -e 'd}' $< >$@

$(B)/completion/rundbrief: $(B)/rundbrief
	@mkdir -p $(@D)
	$< completion bash >$@

$(B)/completion/_rundbrief: $(B)/rundbrief
	@mkdir -p $(@D)
	$< completion zsh >$@

$(B)/unit/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) -MMD -MP -o $@ $< $(LIB) $(LDFLAGS) $(LDLIBS) -lcmocka

# These talk to the tests' SMTP server.
$(B)/unit/test_session $(B)/unit/test_connect $(B)/unit/test_faults $(B)/unit/test_dispatch: | $(B)/tools/sink

$(B)/replay/%: tests/fuzz/%.c tests/fuzz/replay.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< tests/fuzz/replay.c $(LIB) $(LDFLAGS) $(LDLIBS)

# These make allocations fail.
$(B)/unit/test_memory $(B)/unit/test_apart $(B)/unit/test_users $(B)/unit/test_markdown_parse $(B)/unit/test_compile_memory: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray

$(B)/fuzzers/%: tests/fuzz/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(LIB) $(LDFLAGS) -fsanitize=fuzzer $(LDLIBS)

# These start the reader of mails, which stands beside them.
$(B)/unit/test_reader $(B)/unit/test_lmtp: | $(B)/unit/rundbrief-mime
$(B)/unit/rundbrief-mime: $(B)/rundbrief-mime
	@mkdir -p $(@D)
	ln -sf ../rundbrief-mime $@

# This one asks a judge.
$(B)/unit/test_judged: | $(B)/tools/judge_mime

# Tools of the tests stand alone: the judges use libraries that the programs do not.
TOOL_CC   := $(CC) -D_GNU_SOURCE -std=gnu2x -O2 -g -Wall -Wextra
$(B)/tools/%: tests/tools/%.c
	@mkdir -p $(@D)
	$(TOOL_CC) -o $@ $< $$(sed -n 's|^// pkg-config: ||p' $< | xargs -r pkg-config --cflags --libs) -lpthread

$(B)/tools/sink: $(wildcard tests/tools/sink/*.[ch])
	@mkdir -p $(@D)
	$(TOOL_CC) -o $@ $(filter %.c,$^) $$(pkg-config --cflags --libs openssl)

# Preloaded into programs under test.
$(B)/tools/%.so: tests/storm/%.c
	@mkdir -p $(@D)
	$(TOOL_CC) -shared -fPIC -fno-builtin -o $@ $< -ldl -lpthread

demo: ## the main job for real, in two minutes: a workshop announced in six languages
	@tests/deps.sh build demo
	@$(MAKE) --no-print-directory all $(B)/tools/sink
	@tests/demo

check: deps ## build, and pass every test
	@tests/check

storm: deps ## kills at every instant and at each system call, power cuts: the promise, proved (an hour and a quarter)
	@$(MAKE) --no-print-directory all tools
	@tests/storm/run

bench: deps ## measure speed and memory beside others, in a quarter of an hour (RB_BENCH_QUICK=1: less)
	@tests/deps.sh bench || echo "measuring without what is missing"
	@$(MAKE) --no-print-directory all tools
	@tests/bench

fuzz: deps ## fuzz every parser, FUZZ_SECONDS (60) each
	@tests/fuzz/run

lint: check-layers check-headers ## the layout of the code, words, compilers' analysers, clang-tidy, cppcheck
	@tests/deps.sh build test lint
	@tests/lint

check-layers: ## no folder of daemon/ includes what daemon/LAYERS does not allow
	@tests/check-layers

check-headers: $(GENERATED) ## every header compiles alone
	@for h in $$(ls daemon/*/*.h); do \
	  echo "#include \"$${h#daemon/}\"" | $(CC) $(CPPFLAGS) $(CFLAGS) -fsyntax-only -x c - || exit 1; done

deb: ## a Debian source package and its binary package, into build/deb/
	@tests/deps.sh build deb
	@systemd/deb

install: all ## into $(DESTDIR)$(PREFIX), as a Debian package would
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' B='$(B)' systemd/install

clean: ## remove build/
	rm -rf build

print-%:
	@echo '$($*)'

-include $(LIB_OBJ:.o=.d) $(wildcard $(B)/obj/app/*.d $(B)/unit/*.d $(B)/replay/*.d $(B)/fuzzers/*.d)
