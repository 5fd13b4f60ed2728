-- Nothing to undo: the previous release supports tokens whose row names their session.
SELECT 1;
