/* External merge sort (Knuth, vol. 3, 5.4).
 *
 *     buffer   [ records, as added ---> | room | entries | scratch of half as many ]
 *     file     [ run ][ run ][ run ][ run made of the first three ] …   one, unlinked
 *
 * A record is {u32 key length, u32 value length, key, value}. Entries are made when a buffer is
 * full: eight key bytes behind what all keys have in common, and the record's place. Most
 * comparisons end there and touch no record. Merge sort leaves input that is in order alone.
 *
 * Runs are extents of one file, so their number costs no descriptors. The buffer, empty by then, is
 * cut into one window per run to merge. Runs beyond that are first merged in consecutive groups, no
 * more than needed, each group's run taking the group's place: the order of the runs stays the
 * order of adding, by which equal keys leave. */
#include "base/extsort.h"

#include "base/mem.h"
#include "base/vec.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALLEST_BUFFER (64u << 10)
#define FAN_IN          256u
#define SMALLEST_WINDOW 4096u
#define BLOCK_BYTES     (64u << 10)
#define HEAD_BYTES      8u
#define COMMON_LARGEST  64u

/* What a record is sorted by. `place` is its number (an offset in the buffer, or the index of a
 * source) and, in the low bits, how many key bytes follow the common ones, 9 for more than 8. */
struct entry {
    uint64_t prefix; /* the first 8 of them as a number, filled up with zeros */
    uint64_t place;
};

#define TAIL_BITS 4
#define TAIL_MASK 15u

/* Entries, their scratch, and what aligning them may cost. */
#define SORT_BYTES(count) ((count) * sizeof(struct entry) * 3 / 2 + 2 * sizeof(struct entry))

struct run {
    uint64_t begin, end; /* in the file */
};

/* A run being read. The window holds a whole record at `at`, or the run is at its end. */
struct source {
    char *window;
    size_t at, fill;
    uint64_t next, end; /* what of the file is still to be read */
};

struct extsort {
    char *directory, *buffer;
    size_t size, front, count; /* of the buffer: bytes in all, bytes of records, records */
    size_t largest;            /* bytes of the largest record so far */
    char common[COMMON_LARGEST];
    size_t common_len; /* what all keys so far begin with */
    bool any, sorted, given;
    struct entry *entries; /* in the buffer: in order; merging: `heap`, smallest first */
    struct entry *heap;
    size_t entry_count, next;
    int fd;
    uint64_t file_end, spilled;
    char *block; /* output on its way to the file */
    size_t block_fill;
    VEC(struct run) runs;
    struct source *sources; /* NULL unless merging */
    size_t window;
};

