-- Money is BIGINT micro-units, time is BIGINT Unix milliseconds, JSON is JSONB. The same tables and columns stand in
-- ../sqlite; only what guards the history is written in each engine's own words.

CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
-- Raised by every change of what servers keep in memory; they look once a second or more often. `services` is the
-- generation of our services that counts.
CREATE TABLE versions (name TEXT PRIMARY KEY NOT NULL, value BIGINT NOT NULL);
INSERT INTO versions (name, value) VALUES ('catalogue', 1), ('keys', 1), ('services', 0);
-- What only one process may do at a time; a lease that ran out is anybody's.
CREATE TABLE leases (name TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, lease_until BIGINT NOT NULL);
-- Ids are handed out in blocks, so that they are known before a group is written.
CREATE TABLE counters (name TEXT PRIMARY KEY NOT NULL, value BIGINT NOT NULL);
INSERT INTO counters (name, value) VALUES ('orders', 0), ('refills', 0), ('cases', 0), ('rows', 0);
-- One row per start of `serve`.
CREATE TABLE boots (boot TEXT PRIMARY KEY NOT NULL, started_at BIGINT NOT NULL, last_seen BIGINT NOT NULL);

CREATE TABLE currencies (code TEXT PRIMARY KEY NOT NULL, rate TEXT NOT NULL, updated_at BIGINT NOT NULL);
CREATE TABLE accounts (
  id TEXT PRIMARY KEY NOT NULL, currency TEXT NOT NULL, discount_percent TEXT NOT NULL, enabled BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL);
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL REFERENCES accounts (id), label TEXT NOT NULL, prefix TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE, dialect TEXT, read_only BOOLEAN NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT);
CREATE INDEX api_keys_account ON api_keys (account);

CREATE TABLE upstreams (
  id TEXT PRIMARY KEY NOT NULL, adapter TEXT NOT NULL, url TEXT NOT NULL, key_reference TEXT, key_sealed TEXT,
  currency TEXT NOT NULL, enabled BOOLEAN NOT NULL, settings JSONB NOT NULL, created_at BIGINT NOT NULL);
-- What the last calls to an upstream brought.
CREATE TABLE upstream_state (
  upstream TEXT PRIMARY KEY NOT NULL REFERENCES upstreams (id), catalogue_at BIGINT, catalogue_fault TEXT,
  reading BIGINT, reading_asked_at BIGINT, reading_at BIGINT, balance_fault TEXT, excess BIGINT, excess_since BIGINT);
CREATE TABLE upstream_services (
  upstream TEXT NOT NULL REFERENCES upstreams (id), service TEXT NOT NULL, name TEXT NOT NULL, category TEXT NOT NULL,
  service_type TEXT, rate TEXT NOT NULL, min BIGINT NOT NULL, max BIGINT NOT NULL, refill BOOLEAN, cancel BOOLEAN,
  dripfeed BOOLEAN, present BOOLEAN NOT NULL, PRIMARY KEY (upstream, service));
-- A change of services is written piece by piece under the next generation and seen all at once, when that generation
-- begins to count. Of a service's rows up to it the newest counts, with its own offers; the others are removed.
CREATE TABLE services (
  id BIGINT NOT NULL, generation BIGINT NOT NULL, position BIGINT NOT NULL, name TEXT NOT NULL, category TEXT NOT NULL,
  service_type TEXT NOT NULL, rate BIGINT, markup_percent TEXT, min BIGINT NOT NULL, max BIGINT NOT NULL,
  refill BOOLEAN NOT NULL, cancel BOOLEAN NOT NULL, dripfeed BOOLEAN NOT NULL, enabled BOOLEAN NOT NULL,
  description TEXT NOT NULL, PRIMARY KEY (id, generation));
-- An offer may be written before its upstream, which is made when the generation begins to count.
CREATE TABLE offers (
  service BIGINT NOT NULL, generation BIGINT NOT NULL, position BIGINT NOT NULL, upstream TEXT NOT NULL,
  upstream_service TEXT NOT NULL, enabled BOOLEAN NOT NULL, params JSONB NOT NULL,
  PRIMARY KEY (service, generation, position), FOREIGN KEY (service, generation) REFERENCES services (id, generation));

