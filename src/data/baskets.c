/* Numbers, eight bytes at a time: one load gives a number's length (the first byte that is no
 * digit), its value (three multiplications on all digits at once) and the byte behind it, without a
 * branch that depends on the number of digits. Rows are nearly always ascending in such files; only
 * those that are not are sorted. The text is cut into one part for each worker at line ends, and
 * what the workers made is put together in order. Anything that is no small number ends the attempt
 * and the text is read again as names.
 *
 * Cost: about 4 ns for an item, 4 bytes for it and 8 for a basket. */
#include "baskets_internal.h"

#include "base/mem.h"
#include "base/parallel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES    (64u << 10)
#define WORD_BYTES     8
#define PART_BYTES_MIN (256u << 10) /* less is not worth a thread */

/* Numbers up to here, or up to SPREAD_MAX times the items, are columns themselves. */
#define SPREAD_FREE 65536u
#define SPREAD_MAX  8u

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "numbers are read as little-endian words");

struct part {
    struct str text;
    VEC(uint32_t) column;
    VEC(uint64_t) start; /* one more than rows */
    uint64_t repeats;
    uint32_t span;     /* one more than the largest number */
    uint32_t least;    /* one more than the last number of the row that is open */
    uint32_t unsorted; /* 1: the open row is not ascending */
    bool numbers;      /* nothing else was found */
    int status;
};

static void sift_down(uint32_t *heap, uint64_t at, uint64_t count)
{
    uint32_t value = heap[at];
    for (uint64_t child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && heap[child + 1] > heap[child];
        if (heap[child] <= value)
            break;
        heap[at] = heap[child];
    }
    heap[at] = value;
}

static void heap_sort(uint32_t *items, uint64_t count)
{
    for (uint64_t at = count / 2; at-- > 0;)
        sift_down(items, at, count);
    for (uint64_t last = count; last-- > 1;) {
        uint32_t largest = items[0];
        items[0] = items[last];
        items[last] = largest;
        sift_down(items, 0, last);
    }
}

static void insertion_sort(uint32_t *items, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++) {
        uint32_t item = items[i];
        uint64_t to = i;
        for (; to > 0 && items[to - 1] > item; to--)
            items[to] = items[to - 1];
        items[to] = item;
    }
}

uint64_t basket_row_sort(uint32_t *items, uint64_t count)
{
    if (count <= 32)
        insertion_sort(items, count);
    else
        heap_sort(items, count);
    uint64_t kept = count > 0;
    for (uint64_t i = 1; i < count; i++)
        if (items[i] != items[kept - 1])
            items[kept++] = items[i];
    return kept;
}

/* Eight bytes 0..9, the first one the most significant digit. */
static inline uint32_t digits_value(uint64_t digits)
{
    digits = digits * 10 + (digits >> 8);
    return (uint32_t)(((digits & 0x000000FF000000FF) * 0x000F424000000064 +
                       ((digits >> 16) & 0x000000FF000000FF) * 0x0000271000000001) >>
                      32);
}

/* The row that began behind the last one ends. */
static uint32_t *end_row(struct part *part, uint32_t *to)
{
    uint32_t *row = part->column.at + part->start.at[part->start.count - 1];
    if (part->unsorted) {
        uint64_t count = (uint64_t)(to - row), kept = basket_row_sort(row, count);
        part->repeats += count - kept;
        part->unsorted = 0;
        to = row + kept;
    }
    if (to > row && to[-1] >= part->span)
        part->span = to[-1] + 1;
    part->start.at[part->start.count++] = (uint64_t)(to - part->column.at);
    return to;
}

/* Reads from `at` until at least `stop`, behind which a word can be loaded; where it ended, NULL:
 * there is something else than small numbers. Room for the items and rows is there. */
