-- The site of a service that an entry of the history is about; elsewhere it is empty.
alter table notices.history add column site text collate "C" not null default '';
create index history_site on notices.history (site, queued) where site <> '';

drop function notices.remove(text, bigint, bigint, bigint, boolean, boolean, boolean,
    text[], integer[], bigint[], bigint[], text[], text[], text[], text[], text[], text[], bytea[]);
drop function notices.fail(text, bigint, bigint, integer, bytea, bigint,
    text[], integer[], bigint[], bigint[], text[], text[], text[], text[], text[], text[], bytea[]);
drop function notices.add_history(text[], integer[], bigint[], bigint[], text[], text[], text[], text[], text[], text[], bytea[]);

-- add_history keeps the latest entry of each name.
create function notices.add_history(ids text[], ns integer[], queueds bigint[], endeds bigint[], endings text[], recipients text[], senders text[], refs text[],
    message_ids text[], envelope_ids text[], entries bytea[], sites text[])
returns void language plpgsql as $$
begin
    insert into notices.history as h (id, n, queued, ended, ending, recipient, sender, ref, message_id, envelope_id, entry, site, written)
        select u.*, extract(epoch from clock_timestamp())::bigint
        from unnest(ids, ns, queueds, endeds, endings, recipients, senders, refs, message_ids, envelope_ids, entries, sites) as u
        on conflict (queued, id, n) do update
        set ended = excluded.ended, written = excluded.written, ending = excluded.ending, entry = excluded.entry;
end $$;

-- remove takes a message out, and says what became of it. If the server crashed and lost the
-- claim, the message has the token from before it, as long as nobody has claimed it since.
create function notices.remove(which text, me bigint, nonce bigint, before bigint, durable boolean, large boolean, imported boolean,
    ids text[], ns integer[], queueds bigint[], endeds bigint[], endings text[], recipients text[], senders text[], refs text[],
    message_ids text[], envelope_ids text[], entries bytea[], sites text[])
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
        perform notices.add_history(ids, ns, queueds, endeds, endings, recipients, senders, refs, message_ids, envelope_ids, entries, sites);
    end if;
    return 'ok';
end $$;

-- fail is append of a GiveUp, and says what became of the message.
create function notices.fail(which text, me bigint, nonce bigint, place integer, what bytea, new_next bigint,
    ids text[], ns integer[], queueds bigint[], endeds bigint[], endings text[], recipients text[], senders text[], refs text[],
    message_ids text[], envelope_ids text[], entries bytea[], sites text[])
returns text language plpgsql as $$
declare answer text := notices.append(which, me, nonce, place, what, false, true, true, 'f', new_next, null);
begin
    if answer = 'ok' and cardinality(ids) > 0 then
        perform notices.add_history(ids, ns, queueds, endeds, endings, recipients, senders, refs, message_ids, envelope_ids, entries, sites);
    end if;
    return answer;
end $$;
