/* A menu is a draw of the seeded space (eval/tune.h), so two numbers say all of it; the text beside
 * them is for people. */
#include "service/tuning.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "eval/fit.h"
#include "service/evaldata.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PATH_BYTES 4200
#define DRAWS_MAX  1000000
#define LOG_BYTES  (4 << 20)

struct search {
    const struct tuning_request *request;
    uint64_t hash; /* of the orders */
    VEC(struct tune_try) done;
    FILE *log;
};

static void path_of(const char *data, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", data, name);
}

static bool same_search(const struct search *s, const json_t *line)
{
    char hash[17];
    const char *of = json_string_value(json_object_get(line, "orders_hash"));
    const char *surface = json_string_value(json_object_get(line, "surface"));
    snprintf(hash, sizeof hash, "%016" PRIx64, s->hash);
    return of && surface && strcmp(of, hash) == 0 &&
           strcmp(surface, mix_name(s->request->mix)) == 0 &&
           json_integer_value(json_object_get(line, "space")) == TUNE_SPACE &&
           json_integer_value(json_object_get(line, "seed")) == (json_int_t)s->request->seed &&
           json_integer_value(json_object_get(line, "keep")) == (json_int_t)s->request->keep;
}

static bool take_count(const json_t *line, const char *name, uint32_t *out)
{
    const json_t *value = json_object_get(line, name);
    json_int_t count = json_integer_value(value);
    *out = (uint32_t)count;
    return json_is_integer(value) && count >= 0 && count <= UINT32_MAX;
}

static bool take_try(const json_t *line, struct tune_try *out)
{
    const json_t *ndcg = json_object_get(line, "ndcg");
    out->ndcg = json_number_value(ndcg);
    out->seconds = json_number_value(json_object_get(line, "seconds"));
    return json_is_number(ndcg) && out->ndcg >= 0 && out->ndcg <= 1 &&
           take_count(line, "draw", &out->number) && take_count(line, "rung", &out->rung) &&
           take_count(line, "orders", &out->orders) &&
           take_count(line, "questions", &out->questions);
}

/* A line that was cut off or altered, or that is of another search, says nothing here. */
static int take_line(struct search *s, const char *text)
{
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    struct tune_try t = {0};
    bool kept = true;
    if (line && same_search(s, line) && take_try(line, &t))
        kept = VEC_PUSH(&s->done, t);
    json_decref(line);
    return kept ? 0 : ERR_NOMEM;
}

/* Old searches' tries are of no more use; they are dropped when they have become many. */
static int read_log(struct search *s, const char *path, struct error *err)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    bool torn = false;
    int rc = 0;
    while (rc == 0 && (length = getline(&text, &room, s->log)) > 0) {
        rc = take_line(s, text);
        torn = text[length - 1] != '\n';
    }
    free(text);
    if (rc)
        return error_set(err, ERR_NOMEM, "tuning: out of memory");
    if (torn)
        fputc('\n', s->log);
    if (s->done.count == 0 && ftello(s->log) > LOG_BYTES && ftruncate(fileno(s->log), 0) != 0)
        return error_set_errno(err, ERR_IO, errno, "%s", path);
    return 0;
}

static int open_log(struct search *s, const char *path, struct error *err)
{
    s->log = fopen(path, "a+");
    if (!s->log)
        return error_set_errno(err, ERR_IO, errno, "%s", path);
    if (flock(fileno(s->log), LOCK_EX | LOCK_NB) == 0)
        return 0;
    int number = errno;
    fclose(s->log);
    s->log = NULL;
    return number == EWOULDBLOCK
               ? error_set(err, ERR_CONFLICT, "%s: another search is at work here", path)
               : error_set_errno(err, ERR_IO, number, "%s", path);
}

