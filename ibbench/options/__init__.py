"""What a user can set: groups of options, the config they make, how it is composed."""
