/* A pipeline of two: this thread parses and fills batches, the writer thread stores them. There are
 * OPS batches in all; one that was stored comes back through `idle` and is filled again, so that
 * memory stays bounded and the slower side sets the pace.
 *
 * A batch is BATCH_RECORDS records or BATCH_BYTES: large enough that its share of a commit's sync
 * is small, small enough that live requests behind it in the writer's queue wait some 10 ms. */
#include "service/importer.h"

#include "base/mem.h"
#include "service/jobs.h"
#include "service/metrics.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPS           4
#define BATCH_RECORDS 2000u
#define BATCH_BYTES   (4u << 20)
#define READ_BYTES    (256u << 10)

struct import {
    struct shop *shop;
    const struct import_params *params;
    struct ingest_report *report;
    struct reader *reader;
    char *block; /* READ_BYTES */

    pthread_mutex_t mutex;
    pthread_cond_t came_back;
    struct ingest_op *ops[OPS];
    struct ingest_op *idle[OPS];
    uint32_t idle_count;
    struct error failure; /* of the first batch that was not stored */

    struct ingest_op *filling; /* NULL: none yet */
    uint64_t rows;             /* of the records given out */
    bool draining;             /* the file is read, its sorted orders come out */
    bool checking;             /* strict's first pass: nothing is kept */
};

static void came_back(struct op *op)
{
    struct ingest_op *batch = (struct ingest_op *)op;
    struct import *self = batch->context;
    pthread_mutex_lock(&self->mutex);
    if (op->result != 0 && self->failure.code == OK)
        self->failure = op->err;
    self->idle[self->idle_count++] = batch;
    pthread_cond_signal(&self->came_back);
    pthread_mutex_unlock(&self->mutex);
}

static void add_counts(struct import *self, struct ingest_op *batch)
{
    if (batch->op.result == 0)
        ingest_counts_add(&self->report->counts, &batch->counts);
    memset(&batch->counts, 0, sizeof batch->counts);
    ingest_op_clear(batch);
}

/* A batch to fill, when there is one again. */
static int next_batch(struct import *self, struct error *err)
{
    pthread_mutex_lock(&self->mutex);
    while (!self->idle_count)
        pthread_cond_wait(&self->came_back, &self->mutex);
    self->filling = self->idle[--self->idle_count];
    struct error failure = self->failure;
    pthread_mutex_unlock(&self->mutex);
    add_counts(self, self->filling);
    return failure.code == OK ? 0 : error_set(err, failure.code, "%s", failure.text);
}

static int send_batch(struct import *self, struct error *err)
{
    struct ingest_op *batch = self->filling;
    self->filling = NULL;
    int rc = shop_write_urgent(self->shop, &batch->op, err);
    if (rc != 0) {
        batch->op.result = rc;
        batch->op.err = (struct error)ERROR_INIT;
        came_back(&batch->op);
    }
    return rc;
}

