# Millrace. `make help` lists what there is to do.
#
# One object tree a set of flags (build/plain, build/address-undefined, build/thread, build/coverage), so that objects of different
# flags never mix; generated sources are shared by all of them in build/gen.

VERSION := 0.1.0
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null)# an image is built without .git: make COMMIT=..
CC      ?= gcc
PYTHON  := python3
VENV    := $(or $(MILLRACE_PARTS),build/parts)/venv/bin/python
WARN    := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	   -Wwrite-strings -Werror
SAN     ?=# make SAN=address,undefined test-unit | make SAN=thread test-unit
GCOV    ?=# make GCOV=1 programs unit-bins: they count which lines they ran
comma   := ,
B       := build/$(or $(if $(GCOV),coverage),$(subst $(comma),-,$(SAN)),plain)
GEN     := build/gen
PKGS    := rdkafka avro-c libxxhash libmicrohttpd yajl zlib libzstd libcrypto gnutls libmongoc-1.0 libcurl libprotobuf-c yaml-0.1
CPPFLAGS += -I. -I$(GEN) $(shell pkg-config --cflags $(PKGS))
FLAGS   := $(WARN) $(if $(GCOV),-w -O1 --coverage -fprofile-update=prefer-atomic,-O2) -g $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALLOC   := $(if $(SAN),,-Wl$(comma)-u$(comma)malloc_conf -ljemalloc)# with the settings of common/memory.c
COUNTED := $(if $(GCOV),$(B)/tests/coverage/flush.o)# counts are kept where a program ends without tearing down
ENDS    := $(if $(GCOV),-Wl$(comma)--wrap=_exit)
LINK     = $(CC) $(FLAGS) $(CFLAGS) $(LDFLAGS) -o $@

# make V=1 shows whole commands.
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

LIBS_common    := -lrdkafka -lxxhash -lmicrohttpd -lz -lm -lpthread
LIBS_without_kafka := $(filter-out -lrdkafka,$(LIBS_common))
LIBS_ingest    := -lyajl -lcrypto -lgnutls -lzstd
LIBS_processor :=
LIBS_sink      := $(shell pkg-config --libs libmongoc-1.0)
LIBS_notify    := -lcurl -lyajl -lcrypto
LIBS_status    := -lyajl
LIBS_ctl       := -lyajl -lyaml -lcrypto -lcurl -lavro $(LIBS_sink)# verify reads MongoDB, tail any record
LIBS_agent     := -lyajl -lzstd -lcurl -lprotobuf-c
BASE_agent     := $(LIBS_without_kafka)# on a customer's machine there is none

objects = $(patsubst %.c,$(B)/%.o,$(1))
GEN_C   := $(GEN)/schemas/schemas.c $(GEN)/schemas/reasons.c $(GEN)/schemas/metric_list.c $(GEN)/schemas/texts.c
GEN_H   := $(GEN)/schemas/schemas.h $(GEN)/schemas/reasons.h $(GEN)/schemas/metric_list.h $(GEN)/schemas/texts.h $(GEN)/version.h
GEN_OBJ := $(patsubst $(GEN)/%.c,$(B)/gen/%.o,$(GEN_C))
SRC_common    := $(wildcard common/*.c)
SRC_ingest    := $(wildcard ingest/*.c)
SRC_processor := $(wildcard processor/*.c)
SRC_sink      := $(wildcard sink/mongo/*.c)
SRC_notify    := $(wildcard sink/notify/*.c)
SRC_status    := $(wildcard sink/status/*.c)
SRC_ctl       := $(wildcard deploy/ctl/*.c)
SRC_agent     := $(wildcard ingest/agent/*.c)
PARTS    := common ingest processor sink notify status ctl agent
PROGRAMS := ingest processor sink notify status ctl agent
BINS     := $(PROGRAMS:%=$(B)/bin/millrace-%)
UNIT     := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/*/test_*.c))

.PHONY: all help programs run upgrade test test-unit test-san test-fuzz test-long containers coverage mutants chaos rehearsal soak bench profile deps clean FORCE
.SECONDARY:
.DELETE_ON_ERROR:

all: programs