struct extsort *extsort_new(const char *directory, size_t memory, struct error *err)
{
    struct extsort *s = mem_zarray(1, sizeof *s);
    if (s) {
        s->fd = -1;
        s->size = memory < SMALLEST_BUFFER ? SMALLEST_BUFFER : memory;
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

void extsort_free(struct extsort *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->heap);
    free(s->sources);
    VEC_FREE(&s->runs);
    free(s->block);
    free(s->directory);
    free(s->buffer);
    free(s);
}

uint64_t extsort_spilled_bytes(const struct extsort *s)
{
    return s->spilled;
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

static const char *record_at(const struct extsort *s, uint64_t place)
{
    uint64_t number = place >> TAIL_BITS;
    if (!s->sources)
        return s->buffer + number;
    return s->sources[number].window + s->sources[number].at;
}

static struct entry entry_of(const struct extsort *s, const char *record, uint64_t number)
{
    struct str key = record_key(record);
    assert(key.len >= s->common_len);
    size_t tail = key.len - s->common_len, taken = tail < 8 ? tail : 8;
    uint64_t prefix = 0;
    memcpy(&prefix, key.ptr + s->common_len, taken);
    return (struct entry){__builtin_bswap64(prefix), number << TAIL_BITS | (tail < 9 ? tail : 9)};
}

/* By key, then by number: no two entries are equal. Where the prefixes agree and a tail is within
 * them, the shorter key comes first; the longer one goes on with zeros. */
static bool before(const struct extsort *s, const struct entry *a, const struct entry *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix;
    uint64_t tail_a = a->place & TAIL_MASK, tail_b = b->place & TAIL_MASK;
    if (tail_a != tail_b)
        return tail_a < tail_b;
    if (tail_a > 8) {
        int order = str_cmp(record_key(record_at(s, a->place)), record_key(record_at(s, b->place)));
        if (order != 0)
            return order < 0;
    }
    return a->place < b->place;
}

static void sort_entries(const struct extsort *s, struct entry *e, size_t count,
                         struct entry *scratch)
{
    if (count <= 8) {
        for (size_t i = 1; i < count; i++) {
            struct entry moving = e[i];
            size_t at = i;
            for (; at > 0 && before(s, &moving, &e[at - 1]); at--)
                e[at] = e[at - 1];
            e[at] = moving;
        }
        return;
    }
    size_t half = count / 2, left = 0, right = half, to = 0;
    sort_entries(s, e, half, scratch);
    sort_entries(s, e + half, count - half, scratch);
    if (before(s, &e[half - 1], &e[half]))
        return;
    memcpy(scratch, e, half * sizeof *e);
    while (left < half)
        e[to++] =
            right < count && before(s, &e[right], &scratch[left]) ? e[right++] : scratch[left++];
}

static void sort_buffer(struct extsort *s)
{
    size_t align = sizeof(struct entry);
    s->entries = (struct entry *)(void *)(s->buffer + (s->front + align - 1) / align * align);
    s->entry_count = s->count;
    size_t offset = 0;
    for (size_t i = 0; i < s->count; i++) {
        s->entries[i] = entry_of(s, s->buffer + offset, offset);
        offset += record_bytes(s->buffer + offset);
    }
    assert(offset == s->front);
    sort_entries(s, s->entries, s->count, s->entries + s->count);
}

static int open_file(struct extsort *s, struct error *err)
{
    if (s->fd >= 0)
        return 0;
    if (!s->block && !MEM_NEW(s->block, BLOCK_BYTES))
        return error_set(err, ERR_NOMEM, "sorting: out of memory");
    s->fd = open(s->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        char path[4096];
        snprintf(path, sizeof path, "%s/sort-XXXXXX", s->directory);
        s->fd = mkostemp(path, O_CLOEXEC);
        if (s->fd >= 0)
            unlink(path);
    }
    if (s->fd < 0)
        return error_set_errno(err, ERR_IO, errno, "temporary file in %s", s->directory);
    return 0;
}

static int write_out(struct extsort *s, const char *bytes, size_t count, struct error *err)
{
    while (count > 0) {
        ssize_t done = pwrite(s->fd, bytes, count, (off_t)s->file_end);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return error_set_errno(err, ERR_IO, errno, "temporary file in %s", s->directory);
        bytes += done;
        count -= (size_t)done;
        s->file_end += (uint64_t)done;
        s->spilled += (uint64_t)done;
    }
    return 0;
}

static int flush_block(struct extsort *s, struct error *err)
{
    size_t fill = s->block_fill;
    s->block_fill = 0;
    return write_out(s, s->block, fill, err);
}

static int put_record(struct extsort *s, const char *record, struct error *err)
{
    size_t bytes = record_bytes(record);
    if (bytes > BLOCK_BYTES - s->block_fill) {
        int rc = flush_block(s, err);
        if (rc)
            return rc;
    }
    if (bytes > BLOCK_BYTES)
        return write_out(s, record, bytes, err);
    memcpy(s->block + s->block_fill, record, bytes);
    s->block_fill += bytes;
    return 0;
}

/* Sorts what the buffer holds and appends it to the file as a run. */
static int spill(struct extsort *s, struct error *err)
{
    int rc = open_file(s, err);
    if (rc)
        return rc;
    if (!VEC_RESERVE(&s->runs, s->runs.count + 1))
        return error_set(err, ERR_NOMEM, "sorting: out of memory");
    uint64_t begin = s->file_end;
    sort_buffer(s);
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        rc = put_record(s, record_at(s, s->entries[i].place), err);
    if (rc == 0)
        rc = flush_block(s, err);
    if (rc)
        return rc;
    s->runs.at[s->runs.count++] = (struct run){begin, s->file_end};
    s->front = s->count = s->entry_count = 0;
    return 0;
}

/* Shortens the common beginning to what this key shares with it. */
static void share_key(struct extsort *s, struct str key)
{
    if (!s->any) {
        s->any = true;
        s->common_len = key.len < COMMON_LARGEST ? key.len : COMMON_LARGEST;
        if (s->common_len > 0)
            memcpy(s->common, key.ptr, s->common_len);
        return;
    }
    if (key.len >= s->common_len && memcmp(key.ptr, s->common, s->common_len) == 0)
        return;
    size_t same = 0;
    while (same < s->common_len && same < key.len && key.ptr[same] == s->common[same])
        same++;
    s->common_len = same;
}

int extsort_add(struct extsort *s, struct str key, struct str value, struct error *err)
{
    assert(!s->sorted);
    size_t bytes = HEAD_BYTES + key.len + value.len;
    if (key.len > UINT32_MAX || value.len > UINT32_MAX || bytes > s->size - SORT_BYTES(1))
        return error_set(err, ERR_TOO_LARGE,
                         "sorting: one record of %zu bytes is over the buffer's %zu", bytes,
                         s->size);
    if (bytes + SORT_BYTES(s->count + 1) > s->size - s->front) {
        int rc = spill(s, err);
        if (rc)
            return rc;
    }
    share_key(s, key);
    uint32_t lengths[2] = {(uint32_t)key.len, (uint32_t)value.len};
    char *to = s->buffer + s->front;
    memcpy(to, lengths, sizeof lengths);
    if (key.len > 0)
        memcpy(to + HEAD_BYTES, key.ptr, key.len);
    if (value.len > 0)
        memcpy(to + HEAD_BYTES + key.len, value.ptr, value.len);
    s->front += bytes;
    s->count++;
    if (bytes > s->largest)
        s->largest = bytes;
    return 0;
}

static int cannot_read(const struct extsort *s, struct error *err)
{
    return error_set(err, ERR_IO, "temporary file in %s: cannot read it back", s->directory);
}

static bool has_record(const struct source *from)
{
    size_t left = from->fill - from->at;
    return left >= HEAD_BYTES && left >= record_bytes(from->window + from->at);
}

/* Reads on until the window holds a whole record; nothing is left in it at the end of the run. */
static int refill(struct extsort *s, struct source *from, struct error *err)
{
    if (has_record(from))
        return 0;
    from->fill -= from->at;
    memmove(from->window, from->window + from->at, from->fill);
    from->at = 0;
    while (from->next < from->end && from->fill < s->window) {
        size_t room = s->window - from->fill;
        if (room > from->end - from->next)
            room = (size_t)(from->end - from->next);
        ssize_t got = pread(s->fd, from->window + from->fill, room, (off_t)from->next);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, ERR_IO, errno, "temporary file in %s", s->directory);
        if (got == 0)
            return cannot_read(s, err);
        from->fill += (size_t)got;
        from->next += (uint64_t)got;
    }
    return from->fill == 0 || has_record(from) ? 0 : cannot_read(s, err);
}

static void heap_rise(const struct extsort *s, size_t at, struct entry entry)
{
    for (; at > 0 && before(s, &entry, &s->entries[(at - 1) / 2]); at = (at - 1) / 2)
        s->entries[at] = s->entries[(at - 1) / 2];
    s->entries[at] = entry;
}

static void heap_sink(const struct extsort *s, struct entry entry)
{
    struct entry *heap = s->entries;
    size_t at = 0;
    for (size_t child = 1; child < s->entry_count; child = 2 * at + 1) {
        if (child + 1 < s->entry_count && before(s, &heap[child + 1], &heap[child]))
            child++;
        if (!before(s, &heap[child], &entry))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = entry;
}

/* How many runs can be merged at once, each with a window for its largest record. */
static size_t ways(const struct extsort *s)
{
    size_t window = s->largest > SMALLEST_WINDOW ? s->largest : SMALLEST_WINDOW;
    size_t count = s->size / window;
    return count < 2 ? 2 : count < FAN_IN ? count : FAN_IN;
}

/* The buffer becomes the windows of the sources. Two windows for records above half of it do not
 * fit: then it grows. */
static int prepare_merge(struct extsort *s, struct error *err)
{
    if (s->size / 2 < s->largest) {
        free(s->buffer);
        s->size = 2 * s->largest;
        s->buffer = mem_array(s->size, 1);
    }
    MEM_ZNEW(s->sources, ways(s));
    s->entries = MEM_NEW(s->heap, ways(s));
    if (!s->buffer || !s->sources || !s->heap)
        return error_set(err, ERR_NOMEM, "sorting: out of memory");
    return 0;
}

/* Opens runs first..first+count-1; afterwards entries[0] is the smallest record. */
static int start_merge(struct extsort *s, size_t first, size_t count, struct error *err)
{
    assert(count <= ways(s));
    s->window = s->size / count;
    s->entry_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct run *run = &s->runs.at[first + i];
        s->sources[i] = (struct source){
            .window = s->buffer + i * s->window, .next = run->begin, .end = run->end};
        int rc = refill(s, &s->sources[i], err);
        if (rc)
            return rc;
        if (s->sources[i].fill > 0)
            heap_rise(s, s->entry_count++, entry_of(s, s->sources[i].window, i));
    }
    return 0;
}

/* Leaves the smallest record for the next one. */
static int advance(struct extsort *s, struct error *err)
{
    uint64_t number = s->entries[0].place >> TAIL_BITS;
    struct source *from = &s->sources[number];
    from->at += record_bytes(from->window + from->at);
    int rc = refill(s, from, err);
    if (rc)
        return rc;
    if (from->fill > 0)
        heap_sink(s, entry_of(s, from->window + from->at, number));
    else if (--s->entry_count > 0)
        heap_sink(s, s->entries[s->entry_count]);
    return 0;
}

/* Makes one run of `count` neighbours, gives their space back and puts it in their place. */
static int merge_group(struct extsort *s, size_t first, size_t count, struct error *err)
{
    struct run *group = &s->runs.at[first];
    uint64_t begin = s->file_end;
    int rc = start_merge(s, first, count, err);
    while (rc == 0 && s->entry_count > 0) {
        rc = put_record(s, record_at(s, s->entries[0].place), err);
        if (rc == 0)
            rc = advance(s, err);
    }
    if (rc == 0)
        rc = flush_block(s, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < count; i++) /* a file system that cannot do this only keeps more */
        (void)fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)group[i].begin,
                        (off_t)(group[i].end - group[i].begin));
    group[0] = (struct run){begin, s->file_end};
    memmove(group + 1, group + count, (s->runs.count - first - count) * sizeof *group);
    s->runs.count -= count - 1;
    return 0;
}

