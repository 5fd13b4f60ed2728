-- Advances sequences that are behind the largest id of their table (after a manual restore, or a
-- failover by logical replication) and would assign ids that are taken. Adds a foreign key that was
-- skipped if another schema of the database has one of the same name. The previous release still runs.

DO $$
DECLARE
    name TEXT;
    sequence TEXT;
    largest BIGINT;
    next BIGINT;
BEGIN
    FOREACH name IN ARRAY
        ARRAY['users', 'refresh_tokens', 'sessions', 'session_events', 'one_time_tokens', 'outbox'] LOOP
        sequence := coalesce(pg_get_serial_sequence(name, 'id'), (
            SELECT dependency.refobjid::regclass::text FROM pg_attrdef AS value
            JOIN pg_attribute AS attribute ON attribute.attrelid = value.adrelid AND attribute.attnum = value.adnum
            JOIN pg_depend AS dependency ON dependency.classid = 'pg_attrdef'::regclass
                AND dependency.objid = value.oid AND dependency.refclassid = 'pg_class'::regclass
            JOIN pg_class AS referred ON referred.oid = dependency.refobjid AND referred.relkind = 'S'
            WHERE value.adrelid = name::regclass AND attribute.attname = 'id'
        ));
        IF sequence IS NOT NULL THEN
            EXECUTE format('SELECT coalesce(max(id), 0) FROM %I', name) INTO largest;
            EXECUTE format('SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM %s', sequence)
                INTO next;
            IF next <= largest THEN
                PERFORM setval(sequence, largest);
            END IF;
        END IF;
    END LOOP;
    IF NOT EXISTS (
        SELECT 1 FROM pg_constraint
        WHERE conrelid = 'sessions'::regclass AND confrelid = 'users'::regclass AND contype = 'f'
    ) THEN
        DELETE FROM session_events WHERE session_id IN (
            SELECT id FROM sessions WHERE user_id NOT IN (SELECT id FROM users)
        );
        DELETE FROM sessions WHERE user_id NOT IN (SELECT id FROM users);
        ALTER TABLE sessions
            ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
    END IF;
END $$;
