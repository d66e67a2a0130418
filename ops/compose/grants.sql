-- Workers write the mirrored rows, and remove rows of deleted objects. They know nothing of operators.
GRANT SELECT, INSERT, UPDATE ON clerk_mirror.clerk_objects TO clerk_mirror_worker;
GRANT SELECT, INSERT, UPDATE ON clerk_mirror.webhook_events TO clerk_mirror_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.users TO clerk_mirror_worker;
GRANT SELECT, DELETE ON clerk_mirror.blocks TO clerk_mirror_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.organizations TO clerk_mirror_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.organization_memberships TO clerk_mirror_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.organization_invitations TO clerk_mirror_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.organization_domains TO clerk_mirror_worker;
GRANT SELECT, INSERT, DELETE ON clerk_mirror.reaction_outbox TO clerk_mirror_worker;
GRANT SELECT, INSERT, UPDATE ON clerk_mirror.installation TO clerk_mirror_worker;
GRANT SELECT, INSERT, UPDATE ON clerk_mirror.future_versions TO clerk_mirror_worker;

-- The console sees the list of objects, and nothing of their stored content.
GRANT SELECT (id, kind, updated_at_ms, timestamp_ms, event_id, user_id, organization_id, deleted_at, tombstone_source, synced_at) ON clerk_mirror.clerk_objects TO clerk_mirror_console;
GRANT SELECT, INSERT, UPDATE ON clerk_mirror.webhook_events TO clerk_mirror_console;
GRANT SELECT, INSERT, UPDATE ON clerk_mirror.operator_actions TO clerk_mirror_console;
GRANT SELECT ON clerk_mirror.reaction_outbox TO clerk_mirror_console;
GRANT SELECT ON clerk_mirror.installation TO clerk_mirror_console;
GRANT SELECT ON clerk_mirror.future_versions TO clerk_mirror_console;

-- The profile pages read public columns, and write the texts of the profile's owner.
GRANT SELECT (id, clerk_id, username, display_name, tagline, img_url, listed_at, updated_at), INSERT (clerk_id, tagline), UPDATE (clerk_id, tagline) ON clerk_mirror.users TO clerk_mirror_profiles;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.blocks TO clerk_mirror_profiles;
GRANT SELECT (id, updated_at_ms, timestamp_ms, event_id, user_id, organization_id, deleted_at), INSERT (id, kind, updated_at_ms, timestamp_ms), UPDATE (id, kind, updated_at_ms, timestamp_ms) ON clerk_mirror.clerk_objects TO clerk_mirror_profiles;

-- The CLI rebuilds tables and erases people, and records that it did.
GRANT SELECT, INSERT, UPDATE ON clerk_mirror.clerk_objects TO clerk_mirror_cli;
GRANT SELECT, INSERT, UPDATE ON clerk_mirror.webhook_events TO clerk_mirror_cli;
GRANT SELECT, INSERT, UPDATE ON clerk_mirror.operator_actions TO clerk_mirror_cli;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.users TO clerk_mirror_cli;
GRANT SELECT, DELETE ON clerk_mirror.blocks TO clerk_mirror_cli;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.organizations TO clerk_mirror_cli;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.organization_memberships TO clerk_mirror_cli;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.organization_invitations TO clerk_mirror_cli;
GRANT SELECT, INSERT, UPDATE, DELETE ON clerk_mirror.organization_domains TO clerk_mirror_cli;
GRANT SELECT, INSERT, DELETE ON clerk_mirror.reaction_outbox TO clerk_mirror_cli;
GRANT SELECT, INSERT, UPDATE ON clerk_mirror.installation TO clerk_mirror_cli;
GRANT SELECT, DELETE ON clerk_mirror.future_versions TO clerk_mirror_cli;
