-- What a list of runs shows, in a narrow table of its own: listing reads no measurement.
CREATE TABLE runs (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again after a deletion
    started_at             TEXT NOT NULL,                     -- the report's benchmark_id, ISO 8601 in UTC
    name                   TEXT,
    model                  TEXT NOT NULL,
    quantization           TEXT,
    chip                   TEXT,
    prompts_done           INTEGER NOT NULL,
    prompts_planned        INTEGER NOT NULL,
    net_energy_per_token_j REAL,
    tokens_per_second      REAL,
    inference_power_mw     REAL,
    simulated              INTEGER NOT NULL,
    state                  TEXT NOT NULL,                     -- running, interrupted, completed
    end_reason             TEXT,                              -- null while it runs and after a crash
    tool_version           TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_start ON runs (started_at DESC, id DESC);
CREATE INDEX runs_not_completed ON runs (state, id) WHERE state <> 'completed';

-- The raw facts. Everything in a report is derived from them.
CREATE TABLE records (
    run_id             INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    header             TEXT NOT NULL,    -- JSON
    segments           TEXT NOT NULL,    -- JSON
    rejected_documents INTEGER NOT NULL,
    seal               BLOB              -- SHA-256 over the facts of a run that has ended
) STRICT;
CREATE TABLE prompts (
    run_id   INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,           -- in the order in which they ran, from 0
    run      TEXT NOT NULL,              -- JSON, its deltas left out
    deltas   BLOB NOT NULL,
    PRIMARY KEY (run_id, position)
) STRICT;
CREATE TABLE samples (
    run_id   INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,           -- of the chunk, oldest first, from 0
    rows     BLOB NOT NULL,
    PRIMARY KEY (run_id, position)
) STRICT;
