/* Closing is where some file systems say that writing has failed. */
#include "service/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int run(int fd, int (*write)(void *context, struct laneout *out, struct error *err),
               void *context, uint64_t *bytes, struct error *err)
{
    struct error local = ERROR_INIT, failure = ERROR_INIT;
    struct laneout *out = laneout_new(fd);
    if (!out)
        return error_set(err, ERR_NOMEM, "output: out of memory");
    int rc = write(context, out, &local), written = laneout_finish(out, &failure);
    if (bytes)
        *bytes = laneout_bytes(out);
    laneout_free(out);
    if (written)
        return error_set(err, written, "%s", failure.text);
    if (rc == 0)
        return 0;
    if (local.code)
        return error_set(err, local.code, "%s", local.text);
    return error_set(err, rc, "%s", err_meaning(rc));
}

int outfile_write(const char *path,
                  int (*write)(void *context, struct laneout *out, struct error *err),
                  void *context, uint64_t *bytes, struct error *err)
{
    struct error local = ERROR_INIT;
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : STDOUT_FILENO;
    if (fd < 0)
        return error_set_errno(err, ERR_IO, errno, "%s", path);
    int rc = run(fd, write, context, bytes, &local);
    if (path && close(fd) != 0 && rc == 0)
        rc = error_set_errno(&local, ERR_IO, errno, "writing");
    if (rc == 0)
        return 0;
    return path ? error_set(err, rc, "%s: %s", path, local.text)
                : error_set(err, rc, "%s", local.text);
}
