#!/bin/sh
# No mutable variable at file scope (or static in a function) beyond tests/lint/globals.allow, lines
# of "path variable". $1 is the build directory whose objects are looked at.
set -eu
build=$1
for source in $(find src -name '*.c' | LC_ALL=C sort); do
    object=$build/${source%.c}.o
    [ -f "$object" ] || { echo "$object: not built"; continue; }
    objdump -t "$object" | awk -v source="$source" '
        FILENAME != "-" { allowed[$1, $2] = 1; next }
        match($0, /[ \t](\.data|\.bss|\.tdata|\.tbss|\*COM\*)[^ \t]*\t/) {
            split(substr($0, RSTART + 1), field, /[ \t]+/)
            name = field[3]
            sub(/\.[0-9]+$/, "", name)
            if (field[1] !~ /^\.data\.rel\.ro/ && field[2] !~ /^0+$/ && !((source, name) in allowed))
                printf "%s: %s is a mutable global: hang it from struct shop\n", source, name
        }' tests/lint/globals.allow -
done | awk '{ print; bad = 1 } END { exit bad }'
