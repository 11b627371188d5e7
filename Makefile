# hook2mqtt. `make help` names the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := all

VERSION := 0.1.0
CC      ?= cc
SAN     ?=
PAHO    ?= lean
comma   := ,

# V=1 shows the commands.
V       ?=
Q       := $(if $V,,@)
say      = $(if $V,,@echo '  $1')

# A variant (SAN=address,undefined, SAN=thread, PAHO=stock) has a folder of its own, so that none disturbs another.
VARIANT := $(if $(SAN),san-$(subst $(comma),-,$(SAN))$(if $(filter stock,$(PAHO)),-))$(if $(filter stock,$(PAHO)),paho-stock)
B       := build$(if $(VARIANT),/$(VARIANT))

WARNINGS := -Wall -Wextra -Wshadow -Wundef -Wvla -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
            -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wcast-qual -Wnull-dereference -Werror
HARDEN   := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
CPPFLAGS += -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DHOOK2MQTT_VERSION='"$(VERSION)"'
CFLAGS   ?= -O2 -g
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,--as-needed

ifeq ($(SAN),)
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
HARDEN   := -fPIE -fno-omit-frame-pointer -fsanitize=$(SAN)$(if $(findstring undefined,$(SAN)), -fno-sanitize-recover=undefined)
LDFLAGS  += -fsanitize=$(SAN)
endif
ALL_CFLAGS := -std=gnu17 -pthread $(CPPFLAGS) $(CFLAGS) $(WARNINGS) $(HARDEN)

# lean: Paho's static library, with its two diagnostic modules and some functions replaced by ours (bridge/mqtt/lean.c, seam.c
# and writes.c say why). Its calls of a wrapped function X go to __wrap_X.
ifeq ($(PAHO),lean)
PAHO_OURS := $(patsubst %,$B/obj/bridge/mqtt/%.o,lean seam writes)
PAHO_LIBS := -l:libpaho-mqtt3cs.a
PAHO_WRAPPED := Socket_new SSLSocket_connect Socket_getdata SSLSocket_getdata Socket_getch SSLSocket_getch \
                MQTTPacket_send_connect Socket_putdatas SSLSocket_putdatas Socket_noPendingWrites SSLSocket_getPendingRead \
                MQTTProtocol_keepalive
LDFLAGS   += $(PAHO_WRAPPED:%=-Wl,--wrap=%)
else
PAHO_OURS := $B/obj/bridge/mqtt/stock.o
PAHO_LIBS := -lpaho-mqtt3cs
endif
# libmicrohttpd's static library, with our functions in the place of its system calls (bridge/http/seam.c says why).
MHD_CALLS := recv send sendmsg epoll_ctl epoll_wait close shutdown setsockopt write
MHD       := $B/libmicrohttpd.a
LIBS := $(MHD) -lgnutls $(PAHO_LIBS) -lsqlite3 -ljson-c -lcurl -lssl -lcrypto -lpthread

