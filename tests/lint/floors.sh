#!/bin/sh
# Floors include only what tests/lint/floors allows, and a file its own header first.
set -eu
find src include -name '*.[ch]' | LC_ALL=C sort | xargs awk -f tests/lint/floors.awk tests/lint/floors
