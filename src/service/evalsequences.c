/* Sequences: a shopper and what it took, a line each. */
#include "evaldata_internal.h"

static struct str next_word(struct str *line)
{
    *line = str_trim(*line);
    size_t length = 0;
    while (length < line->len && line->ptr[length] != ' ' && line->ptr[length] != '\t')
        length++;
    struct str word = {line->ptr, length};
    *line = (struct str){line->ptr + length, line->len - length};
    return word;
}

static int take_line(struct gathering *g, struct str line, uint64_t number, struct error *err)
{
    struct str shopper = next_word(&line);
    uint32_t user, known = g->shoppers.count, item;
    const char *problem = id_problem(shopper);
    if (problem)
        return error_set(err, ERR_INVALID, "the shopper %s", problem);
    int rc = dict_add(&g->shoppers, shopper, &user, err);
    if (rc == 0 && g->shoppers.count == known)
        rc = error_set(err, ERR_INVALID, "shopper '%.*s' has a line already", STR_ARG(shopper));
    for (int64_t place = 0; rc == 0 && (line = str_trim(line)).len; place++) {
        struct str word = next_word(&line);
        if ((problem = id_problem(word)))
            return error_set(err, ERR_INVALID, "item %lld %s", (long long)place + 1, problem);
        rc = dict_add(&g->out->names, word, &item, err);
        int64_t time_ms = g->request->by_line ? (int64_t)number : place;
        if (rc == 0)
            rc = dataset_add(&g->out->orders, time_ms, (uint64_t)user + 1, &(uint32_t){item + 1}, 1,
                             err);
    }
    return rc;
}

int evaldata_sequences(struct gathering *g, struct str text, struct error *err)
{
    uint64_t number = 0;
    for (int rc = 0; text.ptr;) {
        struct str line = str_trim(str_cut(&text, '\n'));
        number++;
        if (line.len)
            rc = take_line(g, line, number, err);
        if (rc) {
            error_wrap(err, "line %llu", (unsigned long long)number);
            return rc;
        }
        if (number % 1024 == 0 && progress_cancelled(g->request->progress))
            return error_set(err, ERR_CANCELLED, "cancelled");
    }
    return 0;
}
