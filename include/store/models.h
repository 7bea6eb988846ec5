/* Trained models in models.db: parts as checksummed chunks of at most LIMIT_CHUNK_BYTES, so that a
 * load streams and a bad byte is found. One connection writes; its owner serialises use. A model is
 * visible to others only after models_finish. */
#ifndef STORE_MODELS_H
#define STORE_MODELS_H

#include "store/db.h"

struct model_row {
    int64_t id;
    int64_t created_ms;
    bool live, damaged;
    uint64_t bytes;
    struct str parameters, report; /* JSON */
};

int models_begin(struct db *db, int64_t created_ms, struct str parameters, int64_t *id,
                 struct error *err) WARN_UNUSED;
/* Appends to a part; cut into chunks inside. Each chunk is committed on its own. A count of 0 makes
 * an empty part. */
int models_write(struct db *db, int64_t id, const char *part, const void *bytes, uint64_t count,
                 struct error *err) WARN_UNUSED;
int models_finish(struct db *db, int64_t id, struct str report, struct error *err) WARN_UNUSED;
void models_abandon(struct db *db, int64_t id); /* removes an unfinished model */

/* ERR_NOT_FOUND; ERR_CORRUPT on a bad checksum, missing chunk or wrong size. */
int models_part_bytes(struct db *db, int64_t id, const char *part, uint64_t *bytes,
                      struct error *err) WARN_UNUSED;
int models_read(struct db *db, int64_t id, const char *part, void *into, uint64_t bytes,
                struct error *err) WARN_UNUSED;

typedef int (*model_visitor)(void *context, const struct model_row *row, struct error *err);
int models_list(struct db *db, model_visitor visit, void *context,
                struct error *err) WARN_UNUSED; /* newest first */
int models_get(struct db *db, int64_t id, model_visitor visit, void *context,
               struct error *err) WARN_UNUSED;
int models_live(struct db *db, int64_t *id, struct error *err) WARN_UNUSED; /* 0: none */
/* A model that was found good (loaded): clears its damaged mark. ERR_NOT_FOUND. */
int models_set_live(struct db *db, int64_t id, struct error *err) WARN_UNUSED;
/* It did not load: not live any more. */
int models_mark_damaged(struct db *db, int64_t id, struct error *err) WARN_UNUSED;
/* Keeps the newest `keep` and the live one; also removes unfinished ones. */
int models_prune(struct db *db, uint32_t keep, struct error *err) WARN_UNUSED;
/* Copies what can be read of the models.db at path `damaged` (put aside, e.g. truncated) into the
 * new one, with ids; what cannot be read becomes a row that is marked damaged. Fails when nothing
 * can be read at all. */
int models_salvage(struct db *db, const char *damaged, uint32_t *copied,
                   struct error *err) WARN_UNUSED;
#endif
