-- The functions, which are the only way to change messages. Each call is one statement and one
-- transaction. Those that take arrays do for many messages what is asked for each, and answer with
-- a row for each, whose n is its place in the arrays.
--
-- When the tables are made or brought up to date, all functions that there are go, but for those of
-- extensions, and these are made.

do $$
declare f regprocedure;
begin
    for f in select p.oid from pg_proc p where p.pronamespace = to_regnamespace('notices')
            and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e') loop
        execute 'drop function ' || f;
    end loop;
end $$;

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

create function notices.leave(me bigint) returns void language plpgsql as $$
begin
    perform notices.commit_as(true);
    delete from notices.session s where s.id = me;
end $$;

create function notices.flushed(machine text) returns void language plpgsql as $$
begin
    perform notices.commit_as(false);
    insert into notices.host as h values (machine, clock_timestamp())
        on conflict (name) do update set last_flush = excluded.last_flush;
    delete from notices.host h where h.last_flush < clock_timestamp() - interval '30 days';
end $$;

-- nonces it answers again.
create function notices.claim(ids text[], of_failed boolean[], sessions bigint[], nonces bigint[])
returns table (n bigint, answer text, before bigint, entry_state text, entry_next bigint, entry_expires bigint, rest bigint, wide bytea, first bytea, log bytea[])
language plpgsql set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    living bigint[];
    places bigint[];
    befores bigint[];
    taken integer;
begin
    perform set_config('synchronous_commit', 'off', true);
    living := array(select s.id from notices.session s where s.id = any(sessions) and s.expires > clock_timestamp());
    select array_agg(l.place), array_agg(l.token) into places, befores from (
        select u.place, x.token
            from unnest(ids, of_failed, sessions, nonces) with ordinality as u(id, failed, session, nonce, place)
            join notices.message x on x.id = u.id
            where u.session = any(living) and x.state <> 'a' and (x.state = 'f') = u.failed and (x.token = u.nonce
                or not exists (select from notices.session s where s.id = x.holder and s.expires > clock_timestamp()))
            for no key update of x skip locked) as l;
    return query
        with done as (
            update notices.message x set holder = sessions[l.place], token = nonces[l.place]
                from unnest(places, befores) as l(place, token)
                where x.id = ids[l.place] and (x.token = nonces[l.place]
                    or not exists (select from notices.session s where s.id = x.holder and s.expires > clock_timestamp()))
                returning l.place, l.token as old, x.*)
        select d.place, 'ok', d.old, d.state::text, d.next, d.expires, d.body, c.envelope, c.head, d.log
            from done d left join notices.content c on c.id = d.id;
    get diagnostics taken = row_count;
    if taken < cardinality(ids) then
        return query
            select u.place, case when u.session <> all(living) then 'lapsed'
                    when exists (select from notices.message x where x.id = u.id and x.state <> 'a' and (x.state = 'f') = u.failed) then 'busy'
                    else 'gone' end,
                null::bigint, null, null::bigint, null::bigint, null::bigint, null::bytea, null::bytea, null::bytea[]
            from unnest(ids, of_failed, sessions, nonces) with ordinality as u(id, failed, session, nonce, place)
            where places is null or u.place <> all(places)
                or not exists (select from notices.message x where x.id = u.id and x.token = u.nonce);
    end if;
end $$;

-- the lease lasts.
create function notices.append(durable boolean, ids text[], sessions bigint[], nonces bigint[], places integer[], whats bytea[], begins boolean[], overs boolean[],
    states text[], nexts bigint[], expire bigint[])
