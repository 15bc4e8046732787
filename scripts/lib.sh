# SPDX-License-Identifier: GPL-2.0
# Sourced by the other scripts: where things are, how to speak, how to wait.
# shellcheck shell=bash

set -euo pipefail

# shellcheck disable=SC2034 # for who sources this
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${EXECNS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/execns}
JOBS=${JOBS:-$(nproc)}
ARCH=${ARCH:-x86_64}
CACHE=$(realpath -m -- "$CACHE")
STORE=$CACHE/linux.git

# What others call $ARCH.
debian_arch() {
	case $ARCH in
	x86_64) echo amd64 ;;
	*) echo "$ARCH" ;;
	esac
}

rust_target() {
	case $ARCH in
	arm64) echo aarch64-unknown-linux-gnu ;;
	*) echo "$ARCH-unknown-linux-gnu" ;;
	esac
}

# Whether the guest is not of this machine's architecture.
is_foreign() {
	case $(uname -m)-$ARCH in
	x86_64-x86_64 | aarch64-arm64) return 1 ;;
	esac
}

# What the last runs of the tests have said. Those of two architectures may run at once.
# shellcheck disable=SC2034
RESULTS=$CACHE/results
! is_foreign || RESULTS+=/$ARCH

die() {
	printf 'execns: %s\n' "$*" >&2
	exit 1
}

say() {
	printf '  %-10s %s\n' "$1" "$2" >&2
}

case $CACHE in
*[[:space:]:]*) die "EXECNS_CACHE=$CACHE: make builds in no folder with a blank or a colon in its name" ;;
esac
mkdir -p "$CACHE" 2>/dev/null ||
	die "cannot create the cache $CACHE: set EXECNS_CACHE= to a folder that can be written"

# The hash of standard input.
hash_of() {
	sha256sum | cut -c1-16
}

# Hold the lock $1 until the script ends. Says so when it has to wait.
lock() {
	mkdir -p "$CACHE/locks"
	exec 9>"$CACHE/locks/$1"
	flock -n 9 || {
		say WAIT "for another run that uses $1"
		flock 9
	}
}

# need_space MIB WHAT: die unless the cache has room for it.
need_space() {
	local free
	free=$(df -Pm "$CACHE" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$1" ] ||
		die "$2 needs $1 MiB in $CACHE, where $free MiB are free: make room, or set EXECNS_CACHE= to another disk"
}

# progress LABEL LOG TOTAL PATTERN CMD...: run CMD with its output in LOG, and
# show how far it is: the lines of LOG that match PATTERN, of about TOTAL, or of
# who knows how many if that is 0.
progress() {
	local label=$1 log=$2 total=$3 pattern=$4 start=$SECONDS pid status=0 every=1 n of=
	shift 4
	[ "$total" = 0 ] || of=" of about $total"
	# Only a person looks every second.
	[ -t 2 ] && [ -z "${CI:-}" ] || every=60
	mkdir -p "$(dirname "$log")"
	say START "$label (log: $log)"
	# A process group of its own, to be stopped as a whole. It keeps the lock until
	# the last of it has gone.
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	set +m
	# shellcheck disable=SC2064
	trap "kill -- -$pid 2>/dev/null; wait $pid 2>/dev/null; exit 130" INT TERM HUP
	local next=$((SECONDS + every))
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.5
		[ "$SECONDS" -ge "$next" ] || continue
		next=$((SECONDS + every))
		n=$(grep -c -E "$pattern" "$log" || true)
		if [ "$every" = 1 ]; then
			printf '\r  %-10s %s: %d%s, %d:%02d \033[K' ... "$label" "$n" "$of" \
				$(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)) >&2
		else
			say ... "$label: $n$of, $(((SECONDS - start) / 60)) min"
		fi
	done
	wait "$pid" || status=$?
	trap - INT TERM HUP
	[ "$every" != 1 ] || printf '\r\033[K' >&2
	if [ "$status" != 0 ]; then
		grep -E -A6 'error(\[E[0-9]+\])?:|\*\*\*|undefined symbol|No space left' "$log" | tail -30 >&2 || true
		if grep -q 'No space left on device' "$log"; then
			die "the disk of $CACHE is full: make room, then run the same command again"
		fi
		die "$label failed, see $log"
	fi
	say DONE "$label, $(((SECONDS - start) / 60)):$(printf %02d $(((SECONDS - start) % 60)))"
}

