/* Item groups as a file, "item TAB group" a line, so that "kettle -> tea" is found where only
 * single kettles were bought; a group may have a group. Lines of items and groups that nothing
 * leads to are passed over: a catalogue holds more than the baskets. */
#ifndef SERVICE_GROUPFILE_H
#define SERVICE_GROUPFILE_H

#include "base/progress.h"
#include "data/baskets.h"

/* Adds the groups as columns to the baskets and names them; columns are all named afterwards.
 * `parent` [rows.cols] is what itemset_params wants, the caller frees it. ERR_INVALID names the
 * line: no such line, an item with two groups, one that is its own group by some way. `b` is only
 * changed on success. */
int groupfile_add(const char *path, struct progress *progress, struct baskets *b, uint32_t **parent,
                  struct error *err) WARN_UNUSED;
/* The same from the file's text. */
int groupfile_parse(struct str text, struct baskets *b, uint32_t **parent,
                    struct error *err) WARN_UNUSED;
#endif
