/* `basketd tune`: the orders of a data directory -> a better menu for its trainings. Reads the
 * store beside a running server; writes two files of its own into the directory:
 *
 *   tune.ndjson  a line a try: what a search that is stopped goes on from; locked by who searches
 *   tuned.json   what was adopted, with the evidence; trainings start from it
 *
 * On the caller's thread and as many more as asked. */
#ifndef SERVICE_TUNING_H
#define SERVICE_TUNING_H

#include "base/buf.h"
#include "eval/tune.h"

struct tuning_request {
    const char *data;  /* directory */
    enum mix_kind mix; /* MIX_BASKET or MIX_PERSONAL */
    uint64_t seed;
    uint32_t tries, keep; /* 0: usual */
    int64_t budget_ms;    /* no try begins later; 0: no limit */
    uint64_t through;     /* orders that came up to this key, so that a search can go on although
                             more have come; 0: all */
    uint32_t threads;
    struct progress *progress;
};

struct tuning_report {
    struct tuned tuned;
    uint32_t resumed; /* tries that an earlier run had made */
};

/* ERR_INVALID: too few orders, a damaged tuned.json; ERR_CONFLICT: another search is at work here;
 * ERR_IO, ERR_FULL, errors of reading the store and of tune(). Tries made before an error are kept.
 */
int tuning_run(const struct tuning_request *request, struct tuning_report *report,
               struct error *err) WARN_UNUSED;

/* What a rehearsed training of `data` chooses its recipe from: recipe_menu, with what tuned.json
 * has adopted for each surface. ERR_INVALID names the file and what is wrong with it; ERR_IO. */
int tuning_menu(const char *data, uint32_t items, struct recipe *menu,
                struct error *err) WARN_UNUSED;

/* {"surface":"basket","seed":1,"tries":13,"resumed":0,"complete":true,"adopted":true,"draw":7,
 *  "questions":812,"ndcg_usual":.2,"ndcg_tuned":.21,"difference":{"value":..,"low":..,"high":..},
 *  "menu":{…}} */
void tuning_json(const struct tuning_request *request, const struct tuning_report *report,
                 struct buf *out);
#endif