CREATE TABLE orders (
  id BIGINT PRIMARY KEY NOT NULL, account TEXT NOT NULL REFERENCES accounts (id), service BIGINT NOT NULL,
  kind JSONB NOT NULL, target TEXT NOT NULL, target_key TEXT NOT NULL, quantity BIGINT NOT NULL, currency TEXT NOT NULL,
  rate BIGINT NOT NULL, charge BIGINT NOT NULL, refund BIGINT NOT NULL, status TEXT NOT NULL, start_count BIGINT,
  remains BIGINT, vague_partials BIGINT NOT NULL, cancel_requested_at BIGINT, plan JSONB NOT NULL,
  created_at BIGINT NOT NULL, ended_at BIGINT);
CREATE INDEX orders_account ON orders (account, id);
CREATE INDEX orders_target ON orders (target_key);
CREATE INDEX orders_open ON orders (id) WHERE ended_at IS NULL;

CREATE TABLE attempts (
  id BIGINT PRIMARY KEY NOT NULL, order_id BIGINT NOT NULL REFERENCES orders (id), upstream TEXT NOT NULL REFERENCES upstreams (id),
  upstream_service TEXT NOT NULL, params JSONB NOT NULL, state TEXT NOT NULL, upstream_order TEXT, currency TEXT NOT NULL,
  reserve BIGINT NOT NULL, wip BIGINT NOT NULL, last_charge BIGINT NOT NULL, charge_read BOOLEAN NOT NULL, cost BIGINT, claim BIGINT NOT NULL,
  postings BIGINT NOT NULL, to_loss BOOLEAN NOT NULL, send_number BIGINT NOT NULL, owner TEXT, lease_until BIGINT,
  not_before BIGINT NOT NULL, queued_at BIGINT NOT NULL, sent_at BIGINT, decided_at BIGINT, ended_at BIGINT, reason TEXT);
-- At most one attempt of an order may still turn into a delivery.
CREATE UNIQUE INDEX attempts_live ON attempts (order_id) WHERE state IN ('queued', 'sending', 'unknown', 'accepted');
-- An upstream's order belongs to one attempt.
CREATE UNIQUE INDEX attempts_upstream_order ON attempts (upstream, upstream_order) WHERE upstream_order IS NOT NULL;
CREATE INDEX attempts_order ON attempts (order_id);
CREATE INDEX attempts_open ON attempts (state, upstream, id) WHERE state IN ('queued', 'sending', 'unknown', 'disputed');
CREATE INDEX attempts_recent ON attempts (upstream, queued_at);
CREATE INDEX attempts_running ON attempts (upstream, id) WHERE state = 'accepted';
CREATE INDEX attempts_claims ON attempts (upstream, id) WHERE claim > 0;

-- A refill is a submission too: one row of intent, written at most once, never asked for again while it may live.
CREATE TABLE refills (
  id BIGINT PRIMARY KEY NOT NULL, order_id BIGINT NOT NULL REFERENCES orders (id), attempt_id BIGINT NOT NULL REFERENCES attempts (id),
  upstream TEXT NOT NULL REFERENCES upstreams (id), state TEXT NOT NULL, status TEXT NOT NULL, upstream_refill TEXT,
  owner TEXT NOT NULL, lease_until BIGINT NOT NULL, postings BIGINT NOT NULL, created_at BIGINT NOT NULL, ended_at BIGINT,
  reason TEXT);
CREATE UNIQUE INDEX refills_open ON refills (order_id) WHERE state IN ('sending', 'unknown', 'accepted');
CREATE INDEX refills_order ON refills (order_id);
CREATE INDEX refills_sending ON refills (id) WHERE state = 'sending';

-- What a customer may have sent twice: the first order answers until the window ends.
CREATE TABLE recent_orders (
  account TEXT NOT NULL, fingerprint TEXT NOT NULL, order_id BIGINT NOT NULL, until BIGINT NOT NULL,
  PRIMARY KEY (account, fingerprint));

CREATE INDEX recent_orders_until ON recent_orders (until);

