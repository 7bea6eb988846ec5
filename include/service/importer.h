/* A file, standard input or a spooled upload -> reader -> batches -> writer. Parsing runs on the
 * calling thread and overlaps with the writing: a few batches are under way at a time. */
#ifndef SERVICE_IMPORTER_H
#define SERVICE_IMPORTER_H

#include "base/progress.h"
#include "service/ingest.h"

struct import_params {
    const struct import_request *request; /* its `spool` is not looked at */
    const char *path;                     /* "-": standard input */
    /* In bytes of the file while it is read; a CSV's orders come out only then, in input lines
     * ("writing orders"). */
    struct progress *progress;
    _Atomic uint64_t *rows; /* input lines read, or lines of the orders written; or NULL */
};

/* `report` is filled whatever happens (the caller inits and deinits it). `strict`: the whole input
 * is read once for problems; any means ERR_INVALID and nothing is written. (Standard input is
 * spooled first for that.) ERR_CANCELLED; ERR_FULL …: the batches that were committed stay, sending
 * the file again counts nothing twice. */
int import_run(struct shop *shop, const struct import_params *params, struct ingest_report *report,
               struct error *err) WARN_UNUSED;

#endif
