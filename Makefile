# Every target is a line over cmake or a script in tools/. Each works alone on a fresh Debian 12 machine, as root.
#
#   make build    programs in build/bin         make lint      format, layers, features, clang-tidy on what changed
#   make test     everything, set-up included   make lint-all  clang-tidy on the whole tree
#   make demo     the main job, shown           make fuzz      every fuzz target for FUZZ_SECONDS
#   make bench    ratios to peers               make ci        what CI runs
#   make install  to PREFIX (default /usr/local), below DESTDIR; make uninstall
FUZZ_SECONDS ?= 20
SETUP := build/.setup-done

.PHONY: setup build everything install uninstall demo test testhost kerneltest asan tsan bench fuzz lint lint-all ci clean

setup: $(SETUP)
$(SETUP): packaging/debian-packages.txt tools/setup
	tools/setup
	mkdir -p build && touch $@

build: setup
	tools/build release programs

# The tests and benchmarks too.
everything: setup
	tools/build release

install:
	tools/install

uninstall:
	tools/install --undo

demo: build
	tools/demo

test: everything
	tools/run-tests build -LE 'testhost|kernel'

# The suites that need pure cgroup v2 and systemd, inside a guest under emulation (tests/testhost/README.md): slow.
testhost: everything
	tools/run-tests build -L testhost

# Builds Skerry's own guest kernel, twice, and boots it: half an hour of compiling on two cores.
kerneltest: everything
	tools/run-tests build -L kernel

asan: setup
	tools/build asan
	tools/run-tests build/asan

# Where the threads are; the rest is single-threaded and would only cost time.
tsan: setup
	tools/build tsan store_test control_test
	tools/run-tests build/tsan -R '^(store|control)\.'

bench: everything
	tools/bench build/bench.json

fuzz: setup
	tools/build fuzz fuzz_targets
	tools/fuzz $(FUZZ_SECONDS)

lint: setup
	tools/lint changed

lint-all: setup
	tools/lint all

ci:
	.ci/run

clean:
	rm -rf build
