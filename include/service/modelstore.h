/* Models in and out of models.db, and which one is live. */
#ifndef SERVICE_MODELSTORE_H
#define SERVICE_MODELSTORE_H

#include "base/buf.h"
#include "base/progress.h"
#include "service/shop.h"

/* Begins a model, writes its parts (cancellable), leaves it unfinished; *id is set as soon as there
 * is something to abandon. Takes the models mutex piece by piece. */
int modelstore_write(struct shop *shop, const struct model *model, struct str parameters,
                     struct progress *progress, int64_t *id, struct error *err) WARN_UNUSED;
int modelstore_finish(struct shop *shop, int64_t id, struct str report,
                      struct error *err) WARN_UNUSED;
void modelstore_abandon(struct shop *shop, int64_t id);

/* The model with its id and time, sealed, one reference. `db`: any connection to models.db (the
 * writing one only under the mutex). A model that does not load is marked damaged, counted and
 * logged. ERR_NOT_FOUND, ERR_CORRUPT. */
struct model *modelstore_load(struct shop *shop, struct db *db, int64_t id,
                              struct error *err) WARN_UNUSED;
/* Marks it live in models.db and publishes it; takes `model`. */
int modelstore_make_live(struct shop *shop, struct model *model, struct error *err) WARN_UNUSED;
/* Keeps the newest models by settings. */
int modelstore_prune(struct shop *shop, struct error *err) WARN_UNUSED;

#endif
