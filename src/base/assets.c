/* Embedded files.
 *
 * The build writes assets.list, one line ASSET(number, path, bytes) per file in byte order of the
 * paths; the assembler copies each file in (.incbin, relative to the top of the tree, where make
 * runs). gcc 12 has no #embed, and arrays of hexadecimal bytes compile slowly.
 *
 * A lookup walks the table: it has a few dozen rows and is read at start. */
#include "base/assets.h"

#include <string.h>

#define ASSET(number, path, bytes)                                                                 \
    __asm__(".pushsection .rodata\n"                                                               \
            "asset_" #number ": .incbin \"" path "\"\n"                                            \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char asset_##number[(bytes) + 1] __attribute__((visibility("hidden")));
#include "assets.list"
#undef ASSET

static const struct asset assets[] = {
#define ASSET(number, path, bytes) {path, {asset_##number, bytes}},
#include "assets.list"
#undef ASSET
    {NULL, {NULL, 0}},
};

const struct asset *assets_find(const char *path)
{
    for (const struct asset *a = assets; a->path; a++)
        if (strcmp(a->path, path) == 0)
            return a;
    return NULL;
}

const struct asset *assets_next(const char *prefix, const struct asset *after)
{
    size_t prefix_bytes = strlen(prefix);
    for (const struct asset *a = after ? after + 1 : assets; a->path; a++)
        if (strncmp(a->path, prefix, prefix_bytes) == 0)
            return a;
    return NULL;
}
