#!/bin/sh
# Fetch a package's files into build/deps, without installing it, without adding an architecture to
# this machine and without privileges: apt runs on a private state folder, dpkg only unpacks.
#
# Usage: tools/fetch.sh console-font   -> build/deps/font.psf
#        tools/fetch.sh lwip           -> build/deps/lwip/ (sources of the TCP/IP stack, src/)
#        tools/fetch.sh grub-arm64     -> build/deps/arm64/grub/ (modules for grub-mkrescue -d)
#        tools/fetch.sh qemu           -> build/deps/qemu/ (a newer QEMU of the distribution's backports, for QEMU=)
#        tools/fetch.sh promtool       -> build/deps/promtool (Prometheus' checker of metrics; 20 MB are fetched for it)
#
# The package comes from the distribution's archive as this machine is set up to use it; apt checks
# the archive's signature. What is linked into the kernel is pinned by SHA-256 as well; a font with
# that sum that is installed already is taken as it is. Sources are taken as they were published, without
# the distribution's changes, and nothing of them is changed here.
# BUILD names another build folder, which takes font and sources of the usual one; SETUP=no refuses. Exit 0 or 77, or 1 on a
# wrong checksum.
set -eu

build=${BUILD:-build}
deps=$build/deps/arm64
state=$build/deps/apt

say() { echo "fetch: $*" >&2; }
cannot() {
	say "$1"
	exit 77
}

# Of console-setup-linux, whose copyright.fonts (in keyboard-configuration) calls console fonts public domain.
FONT=usr/share/consolefonts/Lat15-Fixed16.psf.gz
FONT_SHA256=3ac4bf16013a3d2f0cca9feaeaa1a2751c649515d988e178e91154d7b952e3cc

# take_font ROOT: unpack the font that lies there; false: there is none, or another one.
take_font() {
	[ -e "$1/$FONT" ] || return 1
	gzip -dc "$1/$FONT" >"$build/deps/font.partial"
	echo "$FONT_SHA256  $build/deps/font.partial" | sha256sum --check --status || return 1
	mv "$build/deps/font.partial" "$build/deps/font.psf"
}

LWIP_VERSION=2.1.3+dfsg1
LWIP_TAR=lwip_$LWIP_VERSION.orig.tar.xz
LWIP_SHA256=0a8276d09fc4e97bbba2f953d74af2388fc2195ea156be9d7589e297a68fde24

case ${1:-} in
lwip)
	package=lwip
	result=$build/deps/lwip/src/include/lwip/init.h
	hint="; another way: unpack $LWIP_TAR of Debian's source package lwip and put its content into $build/deps/lwip, or build without network, LWIP=no"
	;;
console-font)
	package=console-setup-linux
	result=$build/deps/font.psf
	hint="; another way: put $FONT, unpacked, there"
	;;
grub-arm64) # only boots the image, so any version that the archive signs will do
	package=grub-efi-arm64-bin
	result=$deps/grub/linux.mod
	hint=''
	;;
promtool) # one program of it, which needs nothing else
	package=prometheus
	result=$build/deps/promtool
	hint='; tests of /metrics do without it'
	;;
qemu) # runs beside the installed one, whose firmware it uses
	package=qemu-system-x86
	result=$build/deps/qemu/usr/bin/qemu-system-x86_64
	hint=''
	;;
*)
	say "usage: tools/fetch.sh console-font|lwip|grub-arm64|promtool|qemu"
	exit 2
	;;
esac
[ ! -e "$result" ] || exit 0
if [ $package = console-setup-linux ]; then
	mkdir -p "$build/deps"
	! take_font "" || exit 0
	if [ -e build/deps/font.psf ]; then
		cp build/deps/font.psf "$result"
		exit 0
	fi
fi
if [ $package = lwip ] && [ -e build/deps/lwip/src ]; then
	mkdir -p "$build/deps"
	cp -r build/deps/lwip "$build/deps/"
	exit 0
fi

[ "${SETUP:-}" != no ] || cannot "SETUP=no, $package is not fetched for $result$hint"
for tool in apt-get dpkg-deb sha256sum python3; do
	command -v $tool >/dev/null 2>&1 || cannot "$package for $result needs $tool (Debian)$hint"
done

mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$deps"
state=$(cd "$state" && pwd)
deps=$(cd "$deps" && pwd)
case $package in
qemu-* | prometheus) arch=$(dpkg --print-architecture) ;; # runs here
*) arch=arm64 ;;
esac
apt() {
	apt-get -qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
		-o Dir::State="$state" -o Dir::State::Lists="$state/lists" \
		-o Dir::State::status=/dev/null -o Dir::Cache="$state/cache" \
		-o APT::Sandbox::User="$(id -un)" "$@" >&2
}

# Sources from where this machine has its packages from: the same lists, with the word for sources.
list_sources() {
	mkdir -p "$state/sources"
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
		[ ! -e "$list" ] || sed -e 's/^deb /deb-src /' -e 's/^Types:.*/Types: deb-src/' \
			"$list" >"$state/sources/$(basename "$list")"
	done
}

# The backports of this release, from where this machine has the release itself.
list_backports() {
	# shellcheck disable=SC1091 # what this machine runs
	release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	mkdir -p "$state/backports"
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -e "$list" ] || sed -n "s/^\\(deb .*\\) $release \\(main\\>\\)/\\1 $release-backports \\2/p" "$list" >"$state/backports/$(basename "$list")"
	done
	for list in /etc/apt/sources.list.d/*.sources; do
		[ ! -e "$list" ] || awk -v RS= -v ORS='\n\n' -v r="$release" '$0 ~ "Suites:([^\n]* )?" r "( |\n|$)" {
			sub("Suites:[^\n]*", "Suites: " r "-backports"); print }' "$list" >"$state/backports/$(basename "$list")"
	done
}

# take_lwip FOLDER: check and unpack what lies there.
take_lwip() {
	if ! echo "$LWIP_SHA256  $1/$LWIP_TAR" | sha256sum --check --status; then
		say "error: $LWIP_TAR: SHA-256 is not $LWIP_SHA256"
		exit 1
	fi
	# Not by tar, which needs xz-utils for it.
	python3 - "$1/$LWIP_TAR" "$1" <<-'END'
		import sys, tarfile
		with tarfile.open(sys.argv[1]) as tar:
		    for member in tar:
		        folder, _, member.name = member.name.partition("/")
		        if member.name == "COPYING" or member.name.startswith("src/"):
		            tar.extract(member, sys.argv[2] + "/lwip")
	END
	rm -rf "$build/deps/lwip"
	mv "$1/lwip" "$build/deps/lwip"
}

say "fetching $package for $result"
work=$state/download
rm -rf "$work"
mkdir -p "$work" "$build/deps"
if [ $package = lwip ]; then
	list_sources
	from="-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$state/sources"
	# shellcheck disable=SC2086 # words
	apt $from update || cannot "the lists of source packages could not be refreshed$hint"
	# shellcheck disable=SC2086
	(cd "$work" && apt $from source --download-only lwip) || cannot "the sources of lwip could not be fetched$hint"
	[ -e "$work/$LWIP_TAR" ] || cannot "the archive has $(cd "$work" && echo ./*.dsc), not $LWIP_VERSION$hint"
	take_lwip "$work"
	rm -rf "$work"
	exit 0
fi
if [ $package = qemu-system-x86 ]; then
	list_backports
	from="-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$state/backports"
	# shellcheck disable=SC2086 # words
	apt $from update || cannot "the lists of backports could not be refreshed"
	# shellcheck disable=SC2086
	(cd "$work" && apt $from -t "$release-backports" download qemu-system-x86 qemu-system-arm qemu-system-data qemu-system-common) ||
		cannot "no newer QEMU could be fetched"
	for deb in "$work"/*.deb; do
		dpkg-deb -x "$deb" "$work/tree"
	done
	rm -rf "$build/deps/qemu"
	mv "$work/tree" "$build/deps/qemu"
	rm -rf "$work"
	exit 0
fi
apt update || cannot "the package lists could not be refreshed"
(cd "$work" && apt download $package) || cannot "$package could not be fetched$hint"

set -- "$work"/*.deb
dpkg-deb -x "$1" "$work/tree"
case $package in
console-setup-linux)
	if ! take_font "$work/tree"; then
		say "error: $FONT of $(basename "$1"): SHA-256 is not $FONT_SHA256"
		exit 1
	fi
	;;
prometheus)
	mv "$work/tree/usr/bin/promtool" "$result"
	;;
grub-efi-arm64-bin)
	rm -rf "$deps/grub"
	cp -r "$work/tree/usr/lib/grub/arm64-efi" "$deps/grub"
	;;
esac
rm -rf "$work"
