/* A directory of its own for a test, removed with all that is in it. Failures end the test. */
#ifndef SUPPORT_TEMPDIR_H
#define SUPPORT_TEMPDIR_H

struct tempdir {
    char path[64];
    char file_path[128];
};

void tempdir_open(struct tempdir *d);
void tempdir_close(struct tempdir *d);

/* "<path>/<name>", until the next call. */
const char *tempdir_file(struct tempdir *d, const char *name);

#endif
