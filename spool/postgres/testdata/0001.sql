-- The tables, and the functions that are the only way to change messages. Each call is one
-- statement and one transaction. Package postgres says what they are for.

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

-- commit_as says how this transaction is committed: durable, or so that a crash of the
-- server may take back the last moment.
create function notices.commit_as(durable boolean) returns void language plpgsql as $$
begin
    if not durable then
        perform set_config('synchronous_commit', 'off', true);
    elsif current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'on', true);
    end if;
end $$;

create function notices.alive(who bigint) returns boolean language plpgsql as $$
begin
    return exists (select from notices.session s where s.id = who and s.expires > clock_timestamp());
end $$;

-- renew begins a session, or goes on with it. false: it is over, for good.
create function notices.renew(me bigint, machine text, seconds float8, fresh boolean, durable boolean) returns boolean language plpgsql as $$
begin
    perform notices.commit_as(durable);
    if fresh then
        insert into notices.session values (me, machine, clock_timestamp(), clock_timestamp() + make_interval(secs => seconds))
            on conflict do nothing;
        return true;
    end if;
    update notices.session s set expires = clock_timestamp() + make_interval(secs => seconds)
        where s.id = me and s.expires > clock_timestamp();
    return found;
end $$;

-- leave ends a session, and so all claims of it.
create function notices.leave(me bigint) returns void language plpgsql as $$
begin
    perform notices.commit_as(true);
    delete from notices.session s where s.id = me;
end $$;

-- flushed notes that a host has ended a flush, and forgets those that have not for 30 days.
create function notices.flushed(machine text) returns void language plpgsql as $$
begin
    perform notices.commit_as(false);
    insert into notices.host as h values (machine, clock_timestamp())
        on conflict (name) do update set last_flush = excluded.last_flush;
    delete from notices.host h where h.last_flush < clock_timestamp() - interval '30 days';
end $$;

-- claim takes a message, if nobody is writing to its row: with others of one transaction that
-- is being claimed in another order by another host, to wait could be a deadlock. Each statement in here
-- sees what was committed before it, so that no event is missed. Called again with the same
-- nonce it answers again.
create function notices.claim(which text, of_failed boolean, me bigint, nonce bigint,
    out answer text, out before bigint, out entry_state text, out entry_next bigint, out entry_expires bigint, out octets bigint, out rest bigint,
    out wide bytea, out first bytea, out log bytea[])
language plpgsql as $$
declare m notices.message;
begin
    perform set_config('synchronous_commit', 'off', true);
    if not exists (select from notices.session s where s.id = me and s.expires > clock_timestamp()) then
        answer := 'lapsed';
        return;
    end if;
    select * into m from notices.message x where x.id = which for no key update skip locked;
    if not found and exists (select from notices.message x where x.id = which) then
        answer := 'busy';
        return;
    end if;
    if not found or m.state = 'a' or (m.state = 'f') <> of_failed then
        answer := 'gone';
        return;
    end if;
    if m.token <> nonce and m.holder is not null and notices.alive(m.holder) then
        answer := 'busy';
        return;
    end if;
    update notices.message x set holder = me, token = nonce where x.id = which;
    answer := 'ok'; before := m.token; entry_state := m.state; entry_next := m.next; entry_expires := m.expires; octets := m.stored; rest := m.body;
    select c.envelope, c.head into wide, first from notices.content c where c.id = which;
    if m.events > 0 then
        select array_agg(e.data order by e.n) into log from notices.event e where e.id = which;
    end if;
end $$;

-- append adds event n, and lets the listing follow. over: the claim ends with it. Called again
-- after a lost answer it answers again. An attempt is begun only while the lease lasts.
create function notices.append(which text, me bigint, nonce bigint, place integer, what bytea, begins boolean, durable boolean, over boolean,
    new_state text, new_next bigint, new_expires bigint)
returns text language plpgsql as $$
begin
    if durable then
        perform notices.commit_as(true);
    else
        perform set_config('synchronous_commit', 'off', true);
    end if;
    if begins and not exists (select from notices.session s where s.id = me and s.expires > clock_timestamp()) then
        return 'lost';
    end if;
    update notices.message x set events = place + 1, stored = x.stored + length(what),
        state = new_state::"char", next = new_next, expires = new_expires, holder = case when over then null else me end
        where x.id = which and x.token = nonce and x.holder = me and x.events = place;
    if found then
        insert into notices.event values (which, place, what);
        return 'ok';
    end if;
    return coalesce((select case when x.token = nonce and x.events = place + 1 then 'ok' else 'lost' end
        from notices.message x where x.id = which), 'gone');
