# SPDX-License-Identifier: GPL-2.0
# Sourced by what builds kernels, next to lib.sh: how the source of a commit gets to a slot, and how it
# is made there. It is a part of the key of what it has made.
# shellcheck shell=bash

# use_slot SLOT COMMIT: put the source of a commit to src, next to the objects of the last build in
# obj. Only files that differ are written, so that make rebuilds what it must.
use_slot() {
	slot=$1 src=$1/src obj=$1/obj
	mkdir -p "$src" "$obj"
	GIT_INDEX_FILE=$slot/index store --work-tree="$src" read-tree --reset -u "$2" ||
		die "could not write the source to $src: see the message above"
}

kmake() {
	local cross=()
	[ "$ARCH" != arm64 ] || cross=(CROSS_COMPILE=aarch64-linux-gnu-)
	make -C "$src" O="$obj" ARCH="${ARCH/riscv64/riscv}" ${cross[@]+"${cross[@]}"} "${KBUILD_TOOLS[@]}" \
		KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=execns KBUILD_BUILD_HOST=execns -j"$JOBS" "$@"
}

# takes_config FRAGMENT: die unless the configuration has each option that a fragment switches on.
takes_config() {
	local line
	while read -r line; do
		grep -qx -- "$line" "$obj/.config" ||
			die "the kernel does not take '$line': what it depends on is off, or it has another name"
	done < <(grep '^CONFIG' <<<"$1")
}
