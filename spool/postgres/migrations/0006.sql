-- What makes a search of the history quick, and costs the removal of a message little.

-- Entries are written in the order of their ends, so that a block has those of some minutes.
create index history_ended on notices.history using brin (ended) with (pages_per_range = 32, autosummarize = on);
-- Of a hundred messages two are not delivered.
create index history_failed on notices.history (ending, ended) where ending <> 'delivered';
create index history_ref on notices.history (ref) where ref <> '';
