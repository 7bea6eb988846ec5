/* What an evaluation reads -> a dataset with item ids: the store of a shop, or a file, for trying
 * out without one. One thread at a time. */
#ifndef SERVICE_EVALDATA_H
#define SERVICE_EVALDATA_H

#include "base/progress.h"
#include "data/dataset.h"
#include "data/dict.h"
#include "ingest/reader.h"

/* Beyond the reader's formats: `shopper item item …` a line, oldest first, blanks between. */
#define FORMAT_SEQUENCES ((enum reader_format)100)

struct evaldata_request {
    const char *path;          /* file, "-": standard input; NULL: the store */
    const char *data;          /* the store's directory */
    uint64_t through;          /* the store's orders that came up to this key; 0: all */
    enum reader_format format; /* AUTO: by the first line; never sequences */
    const char *include_items; /* POSIX extended regex an item id must match, or NULL */
    const char *const *maps;   /* of a CSV header (ingest/csvmap.h), or NULL */
    bool priced;               /* only order lines with a price above 0 */
    bool sessions; /* events in place of orders: each is an order of one item by its session; the
                      orders, when there are no events */
    bool by_line;  /* sequences: a line is a moment, later than the lines before */
    struct progress *progress;
};

struct evaldata {
    struct dataset orders;
    struct dict names; /* item ids */
    uint32_t *name;    /* [orders.item_count] index in names */
    uint32_t *id_rank; /* [orders.item_count] place by item id, in byte order */
    bool timed;        /* times are of the clock, not only an order */
    enum reader_format format;
    uint64_t hash;           /* of everything the evaluation sees */
    uint64_t rejected;       /* bad lines that were left out */
    char first_problem[256]; /* of the first of them, with its line */
};
const char *evaldata_format_name(enum reader_format format);
bool evaldata_format_parse(struct str name, enum reader_format *out);

/* Sessions are those of data/sessions.h: by their id, else stretches of a user's events; cart, wish
 * and purchase events count as views do, what is taken out of a cart does not.
 *
 * FIMI baskets have no shoppers and the times 0, 1, 2, …; neither have orders of a file where none
 * has a time; sequences have the time 0, 1, 2, … in each line. ERR_INVALID names the line or what
 * is wrong with the whole; ERR_IO, ERR_NOT_FOUND, ERR_CANCELLED, ERR_NOMEM. */
int evaldata_read(const struct evaldata_request *request, struct evaldata *out,
                  struct error *err) WARN_UNUSED;
void evaldata_deinit(struct evaldata *d);
#endif
