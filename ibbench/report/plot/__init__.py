"""Pictures of a study, readable without colour."""
