-- Which installation this database belongs to: one row, written by the first worker, and compared with the id in Redis.

CREATE TABLE `installation` (
  `id` INT NOT NULL,
  `installation_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `epoch` INT NOT NULL,
  `stamped_at` DATETIME(3) NOT NULL,
  PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
