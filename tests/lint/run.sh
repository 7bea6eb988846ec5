#!/bin/sh
# Runs every check of this directory, each to its end. BUILD is the directory with the objects,
# COMPILE the compiler with its flags.
set -u
passed=0
failed=0
mkdir -p build/results "$BUILD/lint"
check()
{
    name=$1
    shift
    if "$@" >"$BUILD/lint/$name.log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "lint: $name"
        cat "$BUILD/lint/$name.log"
    fi
}
check selftest sh tests/lint/selftest.sh
check format sh tests/lint/format.sh
check floors sh tests/lint/floors.sh
check length sh tests/lint/length.sh
check banned sh tests/lint/banned.sh
check words sh tests/lint/words.sh
check headers sh tests/lint/headers.sh "$COMPILE"
check globals sh tests/lint/globals.sh "$BUILD"
check cppcheck sh tests/lint/cppcheck.sh "$BUILD"
check clang-tidy "${MAKE:-make}" --no-print-directory -k tidy
echo "lint: $passed passed, $failed failed"
echo "$passed $failed 0" >build/results/lint
[ $failed -eq 0 ]
