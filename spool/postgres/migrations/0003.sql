-- The addresses and the reference of a message, so that a search of the queue reads no envelopes:
-- the sender, each recipient and the reference, a line each, addresses in lower case. null: it was
-- queued before there was this column. Of a message to many the server keeps it outside of
-- the row, and an update of the row does not write it again.
alter table notices.message add column search text collate "C";
alter table notices.message set (toast_tuple_target = 512);

drop function notices.put(text[], text[], bigint[], bigint[], bigint[], bigint[], bytea[], bytea[], bigint[], text[], bytea[], integer[], text[], integer[], bytea[]);

-- put queues messages: all of them, or none. spilled are the bodies that have chunks; one that
-- was swept makes it fail. The events are those of messages that come from another spool: event
-- place of message logged, and so many of each.
create function notices.put(ids text[], states text[], nexts bigint[], expire bigint[], octets bigint[], bodies bigint[], searches text[], envelopes bytea[], heads bytea[],
    spilled bigint[], keyed text[], keys bytea[], counts integer[], logged text[], places integer[], happened bytea[])
returns void language plpgsql as $$
declare swept integer;
begin
    perform notices.commit_as(true);
    insert into notices.message (id, state, next, expires, events, stored, body, search)
        select u.i, u.s::"char", u.n, u.e, u.c, u.o, u.b, u.w
        from unnest(ids, states, nexts, expire, counts, octets, bodies, searches) as u(i, s, n, e, c, o, b, w);
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
