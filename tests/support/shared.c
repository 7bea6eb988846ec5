#include "support/shared.h"

#include <stdio.h>
#include <zlib.h>

bool shared_read(const char *name, struct buf *out)
{
    char path[256], block[1 << 16];
    snprintf(path, sizeof path, "../shared/data/%s", name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    for (size_t got; (got = fread(block, 1, sizeof block, f)) > 0;)
        buf_add(out, block, got);
    bool good = !ferror(f) && !out->failed;
    fclose(f);
    return good;
}

bool shared_unpack(const char *name, struct buf *out)
{
    char path[256], block[1 << 16];
    snprintf(path, sizeof path, "../shared/data/%s", name);
    gzFile f = gzopen(path, "rb");
    if (!f)
        return false;
    int got;
    while ((got = gzread(f, block, sizeof block)) > 0)
        buf_add(out, block, (size_t)got);
    gzclose(f);
    return got == 0 && !out->failed;
}
