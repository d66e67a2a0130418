-- Clerk ids are case-sensitive: ascii_bin, where utf8mb4's default collation would take 'user_a' for 'user_A'.
-- No foreign keys (Vitess), no unique index on what Clerk may move from one object to another (username, email).

CREATE TABLE `clerk_objects` (
  `id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `kind` VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `updated_at_ms` BIGINT NOT NULL,
  `timestamp_ms` BIGINT NOT NULL,
  `event_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `user_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `organization_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `deleted_at` DATETIME(3) NULL,
  `tombstone_source` VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `synced_at` DATETIME(3) NULL,
  `data` LONGTEXT NULL,
  INDEX `clerk_objects_user_id_idx` (`user_id`),
  INDEX `clerk_objects_organization_id_idx` (`organization_id`),
  PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `webhook_events` (
  `event_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `type` VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `object_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `instance_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `source` VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `outcome` VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `attempts` INTEGER NOT NULL,
  `received_at` DATETIME(3) NOT NULL,
  `applied_at` DATETIME(3) NOT NULL,
  INDEX `webhook_events_object_id_idx` (`object_id`),
  INDEX `webhook_events_applied_at_idx` (`applied_at`),
  PRIMARY KEY (`event_id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `users` (
  `id` BIGINT NOT NULL AUTO_INCREMENT,
  `clerk_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `username` VARCHAR(120) NULL,
  `first_name` VARCHAR(120) NULL,
  `last_name` VARCHAR(120) NULL,
  `display_name` VARCHAR(250) NULL,
  `email` VARCHAR(320) NULL,
  `img_url` VARCHAR(500) NULL,
  `external_id` VARCHAR(250) NULL,
  `banned` BOOLEAN NOT NULL DEFAULT false,
  `locked` BOOLEAN NOT NULL DEFAULT false,
  `two_factor_enabled` BOOLEAN NOT NULL DEFAULT false,
  `created_at` DATETIME(3) NULL,
  `updated_at` DATETIME(3) NULL,
  `last_sign_in_at` DATETIME(3) NULL,
  `public_metadata` LONGTEXT NULL,
  `synced_at` DATETIME(3) NULL,
  `tagline` VARCHAR(250) NULL,
  UNIQUE INDEX `users_clerk_id_key` (`clerk_id`),
  INDEX `users_username_idx` (`username`),
  INDEX `users_email_idx` (`email`),
  PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `blocks` (
  `id` BIGINT NOT NULL AUTO_INCREMENT,
  `user_id` BIGINT NOT NULL,
  `type` INTEGER NOT NULL,
  `url` VARCHAR(200) NULL,
  `label` VARCHAR(200) NULL,
  `position` INTEGER NOT NULL DEFAULT 0,
  INDEX `blocks_user_id_position_idx` (`user_id`, `position`),
  PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