/* Groups follow each other through the runs, so that all runs have been merged about equally often
 * when the first is taken again. */
static int merge_to_fit(struct extsort *s, struct error *err)
{
    size_t most = ways(s), at = 0;
    while (s->runs.count > most) {
        size_t count = s->runs.count - most + 1;
        if (count > most)
            count = most;
        if (at + count > s->runs.count)
            at = 0;
        int rc = merge_group(s, at++, count, err);
        if (rc)
            return rc;
    }
    return 0;
}

int extsort_sort(struct extsort *s, struct error *err)
{
    assert(!s->sorted);
    s->sorted = true;
    if (s->runs.count == 0) {
        sort_buffer(s);
        return 0;
    }
    int rc = s->count > 0 ? spill(s, err) : 0;
    if (rc == 0)
        rc = prepare_merge(s, err);
    if (rc == 0)
        rc = merge_to_fit(s, err);
    return rc ? rc : start_merge(s, 0, s->runs.count, err);
}

int extsort_next(struct extsort *s, struct str *key, struct str *value, struct error *err)
{
    assert(s->sorted);
    const struct entry *entry = s->entries;
    if (!s->sources) {
        if (s->next == s->entry_count)
            return 0;
        entry += s->next++;
    } else {
        int rc = s->given && s->entry_count > 0 ? advance(s, err) : 0;
        if (rc)
            return rc;
        s->given = true;
        if (s->entry_count == 0)
            return 0;
    }
    const char *record = record_at(s, entry->place);
    *key = record_key(record);
    *value = (struct str){key->ptr + key->len, record_bytes(record) - HEAD_BYTES - key->len};
    return 1;
}
