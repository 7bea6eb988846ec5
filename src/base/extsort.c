/* Runs of packed records in one buffer, sorted by an array of offsets kept at the buffer's end.
 *
 * A record is {u32 key length, u32 value length, key, value}. The buffer fills from the front with
 * records and from the back with their offsets, so one size bounds both. A full buffer is sorted
 * (stable: ties by offset) and written as a run to an unlinked file; more than FAN_IN runs are
 * merged into one first. Reading merges runs with a heap of (record, run number): equal keys leave
 * in run order, which is the order of adding. */
#include "base/extsort.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAN_IN          64
#define SMALLEST_BUFFER (64u << 10)
#define HEAD_BYTES      8

struct run {
    FILE *file;
    char *record; /* the present one; NULL at the end */
    size_t room;
};

struct extsort {
    char *directory, *buffer;
    size_t size, front, count; /* front: bytes of records; count: offsets at the back */
    bool sorted;
    struct run *runs;
    uint32_t run_count;
    uint32_t *heap; /* run numbers, smallest record first */
    uint32_t heap_count;
    bool started; /* heap top was given out and must be advanced */
    size_t next;  /* in memory: next offset to give out */
    uint64_t spilled;
};

struct extsort *extsort_new(const char *directory, size_t memory, struct error *err)
{
    struct extsort *s = mem_zarray(1, sizeof *s);
    if (s) {
        s->size = (memory < SMALLEST_BUFFER ? SMALLEST_BUFFER : memory) & ~(size_t)7;
        s->directory = mem_strdup(directory, strlen(directory));
        s->buffer = mem_array(s->size, 1);
    }
    if (!s || !s->directory || !s->buffer) {
        error_set(err, ERR_NOMEM, "sorting: no memory for a buffer");
        extsort_free(s);
        return NULL;
    }
    return s;
}

static void run_close(struct run *r)
{
    if (r->file)
        fclose(r->file);
    free(r->record);
    *r = (struct run){0};
}

void extsort_free(struct extsort *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->run_count; i++)
        run_close(&s->runs[i]);
    free(s->runs);
    free(s->heap);
    free(s->directory);
    free(s->buffer);
    free(s);
}

uint64_t extsort_spilled_bytes(const struct extsort *s)
{
    return s->spilled;
}

static size_t *offsets(const struct extsort *s)
{
    return (size_t *)(void *)(s->buffer + s->size) - s->count;
}

static struct str record_key(const char *record)
{
    uint32_t length;
    memcpy(&length, record, sizeof length);
    return (struct str){record + HEAD_BYTES, length};
}

static size_t record_bytes(const char *record)
{
    uint32_t lengths[2];
    memcpy(lengths, record, sizeof lengths);
    return HEAD_BYTES + (size_t)lengths[0] + lengths[1];
}

static int compare_offsets(const void *a, const void *b, void *context)
{
    const struct extsort *s = context;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = str_cmp(record_key(s->buffer + x), record_key(s->buffer + y));
    return order ? order : (x > y) - (x < y);
}

/* Files of orders mostly come in order already: one pass finds out. */
static void sort_buffer(struct extsort *s)
{
    size_t *at = offsets(s), i = 1;
    for (size_t j = 0; j < s->count / 2; j++) { /* offsets were pushed backwards */
        size_t swap = at[j];
        at[j] = at[s->count - 1 - j];
        at[s->count - 1 - j] = swap;
    }
    while (i < s->count && compare_offsets(&at[i - 1], &at[i], s) <= 0)
        i++;
    if (i < s->count)
        qsort_r(at, s->count, sizeof *at, compare_offsets, s);
}

static int temporary(const char *directory, FILE **out, struct error *err)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        char path[4096];
        snprintf(path, sizeof path, "%s/sort-XXXXXX", directory);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
    }
    if (fd < 0)
        return error_set_errno(err, ERR_IO, errno, "temporary file in %s", directory);
    *out = fdopen(fd, "w+b");
    if (!*out) {
        close(fd);
        return error_set_errno(err, ERR_IO, errno, "temporary file in %s", directory);
    }
    return 0;
}

static int put_record(struct extsort *s, FILE *file, const char *record, struct error *err)
{
    size_t bytes = record_bytes(record);
    if (fwrite(record, 1, bytes, file) != bytes)
        return error_set_errno(err, ERR_IO, errno, "temporary file in %s", s->directory);
    s->spilled += bytes;
    return 0;
}

static int rewind_run(struct extsort *s, FILE *file, struct error *err)
{
    if (fflush(file) != 0 || fseeko(file, 0, SEEK_SET) != 0)
        return error_set_errno(err, ERR_IO, errno, "temporary file in %s", s->directory);
    return 0;
}

static int add_run(struct extsort *s, FILE *takes, struct error *err)
{
    struct run *runs = mem_resize(s->runs, s->run_count + 1, sizeof *runs);
    if (!runs) {
        fclose(takes);
        return error_set(err, ERR_NOMEM, "sorting: out of memory");
    }
    s->runs = runs;
    s->runs[s->run_count++] = (struct run){.file = takes};
    return 0;
}

static int run_read(struct extsort *s, struct run *r, struct error *err)
{
    uint32_t lengths[2];
    size_t got = fread(lengths, 1, sizeof lengths, r->file);
    if (got == 0 && feof(r->file)) {
        free(r->record);
        r->record = NULL;
        return 0;
    }
    size_t body = (size_t)lengths[0] + lengths[1];
    if (got != sizeof lengths || body > s->size)
        return error_set(err, ERR_IO, "temporary file in %s: cannot read it back", s->directory);
    if (!r->record || HEAD_BYTES + body > r->room) {
        size_t room = mem_grow(r->room, HEAD_BYTES + body);
        char *bigger = mem_resize(r->record, room, 1);
        if (!bigger)
            return error_set(err, ERR_NOMEM, "sorting: out of memory");
        r->record = bigger;
        r->room = room;
    }
    memcpy(r->record, lengths, sizeof lengths);
    if (fread(r->record + HEAD_BYTES, 1, body, r->file) != body)
        return error_set(err, ERR_IO, "temporary file in %s: cannot read it back", s->directory);
    return 0;
}

