-- Trained models. A model is there once it is finished; its parts are chunks of at most 8 MiB.

CREATE TABLE models (
    model_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    created_ms INTEGER NOT NULL,
    finished   INTEGER NOT NULL,
    live       INTEGER NOT NULL,
    damaged    INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    parameters TEXT NOT NULL,          -- JSON
    report     TEXT NOT NULL           -- JSON
) STRICT;

CREATE TABLE parts (
    part_key INTEGER PRIMARY KEY,
    model_id INTEGER NOT NULL,
    name     TEXT NOT NULL,
    bytes    INTEGER NOT NULL,
    chunks   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX parts_name ON parts (model_id, name);

CREATE TABLE chunks (
    chunk_key INTEGER PRIMARY KEY,
    part_key  INTEGER NOT NULL,
    seq       INTEGER NOT NULL,        -- 0, 1, 2, ...
    checksum  INTEGER NOT NULL,        -- XXH3, 64 bits, of the bytes; seeded by model and seq
    bytes     BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX chunks_seq ON chunks (part_key, seq);
