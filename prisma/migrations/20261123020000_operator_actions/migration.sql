-- What operators did, and how far they got: an action without `finished_at` runs, or was interrupted at `position`.

CREATE TABLE `operator_actions` (
  `id` BIGINT NOT NULL AUTO_INCREMENT,
  `at` DATETIME(3) NOT NULL,
  `finished_at` DATETIME(3) NULL,
  `actor` VARCHAR(250) NOT NULL,
  `action` VARCHAR(32) NOT NULL,
  `subject_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  `details` LONGTEXT NULL,
  `position` VARCHAR(64) NULL,
  `counts` LONGTEXT NULL,
  INDEX `operator_actions_subject_id_idx` (`subject_id`),
  PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
