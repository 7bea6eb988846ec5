#!/bin/sh
# cppcheck over the program; what it already knows of unchanged files it keeps in $1.
set -eu
mkdir -p "$1/cppcheck"
cppcheck --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppressions-list=tests/lint/cppcheck.allow --cppcheck-build-dir="$1/cppcheck" -j "$(nproc)" \
    --quiet --template='{file}:{line}: {severity}: {message} [{id}]' \
    -D_GNU_SOURCE -Iinclude src
