-- What is looked at often must not grow with the number of orders. The book of a balance when its last reading was asked
-- for tells what of the reading was spent since, without adding up the orders made since. The same stands in
-- ../sqlite.
ALTER TABLE upstream_state ADD COLUMN reading_book BIGINT;
-- The reserves of what runs at an upstream and whose charge was not read yet are added up for every reading.
CREATE INDEX attempts_unread ON attempts (upstream, reserve) WHERE state = 'accepted' AND NOT charge_read;
