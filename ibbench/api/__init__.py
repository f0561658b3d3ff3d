"""What a script or a notebook calls: studies and models as objects; `ibbench/__init__.py` exports it."""
