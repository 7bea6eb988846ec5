#!/bin/sh
# Runs benchmark programs, then tests/bench/bench_*.sh and .py. Lines "result NAME VALUE UNIT" on
# their standard output are kept: a table at the end, and $BUILD/bench.json. Other lines are remarks.
set -u
rows=$BUILD/bench.rows
: >"$rows"
bad=0
for bench in "$@" tests/bench/bench_*.sh tests/bench/bench_*.py; do
    [ -f "$bench" ] || continue
    echo "== $(basename "$bench")"
    case $bench in
    *.sh) sh "$bench" ;;
    *.py) "$PYTHON" -B "$bench" ;;
    *) "$bench" ;;
    esac >"$rows.one" || { echo "$bench failed"; bad=1; }
    grep -v '^result ' "$rows.one"
    grep '^result ' "$rows.one" >>"$rows"
done
rm -f "$rows.one"
echo
awk '{ printf "%-50s %14s %s\n", $2, $3, $4 }' "$rows"
{
    printf '{"machine":{"cpu":"%s","cores":%d,"kernel":"%s"},"results":[' \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)"
    awk '{ printf "%s\n{\"name\":\"%s\",\"value\":%s,\"unit\":\"%s\"}", NR > 1 ? "," : "", $2, $3, $4 }' "$rows"
    printf '\n]}\n'
} >"$BUILD/bench.json"
echo "written to $BUILD/bench.json"
exit $bad
