"""What a built wheel has beside the packages: the phone page's barcode reader, as it lies in `node_modules`."""

import json
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "zxing-wasm"
PAGE = "packtrace_gateway/phone/web"


class ReaderHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the reader's files where `packtrace_gateway.phone.files` looks first; without them, says what is missing."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # the page is served from the checkout then
        root = Path(self.root)
        folder = root / "node_modules" / PACKAGE
        if not folder.is_dir():
            self.app.display_warning(
                f"the phone page in this wheel has no barcode reader: {PACKAGE} is not in node_modules. "
                "Run `npm install --omit=dev --no-save`, then build it again."
            )
            return
        locked = json.loads((root / "package-lock.json").read_text())["packages"][f"node_modules/{PACKAGE}"]["version"]
        found = json.loads((folder / "package.json").read_text())["version"]
        if found != locked:
            raise SystemExit(
                f"{PACKAGE} in node_modules is {found}, package-lock.json wants {locked}: install it again"
            )
        sys.path.insert(0, str(root / "gateway"))
        from packtrace_gateway.phone.files import READER

        files = {name: folder / "dist" / source for name, source in READER.items()}
        files["zxing/LICENSE"] = folder / "LICENSE"
        build_data["force_include"] |= {str(file): f"{PAGE}/{name}" for name, file in files.items()}
