/* Owned copies of records, in the order they were added. One thread at a time. */
#ifndef SERVICE_BATCH_H
#define SERVICE_BATCH_H

#include "base/arena.h"
#include "base/vec.h"
#include "ingest/record.h"

struct batch {
    struct arena arena;
    VEC(struct record) records;
};

void batch_init(struct batch *b);
void batch_deinit(struct batch *b);
void batch_clear(struct batch *b); /* memory kept */
int batch_add(struct batch *b, const struct record *record, struct error *err) WARN_UNUSED;
size_t batch_bytes(const struct batch *b);

#endif