CREATE TABLE balances (
  account TEXT PRIMARY KEY NOT NULL, currency TEXT NOT NULL, balance BIGINT NOT NULL, version BIGINT NOT NULL, floor BIGINT);
CREATE TABLE transactions (
  id BIGINT PRIMARY KEY NOT NULL, key TEXT NOT NULL UNIQUE, posted_at BIGINT NOT NULL, effective_at BIGINT NOT NULL,
  reason TEXT, fx JSONB);
CREATE INDEX transactions_posted ON transactions (posted_at, id);
CREATE TABLE entries (
  id BIGINT PRIMARY KEY NOT NULL, transaction_id BIGINT NOT NULL REFERENCES transactions (id), account TEXT NOT NULL,
  currency TEXT NOT NULL, amount BIGINT NOT NULL, account_version BIGINT, balance_after BIGINT, floor BIGINT,
  order_id BIGINT, attempt_id BIGINT, upstream TEXT, service BIGINT, customer TEXT);
CREATE INDEX entries_transaction ON entries (transaction_id);
CREATE INDEX entries_account ON entries (account, id);
-- The versions of a stored balance have no gap and no twin.
CREATE UNIQUE INDEX entries_version ON entries (account, account_version) WHERE account_version IS NOT NULL;
CREATE INDEX entries_order ON entries (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE events (
  id BIGINT PRIMARY KEY NOT NULL, order_id BIGINT, attempt_id BIGINT, upstream TEXT, at BIGINT NOT NULL, kind TEXT NOT NULL,
  text TEXT NOT NULL, data JSONB);
CREATE INDEX events_order ON events (order_id, id) WHERE order_id IS NOT NULL;
-- What does not agree with a rule; each key is found once.
CREATE TABLE findings (
  id BIGINT PRIMARY KEY NOT NULL, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, at BIGINT NOT NULL, upstream TEXT,
  order_id BIGINT, attempt_id BIGINT, text TEXT NOT NULL);
-- What a machine must not decide.
CREATE TABLE cases (
  id BIGINT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, order_id BIGINT, attempt_id BIGINT, upstream TEXT, amount BIGINT,
  currency TEXT, opened_at BIGINT NOT NULL, resolved_at BIGINT, resolution TEXT, suggested TEXT NOT NULL, evidence JSONB NOT NULL);
CREATE INDEX cases_open ON cases (id) WHERE resolved_at IS NULL;
CREATE INDEX cases_attempt ON cases (attempt_id) WHERE attempt_id IS NOT NULL;
CREATE TABLE balance_readings (
  id BIGINT PRIMARY KEY NOT NULL, upstream TEXT NOT NULL REFERENCES upstreams (id), asked_at BIGINT NOT NULL,
  answered_at BIGINT NOT NULL, reading BIGINT NOT NULL, lower BIGINT NOT NULL, upper BIGINT NOT NULL);
CREATE INDEX balance_readings_upstream ON balance_readings (upstream, id);

-- Everything that happens later, with a lease on it while it is being done.
CREATE TABLE due (
  kind TEXT NOT NULL, subject TEXT NOT NULL, upstream TEXT NOT NULL, due_at BIGINT NOT NULL, interval_ms BIGINT NOT NULL,
  lease_until BIGINT NOT NULL, PRIMARY KEY (kind, subject));
CREATE INDEX due_when ON due (kind, upstream, due_at);

CREATE FUNCTION history_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% are never changed or deleted', TG_TABLE_NAME; END $$;
CREATE TRIGGER transactions_kept BEFORE UPDATE OR DELETE ON transactions FOR EACH ROW EXECUTE FUNCTION history_is_kept();
CREATE TRIGGER transactions_never_truncated BEFORE TRUNCATE ON transactions FOR EACH STATEMENT EXECUTE FUNCTION history_is_kept();
CREATE TRIGGER entries_kept BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION history_is_kept();
CREATE TRIGGER entries_never_truncated BEFORE TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION history_is_kept();
CREATE TRIGGER events_kept BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION history_is_kept();
CREATE TRIGGER events_never_truncated BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION history_is_kept();
