-- Widens adopted columns that are too narrow: the hash of a long password has 91 characters. The
-- previous release still runs.

DO $$
DECLARE
    wanted RECORD;
BEGIN
    FOR wanted IN
        SELECT name, attname, width
        FROM (VALUES ('users', 'email', 255), ('users', 'hashed_password', 255), ('refresh_tokens', 'jti', 36))
            AS wanted (name, attname, width)
        JOIN pg_attribute USING (attname)
        WHERE attrelid = name::regclass AND (
            atttypid = 'bpchar'::regtype
            OR (atttypid = 'varchar'::regtype AND atttypmod BETWEEN 5 AND width + 3)
        )
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE VARCHAR(%s)', wanted.name, wanted.attname, wanted.width);
    END LOOP;
END $$;