static const char *scan(struct part *part, const char *at, const char *stop)
{
    uint32_t *to = part->column.at + part->column.count;
    uint32_t least = part->least, unsorted = part->unsorted;
    while (at < stop) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t digits = word ^ 0x3030303030303030;
        uint64_t others =
            (((digits & 0x7F7F7F7F7F7F7F7F) + 0x7676767676767676) | digits) & 0x8080808080808080;
        if (!others)
            return NULL;
        unsigned bits = (unsigned)__builtin_ctzll(others) & ~7u;
        if (bits) {
            if ((digits & 0xFF) == 0 && bits > 8)
                return NULL;
            uint32_t number = digits_value(digits << (64 - bits));
            unsorted |= number < least;
            least = number + 1;
            *to++ = number;
        }
        char behind = (char)(word >> bits);
        at += bits / 8 + 1;
        if (behind == ' ')
            continue;
        if (behind == '\n') {
            part->unsorted = unsorted;
            to = end_row(part, to);
            least = unsorted = 0;
        } else if (behind != '\t' && behind != '\r') {
            return NULL;
        }
    }
    part->column.count = (size_t)(to - part->column.at);
    part->least = least;
    part->unsorted = unsorted;
    return at;
}

static bool reserve(struct part *part, size_t bytes)
{
    return VEC_RESERVE(&part->column, part->column.count + bytes / 2 + 1) &&
           VEC_RESERVE(&part->start, part->start.count + bytes + 1);
}

static const char *scan_blocks(struct part *part, const char *at, const char *stop)
{
    while (at && at < stop) {
        size_t bytes = (size_t)(stop - at) < BLOCK_BYTES ? (size_t)(stop - at) : BLOCK_BYTES;
        if (!reserve(part, bytes)) {
            part->status = ERR_NOMEM;
            return NULL;
        }
        at = scan(part, at, at + bytes);
    }
    return at;
}

/* The last bytes are read from a copy, so that no word is loaded from behind the text. */
static void read_part(struct part *part)
{
    char tail[4 * WORD_BYTES];
    const char *at = part->text.ptr, *end = at + part->text.len;
    if (!reserve(part, 0)) {
        part->status = ERR_NOMEM;
        return;
    }
    part->start.at[part->start.count++] = 0;
    if (part->text.len > WORD_BYTES)
        at = scan_blocks(part, at, end - WORD_BYTES);
    if (!at)
        return;
    size_t left = (size_t)(end - at);
    memset(tail, '\n', sizeof tail);
    memcpy(tail, at, left);
    left += end[-1] != '\n';
    part->numbers = scan_blocks(part, tail, tail + left) != NULL;
}

struct job {
    struct part part[PARALLEL_WORKERS_MAX];
    uint32_t workers;
    struct baskets made;
    uint64_t first_row[PARALLEL_WORKERS_MAX], first_entry[PARALLEL_WORKERS_MAX];
};

static void read_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    read_part(&job->part[worker]);
}

static void join_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    struct part *part = &job->part[worker];
    struct csr *rows = &job->made.rows;
    uint64_t *start = rows->start + job->first_row[worker], first = job->first_entry[worker];
    memcpy(rows->column + first, part->column.at, part->column.count * sizeof *rows->column);
    for (size_t r = 1; r < part->start.count; r++)
        start[r] = first + part->start.at[r];
}

/* The part's line ends where the next one begins. */
static void cut_parts(struct job *job, struct str text, uint32_t threads)
{
    uint64_t most = text.len / PART_BYTES_MIN + 1;
    uint32_t workers = parallel_workers(threads);
    job->workers = workers < most ? workers : (uint32_t)most;
    size_t share = text.len / job->workers, begin = 0;
    for (uint32_t w = 0; w < job->workers; w++) {
        size_t end = w + 1 == job->workers ? text.len : share * (w + 1);
        if (end < begin)
            end = begin;
        const char *line = end < text.len ? memchr(text.ptr + end, '\n', text.len - end) : NULL;
        end = line ? (size_t)(line - text.ptr) + 1 : text.len;
        job->part[w].text = (struct str){text.ptr + begin, end - begin};
        begin = end;
    }
    while (job->workers > 1 && job->part[job->workers - 1].text.len == 0)
        job->workers--;
}

