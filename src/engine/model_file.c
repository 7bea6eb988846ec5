/* Model <-> named parts. A part is the bytes of one array; `sections` names them all. The header
 * part comes first and holds every count, and loading asks for a part's size and compares before it
 * allocates: a damaged count cannot make it allocate or read more than is stored. After the arrays
 * are in, starts are checked against the lengths allocated (the invariants of model_check rely on
 * them), then model_seal checks the rest and makes what is derived.
 *
 * Format changes raise VERSION; an older or newer format is refused by name, never guessed at. */
#include "model_internal.h"

#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC   UINT64_C(0x006c65646f6d6b62) /* "bkmodel" read as a little-endian number */
#define VERSION 8u

/* The part "header". Fixed layout, no padding. */
struct header {
    uint64_t magic;
    uint32_t version, matrix_count;
    uint32_t item_count, basket_count, user_count, rule_count;
    uint32_t strong_count, dimensions, visit_count, neighbour_count;
    uint64_t changes, newest_order, text_bytes, antecedent_count, rules_cut, rules_candidates;
    int64_t now_ms;
    uint64_t entries[MATRIX_COUNT];
    uint64_t neighbour_events;
};
_Static_assert(sizeof(struct header) == 152, "the header has no padding");

/* What an array's length is. */
enum length {
    PER_TEXT_BYTE,
    PER_ITEM,
    PER_ITEM_END, /* items + 1 */
    PER_RULE,
    PER_RULE_END, /* rules + 1 */
    PER_ANTECEDENT,
    PER_STRONG,
    PER_DIMENSION,       /* items x dimensions */
    PER_NEIGHBOUR_END,   /* past visits + 1 */
    PER_NEIGHBOUR_EVENT, /* of all of them */
    PER_ENTRY,           /* of matrix 0; the others follow */
    LENGTH_COUNT = PER_ENTRY + MATRIX_COUNT
};

struct section {
    const char *part;
    size_t member; /* offset in struct model of the array's pointer */
    size_t size;   /* of an element */
    int length;    /* enum length */
};

#define SECTION(part, member, length)                                                              \
    {                                                                                              \
        part, offsetof(struct model, member), sizeof *((struct model *)0)->member, length          \
    }
#define MATRIX(name, kind)                                                                         \
    SECTION(name ".start", matrices[kind].rows.start, PER_ITEM_END),                               \
        SECTION(name ".column", matrices[kind].rows.column, PER_ENTRY + kind),                     \
        SECTION(name ".value", matrices[kind].rows.value, PER_ENTRY + kind),                       \
        SECTION(name ".both", matrices[kind].both, PER_ENTRY + kind)

