# SPDX-License-Identifier: GPL-2.0
# The front door. Everything else is in scripts/.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
export KSRC EXECNS_CACHE ARCH LLVM JOBS

VARIANT ?= $(if $(BASE),base,execns)

.PHONY: help
help:
	@sed -n 's/^#: \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

#: make run          boot a kernel with execns(2), and see it at work
#: make test         all tests; T='NAME...' for some of those in the guest
#:
.PHONY: run test
run:
	@scripts/vm -t 300 -- execns-demo
test:
ifdef T
	@scripts/test $(T)
else
	@scripts/test-all
endif

#: make kernel       build the kernel; BASE=1 for the unpatched one
#: make shell        a shell in the guest; leave it with exit, or ctrl-a x
#: make vm RUN='CMD' run a command of this machine in the guest: it sees this root
#:                   read-only and this folder writable. make tells its exit
#:                   status; scripts/vm -r -- CMD exits with it
.PHONY: kernel shell vm
kernel:
	@scripts/build $(VARIANT)
shell:
	@scripts/vm -x -- sh
vm:
	@[ -n "$$RUN" ] || { echo "execns: what shall run? Type make vm RUN='command'" >&2; exit 2; }
	@scripts/vm -r -- sh -c "$$RUN"
export RUN

#: make bench        instructions per launch, against the rivals, and what up to a
#:                   million user accounts cost, against the unpatched kernel
#: make test-debug   the tests of the guest on a kernel with KASAN, lockdep, ...
#: make test-lsm     those of security modules there, under SELinux and under AppArmor
#: make test-go      those of containers from Go, in integrations/go
#: make test-youki   containers of youki (integrations/youki), by execns(2) and without
#: make bench-youki  what those take, and what crun, runc and bwrap do, with a plot
#: make deb          Debian's package of a kernel with Debian's configuration for the cloud
#:                   and the series (an hour on two cores)
#: make test-deb     that kernel below Debian's systemd: execns in services, with and
#:                   without RestrictNamespaces= (as root)
#: make test-upstream the kernel's own tests of exec, namespaces and so on, on this kernel
#:                   and on the unpatched one, compared test by test
#: make test-kcsan   the tests on a kernel that finds data races (hours)
#: make faults       on the debug kernel, fail each allocation and each copy from or
#:                   to user memory of many calls (test-debug: about 20 of each call)
#: make races        the tests of races for 10 minutes, or MINUTES=n, with what they saw
#: make fuzz         random calls for a minute, or MINUTES=n, with their counts; SEED= to
#:                   repeat them, and ONLY= for one of them
#:                   VARIANT=debug or kcsan, for races and fuzz: that kernel
#: make lint         checkpatch, rustfmt, clippy, rustdoc, sparse, shellcheck
#: make bisect-check build each commit of the series, with the option on and off
.PHONY: bench test-debug test-lsm test-go test-youki bench-youki deb test-deb test-upstream test-kcsan faults races fuzz lint \
	bisect-check
bench:
	@scripts/bench
test-debug:
	@VARIANT=debug scripts/test $(T)
test-lsm:
	@scripts/test-lsm $(T)
test-go:
	@scripts/test-go $(T)
test-youki:
	@scripts/test-youki $(T)
deb:
	@scripts/deb
test-deb:
	@scripts/test-deb
test-upstream:
	@scripts/test-upstream $(T)
bench-youki:
	@scripts/test-youki --bench
test-kcsan:
	@VARIANT=kcsan scripts/test $(T)
faults:
	@EXECNS_ENV=EXECNS_FAULTS=all VARIANT=debug scripts/test faults_test faults_noticed_test
races:
	@VARIANT="$(VARIANT)" scripts/races $(MINUTES)
fuzz:
	@MINUTES="$(MINUTES)" SEED="$(SEED)" ONLY="$(ONLY)" VARIANT="$(VARIANT)" scripts/fuzz
lint:
	@scripts/lint
bisect-check:
	@scripts/bisect-check

#: make tree         a git work tree of the kernel, the series on top as commits
#: make series       the series as git format-patch writes it, with a cover letter
#: make import       the inverse of tree: the patches and new files of here from
#:                   the commits of there (TREE=, default: where make tree puts it)
.PHONY: tree series import
tree:
	@scripts/tree
series:
	@scripts/series
import:
	@scripts/series-import "$${TREE:-$$(scripts/print tree)}"

#: make clean        remove what was built, but for the source; make distclean: all
#: make print-X      a path, X being image, base-image, tree, config, cache
.PHONY: clean distclean
clean:
	@scripts/clean
distclean:
	@scripts/clean all
print-%:
	@scripts/print $*

#:
#: KSRC=PATH          a tree or tarball of Linux 7.3.y (Debian's linux-source-7.3)
#: EXECNS_CACHE=PATH  where source and builds are kept (~/.cache/execns)
#: ARCH=x86_64        the guest's architecture, or arm64; riscv64 for make kernel
#: LLVM=-19           suffix or folder of the LLVM tools, as for the kernel's make
#: JOBS=N             jobs of a build (all processors)
