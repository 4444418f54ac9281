#!/bin/sh
# Install what wheels need from the system, where apt may be used; else name it in one line and go on.
# Usage: system_packages.sh install PYTHON | browser
set -u

missing=""
need() { missing="$missing $1"; }

has_library() {
    { ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null; } | grep -q "$1"
}

case "$1" in
install)
    "$2" -c 'import ensurepip, venv' 2>/dev/null ||
        need "$("$2" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    if [ "$(uname)" = Linux ]; then
        has_library libGL.so.1 || need libgl1
        has_library libEGL.so.1 || need libegl1
        has_library libX11.so.6 || need libx11-6
        has_library libusb-1.0.so.0 || need libusb-1.0-0
        has_library libgomp.so.1 || need libgomp1
    fi
    why="for venv, open3d and numba's thread pool"
    ;;
browser)
    for name in chromium chromium-browser; do
        command -v "$name" >/dev/null 2>&1 && exit 0
    done
    [ "$(uname)" = Linux ] && need chromium
    why="for the tests of the page in a browser"
    ;;
*)
    echo "usage: $0 install PYTHON | browser" >&2
    exit 2
    ;;
esac

[ -z "$missing" ] && exit 0
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo -n"
if command -v apt-get >/dev/null 2>&1 && $sudo true 2>/dev/null; then
    echo "installing$missing ($why)"
    # after `env`, because sudo drops variables given before it
    install="$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
    # shellcheck disable=SC2086 (words on purpose)
    $sudo apt-get update -qq && $install $missing >/dev/null && exit 0
fi
echo "system packages missing:$missing ($why); to install: sudo apt-get install -y$missing" >&2
exit 0
