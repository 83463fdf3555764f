#!/bin/sh
# Fetch an arm64 package's files into build/deps/arm64, without adding an architecture to this
# machine and without privileges: apt runs on a private state folder, dpkg only unpacks.
#
# Usage: tools/fetch.sh libfdt-arm64   -> build/deps/arm64/libfdt.a and include/*.h
#        tools/fetch.sh grub-arm64     -> build/deps/arm64/grub/ (modules for grub-mkrescue -d)
#
# The package comes from the distribution's archive as this machine is set up to use it; apt checks
# the archive's signature. What is linked into the kernel is pinned by version and SHA-256 as well.
# BUILD names another build folder; SETUP=no refuses. Exit 0 or 77, or 1 on a wrong checksum.
set -eu

build=${BUILD:-build}
deps=$build/deps/arm64
state=$build/deps/apt

say() { echo "fetch: $*" >&2; }
cannot() {
	say "$1"
	exit 77
}

case ${1:-} in
libfdt-arm64)
	package=libfdt-dev
	version=1.6.1-4+b1
	sha256=a5ab8f5de4187c8f851f817c6882772cf330a894539f4ddcd44726aeb801fa9a
	result=$deps/libfdt.a
	;;
grub-arm64) # only boots the image, so any version that the archive signs will do
	package=grub-efi-arm64-bin
	version=''
	sha256=''
	result=$deps/grub/linux.mod
	;;
*)
	say "usage: tools/fetch.sh libfdt-arm64|grub-arm64"
	exit 2
	;;
esac
[ ! -e "$result" ] || exit 0

[ "${SETUP:-}" != no ] || cannot "SETUP=no, $package:arm64 is not fetched"
for tool in apt-get dpkg-deb sha256sum; do
	command -v $tool >/dev/null 2>&1 || cannot "$package:arm64 needs $tool (Debian)"
done

mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$deps"
state=$(cd "$state" && pwd)
deps=$(cd "$deps" && pwd)
apt() {
	apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
		-o Dir::State="$state" -o Dir::State::Lists="$state/lists" \
		-o Dir::State::status=/dev/null -o Dir::Cache="$state/cache" \
		-o APT::Sandbox::User="$(id -un)" "$@" >&2
}

say "fetching $package:arm64 ${version:-(newest)} into $build/deps/arm64"
work=$state/download
rm -rf "$work"
mkdir -p "$work"
apt update || cannot "the package lists could not be refreshed"
(cd "$work" && apt download "$package${version:+=$version}") ||
	cannot "$package:arm64 could not be fetched"

set -- "$work"/*.deb
if [ -n "$sha256" ] && ! echo "$sha256  $1" | sha256sum --check --status; then
	say "error: $(basename "$1"): SHA-256 is not $sha256"
	exit 1
fi
dpkg-deb -x "$1" "$work/tree"
case $package in
libfdt-dev)
	mkdir -p "$deps/include"
	cp "$work"/tree/usr/include/*fdt*.h "$deps/include/"
	cp "$work/tree/usr/lib/aarch64-linux-gnu/libfdt.a" "$deps/libfdt.a"
	;;
grub-efi-arm64-bin)
	rm -rf "$deps/grub"
	cp -r "$work/tree/usr/lib/grub/arm64-efi" "$deps/grub"
	;;
esac
rm -rf "$work"
