-- The tables of version 0.5.0. What looks whether it is there was made by development versions, which
-- had versions 2 to 6.

-- The site of a service that an entry of the history is about; elsewhere it is empty.
alter table notices.history add column if not exists site text collate "C" not null default '';
create index if not exists history_site on notices.history (site, queued) where site <> '';
-- Entries are written in the order of their ends, so that a block has those of some minutes.
create index if not exists history_ended on notices.history using brin (ended) with (pages_per_range = 32, autosummarize = on);
-- Of a hundred messages two are not delivered.
create index if not exists history_failed on notices.history (ending, ended) where ending <> 'delivered';
create index if not exists history_ref on notices.history (ref) where ref <> '';

-- The addresses and the reference of a message, so that a search of the queue reads no envelopes:
-- the sender, each recipient and the reference, a line each, addresses in lower case. null: it was
-- queued before there was this column. Of a message to many the server keeps it outside of
-- the row, and an update of the row does not write it again.
alter table notices.message add column if not exists search text collate "C";
alter table notices.message set (toast_tuple_target = 512);

-- The events of a message stand in its row: an attempt adds one in the same update as it changes the rest.
alter table notices.message add column log bytea[]; -- JSON; null: it has none
update notices.message x set log = l.log
    from (select e.id, array_agg(e.data order by e.n) as log from notices.event e group by e.id) as l
    where l.id = x.id;
drop table notices.event;
