#include "support/keymodel.h"

#include <stdio.h>
#include <stdlib.h>

static struct str name_of(void *context, uint32_t key)
{
    char(*names)[12] = context;
    return str_of(names[key]);
}

struct model *keymodel_train(const struct dataset *d, const struct recipe *recipe)
{
    static char names[1024][12];
    const struct build_params params = {
        .min_support = 2, .without_sgns = true, .threads = 2, .recipe = recipe};
    struct error err = ERROR_INIT;
    for (int k = 0; k < 1024; k++)
        snprintf(names[k], sizeof names[k], "%d", k);
    struct model *m = model_build(d, name_of, names, &params, NULL, &err);
    if (!m) {
        fprintf(stderr, "keymodel: %s\n", err.text);
        abort();
    }
    return m;
}
