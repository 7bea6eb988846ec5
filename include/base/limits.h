/* Every fixed limit of the service, each with its reason. What an owner may want to change is a
 * setting instead (service/settings.h). */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Ids are index keys and appear in URLs; longer ones are mistakes (a title in the id column). */
#define LIMIT_ID_BYTES 256
/* Titles come from shops; cut nothing, refuse what can only be a broken quote. */
#define LIMIT_TITLE_BYTES 1024
/* Depth of a category path, and bytes of one name in it. */
#define LIMIT_CATEGORY_DEPTH 16
#define LIMIT_CATEGORY_BYTES 256
/* Attributes of one item, as JSON text. */
#define LIMIT_ATTRIBUTES_BYTES 16384
/* One input line or array element: an order of 1e5 lines is about 6 MB of NDJSON. */
#define LIMIT_RECORD_BYTES (64u << 20)
/* Lines of one order, all kinds of input. Beyond it the order is rejected. */
#define LIMIT_ORDER_LINES 1000000u
/* Pieces of one item in one row; more is another column's number. 1e6 rows still fit 64 bits. */
#define LIMIT_QUANTITY 1000000000LL
/* One CSV row. Past it a quote was opened and never closed: report it and go on with the next line.
 */
#define LIMIT_CSV_ROW_BYTES (1u << 20)
/* A CSV header wider than this is not a table of orders. */
#define LIMIT_CSV_COLUMNS 256
/* Attributes of one item. */
#define LIMIT_ATTRIBUTES 256
/* JSON nesting: a record needs 5. */
#define LIMIT_JSON_DEPTH 64
/* Line errors kept with a job or an answer; all are counted. */
#define LIMIT_ERRORS_KEPT 100
/* Decompressed : compressed. Real order files stay below 60; a bomb is above 1,000. */
#define LIMIT_COMPRESSION_RATIO 200
/* The ratio is only judged beyond this much output, so that tiny files of one repeated line pass.
 */
#define LIMIT_COMPRESSION_GRACE (4u << 20)
/* Window a zstd stream may ask for, as a power of two: 8 MiB, what RFC 9659 allows to HTTP and
 * every level up to 19 stays within. */
#define LIMIT_ZSTD_WINDOW_LOG 23
/* How far in the future a timestamp may lie (clock skew of the shop's servers). */
#define LIMIT_FUTURE_MS (24 * 3600 * 1000LL)
/* Items in one question (basket, exclude list, session), and suggestions in one answer. */
#define LIMIT_QUERY_ITEMS  1000
#define LIMIT_ANSWER_ITEMS 500
/* Lines of orders and events kept in memory per shopper, the newest: some hundred are what a habit
 * or a taste can be told from, and a reseller's thousands must not be gone over in an answer. */
#define LIMIT_HISTORY_LINES  200
#define LIMIT_HISTORY_EVENTS 50
/* Orders since a training that are counted on top of the model, their lines and distinct pairs:
 * some days of a large shop, 60 MB. Trainings come more often. */
#define LIMIT_FRESH_ORDERS 100000u
#define LIMIT_FRESH_LINES  4000000u
#define LIMIT_FRESH_PAIRS  1500000u
/* Groups of a sharded mining; more than there are tasks for is only more to read. */
#define LIMIT_SHARDS 1000000u
/* One chunk of a model part in models.db. */
#define LIMIT_CHUNK_BYTES (8u << 20)

#endif
