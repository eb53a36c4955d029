"""The rules dal holds, each on a real PostgreSQL and looked at from outside."""
