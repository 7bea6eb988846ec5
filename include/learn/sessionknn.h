/* What comes next in a visit, from the past visits most like it. Two forms:
 *
 *                                   VMIS                         STAN
 *     place q of L in the visit     q / L                        e^((q - L) / l1)
 *     likeness of past visit r      sum over the shared items    the same / sqrt(L length_r)
 *                                                                e^(-l2 (1 - r / R))
 *     neighbours                    the k most alike, ties to the later one
 *     item j of neighbour r         likeness max(0, 1 - p / 10)  likeness e^(-|pos_j - pos*| / l3)
 *                                   ln(R / df_j)
 *
 * r = 1..R counts the past visits in time order; df_j those with j; c* is the newest item that the
 * visit shares with r, p its steps from the visit's end (the last: 1), pos* its place in r. Of an
 * item, only the m latest visits are looked at. An item that stands more than once in a visit
 * counts once, at its last place. Masked is the visit's last item alone: what was seen before may
 * come again.
 *
 * VMIS: Kersbergen et al., SIGMOD 2022 ("Serenade"). STAN: Garg et al., SIGIR 2019, as a past visit
 * is weighed by its number here, not by the clock. */
#ifndef LEARN_SESSIONKNN_H
#define LEARN_SESSIONKNN_H

#include "base/progress.h"
#include "data/histories.h"
#include "data/shape.h"

enum sessionknn_form { SESSIONKNN_STAN, SESSIONKNN_VMIS };

struct sessionknn_params { /* zero = default */
    enum sessionknn_form form;
    uint32_t recent;     /* m; 1000 */
    uint32_t neighbours; /* k; 200 */
    float l1, l2, l3;    /* of STAN; 1.25, 2, 5 */
    uint64_t max_events; /* sessions are the newest with so many in all; 2 million */
};
#define SESSIONKNN_EVENTS_MAX 2000000u

struct sessionknn {
    struct sessionknn_params params; /* in force */
    uint32_t session_count, item_count;
    uint64_t *start;    /* [sessions + 1] */
    uint32_t *item;     /* [start[sessions]] in order; SESSIONKNN_AGAIN is set where the item stands
                           later in the session too */
    uint64_t *by_start; /* [items + 1] */
    uint32_t *session;  /* [by_start[items]] each item's latest m sessions, the latest first */
    float *idf;         /* [items] ln(R / df), 0 for an item in none */
    float *boost;       /* [sessions] of STAN: e^(-l2 (1 - r / R)) / sqrt(length_r); NULL: VMIS */
};
#define SESSIONKNN_AGAIN 0x80000000u

/* STAN does not look at a place that counts less, the tenth from the end by default: of a long
 * visit the end is asked about. */
#define SESSIONKNN_WEIGHT_LEAST 1e-3f

/* Rows: sessions in time order (struct sessions, or any histories). Those with fewer than two
 * distinct items tell nothing and are left out, also of R and df. ERR_NOMEM; ERR_INVALID: a
 * parameter out of range. Immutable after building; any thread reads. */
int sessionknn_build(const struct histories *rows, const struct sessionknn_params *params,
                     struct sessionknn *out, struct error *err) WARN_UNUSED;
/* From params, counts, `start` and `item` alone, as they were stored: makes the rest. Starts ascend
 * and items are below item_count but for the flag, which is set anew. ERR_NOMEM; what was given
 * stays. */
int sessionknn_index(struct sessionknn *k, struct error *err) WARN_UNUSED;
void sessionknn_deinit(struct sessionknn *k);
size_t sessionknn_bytes(const struct sessionknn *k);
/* Most bytes held while it is built from so many events of so many items, the result included; and
 * by a scratch for it. */
uint64_t sessionknn_estimate_bytes(uint64_t events, uint64_t items);
uint64_t sessionknn_scratch_estimate_bytes(uint64_t events, uint64_t items);

/* One for each thread; nothing is allocated afterwards. Holds for the index it was made for. */
struct sessionknn_scratch;
struct sessionknn_scratch *sessionknn_scratch_new(const struct sessionknn *k,
                                                  struct error *err) WARN_UNUSED;
/* Makes *s (NULL at first) fit for this index too, for the next question; it never shrinks. */
int sessionknn_scratch_reserve(struct sessionknn_scratch **s, const struct sessionknn *k,
                               struct error *err) WARN_UNUSED;
void sessionknn_scratch_free(struct sessionknn_scratch *s);

struct sessionknn_answer { /* borrowed from the scratch until the next question */
    const uint32_t *item;  /* [count] distinct, in no order, score > 0 */
    uint32_t count;
    const float *score;  /* [item_count] of every item; 0: not in the answer */
    float most;          /* the largest score */
    uint32_t neighbours; /* sessions that spoke */
};
/* context: the visit so far, oldest first, items below item_count. Microseconds: m sessions per
 * item of the context, then k sessions. */
void sessionknn_ask(const struct sessionknn *k, const uint32_t *context, uint32_t length,
                    struct sessionknn_scratch *s, struct sessionknn_answer *out);

/* How many of the sessions that spoke in the last answer have each of these distinct items. Cost:
 * those sessions once. */
void sessionknn_holders(const struct sessionknn *k, struct sessionknn_scratch *s,
                        const uint32_t *item, uint32_t count, uint32_t *holders);

/* As a source of rows: row i = the answer to a visit of item i alone, its `keep` best, best first
 * (ties: items of more sessions, then the lower). The same for any number of threads. ERR_NOMEM,
 * ERR_CANCELLED. */
struct sessionknn_rows_params {
    uint32_t keep;    /* entries of a row */
    uint32_t threads; /* 0: one per core */
    struct progress *progress;
};
int sessionknn_rows(const struct sessionknn *k, const struct sessionknn_rows_params *params,
                    struct csr *out, struct error *err) WARN_UNUSED;
/* Most bytes held by building and making rows of histories of such a shape, the rows included. */
uint64_t sessionknn_rows_estimate_bytes(const struct dataset_shape *shape,
                                        const struct sessionknn_rows_params *params);

#endif