static void free_parts(struct job *job)
{
    for (uint32_t w = 0; w < job->workers; w++) {
        VEC_FREE(&job->part[w].column);
        VEC_FREE(&job->part[w].start);
    }
}

/* One part's arrays become the matrix as they are, without what they have too much. */
static void take_part(struct part *part, struct csr *rows)
{
    uint32_t *column = mem_resize(part->column.at, part->column.count, sizeof *column);
    uint64_t *start = mem_resize(part->start.at, part->start.count, sizeof *start);
    rows->column = column ? column : part->column.at;
    rows->start = start ? start : part->start.at;
    part->column.at = NULL;
    part->start.at = NULL;
}

static int join_parts(struct job *job, struct error *err)
{
    struct baskets *made = &job->made;
    uint64_t row_count = 0, entries = 0;
    uint32_t span = 0;
    for (uint32_t w = 0; w < job->workers; w++) {
        struct part *part = &job->part[w];
        job->first_row[w] = row_count;
        job->first_entry[w] = entries;
        row_count += part->start.count - 1;
        entries += part->column.count;
        made->repeats += part->repeats;
        span = part->span > span ? part->span : span;
    }
    if (row_count > UINT32_MAX - 1)
        return error_set(err, ERR_TOO_LARGE, "more than %u baskets", UINT32_MAX - 1);
    if (job->workers == 1) {
        take_part(&job->part[0], &made->rows);
        made->rows.rows = (uint32_t)row_count;
        made->rows.cols = span;
        return 0;
    }
    int rc = csr_alloc(&made->rows, (uint32_t)row_count, span, entries, 0, err);
    if (rc == 0)
        parallel_run(job->workers, join_worker, job);
    return rc;
}

/* *numbers false: names are needed. */
static int parse_numbers(struct job *job, bool *numbers, struct error *err)
{
    parallel_run(job->workers, read_worker, job);
    *numbers = true;
    uint64_t entries = 0;
    uint32_t span = 0;
    for (uint32_t w = 0; w < job->workers; w++) {
        struct part *part = &job->part[w];
        if (part->status)
            return error_set(err, ERR_NOMEM, "baskets: out of memory");
        *numbers = *numbers && part->numbers;
        entries += part->column.count;
        span = part->span > span ? part->span : span;
    }
    *numbers = *numbers && (span <= SPREAD_FREE || span <= SPREAD_MAX * entries);
    return *numbers ? join_parts(job, err) : 0;
}

int baskets_parse(struct str text, uint32_t threads, struct baskets *out, struct error *err)
{
    struct job *job;
    bool numbers = false;
    if (text.len == 0)
        return baskets_parse_names(text, out, err);
    if (!MEM_ZNEW(job, 1))
        return error_set(err, ERR_NOMEM, "baskets: out of memory");
    cut_parts(job, text, threads);
    int rc = parse_numbers(job, &numbers, err);
    free_parts(job);
    struct baskets made = job->made;
    free(job);
    if (rc == 0 && !numbers)
        return baskets_parse_names(text, out, err);
    if (rc == 0)
        *out = made;
    else
        baskets_deinit(&made);
    return rc;
}

void baskets_deinit(struct baskets *b)
{
    csr_deinit(&b->rows);
    dict_deinit(&b->names);
    b->repeats = 0;
}

struct str baskets_name(const struct baskets *b, uint32_t column, char room[BASKETS_NUMBER_BYTES])
{
    assert(column < b->rows.cols);
    if (b->names.count)
        return dict_name(&b->names, column);
    unsigned at = BASKETS_NUMBER_BYTES;
    do {
        room[--at] = (char)('0' + column % 10);
        column /= 10;
    } while (column);
    return (struct str){room + at, BASKETS_NUMBER_BYTES - at};
}
