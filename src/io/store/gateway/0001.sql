-- One row per request of a client. States: 0 loading, 1 active, 2 paused, 3 done, 4 cancelled.
CREATE TABLE push (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client TEXT NOT NULL,
    idempotency_key TEXT,
    fingerprint BLOB,
    state INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    done_at INTEGER,
    priority INTEGER NOT NULL,
    report_grace INTEGER NOT NULL,
    -- The payload shared by targets without one of their own.
    form INTEGER,
    data BLOB,
    dest_port INTEGER,
    pid INTEGER,
    dcs INTEGER,
    udh BLOB,
    -- Its targets lie in this range, mixed with those of pushes accepted at the same time.
    first_target INTEGER NOT NULL DEFAULT 0,
    last_target INTEGER NOT NULL DEFAULT -1,
    -- Work on all its targets goes in steps: 0 none, 1 activate, 2 cancel, 3 erase; sweep_at is the next target.
    sweep INTEGER NOT NULL DEFAULT 0,
    sweep_at INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    -- Targets that have not ended.
    unsettled INTEGER NOT NULL DEFAULT 0,
    queued INTEGER NOT NULL DEFAULT 0,
    submitted INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    called INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX push_idempotency ON push (client, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX push_sweep ON push (sweep) WHERE sweep <> 0;
CREATE INDEX push_done ON push (done_at) WHERE done_at IS NOT NULL;

-- Targets that were not accepted: part of the answer, repeated with it.
CREATE TABLE rejection (
    push INTEGER NOT NULL,
    position INTEGER NOT NULL,
    reference TEXT,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (push, position)
) STRICT, WITHOUT ROWID;

-- Kinds of targets that the same routes can serve. Empty text stands for "any".
CREATE TABLE pool (
    id INTEGER PRIMARY KEY,
    form INTEGER NOT NULL,
    route TEXT NOT NULL,
    prefix TEXT NOT NULL,
    avoided_route TEXT NOT NULL,
    link TEXT NOT NULL,
    UNIQUE (form, route, prefix, avoided_route, link)
) STRICT;

-- The state of a target: short rows that change. States as in the API, in its order from 0; 9 = not activated yet.
CREATE TABLE target (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    push INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    pool INTEGER NOT NULL,
    state INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL,
    validity_end INTEGER NOT NULL,
    -- When it expires by itself; none once settled.
    deadline INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- One digit per segment: 0 waiting, 1 sent, 2 unknown, 3 doubtful, 4 delivered, 5 failed. Empty before the first attempt.
    segments TEXT NOT NULL DEFAULT '',
    -- How the message was segmented at the first attempt; repetitions must not differ.
    shape INTEGER,
    route TEXT,
    error TEXT,
    submitted_at INTEGER,
    settled_at INTEGER,
    acknowledged_at INTEGER,
    called_at INTEGER
) STRICT;
CREATE INDEX target_due ON target (pool, priority, due) WHERE state = 0;
CREATE INDEX target_deadline ON target (deadline) WHERE deadline IS NOT NULL;

-- What a target is sent, and to whom: written once.
CREATE TABLE body (
    target INTEGER PRIMARY KEY,
    push INTEGER NOT NULL,
    reference TEXT,
    identity_kind INTEGER NOT NULL,
    identity TEXT NOT NULL,
    address TEXT NOT NULL,
    form INTEGER,
    data BLOB,
    dest_port INTEGER,
    pid INTEGER,
    dcs INTEGER,
    udh BLOB
) STRICT;
CREATE UNIQUE INDEX body_reference ON body (push, reference) WHERE reference IS NOT NULL;

-- The network's id of each segment's last submission.
CREATE TABLE message (
    target INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    PRIMARY KEY (target, segment)
) STRICT, WITHOUT ROWID;

-- What reports are recognised by, until the target has ended.
CREATE TABLE awaited (
    target INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    key TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (target, segment, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX awaited_key ON awaited (source, key);

-- Reports that came before the answer to their submission.
CREATE TABLE early_report (
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    status INTEGER NOT NULL,
    error TEXT,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;

-- What came from terminals: kept until a client has had time to fetch it.
CREATE TABLE inbound (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    route TEXT NOT NULL,
    sender TEXT NOT NULL,
    service_centre_time INTEGER,
    pid INTEGER NOT NULL,
    dcs INTEGER NOT NULL,
    udh BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- Parts of such messages, until the others arrive.
CREATE TABLE inbound_part (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    route TEXT NOT NULL,
    sender TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    dcs INTEGER NOT NULL,
    reference INTEGER NOT NULL,
    wide INTEGER NOT NULL,
    total INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    udh BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- Identities of one subscriber. A later entry replaces every one it shares an identity with.
CREATE TABLE directory (
    id INTEGER PRIMARY KEY,
    eid TEXT UNIQUE,
    imsi TEXT UNIQUE,
    msisdn TEXT UNIQUE,
    impu TEXT UNIQUE,
    impi TEXT UNIQUE
) STRICT;

-- Words remembered across restarts.
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The sums of the numbers in push.
CREATE TABLE total (
    queued INTEGER NOT NULL DEFAULT 0,
    submitted INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    called INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO total DEFAULT VALUES;