SOURCES := $(sort $(shell find bridge common -name '*.c'))
OBJECTS := $(SOURCES:%.c=$B/obj/%.o)
# Every preset is a part of the program: adding a provider is adding a file.
PRESETS := $(sort $(wildcard bridge/provider/presets/*.json))
EMBEDDED := $B/presets.c
LIBRARY := $B/libhook2mqtt.a
PROGRAM := $B/hook2mqtt

.PHONY: all
all: $(PROGRAM) | build/run

# From the same texts as --help.
$B/hook2mqtt.1: $(PROGRAM)
	$Q$< help man > $@

# Where the sample configurations keep their outbox; `check` wants it to be there before the first `make run`.
build/run:
	@mkdir -p $@

$(PROGRAM): $B/obj/bridge/main.o $(PAHO_OURS) $(LIBRARY) $(MHD)
	$(call say,LINK $@)
	$Q$(CC) $(LDFLAGS) -pthread -o $@ $(filter-out $(MHD),$^) $(LIBS)

$(MHD): Makefile
	@mkdir -p $(@D)
	$Qobjcopy $(foreach f,$(MHD_CALLS),--redefine-sym $f=http_seam_$f) $$($(CC) -print-file-name=libmicrohttpd.a) $@

# Everything but main, so that unit tests link what they need of it.
$(LIBRARY): $(filter-out %/main.o %/mqtt/lean.o %/mqtt/seam.o %/mqtt/writes.o %/mqtt/stock.o,$(OBJECTS)) $(EMBEDDED:.c=.o)
	@rm -f $@
	$Qar rcs $@ $^

$B/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC $<)
	$Q$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)

# Runs each time, so that a removed preset counts, too, but writes only what has changed.
$(EMBEDDED): FORCE
	@mkdir -p $(@D)
	@bridge/provider/embed.sh $(PRESETS) > $@.new && if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(EMBEDDED:.c=.o): $(EMBEDDED) $(PRESETS) bridge/provider/provider.h Makefile
	$(call say,EMBED bridge/provider/presets)
	$Q$(CC) $(ALL_CFLAGS) -c -o $@ $<

.PHONY: FORCE
FORCE:

# Unit tests: one program per module, cmocka.
UNIT_TESTS := $(patsubst tests/unit/%.c,$B/unit/%,$(sort $(shell find tests/unit -name 'test_*.c')))

$B/unit/%: tests/unit/%.c $(PAHO_OURS) $(LIBRARY) $(MHD)
	@mkdir -p $(@D)
	$(call say,TEST $<)
	$Q$(CC) $(ALL_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $(filter-out %.h $(MHD),$^) -lcmocka $(LIBS)
-include $(UNIT_TESTS:=.d)

# Fuzz targets on given files, without a fuzzer.
REPLAYS := $(patsubst tests/fuzz/%.c,$B/replay/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

$B/replay/%: tests/fuzz/%.c tests/fuzz/replay.c $(PAHO_OURS) $(LIBRARY) $(MHD)
	@mkdir -p $(@D)
	$(call say,REPLAY $<)
	$Q$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter-out $(MHD),$^) $(LIBS)

.PHONY: unit
unit: $(UNIT_TESTS) $(REPLAYS)

# ---- Debian 12 packages: what each target needs beyond a minimal system ----

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
BUILD_PACKAGES := gcc libc6-dev libmicrohttpd-dev libpaho-mqtt-dev libssl-dev libjson-c-dev libsqlite3-dev \
                  libcurl4-openssl-dev
# COMMAND:PACKAGE is for a command that may be there without the package, from elsewhere.
RUN_PACKAGES   := mosquitto:mosquitto mosquitto_sub:mosquitto-clients openssl:openssl curl:curl
TEST_PACKAGES  := $(RUN_PACKAGES) libcmocka-dev python3-pytest python3-pytest-xdist python3-paho-mqtt python3-jsonschema \
                  strace:strace systemd-analyze:systemd pgrep:procps ip:iproute2 nginx:nginx haproxy:haproxy \
                  nats-server:nats-server
LINT_PACKAGES  := clang libclang-rt-14-dev clang-format clang-tidy cppcheck:cppcheck shellcheck:shellcheck python3-pyflakes
BENCH_PACKAGES := mosquitto:mosquitto node:nodejs npm:npm

# Installs what is missing of $(1); needs neither root nor the network when nothing is.
define install_packages
@missing=$$(PATH=$$PATH:/usr/sbin; for p in $(1); do \
    case $$p in *:*) command -v $${p%%:*} >/dev/null && continue;; esac; \
    dpkg-query -W -f '$${Status}\n' $${p#*:} 2>/dev/null | grep -q ' installed$$' || echo $${p#*:}; done); \
if [ -n "$$missing" ]; then \
    $(SUDO) apt-get update -qq && \
    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
fi
endef

.PHONY: deps deps-run deps-test deps-lint deps-bench
deps:
	$(call install_packages,$(BUILD_PACKAGES))
deps-run: deps
	$(call install_packages,$(RUN_PACKAGES))
deps-test: deps
	$(call install_packages,$(TEST_PACKAGES))
deps-lint: deps
	$(call install_packages,$(LINT_PACKAGES))
deps-bench: deps
	$(call install_packages,$(BENCH_PACKAGES))

# ---- using it ----

# A second make, because the first one may have started before the headers were there.
CONFIG ?= config/bridge.json
.PHONY: run
run: deps-run
	@$(MAKE) --no-print-directory all
	@config/run.sh $(PROGRAM) $(CONFIG)

# The three providers, played by stand-ins, end to end.
.PHONY: demo
demo: deps-run
	$(call install_packages,python3)
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/providers/demo.py --folder $B/demo $(PROGRAM)

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
SYSCONFDIR ?= /etc
UNITDIR    ?= /lib/systemd/system
SYSUSERSDIR ?= /usr/lib/sysusers.d
DATADIR    := $(PREFIX)/share/hook2mqtt
CONFDIR    := $(SYSCONFDIR)/hook2mqtt

# A staged install (DESTDIR) makes no user: the package does. The environment file, if there is one, is the user's.
.PHONY: install uninstall
install: all $B/hook2mqtt.1
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(BINDIR)/hook2mqtt
	install -D -m 644 $B/hook2mqtt.1 $(DESTDIR)$(PREFIX)/share/man/man1/hook2mqtt.1
	install -D -m 644 config/bridge.schema.json $(DESTDIR)$(DATADIR)/bridge.schema.json
	install -D -m 644 config/systemd/hook2mqtt.sysusers $(DESTDIR)$(SYSUSERSDIR)/hook2mqtt.conf
	$(if $(DESTDIR),,getent passwd hook2mqtt >/dev/null || systemd-sysusers $(SYSUSERSDIR)/hook2mqtt.conf || \
	    useradd --system --home-dir /var/lib/hook2mqtt --shell /usr/sbin/nologin hook2mqtt)
	install -d $(DESTDIR)$(CONFDIR) $(DESTDIR)$(UNITDIR)
	sed -e 's#"bridge.schema.json"#"$(DATADIR)/bridge.schema.json"#' config/full.json > $(DESTDIR)$(CONFDIR)/bridge.json.example
	chmod 644 $(DESTDIR)$(CONFDIR)/bridge.json.example
	test -e $(DESTDIR)$(CONFDIR)/environment || \
	    install -m 640 $(if $(DESTDIR),,-g hook2mqtt) config/systemd/environment $(DESTDIR)$(CONFDIR)/environment
	sed -e 's#@BINDIR@#$(BINDIR)#' -e 's#@SYSCONFDIR@#$(SYSCONFDIR)#' config/systemd/hook2mqtt.service.in \
	    > $(DESTDIR)$(UNITDIR)/hook2mqtt.service
	chmod 644 $(DESTDIR)$(UNITDIR)/hook2mqtt.service

# The configuration, the outbox and the user hook2mqtt stay: files are the user's.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/hook2mqtt $(DESTDIR)$(CONFDIR)/bridge.json.example $(DESTDIR)$(UNITDIR)/hook2mqtt.service \
	      $(DESTDIR)$(SYSUSERSDIR)/hook2mqtt.conf $(DESTDIR)$(PREFIX)/share/man/man1/hook2mqtt.1
	rm -rf $(DESTDIR)$(DATADIR)

# ---- tests ----

PYTHON := /usr/bin/python3

.PHONY: test
test: deps-test
	@$(MAKE) --no-print-directory all unit
	HOOK2MQTT_BUILD=$B $(PYTHON) -m pytest -q -n 2 --dist loadfile tests

# Long campaigns; each prints its figures.
.PHONY: chaos bench fuzz
chaos: deps-test
	@$(MAKE) --no-print-directory all
	HOOK2MQTT_BUILD=$B $(PYTHON) tests/fault/chaos.py --bridge-kills 200 --broker-kills 50
	HOOK2MQTT_BUILD=$B $(PYTHON) tests/fault/chaos.py --bridge-kills 50 --broker-kills 10 --disk 60m
	HOOK2MQTT_BUILD=$B $(PYTHON) tests/fault/crashpoints.py
	HOOK2MQTT_BUILD=$B $(PYTHON) tests/fault/backlog.py
	HOOK2MQTT_BUILD=$B $(PYTHON) tests/fault/attacks.py

bench: deps-bench deps-test
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory all PAHO=stock
	HOOK2MQTT_BUILD=$B $(PYTHON) tests/bench/bench.py

# FUZZ_RUNS=20000000 counts executions instead of seconds; FUZZERS=fuzz_route runs one.
FUZZ_SECONDS ?= 60
FUZZ_RUNS    ?=
FUZZERS      := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

fuzz: deps-lint deps-test $(EMBEDDED) $(MHD)
	@set -e; for f in $(FUZZERS); do \
	    mkdir -p build/fuzz/$$f; \
	    clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -std=gnu17 $(CPPFLAGS) \
	        -o build/fuzz/$$f.bin tests/fuzz/$$f.c common/*.c \
	        $$(find bridge/provider bridge/parse bridge/verify bridge/http bridge/tls -name '*.c') bridge/delivery.c bridge/metrics.c \
	        $(EMBEDDED) $(MHD) -lgnutls -ljson-c -lssl -lcrypto; \
	    echo "== $$f"; \
	    build/fuzz/$$f.bin $(if $(FUZZ_RUNS),-runs=$(FUZZ_RUNS),-max_total_time=$(FUZZ_SECONDS)) -print_final_stats=1 -artifact_prefix=build/fuzz/ build/fuzz/$$f tests/fuzz/corpus/$${f#fuzz_} 2>&1 | grep -E '^stat::number|^Done|ERROR|CHECK|Test unit'; \
	    test $${PIPESTATUS[0]} -eq 0; \
	done

.PHONY: lint
lint: export CPPFLAGS := $(CPPFLAGS)
lint: export WARNINGS := $(WARNINGS)
lint: export PYTHON := $(PYTHON)
lint: export BUILD := $B
lint: deps-lint deps-test
	@$(MAKE) --no-print-directory all
	@tests/lint/run.sh

# What is generated from the settings table.
.PHONY: generate
generate: all
	$(PYTHON) tests/lint/generate.py $(PROGRAM)

.PHONY: help
help:
	@echo 'make            build $(PROGRAM)'
	@echo 'make deps       install the Debian packages that the build needs'
	@echo 'make run        deps, build, a local Mosquitto, the bridge on CONFIG=config/bridge.json'
	@echo 'make demo       three providers, played by stand-ins: registers with them, and shows all their events arriving'
	@echo 'make test       everything quick;   make lint   layers, format, static analysis'
	@echo 'make chaos      200 kills of the bridge, 50 of the broker, every crash point, long backlogs, hostile clients'
	@echo 'make bench      throughput beside Fastify + mqtt.js;   make fuzz   the parsers, the listener'
	@echo 'make install    PREFIX=/usr/local, DESTDIR=;   make uninstall'
	@echo 'SAN=address,undefined or SAN=thread builds and tests a variant; PAHO=stock links the shared Paho'

.PHONY: clean
clean:
	rm -rf build