end $$;

create function notices.release(which text, me bigint, nonce bigint, new_state text, new_next bigint, new_expires bigint) returns void language plpgsql as $$
begin
    perform notices.commit_as(false);
    update notices.message x set holder = null, state = new_state::"char", next = new_next, expires = new_expires
        where x.id = which and x.token = nonce and x.holder = me;
end $$;

-- add_history keeps the latest entry of each name.
create function notices.add_history(ids text[], ns integer[], queueds bigint[], endeds bigint[], endings text[], recipients text[], senders text[], refs text[],
    message_ids text[], envelope_ids text[], entries bytea[])
returns void language plpgsql as $$
begin
    insert into notices.history as h (id, n, queued, ended, ending, recipient, sender, ref, message_id, envelope_id, entry, written)
        select u.*, extract(epoch from clock_timestamp())::bigint
        from unnest(ids, ns, queueds, endeds, endings, recipients, senders, refs, message_ids, envelope_ids, entries) as u
        on conflict (queued, id, n) do update
        set ended = excluded.ended, written = excluded.written, ending = excluded.ending, entry = excluded.entry;
end $$;

-- remove takes a message out, and says what became of it. If the server crashed and lost the
-- claim, the message has the token from before it, as long as nobody has claimed it since.
create function notices.remove(which text, me bigint, nonce bigint, before bigint, durable boolean, large boolean, imported boolean,
    ids text[], ns integer[], queueds bigint[], endeds bigint[], endings text[], recipients text[], senders text[], refs text[],
    message_ids text[], envelope_ids text[], entries bytea[])
returns text language plpgsql as $$
declare rest bigint;
begin
    if durable then
        perform notices.commit_as(true);
    else
        perform set_config('synchronous_commit', 'off', true);
    end if;
    delete from notices.message x where x.id = which
        and (x.token = nonce and x.holder = me or x.token = before and not notices.alive(x.holder)) returning x.body into rest;
    if not found then
        return case when exists (select from notices.message x where x.id = which) then 'lost' else 'gone' end;
    end if;
    delete from notices.content x where x.id = which;
    delete from notices.event x where x.id = which;
    if large then
        delete from notices.chunk x where x.body = rest;
    end if;
    if imported then
        update notices.import_key x set gone = extract(epoch from clock_timestamp())::bigint where x.id = which;
    end if;
    if cardinality(ids) > 0 then
        perform notices.add_history(ids, ns, queueds, endeds, endings, recipients, senders, refs, message_ids, envelope_ids, entries);
    end if;
    return 'ok';
end $$;

-- fail is append of a GiveUp, and says what became of the message.
create function notices.fail(which text, me bigint, nonce bigint, place integer, what bytea, new_next bigint,
    ids text[], ns integer[], queueds bigint[], endeds bigint[], endings text[], recipients text[], senders text[], refs text[],
    message_ids text[], envelope_ids text[], entries bytea[])
returns text language plpgsql as $$
declare answer text := notices.append(which, me, nonce, place, what, false, true, true, 'f', new_next, null);
begin
    if answer = 'ok' and cardinality(ids) > 0 then
        perform notices.add_history(ids, ns, queueds, endeds, endings, recipients, senders, refs, message_ids, envelope_ids, entries);
    end if;
    return answer;
end $$;

-- set_aside hides a message that cannot be understood. A person looks at it.
create function notices.set_aside(which text, me bigint, nonce bigint) returns void language plpgsql as $$
begin
    update notices.message x set state = 'a', holder = null where x.id = which and x.token = nonce and x.holder = me;
end $$;

-- put queues messages: all of them, or none. spilled are the bodies that have chunks; one that
-- was swept makes it fail. The events are those of messages that come from another spool: event
-- place of message logged, and so many of each.
create function notices.put(ids text[], states text[], nexts bigint[], expire bigint[], octets bigint[], bodies bigint[], envelopes bytea[], heads bytea[],
    spilled bigint[], keyed text[], keys bytea[], counts integer[], logged text[], places integer[], happened bytea[])