returns table (n bigint, answer text)
language plpgsql set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off as $$
declare done integer;
begin
    perform notices.commit_as(durable);
    update notices.message x set events = u.place + 1, log = array_append(x.log, u.what), stored = x.stored + length(u.what),
            state = u.state::"char", next = u.next, expires = u.expires, holder = case when u.over then null else x.holder end
        from unnest(ids, sessions, nonces, places, whats, begins, overs, states, nexts, expire)
            as u(id, session, nonce, place, what, begins, over, state, next, expires)
        where x.id = u.id and x.token = u.nonce and x.holder = u.session and x.events = u.place
            and (not u.begins or exists (select from notices.session s where s.id = u.session and s.expires > clock_timestamp()));
    get diagnostics done = row_count;
    if done = cardinality(ids) then
        return query select i, 'ok' from generate_series(1::bigint, done) as i;
    else
        return query select u.i, coalesce((select case when x.token = u.nonce and x.events = u.place + 1 then 'ok' else 'lost' end
                from notices.message x where x.id = u.id), 'gone')
            from unnest(ids, nonces, places) with ordinality as u(id, nonce, place, i);
    end if;
end $$;

-- release ends claims, and brings the listing in line.
create function notices.release(ids text[], sessions bigint[], nonces bigint[], states text[], nexts bigint[], expire bigint[])
returns table (n bigint, answer text)
language plpgsql set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    perform set_config('synchronous_commit', 'off', true);
    update notices.message x set holder = null, state = u.state::"char", next = u.next, expires = u.expires
        from unnest(ids, sessions, nonces, states, nexts, expire) as u(id, session, nonce, state, next, expires)
        where x.id = u.id and x.token = u.nonce and x.holder = u.session;
    return query select i, 'ok' from generate_series(1::bigint, cardinality(ids)) as i;
end $$;

-- add_history keeps the latest entry of each name. those: only of these messages; null: of all.
create function notices.add_history(those text[], ids text[], ns integer[], queueds bigint[], endeds bigint[], endings text[], recipients text[], senders text[], refs text[],
    message_ids text[], envelope_ids text[], entries bytea[], sites text[])
returns void language plpgsql as $$
begin
    insert into notices.history as h (id, n, queued, ended, ending, recipient, sender, ref, message_id, envelope_id, entry, site, written)
        select u.*, extract(epoch from clock_timestamp())::bigint
        from unnest(ids, ns, queueds, endeds, endings, recipients, senders, refs, message_ids, envelope_ids, entries, sites) as u(id)
        where those is null or u.id = any(those)
        on conflict (queued, id, n) do update
        set ended = excluded.ended, written = excluded.written, ending = excluded.ending, entry = excluded.entry;
end $$;

-- claim, a message has the token from before it, as long as nobody has claimed it since.
create function notices.remove(durable boolean, ids text[], sessions bigint[], nonces bigint[], befores bigint[], large boolean[], imported boolean[],
    entry_ids text[], ns integer[], queueds bigint[], endeds bigint[], endings text[], recipients text[], senders text[], refs text[],
    message_ids text[], envelope_ids text[], entries bytea[], sites text[])
returns table (n bigint, answer text)
language plpgsql set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    removed text[];
    bodies bigint[];
begin
    perform notices.commit_as(durable);
    with done as (
        delete from notices.message x using unnest(ids, sessions, nonces, befores, large) as u(id, session, nonce, before, large)
            where x.id = u.id and (x.token = u.nonce and x.holder = u.session or x.token = u.before
                and not exists (select from notices.session s where s.id = x.holder and s.expires > clock_timestamp()))
            returning x.id, case when u.large then x.body end as body)
        select coalesce(array_agg(d.id), '{}'), array_agg(d.body) filter (where d.body is not null) into removed, bodies from done d;
    delete from notices.content x where x.id = any(removed);
    if bodies is not null then
        delete from notices.chunk x where x.body = any(bodies);
    end if;
    if true = any(imported) then
        update notices.import_key x set gone = extract(epoch from clock_timestamp())::bigint where x.id = any(removed);
    end if;
    if cardinality(entry_ids) > 0 then
        perform notices.add_history(case when cardinality(removed) < cardinality(ids) then removed end,
            entry_ids, ns, queueds, endeds, endings, recipients, senders, refs, message_ids, envelope_ids, entries, sites);
    else -- without a history, this is what tells a put that is made again that its message was sent
        insert into notices.import_key as k select u.id, '', extract(epoch from clock_timestamp())::bigint
            from unnest(ids, imported) as u(id, keyed) where not u.keyed and u.id = any(removed)
            on conflict (id, key) do update set gone = excluded.gone;
    end if;
    return query select u.i, case when u.id = any(removed) then 'ok'
            when exists (select from notices.message x where x.id = u.id) then 'lost' else 'gone' end
        from unnest(ids) with ordinality as u(id, i);
