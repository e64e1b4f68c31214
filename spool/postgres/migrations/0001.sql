-- The tables of version 0.4.0. Package postgres says what they are for.

create table notices.session (
    id      bigint primary key,
    host    text not null,
    started timestamptz not null,
    expires timestamptz not null -- by the clock of the database alone
) with (fillfactor = 50);

-- When each host last ended a flush.
create table notices.host (
    name       text collate "C" primary key,
    last_flush timestamptz not null
) with (fillfactor = 50);

-- What changes of a message, and what a listing shows. All rows are narrow.
create table notices.message (
    id      text collate "C" primary key,
    state   "char" not null check (state in ('q', 'h', 'f', 'a')), -- queued or deferred, held, failed, set aside
    next    bigint not null, -- unix seconds, as all times but those of sessions
    expires bigint,          -- of a queued one with --expires
    holder  bigint,          -- the session that has it claimed, if that is alive
    token   bigint not null default 0, -- fences off who had it claimed before
    events  integer not null default 0,
    stored  bigint not null, -- octets of body, envelope and events
    body    bigint not null
) with (fillfactor = 70);
create index message_due on notices.message (next, id) where state in ('q', 'h');
create index message_failed on notices.message (id) where state = 'f';
create index message_aside on notices.message (id) where state = 'a';

-- What never changes of it: one wide row, written once and deleted once.
create table notices.content (
    id       text collate "C" primary key,
    envelope bytea not null, -- JSON, as in a sidecar
    head     bytea not null  -- the first 256 KiB of the body
);
alter table notices.content alter head set storage external;
alter table notices.content set (toast_tuple_target = 8160); -- most notices stay in one row

create table notices.event (
    id   text collate "C" not null,
    n    integer not null, -- from 0, without a gap
    data bytea not null,   -- JSON
    primary key (id, n)
);

-- The rest of a body, 256 KiB a row.
create table notices.chunk (
    body bigint not null,
    n    integer not null, -- from 1
    data bytea not null,
    primary key (body, n)
);
alter table notices.chunk alter data set storage external;

-- Bodies that are being written and have chunks already.
create table notices.draft (
    body    bigint primary key,
    session bigint not null
);

create table notices.import_key (
    id   text collate "C" not null,
    key  bytea not null,
    gone bigint, -- when its message left
    primary key (id, key)
);

create table notices.lock (
    name    text primary key,
    session bigint not null,
    token   bigint not null
);

create table notices.value (
    name    text collate "C" primary key,
    version bigint not null,
    data    bytea not null
) with (fillfactor = 50);

-- One row for each recipient of a message that has left. The columns are what is searched, in
-- lower case or as it is; entry is all of it, JSON.
create table notices.history (
    id          text collate "C" not null,
    n           integer not null, -- of the recipient in the envelope
    queued      bigint not null,
    ended       bigint not null,
    written     bigint not null,
    ending      text collate "C" not null,
    recipient   text collate "C" not null, -- lower case
    sender      text collate "C" not null, -- lower case
    ref         text collate "C" not null,
    message_id  text collate "C" not null,
    envelope_id text collate "C" not null,
    entry       bytea not null,
    primary key (queued, id, n) -- the order in which they are shown; queued is always the same for an id
);
create index history_recipient on notices.history (recipient);
create index history_written on notices.history using brin (written);
