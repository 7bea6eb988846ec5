#include "support/tempdir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void tempdir_open(struct tempdir *d)
{
    const char *base = getenv("TMPDIR");
    *d = (struct tempdir){0};
    snprintf(d->path, sizeof d->path, "%.32s/basketd-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(d->path)) {
        perror(d->path);
        exit(1);
    }
}

void tempdir_close(struct tempdir *d)
{
    nftw(d->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *tempdir_file(struct tempdir *d, const char *name)
{
    snprintf(d->file_path, sizeof d->file_path, "%s/%s", d->path, name);
    return d->file_path;
}
