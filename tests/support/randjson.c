#include "support/randjson.h"

#include <string.h>

#define PICK(rng, array) ((array)[rng_below((rng), sizeof(array) / sizeof(array)[0])])

void randjson_blanks(struct rng *rng, struct buf *out)
{
    while (rng_below(rng, 5) == 0)
        buf_char(out, " \t\r\n"[rng_below(rng, 4)]);
}

void randjson_string(struct rng *rng, struct buf *out)
{
    static const char *const parts[] = {"a",
                                        "bc",
                                        "sku-1",
                                        " ",
                                        "\\n",
                                        "\\\"",
                                        "\\\\",
                                        "\\/",
                                        "\\b",
                                        "\\f",
                                        "\\r",
                                        "\\t",
                                        "\\u00e9",
                                        "\\u20AC",
                                        "\xc3\xa9",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\\ud83d\\ude00",
                                        "]",
                                        "}",
                                        ",",
                                        ":",
                                        "{",
                                        "[",
                                        "\\u0001"};
    buf_char(out, '"');
    for (unsigned n = rng_below(rng, 6); n > 0; n--)
        buf_text(out, PICK(rng, parts));
    buf_char(out, '"');
}

static void scalar(struct rng *rng, struct buf *out)
{
    static const char *const words[] = {"true", "false", "null",  "0",      "-0",     "1",    "-17",
                                        "2.50", "1e3",   "-1E-2", "1.5e+1", "900719", "0.001"};
    if (rng_below(rng, 2))
        randjson_string(rng, out);
    else
        buf_text(out, PICK(rng, words));
}

void randjson_value(struct rng *rng, struct buf *out, unsigned depth)
{
    unsigned kind = rng_below(rng, depth < 5 ? 4 : 1);
    randjson_blanks(rng, out);
    if (kind < 2) {
        scalar(rng, out);
    } else {
        buf_char(out, kind == 2 ? '[' : '{');
        randjson_blanks(rng, out);
        for (unsigned n = rng_below(rng, 4), i = 0; i < n; i++) {
            buf_text(out, i > 0 ? "," : "");
            if (kind == 3)
                buf_printf(out, "\"k%u\":", i);
            randjson_value(rng, out, depth + 1);
        }
        buf_char(out, kind == 2 ? ']' : '}');
    }
    randjson_blanks(rng, out);
}

void randjson_mutate(struct rng *rng, struct buf *text)
{
    static const char bytes[] = "\"\\{}[],:0123456789.eE+-tfnu \n\x01\x7f\x80\xc3\xed\xff";
    for (unsigned n = 1 + rng_below(rng, 3); n > 0 && text->len > 0; n--) {
        size_t at = rng_below(rng, (uint32_t)text->len);
        switch (rng_below(rng, 4)) {
        case 0:
            text->ptr[at] = bytes[rng_below(rng, sizeof bytes - 1)];
            break;
        case 1:
            memmove(text->ptr + at, text->ptr + at + 1, text->len - at - 1);
            text->len--;
            break;
        case 2:
            buf_char(text, ' ');
            memmove(text->ptr + at + 1, text->ptr + at, text->len - at - 1);
            text->ptr[at] = bytes[rng_below(rng, sizeof bytes - 1)];
            break;
        default:
            text->len = rng_below(rng, 8) == 0 ? at : text->len;
        }
    }
}

static void field(struct rng *rng, struct buf *out, const char *name)
{
    if (out->ptr[out->len - 1] != '{')
        buf_char(out, ',');
    randjson_blanks(rng, out);
    buf_printf(out, "\"%s\"", name);
    randjson_blanks(rng, out);
    buf_char(out, ':');
    randjson_blanks(rng, out);
}

/* A field with one of the texts, or left out. */
static void maybe(struct rng *rng, struct buf *out, const char *name, const char *const *texts,
                  unsigned count)
{
    if (rng_below(rng, 3) == 0)
        return;
    field(rng, out, name);
    buf_text(out, texts[rng_below(rng, count)]);
}
#define MAYBE(rng, out, name, texts)                                                               \
    maybe((rng), (out), (name), (texts), sizeof(texts) / sizeof(texts)[0])

static const char *const ids[] = {"\"a\"", "\"b\"", "\"c\\u00e9\"", "\"sku-1\"",
                                  "\"\\ud83d\\ude00\""};
static const char *const quantities[] = {"1", "2", "-1", "3.00", "null", "-2"};
static const char *const prices[] = {"1", "2.50", "0", "\"3.99\"", "null", "1e1"};
static const char *const titles[] = {"\"t\"", "\"\\\"q\\\"\"", "null", "\"\xc3\xa9\""};
static const char *const times[] = {"\"2025-01-02T03:04:05Z\"", "1735786800", "null"};
static const char *const users[] = {"\"u1\"", "\"u2\"", "null"};

static void order(struct rng *rng, struct buf *out)
{
    field(rng, out, "order_id");
    buf_text(out, PICK(rng, ids));
    MAYBE(rng, out, "user_id", users);
    MAYBE(rng, out, "timestamp", times);
    field(rng, out, "items");
    buf_char(out, '[');
    for (unsigned n = rng_below(rng, 6), i = 0; i <= n; i++) {
        buf_text(out, i > 0 ? "," : "");
        randjson_blanks(rng, out);
        if (rng_below(rng, 4) == 0) {
            buf_text(out, PICK(rng, ids));
            continue;
        }
        buf_char(out, '{');
        MAYBE(rng, out, "quantity", quantities);
        field(rng, out, "item_id");
        buf_text(out, PICK(rng, ids));
        MAYBE(rng, out, "price", prices);
        MAYBE(rng, out, "title", titles);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void item(struct rng *rng, struct buf *out)
{
    static const char *const categories[] = {"[\"A\",\"B\"]", "\"A > B\"", "[]", "null"};
    static const char *const stocks[] = {"0", "12", "null"};
    static const char *const attributes[] = {"{}", "{\"k\":[1,\"x\",null], \"m\" : true}", "null"};
    static const char *const availables[] = {"true", "false", "null"};
    field(rng, out, "item_id");
    buf_text(out, PICK(rng, ids));
    MAYBE(rng, out, "title", titles);
    MAYBE(rng, out, "category", categories);
    MAYBE(rng, out, "price", prices);
    MAYBE(rng, out, "stock", stocks);
    MAYBE(rng, out, "attributes", attributes);
    MAYBE(rng, out, "available", availables);
}

static void event(struct rng *rng, struct buf *out)
{
    static const char *const events[] = {"\"view\"", "\"cart\"", "\"purchase\""};
    MAYBE(rng, out, "event_id", ids);
    field(rng, out, "event");
    buf_text(out, PICK(rng, events));
    MAYBE(rng, out, "user_id", users);
    MAYBE(rng, out, "session_id", users);
    field(rng, out, "item_id");
    buf_text(out, PICK(rng, ids));
    MAYBE(rng, out, "timestamp", times);
}

void randjson_record(struct rng *rng, struct buf *out)
{
    randjson_blanks(rng, out);
    buf_char(out, '{');
    switch (rng_below(rng, 7)) {
    case 0:
        event(rng, out);
        break;
    case 1:
        item(rng, out);
        break;
    case 2:
        buf_text(out, "\"kind\":\"cancel\"");
        field(rng, out, "order_id");
        buf_text(out, PICK(rng, ids));
        break;
    default:
        order(rng, out);
    }
    buf_char(out, '}');
    randjson_blanks(rng, out);
}
