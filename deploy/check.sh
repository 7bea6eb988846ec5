#!/bin/sh
# Tests basketd from a fresh clone on Debian 12: installs what building and testing need, if anything
# is missing, then `make check`. Ends with "N passed, N failed". Arguments go to make.
set -eu
cd "$(dirname "$0")/.."
. deploy/packages.sh
need_packages $run_packages $check_packages
exec make "-j$(nproc)" check "$@"
