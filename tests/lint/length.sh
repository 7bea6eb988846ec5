#!/bin/sh
# Functions up to 70 lines from their name to the closing brace, files up to 600, headers up to 200.
# tests/lint/length.allow lists "path function" exceptions; it is meant to stay empty.
set -eu
files=$(find src include tests -name '*.[ch]' | LC_ALL=C sort)
{
    wc -l $files | awk '$2 != "total" {
        limit = $2 ~ /^include/ ? 200 : 600
        if ($1 > limit) printf "%s: %d lines, limit %d\n", $2, $1, limit
    }'
    ctags --fields=+ne --c-kinds=f -f - $files | awk -F '\t' '
        FILENAME != "-" { split($0, word, " "); allowed[word[2], word[1]] = 1; next }
        {
            line = end = 0
            for (i = 4; i <= NF; i++) {
                if ($i ~ /^line:/) line = substr($i, 6)
                if ($i ~ /^end:/) end = substr($i, 5)
            }
            if (end - line + 1 > 70 && !(($1, $2) in allowed))
                printf "%s:%d: %s has %d lines, limit 70\n", $2, line, $1, end - line + 1
        }' tests/lint/length.allow -
} | awk '{ print; bad = 1 } END { exit bad }'