static const struct section sections[] = {
    SECTION("items.text", items.text, PER_TEXT_BYTE),
    SECTION("items.offsets", items.offsets, PER_ITEM_END),
    SECTION("items.slot", slot, PER_ITEM),
    SECTION("popularity.orders_all", popularity.orders_all, PER_ITEM),
    SECTION("popularity.orders_28d", popularity.orders_28d, PER_ITEM),
    SECTION("popularity.orders_7d", popularity.orders_7d, PER_ITEM),
    SECTION("popularity.trend", popularity.trend, PER_ITEM),
    SECTION("popularity.rank", popularity.rank, PER_ITEM),
    SECTION("popularity.by_rank", popularity.by_rank, PER_ITEM),
    SECTION("popularity.by_trend", popularity.by_trend, PER_ITEM),
    SECTION("rules.start", rules.start, PER_RULE_END),
    SECTION("rules.antecedent", rules.antecedent, PER_ANTECEDENT),
    SECTION("rules.consequent", rules.consequent, PER_RULE),
    SECTION("rules.both", rules.both, PER_RULE),
    SECTION("rules.body", rules.body, PER_RULE),
    SECTION("rules.head", rules.head, PER_RULE),
    SECTION("rules.q", rules.q, PER_RULE),
    SECTION("rules.improvement", rules.improvement, PER_RULE),
    SECTION("rules.strong", strong.index, PER_STRONG),
    SECTION("rules.by_lift", rule_order[SORT_LIFT], PER_RULE),
    SECTION("rules.by_confidence", rule_order[SORT_CONFIDENCE], PER_RULE),
    SECTION("rules.by_count", rule_order[SORT_COUNT], PER_RULE),
    SECTION("rules.by_leverage", rule_order[SORT_LEVERAGE], PER_RULE),
    SECTION("rules.by_conviction", rule_order[SORT_CONVICTION], PER_RULE),
    SECTION("rules.by_confidence_low", rule_order[SORT_CONFIDENCE_LOW], PER_RULE),
    SECTION("rules.by_improvement", rule_order[SORT_IMPROVEMENT], PER_RULE),
    SECTION("rules.by_q", rule_order[SORT_Q], PER_RULE),
    SECTION("buyers", buyers, PER_ITEM),
    SECTION("visits", visits, PER_ITEM),
    SECTION("repeat.gap_days", repeat.gap_days, PER_ITEM),
    SECTION("repeat.rate", repeat.rate, PER_ITEM),
    SECTION("repeat.demand", repeat.demand, PER_ITEM),
    SECTION("neighbours.start", neighbours.start, PER_NEIGHBOUR_END),
    SECTION("neighbours.item", neighbours.item, PER_NEIGHBOUR_EVENT),
    MATRIX("orders", MATRIX_ORDERS),
    MATRIX("shoppers", MATRIX_SHOPPERS),
    MATRIX("next", MATRIX_NEXT),
    MATRIX("alike", MATRIX_ALIKE),
    MATRIX("visits", MATRIX_VISITS),
    SECTION("vectors.in", vectors.in, PER_DIMENSION),
    SECTION("vectors.out", vectors.out, PER_DIMENSION),
};
#define SECTION_COUNT (sizeof sections / sizeof *sections)

static struct header header_of(const struct model *m)
{
    struct header h = {.magic = MAGIC,
                       .version = VERSION,
                       .matrix_count = MATRIX_COUNT,
                       .item_count = m->item_count,
                       .basket_count = m->basket_count,
                       .user_count = m->user_count,
                       .rule_count = m->rules.count,
                       .strong_count = m->strong.count,
                       .dimensions = m->vectors.dimensions,
                       .visit_count = m->visit_count,
                       .neighbour_count = m->neighbours.session_count,
                       .changes = m->changes,
                       .newest_order = m->newest_order,
                       .text_bytes = m->items.offsets ? m->items.offsets[m->items.count] : 0,
                       .antecedent_count = m->rules.start ? m->rules.start[m->rules.count] : 0,
                       .rules_cut = m->rules.cut,
                       .rules_candidates = m->rules.candidates,
                       .now_ms = m->popularity.now_ms};
    for (int k = 0; k < MATRIX_COUNT; k++)
        h.entries[k] = csr_entries(&m->matrices[k].rows);
    if (m->neighbours.start)
        h.neighbour_events = m->neighbours.start[m->neighbours.session_count];
    return h;
}

/* The part "repeat": what is said of all items. */
struct repeat_part {
    float usual_gap_days, usual_rate, no_demand, weight[REPEAT_FEATURES], bias;
    uint32_t shoppers;
};

static struct repeat_part repeat_part_of(const struct repeat_model *m)
{
    struct repeat_part part = {.usual_gap_days = m->usual_gap_days,
                               .usual_rate = m->usual_rate,
                               .no_demand = m->no_demand,
                               .bias = m->bias,
                               .shoppers = m->shoppers};
    memcpy(part.weight, m->weight, sizeof part.weight);
    return part;
}

static void take_repeat_part(struct repeat_model *m, const struct repeat_part *part)
{
    m->usual_gap_days = part->usual_gap_days;
    m->usual_rate = part->usual_rate;
    m->no_demand = part->no_demand;
    m->bias = part->bias;
    m->shoppers = part->shoppers;
    memcpy(m->weight, part->weight, sizeof part->weight);
}

