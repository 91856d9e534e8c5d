"""At a site: say which cryofed is installed when registering, and note when the aggregator has answered."""

from __future__ import annotations

from pathlib import Path

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_component import FLComponent
from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.fl_context import FLContext

from cryofed import __version__
from cryofed.federation.engines.flare.inside import keep_address, reconnect_soon, refuse_references
from cryofed.federation.engines.remote.processes import MARK

VERSION = "cryofed_version"


class Greeter(FLComponent):  # type: ignore[misc]  # FLARE is untyped
    """Runs in the site's own process, not in that of a segment."""

    def __init__(self) -> None:
        super().__init__()
        refuse_references()
        reconnect_soon()
        keep_address()

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Before registering: the version. After: the mark that `site start` waits for."""
        if event_type == EventType.BEFORE_CLIENT_REGISTER:
            fl_ctx.set_prop(VERSION, __version__, private=False, sticky=False)
        elif event_type == EventType.AFTER_CLIENT_REGISTER and fl_ctx.get_prop(FLContextKey.CLIENT_TOKEN):
            workspace = fl_ctx.get_prop(FLContextKey.WORKSPACE_OBJECT)
            (Path(workspace.get_root_dir()) / MARK).write_text(__version__ + "\n")
