#!/bin/sh
# Serves the demo shop from a fresh clone on Debian 12: installs what building needs, if anything is
# missing, then `make run`. Arguments go to make: LISTEN=127.0.0.1:9090, DATA=/srv/shop, …
set -eu
cd "$(dirname "$0")/.."
. deploy/packages.sh
need_packages $run_packages
exec make "-j$(nproc)" run "$@"
