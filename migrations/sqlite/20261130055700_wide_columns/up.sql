-- Nothing to do: SQLite's columns have no width. On PostgreSQL this migration widens columns.
SELECT 1;