# count_ktap PARSER NAME: say which tests of NAME.ktap have failed, by the kernel's kunit.py, and set
# passed, failed and skipped. A status of 0 becomes 1 if one has.
count_ktap() {
	local said summary
	# A test that has died says nothing, and what has not been said has not passed.
	said=$(python3 "$1" parse --failed "$2.ktap" 2>"$2.parser") || status=${status/#0/1}
	grep -v '^$' <<<"$said" | sed '$d' || true
	# With failures, their names come after it.
	summary=$(grep 'Testing complete' <<<"$said" | tail -1) || true
	count() {
		grep -oE "$1: [0-9]+" <<<"$summary" | tail -1 | grep -oE '[0-9]+' || echo 0
	}
	# shellcheck disable=SC2034 # for who calls
	passed=$(count passed) failed=$(($(count failed) + $(count crashed) + $(count errors))) skipped=$(count skipped)
}

# add_counts FILE: add what the last line of FILE has to passed, failed and skipped.
add_counts() {
	[[ $(tail -1 "$1") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]] || return 1
	passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	skipped=$((skipped + BASH_REMATCH[3]))
}

# complained CONSOLE: whether a kernel has said there what it must not say, and print it.
complained() {
	local splat='(BUG|WARNING|UBSAN:|INFO: task .* blocked|Oops|Kernel panic|general protection fault'
	splat+='|soft lockup|possible (circular|recursive) locking|suspicious RCU|unreferenced object|refcount_t'
	splat+='|sleeping function called|rust_kernel: panicked|trace\+0x)'
	grep -a -q -E "$splat" "$1" || return 1
	echo "execns: the kernel complained:" >&2
	grep -a -E -A40 -m1 "$splat" "$1" >&2
}

# with_files INITRAMFS FOLDER: print an initramfs with the files of a folder besides. The kernel unpacks
# one archive after the other.
with_files() {
	cat "$1"
	# It looks for the next one at a multiple of four bytes.
	head -c $(((4 - $(stat -c %s "$1") % 4) % 4)) /dev/zero
	(cd "$2" && find . | cpio -o -H newc -R 0:0 --quiet)
}

# own_workspace FOLDER: put the workspace of tools/execns to a folder, and print where it is there.
# cargo goes by time stamps, which say nothing between two clones that share what was built: only
# files that differ are written.
own_workspace() {
	local file
	mkdir -p "$1"
	(cd "$ROOT" && find tools/execns include/uapi -name target -prune -o -type f -print | sort) >"$1.files"
	(cd "$1" && find . -type f | sed 's,^\./,,' | sort | comm -13 "$1.files" - | xargs -r -d '\n' rm -f)
	while read -r file; do
		cmp -s "$ROOT/$file" "$1/$file" || install -D -m 644 "$ROOT/$file" "$1/$file"
	done <"$1.files"
	echo "$1/tools/execns"
}

# keep_newest NUMBER FOLDER: remove all but the newest things in a folder.
keep_newest() {
	find "$2" -mindepth 1 -maxdepth 1 -printf '%T@ %p\0' | sort -zrn | tail -z -n +$(($1 + 1)) |
		cut -z -d' ' -f2- | xargs -0r rm -rf
}

# Whether packages can be installed without asking anybody.
may_install() {
	[ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

# install_packages NAME...: by apt-get, which writes to $CACHE/apt.log.
install_packages() {
	local sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	{
		$sudo apt-get update -qq &&
			$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
	} >"$CACHE/apt.log" 2>&1
}

# need_package FILE NAME...: have packages installed that have a file.
need_package() {
	[ ! -e "$1" ] || return 0
	may_install || die "missing: $1. As root, type: apt-get install -y ${*:2}"
	say INSTALL "${*:2}, since there is no $1"
	install_packages "${@:2}" || true
	[ -e "$1" ] || die "apt-get could not install ${*:2}: see $CACHE/apt.log"
}

# own_apt FOLDER ARG...: apt-get with its lists and its cache in a folder. The system's stay as they are.
own_apt() {
	local apt=$1
	shift
	mkdir -p "$apt"/{lists/partial,cache/archives/partial}
	apt-get -qq -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root \
		-o Acquire::Retries=3 "$@"
}

# debian_mirror REMEDY: print where this machine's apt-get fetches Debian's packages from.
debian_mirror() {
	local site
	# It says so without the lists, which a machine that is new does not have.
	# shellcheck disable=SC2016 # apt expands it
	site=$(apt-get indextargets --no-release-info --format '$(SITE)' 2>/dev/null | grep -v security | head -1)
	[ -n "$site" ] || die "apt-get knows no Debian mirror: check /etc/apt/sources.list, $1"
	echo "$site"
}

# backports PACKAGE FOLDER REMEDY: download one of Debian's packages of Linux 7.3, and unpack it there.
backports() {
	local apt=$CACHE/apt site
	site=$(debian_mirror "$3") || exit
	mkdir -p "$apt"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site trixie-backports main" \
		>"$apt/sources.list"
	backports_apt() {
		own_apt "$apt" -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null "$@"
	}
	rm -rf "$2"
	mkdir -p "$2"
	(
		backports_apt update && cd "$2" && backports_apt download "$1"
	) >&2 || die "downloading $1 failed, see above: try again, $3"
	(
		cd "$2"
		dpkg-deb -x ./*.deb . && rm ./*.deb
	) || die "the downloaded package $1 does not unpack: run the same command again"
}

# own_work TREE TIP: say what a kernel work tree has that neither make tree nor the commit TIP has.
own_work() {
	local head
	if [ -n "$(git -C "$1" status --porcelain 2>/dev/null | head -1)" ]; then
		echo "changes that are not committed: commit them and type make import, or delete the tree"
	elif head=$(git -C "$1" rev-parse -q --verify HEAD) && [ "$head" != "$2" ] &&
		[ "$head" != "$(cat "$1/.git/execns-made" 2>/dev/null)" ]; then
		echo "commits of its own: type make import, or delete the tree"
	fi
}

# git in the store of kernel sources.
store() {
	git --git-dir="$STORE" "$@"
}

# kernel_parts COMMIT: what a kernel is made of. The tests and the documentation are no part of it.
kernel_parts() {
	store ls-tree "$1" | grep -v -P '\t(Documentation|MAINTAINERS|tools)$'
	store ls-tree "$1:tools" | grep -v -P '\ttesting$'
}
