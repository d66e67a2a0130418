-- Of what an operator asked for on purpose: the request, which gives the run a key of its own.
ALTER TABLE reaction_outbox ADD COLUMN request_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL;
