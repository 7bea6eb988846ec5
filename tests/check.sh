#!/bin/sh
# Runs the parts named (make targets), each to its end whatever the others do, and closes with the
# sum: "N passed, N failed". Each part leaves "passed failed skipped" in build/results/<part>.
set -u
rm -rf build/results
mkdir -p build/results
for part in "$@"; do
    "${MAKE:-make}" --no-print-directory "$part"
    status=$?
    result=build/results/$part
    if [ ! -f "$result" ]; then
        echo "$part: did not run to its end"
        echo "0 1 0" >"$result"
    elif [ $status -ne 0 ] && grep -q '^[0-9]* 0 ' "$result"; then
        echo "$part: make failed with status $status"
        echo "0 1 0" >>"$result"
    fi
done
cd build/results || exit 1
awk '{ passed += $1; failed += $2; skipped += $3 }
    END {
        printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
        exit failed > 0 || passed == 0
    }' "$@"
