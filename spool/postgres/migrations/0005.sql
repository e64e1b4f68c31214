-- The lock of imports fences off: an import whose host stood still for longer than its lease, and
-- that goes on when another import has had the lock, queues nothing more.

-- put_of_import is put, for the import that took the lock with that token. The lock is looked at
-- last, and stays as it is until this transaction has ended: who takes it then finds the keys of
-- what was put. A put that is made again after a lost answer fails before, as put does.
create function notices.put_of_import(ids text[], states text[], nexts bigint[], expire bigint[], octets bigint[], bodies bigint[], searches text[], envelopes bytea[], heads bytea[],
    spilled bigint[], keyed text[], keys bytea[], counts integer[], logged text[], places integer[], happened bytea[], queueds bigint[], lasts bytea[], fence bigint)
returns void language plpgsql as $$
begin
    perform notices.put(ids, states, nexts, expire, octets, bodies, searches, envelopes, heads, spilled, keyed, keys, counts, logged, places, happened, queueds, lasts);
    perform from notices.lock l where l.name = 'import' and l.token = fence for share;
    if not found then
        raise exception 'another import has begun' using errcode = 'NT003';
    end if;
end $$;
