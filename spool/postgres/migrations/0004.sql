-- put refuses a message that was here before and has left: who lost the answer to a put does not
-- know whether it was carried out, and hands the message in again, in this call or, through a
-- folder, days later.

drop function notices.put(text[], text[], bigint[], bigint[], bigint[], bigint[], text[], bytea[], bytea[], bigint[], text[], bytea[], integer[], text[], integer[], bytea[]);

-- put queues messages: all of them, or none. spilled are the bodies that have chunks; one that
-- was swept makes it fail. The events are those of messages that come from another spool: event
-- place of message logged, and so many of each. queueds says when each was queued, and lasts the
-- last import key of each, null if it has none.
--
-- What was here and has left is looked for when the rows of the messages are written: from then on
-- nobody else can write one of these ids, so that nothing can come and leave in between.
create function notices.put(ids text[], states text[], nexts bigint[], expire bigint[], octets bigint[], bodies bigint[], searches text[], envelopes bytea[], heads bytea[],
    spilled bigint[], keyed text[], keys bytea[], counts integer[], logged text[], places integer[], happened bytea[], queueds bigint[], lasts bytea[])
returns void language plpgsql as $$
declare swept integer;
begin
    perform notices.commit_as(true);
    insert into notices.message (id, state, next, expires, events, stored, body, search)
        select u.i, u.s::"char", u.n, u.e, u.c, u.o, u.b, u.w
        from unnest(ids, states, nexts, expire, counts, octets, bodies, searches) as u(i, s, n, e, c, o, b, w);
    -- One that is moved once more, from a spool to which it was moved back, has another last key.
    if exists (select from unnest(ids, lasts) as u(i, l) join notices.import_key k on k.id = u.i
            where k.gone is not null and (u.l is null or k.key = u.l))
    -- A failed one has entries, too, and is still in its spool.
    or exists (select from unnest(ids, queueds) as u(i, q) join notices.history h on h.queued = u.q and h.id = u.i
            group by u.i having bool_and(h.ending <> 'failed')) then
        raise exception 'a message was here and has left' using errcode = 'NT002';
    end if;
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
