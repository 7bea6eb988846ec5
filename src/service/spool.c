/* Uploads on their way to an import job: DIR/spool/NAME, names random so that nobody guesses or
 * reuses one. */
#include "service/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#define NAME_BYTES 16

void spool_path(const struct shop *shop, const char *name, char out[SPOOL_PATH_BYTES])
{
    snprintf(out, SPOOL_PATH_BYTES, "%s/spool/%s", shop->settings->data, name);
}

int spool_create(struct shop *shop, char name[64], int *fd, struct error *err)
{
    unsigned char random[NAME_BYTES];
    char path[SPOOL_PATH_BYTES];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(name, 2 * sizeof random + 1, random, sizeof random);
    spool_path(shop, name, path);
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return *fd < 0 ? error_set_errno(err, ERR_IO, errno, "%s", path) : 0;
}

int spool_commit(struct shop *shop, int fd, struct error *err)
{
    char path[SPOOL_PATH_BYTES];
    spool_path(shop, "", path);
    int number = fsync(fd) != 0 ? errno : 0;
    close(fd);
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (number == 0 && (directory < 0 || fsync(directory) != 0))
        number = errno;
    if (directory >= 0)
        close(directory);
    return number ? error_set_errno(err, ERR_IO, number, "%s", path) : 0;
}

void spool_drop(struct shop *shop, const char *name)
{
    char path[SPOOL_PATH_BYTES];
    spool_path(shop, name, path);
    unlink(path);
}