static int note_try(void *context, const struct tune_try *t, struct error *err)
{
    struct search *s = context;
    fprintf(s->log,
            "{\"orders_hash\":\"%016" PRIx64 "\",\"surface\":\"%s\",\"space\":%d,\"seed\":%" PRIu64
            ",\"keep\":%u,\"draw\":%u,\"rung\":%u,\"orders\":%u,\"questions\":%u,\"ndcg\":%.17g,"
            "\"seconds\":%.3f}\n",
            s->hash, mix_name(s->request->mix), TUNE_SPACE, s->request->seed, s->request->keep,
            t->number, t->rung, t->orders, t->questions, t->ndcg, t->seconds);
    if (fflush(s->log) == 0 && fsync(fileno(s->log)) == 0)
        return 0;
    return error_set_errno(err, ERR_IO, errno, "tune.ndjson");
}

static int search(struct search *s, const struct evaldata *data, struct tuning_report *report,
                  struct error *err)
{
    const struct tuning_request *q = s->request;
    char path[PATH_BYTES];
    path_of(q->data, "tune.ndjson", path);
    s->hash = data->hash;
    int rc = open_log(s, path, err);
    if (rc == 0)
        rc = read_log(s, path, err);
    if (rc)
        return rc;
    const struct tune_params params = {
        .mix = q->mix,
        .tries = q->tries,
        .keep = q->keep,
        .seed = q->seed,
        .deadline_ns = q->budget_ms ? clock_mono_ns() + (uint64_t)q->budget_ms * 1000000 : 0,
        .threads = q->threads,
        .progress = q->progress,
        .done = s->done.at,
        .done_count = (uint32_t)s->done.count,
        .tried = note_try,
        .context = s};
    report->resumed = (uint32_t)s->done.count;
    return tune(&data->orders, &params, &report->tuned, err);
}

/* The file with all surfaces, an empty object when there is none. */
static json_t *read_tuned(const char *path, struct error *err)
{
    json_error_t why;
    if (access(path, F_OK) != 0)
        return json_object();
    json_t *all = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(all))
        return all;
    json_decref(all);
    error_set(err, ERR_INVALID, "%s: line %d: %s; remove it or tune again", path,
              all ? 1 : why.line, all ? "not an object" : why.text);
    return NULL;
}

static int write_tuned(const char *path, const json_t *all, struct error *err)
{
    char fresh[PATH_BYTES + 8];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    if (!file)
        return error_set_errno(err, ERR_IO, errno, "%s", fresh);
    bool good = json_dumpf(all, file, JSON_INDENT(1)) == 0 && fputc('\n', file) != EOF &&
                fflush(file) == 0 && fsync(fileno(file)) == 0;
    good = fclose(file) == 0 && good;
    if (good && rename(fresh, path) == 0)
        return 0;
    int number = errno;
    unlink(fresh);
    return error_set_errno(err, ERR_IO, number, "%s", path);
}

static int adopt(const struct tuning_request *q, const struct tuning_report *report,
                 struct error *err)
{
    char path[PATH_BYTES];
    struct buf text;
    path_of(q->data, "tuned.json", path);
    json_t *all = read_tuned(path, err);
    if (!all)
        return ERR_INVALID;
    buf_init(&text, 0);
    tuning_json(q, report, &text);
    json_t *one = text.failed ? NULL : json_loadb(text.ptr, text.len, 0, NULL);
    buf_deinit(&text);
    int rc = one && json_object_set_new(all, mix_name(q->mix), one) == 0
                 ? write_tuned(path, all, err)
                 : error_set(err, ERR_NOMEM, "tuning: out of memory");
    json_decref(all);
    return rc;
}

int tuning_run(const struct tuning_request *request, struct tuning_report *report,
               struct error *err)
{
    const struct evaldata_request asked = {
        .data = request->data, .through = request->through, .progress = request->progress};
    struct search s = {.request = request};
    struct evaldata data;
    struct recipe menu;
    *report = (struct tuning_report){0};
    int rc = tuning_menu(request->data, 1, &menu, err); /* what is adopted goes into that file */
    if (rc == 0)
        rc = evaldata_read(&asked, &data, err);
    if (rc)
        return rc;
    rc = search(&s, &data, report, err);
    VEC_FREE(&s.done);
    evaldata_deinit(&data);
    if (rc == 0 && report->tuned.adopted)
        rc = adopt(request, report, err);
    if (s.log)
        fclose(s.log);
    return rc;
}

