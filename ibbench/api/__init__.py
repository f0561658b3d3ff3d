"""The Python interface for scripts and notebooks: studies and models as objects. `ibbench/__init__.py` exports it."""
