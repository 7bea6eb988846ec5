/* A model of a dataset whose items go by their keys. */
#ifndef SUPPORT_KEYMODEL_H
#define SUPPORT_KEYMODEL_H

#include "engine/build.h"

/* Keys below 1024; two threads, no embeddings. recipe NULL: the default. Aborts when it fails. */
struct model *keymodel_train(const struct dataset *d, const struct recipe *recipe);

#endif
