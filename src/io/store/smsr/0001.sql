-- One row per eUICC. Identities are unique: a later entry takes one over from an earlier.
CREATE TABLE eis (
    eid TEXT PRIMARY KEY,
    imsi TEXT UNIQUE,
    msisdn TEXT UNIQUE,
    impu TEXT UNIQUE,
    impi TEXT UNIQUE,
    -- 0 host, 1 sim.
    trigger INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- 1: the gateway's directory does not know these identities yet.
    untold INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX eis_untold ON eis (eid) WHERE untold = 1;

-- Keys are in it: the file is for its owner only.
CREATE TABLE key_set (
    eid TEXT NOT NULL,
    -- 0 agent, 1 ISD-R.
    owner INTEGER NOT NULL,
    version INTEGER NOT NULL,
    tar BLOB NOT NULL,
    -- 0 AES, 1 3DES.
    family INTEGER NOT NULL,
    cc_length INTEGER NOT NULL,
    -- The last one used or reserved.
    counter INTEGER NOT NULL,
    fresh INTEGER NOT NULL,
    -- 1: counters were skipped after a restore; the receiver's may be ahead all the same.
    resynchronise INTEGER NOT NULL DEFAULT 0,
    kic BLOB NOT NULL,
    kid BLOB NOT NULL,
    PRIMARY KEY (eid, owner, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE profile (
    eid TEXT NOT NULL,
    isd_p BLOB NOT NULL,
    iccid TEXT,
    -- Life cycle octet of SGP.02.
    state INTEGER NOT NULL,
    fall_back INTEGER NOT NULL,
    imsi TEXT,
    msisdn TEXT,
    PRIMARY KEY (eid, isd_p)
) STRICT, WITHOUT ROWID;

-- One row per management request. States: 0 active, 1 done, 2 cancelled, 3 expired.
CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client TEXT NOT NULL,
    idempotency_key TEXT,
    fingerprint BLOB,
    operation INTEGER NOT NULL,
    status INTEGER,
    profile_data BLOB,
    -- Access control: 0 none, 1 auto, 2 back-off, 3 window, 4 window from receipt, 5 at; and its two numbers.
    access INTEGER NOT NULL,
    access_first INTEGER NOT NULL,
    access_second INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    validity_end INTEGER NOT NULL,
    done_at INTEGER,
    -- Targets that have not ended.
    unsettled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX batch_idempotency ON batch (client, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE target (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    batch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    eid TEXT,
    -- 0 imsi, 1 msisdn, 2 impu, 3 impi.
    identity_kind INTEGER,
    identity TEXT,
    -- What is wrong with the request although it was accepted.
    warning TEXT,
    rejected INTEGER NOT NULL DEFAULT 0,
    transaction_id BLOB NOT NULL UNIQUE,
    -- As in the API, in its order from 0.
    state INTEGER NOT NULL,
    triggers INTEGER NOT NULL DEFAULT 0,
    due INTEGER,
    validity_end INTEGER NOT NULL,
    triggered_at INTEGER,
    access_at INTEGER,
    connected_at INTEGER,
    requested_at INTEGER,
    admitted_at INTEGER,
    container_at INTEGER,
    done_at INTEGER,
    reason_subject TEXT,
    reason_code TEXT,
    reason_text TEXT,
    -- Progress on the eUICC.
    isd_p BLOB,
    asked INTEGER NOT NULL DEFAULT 0,
    certain INTEGER NOT NULL DEFAULT 1,
    audited INTEGER NOT NULL DEFAULT 0,
    audits INTEGER NOT NULL DEFAULT 0,
    blocks INTEGER NOT NULL DEFAULT 0,
    awaiting INTEGER NOT NULL DEFAULT 0,
    -- The last push it was in, and whether the gateway knows that the terminal called.
    push INTEGER,
    call_told INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX target_batch ON target (batch, id);
CREATE INDEX target_due ON target (due) WHERE due IS NOT NULL;
CREATE INDEX target_open ON target (eid, state) WHERE state < 6;
CREATE INDEX target_validity ON target (validity_end) WHERE state < 6;
CREATE INDEX target_untold ON target (push) WHERE call_told = 0 AND connected_at IS NOT NULL;

-- The profile to be downloaded to one target.
CREATE TABLE download (
    target INTEGER PRIMARY KEY,
    profile_data BLOB,
    iccid TEXT,
    imsi TEXT,
    msisdn TEXT
) STRICT;

-- Signed triggers on their way to the gateway. States: 0 to be handed over, 1 handed over, 2 ended.
CREATE TABLE push (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state INTEGER NOT NULL DEFAULT 0,
    gateway_id TEXT,
    priority INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- Seconds.
    validity INTEGER NOT NULL
) STRICT;
CREATE INDEX push_open ON push (state) WHERE state < 2;

CREATE TABLE trigger_packet (
    push INTEGER NOT NULL,
    target INTEGER NOT NULL,
    identity_kind INTEGER NOT NULL,
    identity TEXT NOT NULL,
    packet BLOB NOT NULL,
    PRIMARY KEY (push, target)
) STRICT, WITHOUT ROWID;

-- The exchange of scripts of a transaction.
CREATE TABLE session (
    transaction_id BLOB PRIMARY KEY,
    eid TEXT NOT NULL,
    target INTEGER,
    script INTEGER NOT NULL DEFAULT 0,
    -- The notification that is being confirmed.
    sequence INTEGER,
    enabled BLOB,
    -- Times the confirmation was sent without a proof.
    confirmations INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_started ON session (started_at);

-- The packets of the latest script while its answer is missing, and what their responses are verified with.
CREATE TABLE packet (
    transaction_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    command INTEGER NOT NULL,
    command_first INTEGER NOT NULL,
    command_second INTEGER NOT NULL,
    tar BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    octets BLOB NOT NULL,
    PRIMARY KEY (transaction_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE certificate (
    serial BLOB PRIMARY KEY,
    eid TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_eid ON certificate (eid);

-- Who did what; rows are only added.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL
) STRICT;

-- Words remembered across restarts.
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
