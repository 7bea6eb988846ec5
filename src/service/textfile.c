/* The mapping is filled at once: faults one by one cost more than reading does. A stream is waited
 * for in short naps, so that cancelling ends a read that nothing comes from. */
#include "service/textfile.h"

#include "ingest/decompress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES (256u << 10)
#define NAP_MS     200

static int collect(void *context, struct str bytes, struct error *err)
{
    struct buf *out = context;
    buf_str(out, bytes);
    return out->failed ? error_set(err, ERR_NOMEM, "out of memory for the input") : 0;
}

/* Waits until there is something to read. */
static int await(int fd, struct progress *progress, struct error *err)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (!progress_cancelled(progress)) {
        int count = poll(&ready, 1, NAP_MS);
        if (count > 0)
            return 0;
        if (count < 0 && errno != EINTR)
            return error_set_errno(err, ERR_IO, errno, "waiting for input");
    }
    return error_set(err, ERR_CANCELLED, "cancelled");
}

static int read_stream(struct textfile *f, int fd, struct progress *progress, struct error *err)
{
    for (;;) {
        int rc = await(fd, progress, err);
        if (rc)
            return rc;
        char *room = buf_reserve(&f->read, READ_BYTES);
        if (!room)
            return error_set(err, ERR_NOMEM, "out of memory for the input");
        ssize_t got = read(fd, room, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, ERR_IO, errno, "reading");
        if (got == 0)
            break;
        f->read.len += (size_t)got;
    }
    f->text = (struct str){f->read.ptr, f->read.len};
    return 0;
}

/* False: it has to be read. */
static bool map_file(struct textfile *f, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
        lseek(fd, 0, SEEK_CUR) != 0)
        return false;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (map == MAP_FAILED)
        return false;
    f->map = map;
    f->map_bytes = (size_t)st.st_size;
    f->text = (struct str){map, f->map_bytes};
    return true;
}

static void unmap(struct textfile *f)
{
    if (f->map)
        munmap(f->map, f->map_bytes);
    f->map = NULL;
}

static bool is_packed(struct str text)
{
    return str_starts(text, STR("\x1f\x8b")) || str_starts(text, STR("\x28\xb5\x2f\xfd"));
}

static int unpack(struct textfile *f, struct error *err)
{
    struct buf text;
    buf_init(&text, 0);
    const struct decompress_options options = {.out = collect, .context = &text};
    struct decompress *d = decompress_new(&options, err);
    int rc = d ? decompress_feed(d, f->text, err) : (int)ERR_NOMEM;
    if (rc == 0)
        rc = decompress_finish(d, err);
    decompress_free(d);
    unmap(f);
    buf_deinit(&f->read);
    f->read = text;
    f->text = (struct str){text.ptr, text.len};
    return rc;
}

static int open_input(const char *path, int *fd, struct error *err)
{
    *fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd >= 0)
        return 0;
    return error_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "opening");
}

int textfile_open(const char *path, struct progress *progress, struct textfile *out,
                  struct error *err)
{
    struct textfile f = {0};
    struct error local = ERROR_INIT;
    int fd, rc = open_input(path, &fd, &local);
    if (rc == 0 && !map_file(&f, fd))
        rc = read_stream(&f, fd, progress, &local);
    if (rc == 0 && is_packed(f.text))
        rc = unpack(&f, &local);
    if (fd > STDIN_FILENO)
        close(fd);
    if (rc == 0) {
        *out = f;
        return 0;
    }
    return textfile_done(&f, path, rc, &local, err);
}

int textfile_done(struct textfile *f, const char *path, int rc, const struct error *why,
                  struct error *err)
{
    textfile_close(f);
    if (rc == 0)
        return 0;
    if (err && err->code == OK)
        err->line = why->line;
    return error_set(err, why->code, "%s: %s", strcmp(path, "-") == 0 ? "standard input" : path,
                     why->text);
}

void textfile_close(struct textfile *f)
{
    unmap(f);
    buf_deinit(&f->read);
    f->text = STR_NONE;
}
