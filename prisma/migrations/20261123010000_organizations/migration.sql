-- Memberships, invitations and domains name their user and organization by Clerk id, without a foreign key: they often
-- arrive before them.

CREATE TABLE `organizations` (
  `id` BIGINT NOT NULL AUTO_INCREMENT,
  `clerk_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `name` VARCHAR(250) NULL,
  `slug` VARCHAR(250) NULL,
  `img_url` VARCHAR(500) NULL,
  `max_allowed_memberships` INTEGER NULL,
  `public_metadata` LONGTEXT NULL,
  `created_at` DATETIME(3) NULL,
  `updated_at` DATETIME(3) NULL,
  `synced_at` DATETIME(3) NULL,
  UNIQUE INDEX `organizations_clerk_id_key` (`clerk_id`),
  INDEX `organizations_slug_idx` (`slug`),
  PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `organization_memberships` (
  `id` BIGINT NOT NULL AUTO_INCREMENT,
  `clerk_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_clerk_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `organization_clerk_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `role` VARCHAR(250) NULL,
  `public_metadata` LONGTEXT NULL,
  `created_at` DATETIME(3) NULL,
  `updated_at` DATETIME(3) NULL,
  `synced_at` DATETIME(3) NULL,
  UNIQUE INDEX `organization_memberships_clerk_id_key` (`clerk_id`),
  INDEX `organization_memberships_user_clerk_id_idx` (`user_clerk_id`),
  INDEX `organization_memberships_organization_clerk_id_idx` (`organization_clerk_id`),
  PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `organization_invitations` (
  `id` BIGINT NOT NULL AUTO_INCREMENT,
  `clerk_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_clerk_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `organization_clerk_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `email` VARCHAR(320) NULL,
  `role` VARCHAR(250) NULL,
  `status` VARCHAR(250) NULL,
  `expires_at` DATETIME(3) NULL,
  `created_at` DATETIME(3) NULL,
  `updated_at` DATETIME(3) NULL,
  `synced_at` DATETIME(3) NULL,
  UNIQUE INDEX `organization_invitations_clerk_id_key` (`clerk_id`),
  INDEX `organization_invitations_user_clerk_id_idx` (`user_clerk_id`),
  INDEX `organization_invitations_organization_clerk_id_idx` (`organization_clerk_id`),
  INDEX `organization_invitations_email_idx` (`email`),
  PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `organization_domains` (
  `id` BIGINT NOT NULL AUTO_INCREMENT,
  `clerk_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `organization_clerk_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `name` VARCHAR(250) NULL,
  `enrollment_mode` VARCHAR(250) NULL,
  `verified` BOOLEAN NOT NULL DEFAULT false,
  `created_at` DATETIME(3) NULL,
  `updated_at` DATETIME(3) NULL,
  `synced_at` DATETIME(3) NULL,
  UNIQUE INDEX `organization_domains_clerk_id_key` (`clerk_id`),
  INDEX `organization_domains_organization_clerk_id_idx` (`organization_clerk_id`),
  INDEX `organization_domains_name_idx` (`name`),
  PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
