-- How the price of a listed service follows from an order, where its rate does not say it all; and what may be changed and
-- upgraded about its orders, by the upstream's own names. The same stands in ../sqlite.
ALTER TABLE upstream_services ADD COLUMN price JSONB;
ALTER TABLE upstream_services ADD COLUMN changes JSONB NOT NULL DEFAULT '[]';
ALTER TABLE upstream_services ADD COLUMN upgrades JSONB NOT NULL DEFAULT '[]';