static void wait_for_all(struct import *self)
{
    pthread_mutex_lock(&self->mutex);
    while (self->idle_count + (self->filling ? 1 : 0) < OPS)
        pthread_cond_wait(&self->came_back, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
    for (uint32_t i = 0; i < self->idle_count; i++)
        add_counts(self, self->idle[i]);
}

static void show_rows(struct import *self, const struct record *record)
{
    self->rows += record->input_lines ? record->input_lines : 1;
    if (self->params->rows && self->draining)
        atomic_store(self->params->rows, self->rows);
}

static int take_record(void *context, const struct record *record, struct error *err)
{
    struct import *self = context;
    uint32_t step = record->input_lines ? record->input_lines : 1;
    if (self->draining ? progress_step(self->params->progress, step)
                       : progress_cancelled(self->params->progress))
        return error_set(err, ERR_CANCELLED, "the import was cancelled");
    if (self->checking)
        return 0;
    show_rows(self, record);
    int rc = self->filling ? 0 : next_batch(self, err);
    if (rc == 0)
        rc = ingest_op_add(self->filling, record, err);
    if (rc == 0 && (ingest_op_records(self->filling) >= BATCH_RECORDS ||
                    ingest_op_bytes(self->filling) >= BATCH_BYTES))
        rc = send_batch(self, err);
    return rc;
}

static void take_problem(void *context, const struct record_problem *problem)
{
    struct import *self = context;
    ingest_report_add(self->report, problem);
}

static uint64_t lines_read(const struct import *self)
{
    const struct ingest_counts *c = reader_counts(self->reader);
    uint64_t orders = c->lines.read ? c->lines.read : c->orders.read;
    return orders + c->items.read + c->events.read + c->cancels.read;
}

static int feed_file(struct import *self, int fd, struct error *err)
{
    struct progress *progress = self->params->progress;
    for (;;) {
        ssize_t got = read(fd, self->block, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, ERR_IO, errno, "%s", self->params->path);
        if (got == 0)
            break;
        int rc = reader_feed(self->reader, (struct str){self->block, (size_t)got}, err);
        if (rc != 0)
            return rc;
        if (self->params->rows)
            atomic_store(self->params->rows, lines_read(self));
        if (progress_step(progress, (uint64_t)got))
            return error_set(err, ERR_CANCELLED, "the import was cancelled");
    }
    if (reader_format(self->reader) == FORMAT_CSV) {
        self->draining = true;
        progress_begin(progress, self->checking ? "checking orders" : "writing orders",
                       reader_counts(self->reader)->lines.read);
    }
    return reader_finish(self->reader, err);
}

/* The whole of `fd` once through the reader. */
static int pass(struct import *self, int fd, bool checking, struct error *err)
{
    struct reader_sink sink = {.context = self, .record = take_record, .problem = take_problem};
    struct stat st;
    uint64_t total = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    self->checking = checking;
    self->draining = false;
    self->rows = 0;
    progress_begin(self->params->progress, checking ? "checking" : "reading", total);
    self->reader = ingest_reader_new(self->shop, self->params->request, &sink, err);
    if (!self->reader)
        return err->code;
    int rc = feed_file(self, fd, err);
    if (rc == 0 && self->filling)
        rc = send_batch(self, err);
    wait_for_all(self);
    if (rc == 0 && self->failure.code != OK)
        rc = error_set(err, self->failure.code, "%s", self->failure.text);
    bool count = !checking || rc != 0 || self->report->problem_total;
    if (count)
        ingest_counts_add(&self->report->counts, reader_counts(self->reader));
    reader_free(self->reader);
    self->reader = NULL;
    return rc;
}

static int import_strictly(struct import *self, int fd, struct error *err)
{
    int rc = pass(self, fd, true, err);
    if (rc != 0)
        return rc;
    if (self->report->problem_total)
        return error_set(err, ERR_INVALID, "strict: %llu bad lines, nothing was written",
                         (unsigned long long)self->report->problem_total);
    if (lseek(fd, 0, SEEK_SET) != 0)
        return error_set_errno(err, ERR_IO, errno, "%s", self->params->path);
    return pass(self, fd, false, err);
}

static int write_all(int fd, const char *bytes, size_t count, struct error *err)
{
    while (count) {
        ssize_t put = write(fd, bytes, count);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return error_set_errno(err, ERR_IO, errno, "spooling the input");
        bytes += put;
        count -= (size_t)put;
    }
    return 0;
}

/* What cannot be read twice goes to a nameless file first. */
static int spool(struct import *self, int *fd, struct error *err)
{
    char name[64];
    int copy, rc = spool_create(self->shop, name, &copy, err);
    if (rc != 0)
        return rc;
    spool_drop(self->shop, name);
    for (ssize_t got = 1; got != 0 && rc == 0;) {
        got = read(*fd, self->block, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = error_set_errno(err, ERR_IO, errno, "%s", self->params->path);
        else
            rc = write_all(copy, self->block, (size_t)got, err);
        if (rc == 0 && progress_cancelled(self->params->progress))
            rc = error_set(err, ERR_CANCELLED, "the import was cancelled");
    }
    if (rc == 0 && lseek(copy, 0, SEEK_SET) != 0)
        rc = error_set_errno(err, ERR_IO, errno, "spooling the input");
    if (rc != 0) {
        close(copy);
        return rc;
    }
    if (*fd != STDIN_FILENO)
        close(*fd);
    *fd = copy;
    return 0;
}

static int make_ops(struct import *self, struct error *err)
{
    if (!MEM_NEW(self->block, READ_BYTES))
        return error_set(err, ERR_NOMEM, "import: out of memory");
    for (uint32_t i = 0; i < OPS; i++) {
        self->ops[i] = ingest_op_new(came_back, err);
        if (!self->ops[i])
            return ERR_NOMEM;
        self->ops[i]->context = self;
        self->idle[self->idle_count++] = self->ops[i];
    }
    return 0;
}

static int open_input(const char *path, int *fd, struct error *err)
{
    *fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return error_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "%s", path);
    struct stat st;
    if (fstat(*fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(*fd);
        return error_set(err, ERR_INVALID, "%s: is a directory", path);
    }
    return 0;
}

static int import_file(struct import *self, struct error *err)
{
    int fd, rc = open_input(self->params->path, &fd, err);
    if (rc != 0)
        return rc;
    if (self->params->request->strict) {
        if (lseek(fd, 0, SEEK_CUR) < 0)
            rc = spool(self, &fd, err);
        if (rc == 0)
            rc = import_strictly(self, fd, err);
    } else {
        rc = pass(self, fd, false, err);
    }
    if (fd != STDIN_FILENO)
        close(fd);
    return rc;
}

int import_run(struct shop *shop, const struct import_params *params, struct ingest_report *report,
               struct error *err)
{
    struct import self = {.shop = shop,
                          .params = params,
                          .report = report,
                          .mutex = PTHREAD_MUTEX_INITIALIZER,
                          .came_back = PTHREAD_COND_INITIALIZER};
    struct error local = ERROR_INIT;
    int rc = make_ops(&self, &local);
    if (rc == 0)
        rc = import_file(&self, &local);
    metrics_ingested(shop, METRIC_REJECTED, report->problem_total);
    for (uint32_t i = 0; i < OPS; i++)
        ingest_op_free(self.ops[i]);
    free(self.block);
    pthread_cond_destroy(&self.came_back);
    pthread_mutex_destroy(&self.mutex);
    return rc == 0 ? 0 : error_set(err, local.code, "%s", local.text);
}
