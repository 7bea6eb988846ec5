/* What reading numbers and reading names share. */
#ifndef DATA_BASKETS_INTERNAL_H
#define DATA_BASKETS_INTERNAL_H

#include "data/baskets.h"

int baskets_parse_names(struct str text, struct baskets *out, struct error *err) WARN_UNUSED;
#endif