static uint64_t length_of(const struct header *h, int length)
{
    switch (length) {
    case PER_TEXT_BYTE:
        return h->text_bytes;
    case PER_ITEM:
        return h->item_count;
    case PER_ITEM_END:
        return (uint64_t)h->item_count + 1;
    case PER_RULE:
        return h->rule_count;
    case PER_RULE_END:
        return (uint64_t)h->rule_count + 1;
    case PER_ANTECEDENT:
        return h->antecedent_count;
    case PER_STRONG:
        return h->strong_count;
    case PER_DIMENSION:
        return (uint64_t)h->item_count * h->dimensions;
    case PER_NEIGHBOUR_END:
        return h->neighbour_count ? (uint64_t)h->neighbour_count + 1 : 0;
    case PER_NEIGHBOUR_EVENT:
        return h->neighbour_events;
    default:
        return h->entries[length - PER_ENTRY];
    }
}

/* Pointers of many types are read and written through their bytes, as C has it. */
static void *section_get(const struct model *m, const struct section *s)
{
    void *array;
    memcpy(&array, (const char *)m + s->member, sizeof array);
    return array;
}

static void section_set(struct model *m, const struct section *s, void *array)
{
    memcpy((char *)m + s->member, &array, sizeof array);
}

size_t model_bytes(const struct model *m)
{
    struct header h = header_of(m);
    size_t kept = h.neighbour_count ? (h.neighbour_count + 1ULL) * sizeof *m->neighbours.start +
                                          h.neighbour_events * sizeof *m->neighbours.item
                                    : 0;
    size_t bytes = sessionknn_bytes(&m->neighbours) - kept + sizeof *m +
                   strmap_bytes(&m->items.map) + ruletrie_bytes(&m->trie) +
                   ruletrie_bytes(&m->strong.trie) + m->strong.count * sizeof *m->strong.rule;
    for (size_t x = 0; x < SECTION_COUNT; x++)
        if (section_get(m, &sections[x]))
            bytes += length_of(&h, sections[x].length) * sections[x].size;
    return bytes;
}

int model_save(const struct model *m, const struct model_sink *sink, struct error *err)
{
    struct header h = header_of(m);
    int rc = sink->put(sink->context, "header", &h, sizeof h, err);
    if (rc == 0)
        rc = sink->put(sink->context, "recipe", &m->recipe, sizeof m->recipe, err);
    struct repeat_part repeat = repeat_part_of(&m->repeat);
    if (rc == 0)
        rc = sink->put(sink->context, "repeat", &repeat, sizeof repeat, err);
    for (size_t x = 0; x < SECTION_COUNT && rc == 0; x++) {
        const struct section *s = &sections[x];
        uint64_t bytes = length_of(&h, s->length) * s->size;
        if (bytes)
            rc = sink->put(sink->context, s->part, section_get(m, s), bytes, err);
    }
    return rc;
}

static int read_part(const struct model_source *source, const char *part, void *into,
                     uint64_t bytes, struct error *err)
{
    int rc = source->read(source->context, part, into, bytes, err);
    if (rc)
        error_wrap(err, "model part %s", part);
    return rc;
}

static int check_size(const struct model_source *source, const char *part, uint64_t count,
                      size_t size, struct error *err)
{
    struct error why = ERROR_INIT;
    uint64_t stored, bytes;
    int rc = source->size(source->context, part, &stored, &why);
    if (rc == ERR_NOT_FOUND)
        return error_set(err, ERR_CORRUPT, "model part %s is missing", part);
    if (rc)
        return error_set(err, (enum err)rc, "model part %s: %s", part, why.text);
    if (__builtin_mul_overflow(count, (uint64_t)size, &bytes) || stored != bytes)
        return error_set(err, ERR_CORRUPT,
                         "model part %s: %" PRIu64 " bytes, expected %" PRIu64 " of %zu", part,
                         stored, count, size);
    return 0;
}

static int load_header(const struct model_source *source, struct header *h, struct error *err)
{
    int rc = check_size(source, "header", 1, sizeof *h, err);
    if (rc)
        return rc;
    rc = read_part(source, "header", h, sizeof *h, err);
    if (rc)
        return rc;
    if (h->magic != MAGIC)
        return error_set(err, ERR_CORRUPT, "model part header: not a model of this machine's kind");
    if (h->version != VERSION || h->matrix_count != MATRIX_COUNT)
        return error_set(err, ERR_CORRUPT,
                         "model: format version %" PRIu32 " with %" PRIu32
                         " matrices, this program reads %u with %u: train again",
                         h->version, h->matrix_count, VERSION, (unsigned)MATRIX_COUNT);
    return 0;
}

