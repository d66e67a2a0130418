-- Objects whose stored version was found more than a day ahead of all clocks: nothing that Clerk sends is newer until
-- then. Only a note for operators; what is true of such an object stands in clerk_objects.
CREATE TABLE `future_versions` (
  `object_id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `noticed_at` DATETIME(3) NOT NULL,
  PRIMARY KEY (`object_id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
