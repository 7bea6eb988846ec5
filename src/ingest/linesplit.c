/* memchr finds the line ends; only the beginning of a line cut by the end of a piece is copied, so
 * the cost is one pass over the bytes. Invariant between pushes: `part` holds the bytes of the
 * present line so far, at most max + 1 of them (a CR may still turn out to belong to its end). */
#include "ingest/linesplit.h"

#include <string.h>

void linesplit_init(struct linesplit *l, size_t max, split_fn line, void *context)
{
    *l = (struct linesplit){.max = max, .number = 1, .line = line, .context = context};
    buf_init(&l->part, max + 1);
}

void linesplit_deinit(struct linesplit *l)
{
    buf_deinit(&l->part);
}

static int hand_on(struct linesplit *l, struct str text, struct error *err)
{
    if (text.len > 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    if (text.len > l->max)
        text = STR_NONE;
    return l->line(l->context, text, l->number, err);
}

/* Keeps the beginning of a line; one that has grown too long is reported and skipped. */
static int keep(struct linesplit *l, struct str bytes, struct error *err)
{
    if (l->skipping)
        return 0;
    if (bytes.len <= l->max + 1 - l->part.len) {
        buf_str(&l->part, bytes);
        return l->part.failed ? error_set(err, ERR_NOMEM, "line: out of memory") : 0;
    }
    l->skipping = true;
    buf_clear(&l->part);
    return l->line(l->context, STR_NONE, l->number, err);
}

/* `bytes` are the rest of the present line. */
static int end_line(struct linesplit *l, struct str bytes, struct error *err)
{
    int rc = 0;
    if (l->part.len == 0 && !l->skipping) {
        rc = hand_on(l, bytes, err);
    } else {
        rc = keep(l, bytes, err);
        if (rc == 0 && !l->skipping)
            rc = hand_on(l, (struct str){l->part.ptr, l->part.len}, err);
    }
    buf_clear(&l->part);
    l->skipping = false;
    l->number++;
    return rc;
}

int linesplit_push(struct linesplit *l, struct str bytes, struct error *err)
{
    int rc = 0;
    while (rc == 0 && bytes.len > 0) {
        const char *lf = memchr(bytes.ptr, '\n', bytes.len);
        if (!lf)
            return keep(l, bytes, err);
        size_t len = (size_t)(lf - bytes.ptr);
        rc = end_line(l, (struct str){bytes.ptr, len}, err);
        bytes = (struct str){lf + 1, bytes.len - len - 1};
    }
    return rc;
}

int linesplit_finish(struct linesplit *l, struct error *err)
{
    return l->part.len > 0 ? end_line(l, STR(""), err) : 0;
}
