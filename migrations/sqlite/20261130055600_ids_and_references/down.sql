DROP TRIGGER users_largest_id;
DROP TABLE user_ids;
