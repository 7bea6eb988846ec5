#!/bin/sh
# Plants one violation per rule in a small tree and sees that the rule's check catches it, and that
# the tree without it passes.
set -u
top=$(pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
bad=0

fresh()
{
    rm -rf "$tree"
    mkdir -p "$tree/src/base" "$tree/src/store" "$tree/src/mine" "$tree/include/base" "$tree/tests" "$tree/build"
    cp -r "$top/tests/lint" "$tree/tests/lint"
    cp "$top/.clang-format" "$tree"
    : >"$tree/tests/lint/globals.allow"
    : >"$tree/tests/lint/length.allow"
    printf '#ifndef BASE_ONE_H\n#define BASE_ONE_H\n\nint one(void);\n\n#endif\n' >"$tree/include/base/one.h"
    printf '#include "base/one.h"\n\nint one(void)\n{\n    return 1;\n}\n' >"$tree/src/base/one.c"
}

# caught CHECK FILE TEXT PATTERN [ARGUMENT]: CHECK passes the tree; after TEXT is written to FILE it
# fails and its output matches PATTERN.
caught()
{
    check=$1 file=$2 text=$3 pattern=$4 argument=${5-}
    fresh
    for pass in clean planted; do
        [ $pass = clean ] || printf "$text" >"$tree/$file"
        if [ "$check" = globals ]; then
            for source in $(cd "$tree" && find src -name '*.c'); do
                mkdir -p "$tree/build/$(dirname "$source")"
                gcc -Wno-all -fPIE -I"$tree/include" -c -o "$tree/build/${source%.c}.o" "$tree/$source" || bad=1
            done
        fi
        output=$(cd "$tree" && sh "tests/lint/$check.sh" "$argument" 2>&1)
        status=$?
        if [ $pass = clean ] && [ $status -ne 0 ]; then
            echo "$check refuses a clean tree: $output"
            bad=1
        fi
    done
    if [ $status -eq 0 ] || ! printf '%s\n' "$output" | grep -qE "$pattern"; then
        echo "$check does not catch $file: $pattern (status $status): $output"
        bad=1
    fi
}

long=$(awk 'BEGIN { printf "int f(void)\\n{\\n"; for (i = 0; i < 70; i++) printf "    one();\\n"; printf "}\\n" }')
many=$(awk 'BEGIN { for (i = 0; i < 601; i++) printf "\\n" }')

caught floors src/mine/a.c '#include "store/db.h"\n' 'src/mine/a.c:1: mine may not include store'
caught floors src/base/a.c '#include "data/csr.h"\n' 'base may not include data'
caught floors src/mine/a.c '#include <sqlite3.h>\n' 'mine may not include <sqlite3.h>'
caught floors src/mine/a.c '#  include  "../store/x.h"\n' 'not by \.\.'
caught floors src/base/one.c '#include <stdio.h>\n#include "base/one.h"\n' 'own header first'
caught floors src/base/../new.c 'int x;\n' 'no floor of the table'
caught floors tests/lint/floors 'base: data\ndata: base\n' 'not above it'
caught length src/base/a.c "$long" 'src/base/a.c:1: f has 73 lines, limit 70'
caught length src/base/a.c "$many" 'a.c: 601 lines, limit 600'
caught banned src/base/a.c 'void f(char *s) { strcpy(s, "x"); }\n' 'strcpy\(\) is banned'
caught banned src/base/a.c 'long f(char *s)\n{\n    return\n        strtol (s, 0, 10);\n}\n' 'a.c:4: strtol'
caught banned src/base/a.c '/* a "quote */ int f(void) { return rand(); }\n' 'rand\(\) is banned'
caught banned src/base/a.c 'void *f(int n) { return malloc(n * sizeof(int)); }\n' 'product as an allocation size'
caught banned src/base/a.c 'void *f(int n) { return malloc(sizeof(int) * n); }\n' 'product as an allocation size'
caught headers include/base/two.h 'size_t two(void);\n' 'unknown type name' 'gcc -std=c11 -Iinclude'
caught globals src/base/a.c 'static int count;\nint f(void);\nint f(void) { return count++; }\n' 'src/base/a.c: count is' build
caught globals src/base/a.c 'int f(void);\nint f(void)\n{\n    static int calls = 3;\n    return calls++;\n}\n' 'calls is a mutable' build
caught globals src/base/a.c '_Thread_local int mine;\n' 'mine is a mutable' build
caught words src/base/a.c '/* TO''DO later */\n' 'src/base/a.c:1'
caught words deploy.md 'see /wo''rk/x\n' 'deploy.md:1'
caught format src/base/a.c 'int  f( void );\n' 'a.c:1:'
caught format tests/x.sh 'echo  \n' 'tests/x.sh:1'
caught format tests/x.sh 'echo' 'no newline'
if command -v cppcheck >/dev/null; then
    caught cppcheck src/base/a.c 'int f(void)\n{\n    int a[2] = {0, 1};\n    return a[2];\n}\n' 'out of bounds' build
fi

# What must not be caught: names in strings and comments, members, sizeof of a pointer's target,
# constant tables of pointers.
fresh
cat >"$tree/src/base/a.c" <<'C'
/* strcpy(a, b) */
struct s {
    int (*exit)(int);
};
static const char *const names[] = {"system(x)", "malloc(a * b)"}; // rand()
const char *const *f(struct s *s, int **p);
const char *const *f(struct s *s, int **p)
{
    *p = malloc(sizeof **p);
    s->exit(1);
    return names;
}
C
(cd "$tree" && sh tests/lint/banned.sh) || { echo "banned catches what is innocent"; bad=1; }
exit $bad
