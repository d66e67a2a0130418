-- What operators ask without reading a table from end to end: the objects of a kind, what waits in the outbox about a
-- person, and the last action of a sort. InnoDB builds these beside readers and writers; only the first and the last
-- moment wait for transactions that are open. No event updates a column of them, so that an index costs where rows are
-- added, and nothing where they change.
CREATE INDEX `clerk_objects_kind_id_idx` ON `clerk_objects` (`kind`, `id`);
CREATE INDEX `reaction_outbox_user_id_idx` ON `reaction_outbox` (`user_id`);
CREATE INDEX `operator_actions_action_id_idx` ON `operator_actions` (`action`, `id`);
