#!/bin/sh
# Runs the API tests; arguments go to pytest. BASKETD names the program under test.
set -u
mkdir -p build/results
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1}"
report=$BUILD/api.xml
rm -f "$report"
"$PYTHON" -B -m pytest -q -p no:cacheprovider --junitxml="$report" "$@" tests/api
status=$?
[ -f "$report" ] || exit 1
"$PYTHON" - "$report" <<'PY' >build/results/api
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
tests, failed, errors, skipped = (int(suite.get(k)) for k in ("tests", "failures", "errors", "skipped"))
print(tests - failed - errors - skipped, failed + errors, skipped)
PY
exit $status
