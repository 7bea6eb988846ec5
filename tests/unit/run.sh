#!/bin/sh
# Runs cmocka programs, two at a time: run.sh BUILD PROGRAM…. Prints one line for all, and the log
# of each that fails. A program that never ends is stopped after 5 minutes, under a sanitizer after 15.
set -u
build=$1
shift
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1}"
limit=300
case $build in *-thread | *-address*) limit=900 ;; esac
mkdir -p build/results
rm -f "$build"/unit/*.log "$build"/unit/*.failed
printf '%s\n' "$@" | xargs -P "$(nproc)" -I {} sh -c \
    'timeout '$limit' {} >{}.log 2>&1 || { echo "{}: status $?" >{}.failed; }'
failed=0
for program in "$@"; do
    [ -f "$program.failed" ] || continue
    failed=$((failed + 1))
    cat "$program.log" "$program.failed"
done
cat "$build"/unit/*.log | awk -v programs=$# -v broken=$failed '
    /^\[  PASSED  \] [0-9]+ test\(s\)\.$/ { passed += $4 }
    /^\[  FAILED  \] [0-9]+ test\(s\), listed below:$/ { failed += $4 }
    /^\[  SKIPPED \] [0-9]+ test\(s\), listed below:$/ { skipped += $4 }
    END {
        if (broken > failed)
            failed = broken
        printf "unit: %d programs, %d passed, %d failed, %d skipped\n", programs, passed, failed, skipped
        print passed + 0, failed + 0, skipped + 0 >"build/results/unit"
        exit failed > 0 || passed == 0
    }'
