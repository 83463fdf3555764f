#!/bin/sh
# Check that the tools a goal needs are there; on Debian install, announced first, what is missing.
#
# Usage: tools/setup.sh build|run|bench|test|check|iso|all
#
# SETUP=no never installs, SETUP=yes installs for every goal, unset installs for bench and test.
# For test, check and all ARCHES names the architectures, for the others ARCH (default x86_64).
# While another program has the package manager's locks, as automatic updates do on a fresh machine, it waits, up to
# SETUP_WAIT seconds (600).
# Exit 0: all there; 77: something is missing and may not, or cannot, be installed; 2: wrong usage.
# Asks nothing, prints on stderr only.
set -eu

say() { echo "setup: $*" >&2; }

goal=${1:-}
case $goal in
test | check | all) ARCHES=${ARCHES:-${ARCH:-x86_64}} ;;
*) ARCHES=${ARCH:-x86_64} ;;
esac
missing=''     # packages
missing_what='' # the commands or files that showed it

# need PACKAGE WHAT...: one of WHAT, commands or absolute paths, must exist.
need() {
	package=$1
	shift
	for what in "$@"; do
		case $what in
		/*) [ -e "$what" ] && return 0 ;;
		*) command -v "$what" >/dev/null 2>&1 && return 0 ;;
		esac
	done
	missing="$missing $package"
	missing_what="$missing_what $1"
}

need_build() {
	need make make
	need gcc gcc
	need binutils ld
	need python3 python3
	case " $ARCHES " in *\ arm64\ *)
		need gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
		need binutils-aarch64-linux-gnu aarch64-linux-gnu-ld
		;;
	esac
}

need_run() {
	case " $ARCHES " in *\ x86_64\ *) need qemu-system-x86 qemu-system-x86_64 ;; esac
	case " $ARCHES " in *\ arm64\ *)
		need qemu-system-arm qemu-system-aarch64
		need qemu-efi-aarch64 /usr/share/qemu-efi-aarch64/QEMU_EFI.fd
		;;
	esac
}

need_iso() {
	need grub-common grub-mkrescue
	need xorriso xorriso
	need mtools mformat
	case " $ARCHES " in *\ x86_64\ *)
		need grub-pc-bin /usr/lib/grub/i386-pc/multiboot2.mod
		need grub-efi-amd64-bin /usr/lib/grub/x86_64-efi/multiboot2.mod
		;;
	esac
}

need_host_libc() { # host programs are hosted, the kernel is not
	need libc6-dev /usr/include/stdio.h
}

need_test() {
	need_run
	need_iso
	need_host_libc
	need curl curl
	need netcat-openbsd nc
	need dnsmasq-base dnsmasq /usr/sbin/dnsmasq
	need python3-prometheus-client /usr/lib/python3/dist-packages/prometheus_client
	case " $ARCHES " in *\ x86_64\ *) need ovmf /usr/share/OVMF/OVMF_CODE_4M.fd ;; esac
}

need_check() {
	need_host_libc
	need clang-format clang-format
	need cppcheck cppcheck
}

need_bench() {
	need_run
	need python3-matplotlib /usr/lib/python3/dist-packages/matplotlib
}

need_build
case $goal in
build) ;;
run) need_run ;;
bench) need_bench ;;
test) need_test ;;
check) need_check ;;
iso) need_iso ;;
all) need_bench; need_test; need_check ;;
*)
	say "usage: tools/setup.sh build|run|bench|test|check|iso|all"
	exit 2
	;;
esac
# A machine that gets packages but no sources builds without network, unless LWIP=yes asks for it.
fetch_lwip() {
	rm -f "${BUILD:-build}/deps/no-lwip"
	status=0
	"$(dirname "$0")/fetch.sh" lwip || status=$?
	[ $status != 0 ] || return 0
	[ $status = 77 ] && [ "${LWIP:-}" != yes ] || exit $status
	say "the kernel is built without network (LWIP=no)"
	mkdir -p "${BUILD:-build}/deps"
	: >"${BUILD:-build}/deps/no-lwip"
}

# What the build fetches without installing it. Those goals build with SETUP=no, so it is done here.
fetch() {
	case ${SETUP:-}:$goal in
	no:*) ;;
	*:bench | *:test | *:all)
		"$(dirname "$0")/fetch.sh" console-font
		[ "${LWIP:-}" = no ] || fetch_lwip
		;;
	esac
	case ${SETUP:-}:$goal in
	no:*) ;;
	*:test | *:all)
		"$(dirname "$0")/fetch.sh" promtool || say "/metrics will be checked without promtool"
		;;
	esac
}
[ -n "$missing" ] || { fetch; exit; }

cannot() {
	say "$1; '$goal' needs these packages (names as in Debian 12):"
	say "   $missing"
	say "not found:$missing_what"
	exit 77
}

say "missing for '$goal':$missing_what"
case ${SETUP:-}:$goal in
no:*) cannot "SETUP=no, nothing is installed" ;;
yes:* | :bench | :test | :all) ;;
:*) cannot "only bench and test install by themselves (SETUP=yes allows it here)" ;;
*)
	say "error: SETUP=$SETUP: must be yes or no"
	exit 2
	;;
esac

like=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${ID_LIKE:-}") || like=''
case " $like " in
*\ debian\ *) command -v apt-get >/dev/null 2>&1 || cannot "there is no apt-get" ;;
*) cannot "this is not a Debian system" ;;
esac
if [ "$(id -u)" = 0 ]; then
	sudo=''
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
	sudo=sudo
else
	cannot "no right to install (neither root nor sudo)"
fi

limit=${SETUP_WAIT:-600}
case $limit in
*[!0-9]*)
	say "error: SETUP_WAIT=$limit: must be a number of seconds"
	exit 2
	;;
esac
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# shellcheck disable=SC2086 # $missing and $sudo are lists of words
apt_once() { $sudo env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1; }

# The lists have one lock, dpkg's database another; apt itself waits for the second only.
is_busy() { grep -Eq 'Could not get lock|Unable to acquire the dpkg|lock was locked by another' "$log"; }

PAUSE=5 # seconds between attempts; each sixth is told

apt() {
	waited=0
	until apt_once "$@"; do
		if ! is_busy; then
			cat "$log" >&2
			return 1
		fi
		holder=$(sed -n 's/.*held by process \([0-9]* ([^)]*)\).*/ (process \1)/p' "$log" | head -n 1)
		if [ "$waited" -ge "$limit" ]; then
			cat "$log" >&2
			cannot "another program$holder has used the package manager for $waited s; try again when it is done"
		fi
		[ $((waited % (6 * PAUSE))) != 0 ] ||
			say "another program$holder uses the package manager: waiting, $waited of at most $limit s"
		sleep $PAUSE
		waited=$((waited + PAUSE))
	done
	cat "$log" >&2
}
# shellcheck disable=SC2086
install() { apt install --yes --no-install-recommends $missing; }

say "installing:$missing"
update_done=no
for package in $missing; do
	apt-cache show "$package" >/dev/null 2>&1 && continue
	say "refreshing the package lists"
	apt update || cannot "the package lists could not be refreshed"
	update_done=yes
	break
done
if ! install; then
	[ $update_done = no ] || cannot "installing failed"
	say "installing failed; once more with fresh package lists"
	apt update && install || cannot "installing failed"
fi
fetch
say "done"
