-- What is counted and summed while orders come in is read from indexes alone, however many rows there are. The same stands in
-- ../sqlite.
CREATE INDEX orders_status ON orders (status);
CREATE INDEX entries_earned ON entries (account, currency, amount) WHERE account >= 'expenses:' AND account < 'liabilities:';
-- SQLite uses a partial index only where its condition stands in the statement word by word, so each state has its own.
DROP INDEX attempts_open;
CREATE INDEX attempts_queued ON attempts (id) WHERE state = 'queued';
CREATE INDEX attempts_queued_by_upstream ON attempts (upstream, id) WHERE state = 'queued';
CREATE INDEX attempts_sending ON attempts (id) WHERE state = 'sending';
CREATE INDEX attempts_unknown ON attempts (id) WHERE state = 'unknown';
CREATE INDEX attempts_unknown_by_upstream ON attempts (upstream, id) WHERE state = 'unknown';
