/* flock on DIR/basketd.lock: the kernel releases it however the process ends. The text inside is
 * for people and may be stale only while nobody holds the lock. */
#include "store/lock.h"

#include "base/buf.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_directory(const char *path, struct error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return error_set_errno(err, ERR_IO, errno, "data directory %s: cannot be made", path);
}

static int make_directories(const char *directory, struct error *err)
{
    int rc = make_directory(directory, err);
    if (rc)
        return rc;
    struct buf spool;
    buf_init(&spool, 0);
    buf_printf(&spool, "%s/spool", directory);
    const char *path = buf_cstr(&spool);
    rc = path ? make_directory(path, err) : error_set(err, ERR_NOMEM, "%s: no memory", directory);
    buf_deinit(&spool);
    return rc;
}

/* Who says to hold it: "process 123, listening on …". */
static int held_by_other(int fd, const char *directory, struct error *err)
{
    char text[200];
    ssize_t length = pread(fd, text, sizeof text, 0);
    struct str who = str_trim((struct str){text, length > 0 ? (size_t)length : 0});
    if (who.len == 0)
        who = STR("another process");
    return error_set(err, ERR_CONFLICT, "data directory %s is in use by %.*s", directory,
                     STR_ARG(who));
}

static bool write_text(int fd, const char *text)
{
    char line[200];
    int length =
        snprintf(line, sizeof line, "process %ld%s%s\n", (long)getpid(), text[0] ? ", " : "", text);
    if ((size_t)length >= sizeof line)
        length = sizeof line - 1;
    return ftruncate(fd, 0) == 0 && pwrite(fd, line, (size_t)length, 0) == length;
}

int lock_open(struct lock *lock, const char *directory, struct error *err)
{
    lock->fd = -1;
    int rc = make_directories(directory, err);
    if (rc)
        return rc;
    struct buf name;
    buf_init(&name, 0);
    buf_printf(&name, "%s/basketd.lock", directory);
    const char *path = buf_cstr(&name);
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (!path)
        rc = error_set(err, ERR_NOMEM, "%s: no memory", directory);
    else if (fd < 0)
        rc = error_set_errno(err, ERR_IO, errno, "%s: cannot be opened", path);
    else if (flock(fd, LOCK_EX | LOCK_NB))
        rc = errno == EWOULDBLOCK
                 ? held_by_other(fd, directory, err)
                 : error_set_errno(err, ERR_IO, errno, "%s: cannot be locked", path);
    buf_deinit(&name);
    if (rc && fd >= 0)
        close(fd);
    if (rc)
        return rc;
    lock->fd = fd;
    /* On a full disk the lock holds without its text. */
    write_text(lock->fd, "");
    return 0;
}

int lock_describe(struct lock *lock, const char *text, struct error *err)
{
    assert(lock->fd >= 0);
    if (write_text(lock->fd, text))
        return 0;
    return error_set_errno(err, ERR_IO, errno, "basketd.lock: cannot be written");
}

void lock_close(struct lock *lock)
{
    if (lock->fd < 0)
        return;
    /* The next holder may not get to write its own text; that this fails does no harm. */
    int ignored = ftruncate(lock->fd, 0);
    (void)ignored;
    close(lock->fd);
    lock->fd = -1;
}