help:
	@echo 'make            build the programs into build/plain/bin'
	@echo 'make run        Kafka, database, programs and real input on this machine; ONCE=1 ends after the first window'
	@echo 'make test       all tests; test-unit, test-san, test-fuzz are parts of it'
	@echo 'make test-long  what takes longer, mutants among it'
	@echo 'make containers docker-compose.yml in real containers, scaled under load; needs root'
	@echo 'make chaos      kills, freezes and broken brokers against exact sums; MINUTES=20 SEED=7'
	@echo 'make coverage   which lines of the product all tests run, into build/coverage/index.html; COVERAGE=unit: those alone'
	@echo 'make rehearsal  the outage of a night, in a quarter of an hour, and what is lost of it: SEED=7; plots in build/rehearsal'
	@echo 'make upgrade    upgrade and rollback under load, with a second build whose schemas have a field more'
	@echo 'make soak       constant load, and whether anything grows; MINUTES=15'
	@echo 'make bench      figures into build/bench.json; BENCH=ingest (agent, processor, notify, sink): that one'
	@echo 'make profile    where the CPU time of the processor goes; PROFILE=SERIES.RATE, 100000.20 by default'
	@echo 'make SAN=address,undefined [target]   the same under sanitizers (also SAN=thread)'

programs: $(BINS)

deps:
	@deploy/local/deps

run: deps
	@$(MAKE) --no-print-directory programs
	@$(VENV) deploy/local/run $(if $(ONCE),--once)

test: deps
	@$(VENV) tests/run test

test-long:
	@deploy/local/deps --containers
	@$(VENV) tests/run long

containers:
	@deploy/local/deps --containers
	@$(VENV) tests/containers/test_containers.py

# make chaos MINUTES=20 SEED=7
chaos: deps
	@$(MAKE) --no-print-directory programs
	@$(VENV) tests/chaos/run --minutes $(or $(MINUTES),20) --series 50000 --samples $$(( $(or $(MINUTES),20) * 100000 )) \
		$(if $(SEED),--seed $(SEED))

# make coverage COVERAGE='unit test_oracle'
coverage: deps
	@$(MAKE) --no-print-directory GCOV=1 programs unit-bins rehearsal-bins
	@find build/coverage -name '*.gcda' -delete
	@$(VENV) tests/run coverage $(COVERAGE); code=$$?; $(VENV) tests/coverage/report && exit $$code

# make rehearsal SEED=7; REHEARSAL= for the short form
REHEARSAL ?= --full
rehearsal: deps
	@$(MAKE) --no-print-directory programs rehearsal-bins
	@$(VENV) tests/rehearsal/run $(REHEARSAL) $(if $(SEED),--seed $(SEED))

soak: deps
	@$(MAKE) --no-print-directory programs rehearsal-bins
	@$(VENV) tests/rehearsal/soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

upgrade: deps
	@$(MAKE) --no-print-directory programs
	@$(VENV) tests/upgrade/test_upgrade.py

mutants: deps
	@$(VENV) tests/mutants/run

bench: deps
	@$(MAKE) --no-print-directory programs bench-bins
	@$(VENV) tests/bench/run $(BENCH)

# make profile PROFILE=1000000.2 SAMPLES=10000000
profile: deps
	@$(MAKE) --no-print-directory programs bench-bins
	@$(VENV) tests/bench/profile $(or $(PROFILE),100000.20) $(SAMPLES)

# Generated sources
$(GEN)/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define MILLRACE_VERSION "$(VERSION)+$(or $(COMMIT),unknown)"' > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(GEN)/schemas/.done: $(wildcard schemas/*.py) schemas/ids schemas/topics.txt schemas/reasons.txt schemas/metrics.txt $(wildcard schemas/*.avsc)
	@mkdir -p $(@D)
	$(call say,GEN,$(@D))
	$(Q)$(PYTHON) schemas/gen.py --out $(@D)
	@touch $@

$(filter $(GEN)/schemas/%,$(GEN_C) $(GEN_H)): $(GEN)/schemas/.done ;

# For the property tests of the codecs alone.
$(GEN)/schemas_test/equal.h: tests/unit/common/gen_equal.py $(GEN)/schemas/.done
	@mkdir -p $(@D)
	$(PYTHON) $< --out $@
$(B)/tests/unit/common/test_codec_avro.o: $(GEN)/schemas_test/equal.h

