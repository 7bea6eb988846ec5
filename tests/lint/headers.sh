#!/bin/sh
# Each header compiles alone (one of macros alone is an empty translation unit, hence no pedantry). $1
# is the compiler with its flags.
set -eu
find include -name '*.h' | LC_ALL=C sort | xargs $1 -Wno-pedantic -fsyntax-only -x c
