"""Files to volumes: which frame of which file goes where, and all of them into one array."""
