"""Hostile input: a corpus, what draws more of it, and the doors that it is given to."""
