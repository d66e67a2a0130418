-- The list of profiles, newest first, straight from an index. Who has no public page is not in it: a user whom Clerk
-- has not told of yet, one without a username, a banned one. Clerk always tells a time of creation; should it once not,
-- the user comes last.
ALTER TABLE `users` ADD COLUMN `listed_at` DATETIME(3) GENERATED ALWAYS AS
  (IF(`synced_at` IS NULL OR `username` IS NULL OR `banned`, NULL,
    COALESCE(`created_at`, TIMESTAMP'1970-01-01 00:00:00'))) VIRTUAL;
CREATE INDEX `users_listed_at_id_idx` ON `users` (`listed_at`, `id`);

-- Of several rows that claim a username the newest is read first.
CREATE INDEX `users_username_updated_at_idx` ON `users` (`username`, `updated_at`);
DROP INDEX `users_username_idx` ON `users`;