static int load_section(struct model *m, const struct section *s, uint64_t count,
                        const struct model_source *source, struct error *err)
{
    if (count) {
        int rc = check_size(source, s->part, count, s->size, err);
        if (rc)
            return rc;
    }
    void *array = mem_array(count, s->size);
    if (!array)
        return error_set(err, ERR_NOMEM, "model part %s: out of memory", s->part);
    section_set(m, s, array);
    return count ? read_part(source, s->part, array, count * s->size, err) : 0;
}

static void take_header(struct model *m, const struct header *h)
{
    m->item_count = h->item_count;
    m->basket_count = h->basket_count;
    m->user_count = h->user_count;
    m->changes = h->changes;
    m->newest_order = h->newest_order;
    m->popularity.item_count = h->item_count;
    m->popularity.now_ms = h->now_ms;
    m->rules.count = h->rule_count;
    m->rules.basket_count = h->basket_count;
    m->rules.cut = h->rules_cut;
    m->rules.candidates = h->rules_candidates;
    m->strong.count = h->strong_count;
    m->vectors.item_count = h->item_count;
    m->vectors.dimensions = h->dimensions;
    m->visit_count = h->visit_count;
    m->neighbours.session_count = h->neighbour_count;
    m->neighbours.item_count = h->item_count;
    m->repeat.item_count = h->item_count;
    for (int k = 0; k < MATRIX_COUNT; k++)
        m->matrices[k].rows.rows = m->matrices[k].rows.cols = h->item_count;
}

/* The last start of each sparse array is the length that was allocated. */
static int check_ends(const struct model *m, const struct header *h, struct error *err)
{
    if (m->rules.start[h->rule_count] != h->antecedent_count)
        return error_set(err, ERR_CORRUPT, "model: the rules end elsewhere");
    if (h->neighbour_count && m->neighbours.start[h->neighbour_count] != h->neighbour_events)
        return error_set(err, ERR_CORRUPT, "model: the past visits end elsewhere");
    for (int k = 0; k < MATRIX_COUNT; k++)
        if (m->matrices[k].rows.start[h->item_count] != h->entries[k])
            return error_set(err, ERR_CORRUPT, "model: the rows of %s end elsewhere",
                             matrix_name((enum matrix_kind)k));
    return 0;
}

static int load_sections(struct model *m, const struct model_source *source, struct error *err)
{
    struct header h;
    int rc = load_header(source, &h, err);
    if (rc)
        return rc;
    take_header(m, &h);
    rc = check_size(source, "recipe", 1, sizeof m->recipe, err);
    if (rc == 0)
        rc = read_part(source, "recipe", &m->recipe, sizeof m->recipe, err);
    struct repeat_part repeat;
    if (rc == 0)
        rc = check_size(source, "repeat", 1, sizeof repeat, err);
    if (rc == 0)
        rc = read_part(source, "repeat", &repeat, sizeof repeat, err);
    if (rc)
        return rc;
    take_repeat_part(&m->repeat, &repeat);
    for (size_t x = 0; x < SECTION_COUNT; x++) {
        rc = load_section(m, &sections[x], length_of(&h, sections[x].length), source, err);
        if (rc)
            return rc;
    }
    rc = check_ends(m, &h, err);
    if (rc)
        return rc;
    char *text = m->items.text;
    uint64_t *offsets = m->items.offsets;
    m->items.text = NULL;
    m->items.offsets = NULL;
    return dict_from_arrays(&m->items, text, h.text_bytes, offsets, h.item_count, err);
}

struct model *model_load(const struct model_source *source, struct error *err)
{
    struct model *m = model_new(err);
    if (!m)
        return NULL;
    int rc = load_sections(m, source, err);
    if (rc == 0)
        rc = model_seal(m, err);
    if (rc == 0)
        return m;
    model_unref(m);
    return NULL;
}
