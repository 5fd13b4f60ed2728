-- Nothing to undo: values written since may need the width.
SELECT 1;
