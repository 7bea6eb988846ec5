/* Orthonormal columns come from the eigenvectors of the matrix of products, scaled to ones in the
 * diagonal: unlike Cholesky's factor they show which columns depend on others (Stathopoulos & Wu
 * 2002, SVQB). Products are made by sgemm over a chunk of rows and summed up in doubles. */
#include "tall.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define CHUNK 256 /* rows multiplied at a time */
/* Of products of floats, less than this share of the largest eigenvalue is rounding. */
#define LEAST 1e-6

int tall_init(struct tall *t, uint32_t rows, uint32_t width, uint32_t workers, const char *who,
              struct error *err)
{
    size_t cells = (size_t)width * width;
    *t = (struct tall){.rows = rows,
                       .width = width,
                       .workers = workers,
                       .work_count = (int)(1 + 6 * width + 2 * cells),
                       .iwork_count = (int)(3 + 5 * width)};
    int status = blas_load(&t->blas, who, err);
    if (status)
        return status;
    MEM_NEW(t->small, cells);
    MEM_NEW(t->value, width);
    MEM_NEW(t->length, width);
    MEM_NEW(t->turn, cells);
    MEM_ZNEW(t->lane, LANES);
    MEM_NEW(t->work, (size_t)t->work_count);
    MEM_NEW(t->iwork, (size_t)t->iwork_count);
    bool good = t->small && t->value && t->length && t->turn && t->lane && t->work && t->iwork;
    for (int n = 0; good && n < LANES; n++) {
        MEM_NEW(t->lane[n].sum, cells);
        MEM_NEW(t->lane[n].product, cells);
        good = t->lane[n].sum && t->lane[n].product;
    }
    if (good)
        return 0;
    tall_deinit(t);
    return error_set(err, ERR_NOMEM, "%s: out of memory", who);
}

void tall_deinit(struct tall *t)
{
    for (int n = 0; t->lane && n < LANES; n++) {
        free(t->lane[n].sum);
        free(t->lane[n].product);
    }
    free(t->lane);
    free(t->small);
    free(t->value);
    free(t->length);
    free(t->turn);
    free(t->work);
    free(t->iwork);
    *t = (struct tall){0};
}

static void run(struct tall *t, void (*body)(void *, uint32_t), uint64_t count, uint64_t step)
{
    cursor_init(&t->cursor, count, step);
    parallel_run(t->workers, body, t);
}

static void sum_lane(const struct tall *t, uint64_t number)
{
    const struct tall_lane *lane = &t->lane[number];
    size_t cells = (size_t)t->width * t->width;
    uint64_t last = t->rows * (number + 1) / LANES;
    int width = (int)t->width;
    memset(lane->sum, 0, cells * sizeof *lane->sum);
    for (uint64_t r = t->rows * number / LANES; r < last; r += CHUNK) {
        int rows = (int)(last - r < CHUNK ? last - r : CHUNK);
        t->blas.sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, width, width, rows, 1,
                      t->left + r * t->width, width, t->right + r * t->width, width, 0,
                      lane->product, width);
        for (size_t c = 0; c < cells; c++)
            lane->sum[c] += (double)lane->product[c];
    }
}

static void sum_lanes(void *context, uint32_t worker)
{
    struct tall *t = context;
    uint64_t number, end;
    (void)worker;
    while (cursor_take(&t->cursor, &number, &end))
        sum_lane(t, number);
}

void tall_products(struct tall *t, const float *left, const float *right)
{
    size_t width = t->width;
    t->left = left;
    t->right = right;
    run(t, sum_lanes, LANES, 1);
    for (size_t n = 1; n < LANES; n++)
        for (size_t c = 0; c < width * width; c++)
            t->lane[0].sum[c] += t->lane[n].sum[c];
    for (size_t r = 0; r < width; r++)
        for (size_t c = 0; c < width; c++)
            t->small[r * width + c] =
                (t->lane[0].sum[r * width + c] + t->lane[0].sum[c * width + r]) / 2;
}

int tall_eigen(struct tall *t)
{
    int width = (int)t->width, info = 0;
    t->blas.dsyevd("V", "L", &width, t->small, &width, t->value, t->work, &t->work_count, t->iwork,
                   &t->iwork_count, &info);
    return info ? ERR_INTERNAL : 0;
}

static void turn_rows(void *context, uint32_t worker)
{
    struct tall *t = context;
    int width = (int)t->width;
    uint64_t begin, end;
    (void)worker;
    while (cursor_take(&t->cursor, &begin, &end))
        t->blas.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)(end - begin), width, width,
                      1, t->left + begin * t->width, width, t->turn, width, 0,
                      t->to + begin * t->width, width);
}

void tall_turn(struct tall *t, const float *from, float *to)
{
    t->left = from;
    t->to = to;
    run(t, turn_rows, t->rows, CHUNK);
}

int tall_orthonormalise(struct tall *t, const float *from, float *to)
{
    size_t width = t->width;
    tall_products(t, from, from);
    for (size_t k = 0; k < width; k++) {
        double square = t->small[k * width + k];
        t->length[k] = square > 0 ? sqrt(square) : INFINITY;
    }
    for (size_t r = 0; r < width; r++)
        for (size_t c = 0; c < width; c++)
            t->small[r * width + c] /= t->length[r] * t->length[c];
    int status = tall_eigen(t);
    if (status)
        return status;
    double least = LEAST * t->value[width - 1];
    for (size_t k = 0; k < width; k++) {
        size_t from_last = width - 1 - k;
        double value = t->value[from_last], by = value > least ? 1 / sqrt(value) : 0;
        for (size_t r = 0; r < width; r++)
            t->turn[r * width + k] = (float)(t->small[from_last * width + r] * by / t->length[r]);
    }
    tall_turn(t, from, to);
    return 0;
}

uint64_t tall_estimate_bytes(uint32_t width)
{
    uint64_t cells = (uint64_t)width * width;
    return cells * (LANES * 12 + 8 + 4 + 16) + 84 * (uint64_t)width;
}