/* What the draw says of the matrices that the surface adds up, and of its mix. */
static void take_over(const struct recipe *draw, enum mix_kind kind, struct recipe *menu)
{
    for (uint32_t x = 0; x < menu->ingredient_count; x++)
        if (draw->mixes[kind].weight[draw->ingredients[x].matrix] > 0)
            menu->ingredients[x] = draw->ingredients[x];
    menu->mixes[kind] = draw->mixes[kind];
}

static int take_surface(const json_t *one, const char *path, enum mix_kind kind, uint32_t items,
                        struct recipe *menu, struct error *err)
{
    const json_t *seed = json_object_get(one, "seed"), *draw = json_object_get(one, "draw");
    const json_t *space = json_object_get(one, "space");
    struct recipe drawn;
    if (!json_is_integer(seed) || json_integer_value(seed) < 0)
        return error_set(err, ERR_INVALID, "%s: %s.seed is not a whole number", path,
                         mix_name(kind));
    if (!json_is_integer(draw) || json_integer_value(draw) < 0 ||
        json_integer_value(draw) > DRAWS_MAX)
        return error_set(err, ERR_INVALID, "%s: %s.draw is not a number from 0 to %d", path,
                         mix_name(kind), DRAWS_MAX);
    if (!json_is_integer(space))
        return error_set(err, ERR_INVALID, "%s: %s.space is not a whole number", path,
                         mix_name(kind));
    if (json_integer_value(space) != TUNE_SPACE)
        return 0; /* of a version with another space: as if not tuned */
    tune_menu((uint64_t)json_integer_value(seed), (uint32_t)json_integer_value(draw), items,
              &drawn);
    take_over(&drawn, kind, menu);
    return 0;
}

/* Surfaces that are tuned. */
static const enum mix_kind tuned_kinds[] = {MIX_BASKET, MIX_PERSONAL};
#define TUNED_COUNT (sizeof tuned_kinds / sizeof *tuned_kinds)

static int check_surfaces(json_t *all, const char *path, struct error *err)
{
    const char *name;
    json_t *one;
    json_object_foreach(all, name, one)
    {
        bool known = false;
        for (size_t k = 0; k < TUNED_COUNT; k++)
            known = known || strcmp(name, mix_name(tuned_kinds[k])) == 0;
        if (!known)
            return error_set(err, ERR_INVALID, "%s: '%.64s' is no surface that is tuned", path,
                             name);
    }
    return 0;
}

int tuning_menu(const char *data, uint32_t items, struct recipe *menu, struct error *err)
{
    char path[PATH_BYTES];
    recipe_menu(menu, items);
    path_of(data, "tuned.json", path);
    json_t *all = read_tuned(path, err);
    if (!all)
        return ERR_INVALID;
    int rc = check_surfaces(all, path, err);
    for (size_t k = 0; k < TUNED_COUNT && rc == 0; k++) {
        const json_t *one = json_object_get(all, mix_name(tuned_kinds[k]));
        if (one)
            rc = take_surface(one, path, tuned_kinds[k], items, menu, err);
    }
    json_decref(all);
    return rc;
}

void tuning_json(const struct tuning_request *request, const struct tuning_report *report,
                 struct buf *out)
{
    const struct tuned *t = &report->tuned;
    buf_printf(out,
               "{\"surface\":\"%s\",\"space\":%d,\"seed\":%" PRIu64
               ",\"tries\":%u,\"resumed\":%u,\"complete\":%s,\"adopted\":%s,\"draw\":%u,"
               "\"questions\":%u",
               mix_name(request->mix), TUNE_SPACE, request->seed, t->tries, report->resumed,
               t->complete ? "true" : "false", t->adopted ? "true" : "false", t->number,
               t->questions);
    buf_text(out, ",\"ndcg_usual\":");
    buf_f64(out, t->ndcg_usual);
    buf_text(out, ",\"ndcg_tuned\":");
    buf_f64(out, t->ndcg_tuned);
    buf_text(out, ",\"difference\":");
    interval_json(&t->difference, out);
    buf_text(out, ",\"menu\":");
    recipe_json(&t->menu, out);
    buf_char(out, '}');
}
