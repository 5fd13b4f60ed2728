-- Nothing to undo: what was written since may need the room.
SELECT 1;
