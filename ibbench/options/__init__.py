"""The options that a user can set: their groups, the config that they make, and how Hydra composes it."""
