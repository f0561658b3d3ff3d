"""Ships `configs/` inside the wheel; an editable install reads the checkout's own folder instead."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConfigsHook(BuildHookInterface):
    """Maps `configs/` to `ibbench/configs/` in a real wheel only: in an editable one it would go stale."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder to the files of the wheel unless `version` is `editable`."""
        if version != "editable":
            build_data["force_include"]["configs"] = "ibbench/configs"
