/* What the parts of training share. */
#ifndef SERVICE_TRAINER_INTERNAL_H
#define SERVICE_TRAINER_INTERNAL_H

#include "service/trainer.h"

/* trainer.c */
struct db *train_open(struct shop *shop, const char *family, struct error *err);

/* trainer_need.c */
struct build_params train_build_params(const struct settings *s, struct progress *progress);
/* What a rehearsal chooses from, if one is held at all: a damaged tuned.json costs what was tuned,
 * not the training. */
int train_menu(const struct settings *s, const struct dataset_shape *shape, struct recipe *menu,
               struct error *err) WARN_UNUSED;
/* `live`: the recipe that goes on without a rehearsal; NULL: the usual one. */
void train_need_of(const struct settings *s, const struct dataset_shape *shape,
                   const struct recipe *menu, const struct recipe *live, struct train_need *out);

#endif
