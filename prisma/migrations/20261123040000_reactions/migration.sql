-- What reactions were asked for, in the transaction of the change, and have not been handed to their queue yet. One row
-- for each change and reaction: a reaction that is slow leaves its own rows behind and nobody else's. Ids and names of
-- fields, and nothing that a field holds.

CREATE TABLE `reaction_outbox` (
  `id` BIGINT NOT NULL AUTO_INCREMENT,
  `reaction` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `happening` VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `kind` VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `object_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `organization_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `event_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `updated_at_ms` BIGINT NOT NULL,
  `timestamp_ms` BIGINT NOT NULL,
  `changed_fields` LONGTEXT NOT NULL,
  `asked_at` DATETIME(3) NOT NULL,
  INDEX `reaction_outbox_reaction_id_idx` (`reaction`, `id`),
  PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
