-- Nothing to do: SQLite's columns have no width. PostgreSQL's are widened by this migration.
SELECT 1;