end $$;

-- fail is append of a GiveUp, and says what became of the message.
create function notices.fail(which text, me bigint, nonce bigint, place integer, what bytea, new_next bigint,
    ids text[], ns integer[], queueds bigint[], endeds bigint[], endings text[], recipients text[], senders text[], refs text[],
    message_ids text[], envelope_ids text[], entries bytea[], sites text[])
returns text language plpgsql as $$
declare answer text := (select a.answer from notices.append(true, array[which], array[me], array[nonce], array[place], array[what],
    array[false], array[true], array['f'], array[new_next], array[null::bigint]) as a);
begin
    if answer = 'ok' and cardinality(ids) > 0 then
        perform notices.add_history(null, ids, ns, queueds, endeds, endings, recipients, senders, refs, message_ids, envelope_ids, entries, sites);
    end if;
    return answer;
end $$;

-- put queues messages: all of them, or none. spilled are the bodies that have chunks; one that
-- was swept makes it fail. The events are those of messages that come from another spool: what
-- happened to each message logged, in order, and counts of them. queueds says when each was queued, and
-- lasts the last import key of each, null if it has none.
--

create function notices.set_aside(which text, me bigint, nonce bigint) returns void language plpgsql as $$
begin
    update notices.message x set state = 'a', holder = null where x.id = which and x.token = nonce and x.holder = me;
end $$;

-- these ids, so that nothing can come and leave in between.
create function notices.put(ids text[], states text[], nexts bigint[], expire bigint[], octets bigint[], bodies bigint[], searches text[], envelopes bytea[], heads bytea[],
    spilled bigint[], keyed text[], keys bytea[], counts integer[], logged text[], happened bytea[], queueds bigint[], lasts bytea[])
returns void language plpgsql as $$
declare swept integer;
begin
    perform notices.commit_as(true);
    insert into notices.message (id, state, next, expires, events, log, stored, body, search)
        select u.i, u.s::"char", u.n, u.e, u.c, l.log, u.o, u.b, u.w
        from unnest(ids, states, nexts, expire, counts, octets, bodies, searches) as u(i, s, n, e, c, o, b, w)
        left join (select v.i, array_agg(v.h order by v.p) as log
            from unnest(logged, happened) with ordinality as v(i, h, p) group by v.i) as l on l.i = u.i;
    -- One that is moved once more, from a spool to which it was moved back, has another last key.
    if exists (select from unnest(ids, lasts) as u(i, l) join notices.import_key k on k.id = u.i
            where k.gone is not null and (u.l is null or k.key = u.l))
    -- A failed one has entries, too, and is still in its spool.
    or exists (select from unnest(ids, queueds) as u(i, q) join notices.history h on h.queued = u.q and h.id = u.i
            group by u.i having bool_and(h.ending <> 'failed')) then
        raise exception 'a message was here and has left' using errcode = 'NT002';
    end if;
    insert into notices.content select * from unnest(ids, envelopes, heads);
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

-- put_of_import is put, for the import that took the lock with that token. The lock is looked at
-- last, and stays as it is until this transaction has ended: who takes it then finds the keys of
-- what was put. A put that is made again after a lost answer fails before, as put does.
create function notices.put_of_import(ids text[], states text[], nexts bigint[], expire bigint[], octets bigint[], bodies bigint[], searches text[], envelopes bytea[], heads bytea[],
    spilled bigint[], keyed text[], keys bytea[], counts integer[], logged text[], happened bytea[], queueds bigint[], lasts bytea[], fence bigint)
returns void language plpgsql as $$
begin
    perform notices.put(ids, states, nexts, expire, octets, bodies, searches, envelopes, heads, spilled, keyed, keys, counts, logged, happened, queueds, lasts);
    perform from notices.lock l where l.name = 'import' and l.token = fence for share;
    if not found then
        raise exception 'another import has begun' using errcode = 'NT003';
    end if;
end $$;

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
