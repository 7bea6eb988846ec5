#!/bin/sh
# Calls that tests/lint/banned forbids in the program, and products as allocation sizes, which can
# overflow: mem_array checks them. Comments and strings do not count.
set -eu
find src include -name '*.[ch]' | LC_ALL=C sort | xargs awk -f tests/lint/strip.awk |
    awk -f tests/lint/banned.awk tests/lint/banned -