# For the test of former versions, which the schemas themselves may not have.
VERSIONS := tests/unit/common/versions
$(GEN)/versions/schemas.h: $(wildcard schemas/*.py $(VERSIONS)/*.avsc) $(VERSIONS)/ids
	@mkdir -p $(@D)
	$(Q)$(PYTHON) schemas/gen.py --schemas $(VERSIONS) --out $(@D)
$(B)/tests/unit/common/test_versions.o $(B)/tests/unit/common/test_pins.o: $(GEN)/versions/schemas.h

# What protobuf-c makes of the payload's definition: the agent builds payloads with it, and in tests it is the oracle of ingest's decoder.
# Compiled without our warnings.
PB_C := $(GEN)/pb/push.pb-c
$(PB_C).c $(PB_C).h &: schemas/push.proto
	@mkdir -p $(@D)
	$(call say,GEN,$(PB_C).c)
	$(Q)protoc-c --c_out=$(@D) -Ischemas $<

$(B)/gen/pb/%.o: $(GEN)/pb/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=c11 $(filter-out $(WARN),$(FLAGS)) $(CFLAGS) -c $< -o $@

$(B)/tests/unit/ingest/test_push_pb_oracle.o: $(PB_C).h
$(call objects,$(SRC_agent) $(wildcard tests/unit/agent/*.c tests/bench/agent_*.c tests/rehearsal/*.c)): | $(PB_C).h
$(B)/tests/unit/ingest/test_push_pb_oracle: $(B)/gen/pb/push.pb-c.o
LIBS_test_push_pb_oracle := -lprotobuf-c

# Likewise of OTLP, by subsets of its definitions.
$(GEN)/pb/otlp_%.pb-c.c $(GEN)/pb/otlp_%.pb-c.h: tests/unit/ingest/otlp_%.proto
	@mkdir -p $(@D)
	$(call say,GEN,$(GEN)/pb/otlp_$*.pb-c.c)
	$(Q)protoc-c --c_out=$(@D) -I$(<D) $<
$(B)/tests/unit/ingest/test_otlp_metrics_oracle.o: $(GEN)/pb/otlp_metrics.pb-c.h $(PB_C).h
$(B)/tests/unit/ingest/test_otlp_metrics_oracle: $(B)/gen/pb/otlp_metrics.pb-c.o $(B)/gen/pb/push.pb-c.o
LIBS_test_otlp_metrics_oracle := -lprotobuf-c
$(B)/tests/unit/ingest/test_otlp_oracle.o: $(GEN)/pb/otlp_events.pb-c.h
$(B)/tests/unit/ingest/test_otlp_oracle: $(B)/gen/pb/otlp_events.pb-c.o
LIBS_test_otlp_oracle := -lprotobuf-c

# Ingest's decoder and split are the oracle of what the agent builds.
$(B)/tests/unit/agent/test_bundle: $(B)/tests/unit/agent/ingest_oracle.o $(B)/libingest.a
LIBS_test_bundle := $(B)/libingest.a $(B)/libcommon.a $(LIBS_ingest)

# Objects depend on what they include, and the first build on all that is generated.
$(B)/gen/%.o: $(GEN)/%.c | $(GEN_H)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# One archive a part, without its main, for the program and its unit tests alike.
define part_rules
$(B)/lib$(1).a: $$(call objects,$$(filter-out %/main.c,$$(SRC_$(1)))) $(if $(filter common,$(1)),$$(GEN_OBJ)) $(if $(filter agent,$(1)),$$(B)/gen/pb/push.pb-c.o)
	@rm -f $$@
	@mkdir -p $$(@D)
	$$(call say,AR,$$@)
	$$(Q)$$(AR) rcs $$@ $$^

$(B)/tests/unit/$(1)/%: $(B)/tests/unit/$(1)/%.o $(COUNTED) $(B)/lib$(1).a $(B)/libcommon.a
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) $$(filter %.o,$$^) $$(filter %.a,$$^) $$(LIBS_$$(@F)) $$(LIBS_$(1)) $$(or $$(BASE_$(1)),$$(LIBS_common)) -lavro -lyajl $$(shell pkg-config --libs check) $$(ALLOC) $$(ENDS)
endef
$(foreach part,$(PARTS),$(eval $(call part_rules,$(part))))

# The processor above a Kafka and a clock in memory: objects that define what an archive's member defines keep it out.
$(B)/tests/unit/processor/test_simulation: $(patsubst %,$(B)/tests/unit/processor/%.o,fake_kafka fake_consumer fake_txn fake_trim fake_clock sim_alerts sim_events sim_input sim_twin)
LIBS_test_simulation := $(patsubst %,-Wl$(comma)--wrap=%,clock_now_ms clock_mono_ms poll report_notice task_take task_close task_flush task_committed \
	task_free budget_charge room_look room_admits)

# Pages in every state, for renderers' tests and for a browser.
$(patsubst %,$(B)/tests/unit/status/%,page_fixture test_html test_json test_atom test_page test_page_nomem): $(B)/tests/unit/status/page_samples.o

# Where allocations fail when the test says so; each part may have such a test.
$(filter %nomem,$(UNIT)): $(B)/tests/unit/fail_alloc.o
LIBS_test_nomem := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc reallocarray aligned_alloc strdup strndup asprintf yajl_alloc yajl_gen_alloc \
	ZSTD_createDCtx curl_easy_init curl_multi_init curl_url curl_slist_append emalloc erealloc)
$(foreach of,courier otlp scrub rules desk alerts page,$(eval LIBS_test_$(of)_nomem := $(LIBS_test_nomem)))
$(B)/tests/unit/sink/test_nomem: ENDS += -Wl$(comma)--wrap=rd_kafka_message_destroy

# How many triggers are asked about a series.
LIBS_test_rules := -Wl$(comma)--wrap=trigger_matches

# Exemplars that are pinned to another version, though the schemas may have none.
LIBS_test_exemplars := -Wl$(comma)--wrap=pins_written_id

# A gate whose minutes pass when the test says so, and a reader's batches that grow old likewise.
LIBS_test_gate := -Wl$(comma)--wrap=clock_mono_ms
$(B)/tests/unit/sink/test_reader: ENDS += -Wl$(comma)--wrap=clock_mono_ms

# A survey of a mock cluster, which has no settings of topics.
LIBS_test_survey := -Wl$(comma)--wrap=lag_retention_read

# And a page's server, whose half minutes pass likewise.
LIBS_test_page_server := -Wl$(comma)--wrap=clock_mono_ms

# A disk whose calls fail, or are a process's last, when the test says so.
LIBS_test_state_file := $(patsubst %,-Wl$(comma)--wrap=%,write fsync renameat)

define program_rules
$(B)/bin/millrace-$(1): $$(call objects,$$(filter %/main.c,$$(SRC_$(1)))) $$(if $$(findstring thread,$$(SAN)),$(B)/tests/unit/c11_threads.o) \
	$(COUNTED) $(B)/lib$(1).a $(B)/libcommon.a
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) $$^ $$(LIBS_$(1)) $$(or $$(BASE_$(1)),$$(LIBS_common)) $$(ALLOC) $$(ENDS)
endef
$(foreach program,$(PROGRAMS),$(eval $(call program_rules,$(program))))

# A test's object is built like any other; its folder says what it is linked with.
unit-bins: $(UNIT) $(B)/tests/unit/status/page_fixture
.PHONY: unit-bins

# What the benches measure with.
BENCH_BINS := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))
LIBS_null_mongo := $(LIBS_sink)
LIBS_floor_mongo := $(LIBS_sink)

AGENT_BENCH_BINS := $(filter $(B)/tests/bench/agent_%,$(BENCH_BINS))

$(filter-out $(AGENT_BENCH_BINS),$(BENCH_BINS)): $(B)/%: $(B)/%.o $(B)/libcommon.a
	$(call say,LINK,$@)
	$(Q)$(LINK) $^ $(LIBS_$(@F)) $(LIBS_common)

$(AGENT_BENCH_BINS): $(B)/%: $(B)/%.o $(B)/libagent.a $(B)/libcommon.a
	$(call say,LINK,$@)
	$(Q)$(LINK) $^ $(LIBS_agent) $(BASE_agent) $(ALLOC)

# The rehearsal's 200 agents, made of the agent's own parts.
$(B)/tests/rehearsal/crowd: $(call objects,$(wildcard tests/rehearsal/crowd*.c)) $(if $(findstring thread,$(SAN)),$(B)/tests/unit/c11_threads.o) \
	$(B)/libagent.a $(B)/libcommon.a
	$(call say,LINK,$@)
	$(Q)$(LINK) $^ $(LIBS_agent) $(BASE_agent) $(ALLOC)

rehearsal-bins: $(B)/tests/rehearsal/crowd
.PHONY: rehearsal-bins

bench-bins: $(BENCH_BINS)
.PHONY: bench-bins

test-unit: $(UNIT)
	@$(PYTHON) tests/run units $(UNIT)

test-san:
	@$(MAKE) --no-print-directory SAN=address,undefined test-unit

# libFuzzer targets, tests/fuzz/fuzz_*.c, by clang with the sanitizers on; an object tree of their own.
FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 6
FUZZ_PARTS := common ingest processor
FUZZ_FLAGS := $(WARN) -Wno-gnu-statement-expression -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all $(CPPFLAGS)
FUZZ_OF_AGENT := $(patsubst %,build/fuzz/fuzz_%,statsd lines)
FUZZ_OF_NOTIFY := $(filter build/fuzz/fuzz_notify_%,$(FUZZ))
FUZZ_OF_CTL := build/fuzz/fuzz_yaml
FUZZ_OF_STATUS := build/fuzz/fuzz_status_state
FUZZ_CTL   := $(patsubst %,deploy/ctl/%.c,yaml_read yaml_value trigger_yaml receiver_yaml rule_json json_write json_read store args args_help printable)# what reads files
fuzz_objects = $(patsubst %.c,build/fuzz/obj/%.o,$(filter-out %/main.c,$(1)))
FUZZ_GEN   := $(patsubst $(GEN)/%.c,build/fuzz/obj/gen/%.o,$(GEN_C) $(PB_C).c)

build/fuzz/obj/gen/%.o: $(GEN)/%.c | $(GEN_H)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)clang $(FUZZ_FLAGS) -MMD -MP -c $< -o $@

build/fuzz/obj/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)clang $(FUZZ_FLAGS) -MMD -MP -c $< -o $@

build/fuzz/libfuzzed.a: $(call fuzz_objects,$(foreach part,$(FUZZ_PARTS),$(SRC_$(part)))) $(FUZZ_GEN)
build/fuzz/libctl.a: $(call fuzz_objects,$(SRC_common) $(FUZZ_CTL)) $(FUZZ_GEN)
build/fuzz/libagent.a: $(call fuzz_objects,$(SRC_common) $(SRC_agent)) $(FUZZ_GEN)
build/fuzz/libstatus.a: $(call fuzz_objects,$(SRC_common) sink/status/state_file.c) $(FUZZ_GEN)
build/fuzz/libnotify.a: $(call fuzz_objects,$(SRC_common) $(SRC_notify)) $(FUZZ_GEN)
build/fuzz/lib%.a:
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) qcs $@ $^

$(filter-out $(FUZZ_OF_AGENT) $(FUZZ_OF_NOTIFY) $(FUZZ_OF_CTL) $(FUZZ_OF_STATUS),$(FUZZ)): build/fuzz/libfuzzed.a
$(FUZZ_OF_NOTIFY): build/fuzz/libnotify.a
$(FUZZ_OF_STATUS): build/fuzz/libstatus.a
$(FUZZ_OF_AGENT): build/fuzz/libagent.a
$(FUZZ_OF_CTL): build/fuzz/libctl.a
LIBS_fuzz_yaml := -lyaml
build/fuzz/%: build/fuzz/obj/tests/fuzz/%.o
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $(filter %.o,$^) $(filter %.a,$^) $(LIBS_$(@F)) $(foreach part,$(FUZZ_PARTS) agent,$(LIBS_$(part))) -o $@

build/fuzz/obj/gen/pb/%.o: $(GEN)/pb/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)clang $(filter-out $(WARN),$(FUZZ_FLAGS)) -c $< -o $@

build/fuzz/obj/tests/fuzz/fuzz_push_pb.o: $(PB_C).h
$(patsubst %.c,build/fuzz/obj/%.o,$(SRC_agent)): | $(PB_C).h

fuzz-bins: $(FUZZ)
.PHONY: fuzz-bins

test-fuzz: $(FUZZ)
	@$(PYTHON) tests/run fuzz $(FUZZ_SECONDS) $(FUZZ)

clean:
	@find build -mindepth 1 -maxdepth 1 ! -name parts -exec rm -rf {} + 2>/dev/null || true

# Of the trees of objects alone: what else lies below build has files of such names.
-include $(shell find $(B) build/fuzz/obj -name '*.d' -type f 2>/dev/null)
