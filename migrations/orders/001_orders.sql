-- The system of record. Keys are ascending integers; external ids are unique text.
--
-- No index but those of the external ids: an index on the user or the time makes every import of
-- users or times in random order 2 to 5 times slower, while the rare questions by user or age
-- (erasure, retention) scan a million orders in 50 ms.

CREATE TABLE orders (
    order_key    INTEGER PRIMARY KEY,  -- in order of arrival
    user_key     INTEGER NOT NULL,     -- users.user_key; 0: nobody
    time_ms      INTEGER NOT NULL,     -- since 1970 UTC
    cancelled_ms INTEGER,              -- null: the order counts
    order_id     TEXT NOT NULL,
    lines        TEXT NOT NULL         -- [[item_key,quantity,price_minor or null],...] by item
) STRICT;
CREATE UNIQUE INDEX orders_id ON orders (order_id);

CREATE TABLE items (
    item_key    INTEGER PRIMARY KEY,   -- handed out 1, 2, 3, ...; never again
    item_id     TEXT NOT NULL,
    title       TEXT,
    category    TEXT,                  -- JSON array of names, outermost first
    attributes  TEXT,                  -- JSON object
    price_minor INTEGER,               -- hundredths
    stock       INTEGER,               -- null: not kept
    updated_ms  INTEGER NOT NULL,
    order_ms    INTEGER,               -- of the newest order row that gave title or price
    described   INTEGER NOT NULL,      -- bits of the fields that an item record gave
    available   INTEGER NOT NULL,
    deleted     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX items_id ON items (item_id);

CREATE TABLE users (
    user_key INTEGER PRIMARY KEY,
    user_id  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_id ON users (user_id);

CREATE TABLE events (
    event_key  INTEGER PRIMARY KEY,
    user_key   INTEGER NOT NULL,       -- 0: nobody
    time_ms    INTEGER NOT NULL,
    item_key   INTEGER NOT NULL,
    kind       INTEGER NOT NULL,       -- 0 view, 1 cart, 2 uncart, 3 wish, 4 purchase
    event_id   TEXT NOT NULL,
    session_id TEXT NOT NULL           -- '': none
) STRICT;
CREATE UNIQUE INDEX events_id ON events (event_id);

CREATE TABLE jobs (
    job_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    state       TEXT NOT NULL,
    created_ms  INTEGER NOT NULL,
    started_ms  INTEGER NOT NULL,      -- 0: not yet
    finished_ms INTEGER NOT NULL,      -- 0: not yet
    done        INTEGER NOT NULL,
    total       INTEGER NOT NULL,      -- 0: unknown
    request     TEXT NOT NULL,         -- JSON
    report      TEXT NOT NULL,         -- JSON; '': none yet
    error       TEXT NOT NULL
) STRICT;

CREATE TABLE keys (
    key_id     TEXT PRIMARY KEY,
    hash       BLOB NOT NULL,          -- BLAKE2b of the secret
    scopes     INTEGER NOT NULL,       -- 1 read, 2 ingest, 4 admin, 8 metrics
    label      TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER NOT NULL        -- 0: valid
) STRICT;

-- What would take a scan to count; one row, written once per transaction.
CREATE TABLE totals (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    orders      INTEGER NOT NULL,      -- that count
    cancelled   INTEGER NOT NULL,
    lines       INTEGER NOT NULL,      -- of the orders that count
    changes     INTEGER NOT NULL,      -- accepted, replaced and cancelled ever
    events      INTEGER NOT NULL,
    first_ms    INTEGER NOT NULL,      -- no order that counts is earlier
    last_ms     INTEGER NOT NULL,      -- ... or later
    first_exact INTEGER NOT NULL,      -- 0: that order went away, a scan tells
    last_exact  INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0, 0, 0, 1, 1);