returns void language plpgsql as $$
declare swept integer;
begin
    perform notices.commit_as(true);
    insert into notices.message (id, state, next, expires, events, stored, body)
        select u.i, u.s::"char", u.n, u.e, u.c, u.o, u.b from unnest(ids, states, nexts, expire, counts, octets, bodies) as u(i, s, n, e, c, o, b);
    insert into notices.content select * from unnest(ids, envelopes, heads);
    if cardinality(logged) > 0 then
        insert into notices.event select * from unnest(logged, places, happened);
    end if;
    if cardinality(spilled) > 0 then
        delete from notices.draft d where d.body = any(spilled);
        get diagnostics swept = row_count;
        if swept <> cardinality(spilled) then
            raise exception 'a draft was swept' using errcode = 'NT001';
        end if;
    end if;
    if cardinality(keyed) > 0 then
        insert into notices.import_key (id, key) select * from unnest(keyed, keys)
            on conflict (id, key) do update set gone = null;
    end if;
end $$;

-- spill writes chunk place of a body whose message is not queued yet.
create function notices.spill(me bigint, which bigint, place integer, what bytea) returns text language plpgsql as $$
begin
    perform notices.commit_as(false);
    if not notices.alive(me) then
        return 'lapsed';
    end if;
    if place = 1 then
        insert into notices.draft values (which, me) on conflict do nothing;
    end if;
    perform from notices.draft d where d.body = which and d.session = me for share;
    if not found then
        return 'lost';
    end if;
    insert into notices.chunk values (which, place, what) on conflict do nothing;
    return 'ok';
end $$;

create function notices.abort(which bigint) returns void language plpgsql as $$
begin
    perform notices.commit_as(false);
    delete from notices.draft d where d.body = which;
    if found then
        delete from notices.chunk c where c.body = which;
    end if;
end $$;

-- sweep removes the drafts of sessions that are over, and those sessions an hour later. It
-- writes only if there are any.
create function notices.sweep() returns integer language plpgsql as $$
declare bodies bigint[];
begin
    perform notices.commit_as(false);
    if exists (select from notices.session s where s.expires < clock_timestamp() - interval '1 hour') then
        delete from notices.session s where s.expires < clock_timestamp() - interval '1 hour';
    end if;
    if not exists (select from notices.draft d where not notices.alive(d.session)) then
        return 0;
    end if;
    with dead as (delete from notices.draft d where not notices.alive(d.session) returning d.body)
        select array_agg(dead.body) into bodies from dead;
    delete from notices.chunk c where c.body = any(bodies);
    return coalesce(cardinality(bodies), 0);
end $$;

-- take_lock: one session at a time has a lock, as long as it is alive.
create function notices.take_lock(which text, me bigint, nonce bigint) returns text language plpgsql as $$
declare l notices.lock;
begin
    perform notices.commit_as(false);
    if not notices.alive(me) then
        return 'lapsed';
    end if;
    insert into notices.lock values (which, me, nonce) on conflict do nothing;
    select * into l from notices.lock x where x.name = which for update;
    if l.token <> nonce and notices.alive(l.session) then
        return 'busy';
    end if;
    update notices.lock x set session = me, token = nonce where x.name = which;
    return case when found then 'ok' else 'busy' end; -- it was dropped just now
end $$;

create function notices.drop_lock(which text, nonce bigint) returns void language plpgsql as $$
begin
    perform notices.commit_as(false);
    delete from notices.lock x where x.name = which and x.token = nonce;
end $$;

-- swap replaces a value if it is still that of version old (0: none), and makes it version new.
create function notices.swap(which text, old bigint, new bigint, what bytea, durable boolean) returns boolean language plpgsql as $$
begin
    perform notices.commit_as(durable);
    if what is null then
        delete from notices.value x where x.name = which and x.version = old;
        return not exists (select from notices.value x where x.name = which);
    elsif old = 0 then
        insert into notices.value values (which, new, what) on conflict do nothing;
    else
        update notices.value x set version = new, data = what where x.name = which and x.version = old;
    end if;
    return found or exists (select from notices.value x where x.name = which and x.version = new);
end $$;