static bool run_before(const struct extsort *s, uint32_t a, uint32_t b)
{
    int order = str_cmp(record_key(s->runs[a].record), record_key(s->runs[b].record));
    return order ? order < 0 : a < b;
}

static void heap_down(struct extsort *s)
{
    uint32_t at = 0, moving = s->heap[0];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= s->heap_count)
            break;
        if (child + 1 < s->heap_count && run_before(s, s->heap[child + 1], s->heap[child]))
            child++;
        if (!run_before(s, s->heap[child], moving))
            break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = moving;
}

/* Reads the first record of every run; afterwards heap[0] has the smallest. */
static int heap_start(struct extsort *s, struct error *err)
{
    free(s->heap);
    s->heap = mem_array(s->run_count, sizeof *s->heap);
    if (!s->heap)
        return error_set(err, ERR_NOMEM, "sorting: out of memory");
    s->heap_count = 0;
    for (uint32_t i = 0; i < s->run_count; i++) {
        int rc = run_read(s, &s->runs[i], err);
        if (rc)
            return rc;
        if (!s->runs[i].record)
            continue;
        uint32_t at = s->heap_count++;
        while (at > 0 && run_before(s, i, s->heap[(at - 1) / 2])) {
            s->heap[at] = s->heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        s->heap[at] = i;
    }
    return 0;
}

static int heap_advance(struct extsort *s, struct error *err)
{
    struct run *r = &s->runs[s->heap[0]];
    int rc = run_read(s, r, err);
    if (rc)
        return rc;
    if (!r->record)
        s->heap[0] = s->heap[--s->heap_count];
    if (s->heap_count > 0)
        heap_down(s);
    return 0;
}

/* All runs into one, so that no more than FAN_IN files are ever open. */
static int merge_runs(struct extsort *s, struct error *err)
{
    FILE *merged = NULL;
    int rc = temporary(s->directory, &merged, err);
    if (rc)
        return rc;
    rc = heap_start(s, err);
    while (rc == 0 && s->heap_count > 0) {
        rc = put_record(s, merged, s->runs[s->heap[0]].record, err);
        if (rc == 0)
            rc = heap_advance(s, err);
    }
    if (rc == 0)
        rc = rewind_run(s, merged, err);
    if (rc) {
        fclose(merged);
        return rc;
    }
    for (uint32_t i = 0; i < s->run_count; i++)
        run_close(&s->runs[i]);
    s->run_count = 0;
    return add_run(s, merged, err);
}

static int spill(struct extsort *s, struct error *err)
{
    if (s->run_count == FAN_IN) {
        int merged = merge_runs(s, err);
        if (merged)
            return merged;
    }
    FILE *file = NULL;
    int rc = temporary(s->directory, &file, err);
    if (rc)
        return rc;
    sort_buffer(s);
    const size_t *at = offsets(s);
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        rc = put_record(s, file, s->buffer + at[i], err);
    if (rc == 0)
        rc = rewind_run(s, file, err);
    if (rc) {
        fclose(file);
        return rc;
    }
    s->front = s->count = 0;
    return add_run(s, file, err);
}

int extsort_add(struct extsort *s, struct str key, struct str value, struct error *err)
{
    assert(!s->sorted);
    size_t bytes = HEAD_BYTES + key.len + value.len, room = s->size - sizeof(size_t);
    if (key.len > UINT32_MAX || value.len > UINT32_MAX || bytes > room)
        return error_set(err, ERR_TOO_LARGE,
                         "sorting: one record of %zu bytes is over the buffer's %zu", bytes,
                         s->size);
    if (s->front + bytes + (s->count + 1) * sizeof(size_t) > s->size) {
        int rc = spill(s, err);
        if (rc)
            return rc;
    }
    uint32_t lengths[2] = {(uint32_t)key.len, (uint32_t)value.len};
    char *to = s->buffer + s->front;
    memcpy(to, lengths, sizeof lengths);
    if (key.len)
        memcpy(to + HEAD_BYTES, key.ptr, key.len);
    if (value.len)
        memcpy(to + HEAD_BYTES + key.len, value.ptr, value.len);
    s->count++;
    offsets(s)[0] = s->front;
    s->front += bytes;
    return 0;
}

int extsort_sort(struct extsort *s, struct error *err)
{
    assert(!s->sorted);
    s->sorted = true;
    if (s->run_count == 0) {
        sort_buffer(s);
        return 0;
    }
    if (s->count > 0) {
        int rc = spill(s, err);
        if (rc)
            return rc;
    }
    return heap_start(s, err);
}

int extsort_next(struct extsort *s, struct str *key, struct str *value, struct error *err)
{
    assert(s->sorted);
    const char *record;
    if (s->run_count == 0) {
        if (s->next == s->count)
            return 0;
        record = s->buffer + offsets(s)[s->next++];
    } else {
        int rc = s->started && s->heap_count > 0 ? heap_advance(s, err) : 0;
        if (rc)
            return rc;
        s->started = true;
        if (s->heap_count == 0)
            return 0;
        record = s->runs[s->heap[0]].record;
    }
    *key = record_key(record);
    *value = (struct str){key->ptr + key->len, record_bytes(record) - HEAD_BYTES - key->len};
    return 1;
}
