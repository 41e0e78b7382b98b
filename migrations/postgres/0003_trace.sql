-- The trace that an order was placed in, as a W3C traceparent: what happens to it later joins the same trace.
ALTER TABLE orders ADD COLUMN trace TEXT;
