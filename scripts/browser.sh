#!/bin/sh
# The dashboard tests need a Chromium. Installs Debian's if permitted, else says how.
set -eu
if [ -n "${CHROMIUM:-}" ]; then
    [ -x "$CHROMIUM" ] && exit 0
    echo "CHROMIUM=$CHROMIUM is not an executable: set it to the path of Chromium or Chrome" >&2
    exit 1
fi
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium-headless-shell fonts-noto-color-emoji >/dev/null
    exit 0
fi
echo "the tests need a browser: sudo apt-get install chromium-headless-shell, or set CHROMIUM to the path of Chromium or Chrome" >&2
exit 1
