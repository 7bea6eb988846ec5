/* The query half of the tables. Values are decoded texts that live in the request's arena, so lists
 * point into them and copy nothing. */
#include "http/fields.h"

#include "base/limits.h"

#include <string.h>

bool field_check_id(struct str id, const struct place *place, struct problems *problems)
{
    const char *why = id_problem(id);
    if (why)
        problems_add(problems, place, "the id %s", why);
    return !why;
}

struct target {
    const struct field *field;
    struct str text;
    void *at;
    struct place place;
    struct problems *problems;
};

static void *room(struct problems *p, size_t count, size_t size)
{
    void *memory = arena_alloc(p->arena, count, size);
    if (!memory)
        p->no_memory = true;
    return memory;
}

static void take_flag(struct target *t)
{
    bool yes = str_eq(t->text, STR("true"));
    if (yes || str_eq(t->text, STR("false")))
        *(bool *)t->at = yes;
    else
        problems_add(t->problems, &t->place, "expected true or false, got '%.*s'",
                     STR_ARG(t->text));
}

static void take_count(struct target *t)
{
    uint64_t value;
    const struct field *f = t->field;
    if (str_to_u64(t->text, &value) && value >= (uint64_t)f->min && value <= (uint64_t)f->max)
        *(uint32_t *)t->at = (uint32_t)value;
    else
        problems_add(t->problems, &t->place,
                     "expected a whole number from %.0f to %.0f, got '%.*s'", f->min, f->max,
                     STR_ARG(t->text));
}

static void take_key(struct target *t)
{
    int64_t value;
    if (str_to_i64(t->text, &value) && value >= 1)
        *(int64_t *)t->at = value;
    else
        problems_add(t->problems, &t->place, "expected a whole number from 1, got '%.*s'",
                     STR_ARG(t->text));
}

static void take_number(struct target *t)
{
    double value;
    const struct field *f = t->field;
    if (str_to_f64(t->text, &value) && value >= f->min && value <= f->max)
        *(double *)t->at = value;
    else
        problems_add(t->problems, &t->place, "expected a number from %g to %g, got '%.*s'", f->min,
                     f->max, STR_ARG(t->text));
}

static void take_money(struct target *t)
{
    int64_t value;
    if (str_to_minor(t->text, &value) && value >= 0)
        *(int64_t *)t->at = value;
    else
        problems_add(t->problems, &t->place, "expected an amount such as 12.50, got '%.*s'",
                     STR_ARG(t->text));
}

static void take_text(struct target *t)
{
    if (t->field->kind == FIELD_ID && !field_check_id(t->text, &t->place, t->problems))
        return;
    if (t->field->kind == FIELD_TEXT && (double)t->text.len > t->field->max)
        problems_add(t->problems, &t->place, "longer than %.0f bytes", t->field->max);
    else
        *(struct str *)t->at = t->text;
}

static void take_choice(struct target *t)
{
    int value = t->field->choice(t->text);
    if (value >= 0)
        *(int *)t->at = value;
    else
        problems_add(t->problems, &t->place, "expected one of %s, got '%.*s'", t->field->note,
                     STR_ARG(t->text));
}

static uint32_t parts(struct str text)
{
    uint32_t n = text.len > 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == ',';
    return n;
}

static void take_list(struct target *t)
{
    const struct field *f = t->field;
    struct str_list list = {.count = parts(t->text)};
    if (list.count > f->max) {
        problems_add(t->problems, &t->place, "expected at most %.0f entries, got %u", f->max,
                     list.count);
        return;
    }
    struct str *at = room(t->problems, list.count, sizeof *at);
    if (!at)
        return;
    struct str rest = t->text;
    for (uint32_t i = 0; i < list.count; i++) {
        at[i] = str_cut(&rest, ',');
        if (f->kind == FIELD_IDS && !field_check_id(at[i], &t->place, t->problems))
            return;
        if (f->kind == FIELD_TEXTS && at[i].len == 0)
            problems_add(t->problems, &t->place, "an entry is empty");
    }
    list.at = at;
    *(struct str_list *)t->at = list;
}

static struct attribute *find_attribute(struct attribute_list *list, struct str key)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (str_eq(list->at[i].key, key))
            return &list->at[i];
    return NULL;
}

/* Every key has room for all values: lists are short. */
static void take_attributes(struct target *t)
{
    uint32_t count = parts(t->text);
    if (count > t->field->max) {
        problems_add(t->problems, &t->place, "expected at most %.0f values, got %u", t->field->max,
                     count);
        return;
    }
    struct attribute_list list = {.at = room(t->problems, count, sizeof *list.at)};
    struct str rest = t->text;
    for (uint32_t i = 0; list.at && i < count; i++) {
        struct str value = str_cut(&rest, ',');
        struct str key = str_cut(&value, ':');
        if (key.len == 0 || value.len == 0) {
            problems_add(t->problems, &t->place, "expected key:value, got '%.*s'", STR_ARG(key));
            return;
        }
        struct attribute *a = find_attribute(&list, key);
        if (!a) {
            a = &list.at[list.count++];
            *a = (struct attribute){.key = key};
            if (!(a->values.at = room(t->problems, count, sizeof *a->values.at)))
                return;
        }
        ((struct str *)a->values.at)[a->values.count++] = value;
    }
    *(struct attribute_list *)t->at = list;
}

static void take(struct target *t)
{
    switch (t->field->kind) {
    case FIELD_FLAG:
        take_flag(t);
        break;
    case FIELD_COUNT:
        take_count(t);
        break;
    case FIELD_KEY:
        take_key(t);
        break;
    case FIELD_NUMBER:
        take_number(t);
        break;
    case FIELD_MONEY:
        take_money(t);
        break;
    case FIELD_TEXT:
    case FIELD_ID:
        take_text(t);
        break;
    case FIELD_IDS:
    case FIELD_TEXTS:
        take_list(t);
        break;
    case FIELD_CHOICE:
        take_choice(t);
        break;
    case FIELD_ATTRIBUTES:
        take_attributes(t);
        break;
    case FIELD_CLICKS:
    case FIELD_OBJECT:
    case FIELD_REFUSED:
        problems_add(t->problems, &t->place, "%s", t->field->note);
        break;
    }
}

static const struct field *find(const struct field *table, struct str name)
{
    for (const struct field *f = table; f->name; f++)
        if (name.len == strlen(f->name) && memcmp(name.ptr, f->name, name.len) == 0)
            return f;
    return NULL;
}

static bool seen_before(const struct params *params, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (str_eq(params->at[k].name, params->at[i].name))
            return true;
    return false;
}

void fields_from_params(const struct field *table, const struct params *params, void *into,
                        struct problems *problems)
{
    for (uint32_t i = 0; i < params->count; i++) {
        const struct param *p = &params->at[i];
        const struct field *f = find(table, p->name);
        struct target t = {.field = f,
                           .text = p->value,
                           .place = {.name = p->name, .parameter = true},
                           .problems = problems};
        if (!f) {
            problems_add(problems, &t.place, "unknown parameter");
        } else if (p->fault) {
            problems_add(problems, &t.place, "%s", p->fault);
        } else if (seen_before(params, i)) {
            problems_add(problems, &t.place, "given more than once");
        } else {
            t.at = (char *)into + f->offset;
            take(&t);
        }
    }
}
