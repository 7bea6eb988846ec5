#!/bin/sh
# C is formatted as .clang-format says (`make fmt` does it); other text has no blanks at line ends,
# no tabs for indentation outside the Makefile, and ends with a newline.
set -eu
bad=0
find src include tests -name '*.[ch]' | LC_ALL=C sort |
    xargs clang-format-14 --dry-run -Werror 2>&1 | grep -E '^[^ ].*error' && bad=1
for file in $(find .ci deploy docs migrations tests *.md *.yaml Makefile .editorconfig -type f \
    ! -path 'tests/data/*' ! -path 'tests/fuzz/regression/*' \
    ! -path '*/__pycache__/*' 2>/dev/null | LC_ALL=C sort); do
    grep -nHE '[ 	]$' "$file" && bad=1
    [ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || { echo "$file: no newline at the end"; bad=1; }
done
exit $bad
