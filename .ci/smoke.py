"""Imports every module of the installed package, and misses those the wheel forgot.

Run by the Python of the environment that the wheel is installed in; the argument is the checkout.
"""

import importlib
import importlib.metadata
import sys
from pathlib import Path

import antiphon

checkout = Path(sys.argv[1]).resolve()
installed = Path(antiphon.__file__).resolve().parent
if checkout in installed.parents:
    sys.exit(f"this is the checkout, not the wheel: {installed}")

folders = {"agent": Path(), "pipeline": Path("pipeline"), "nodes": Path("nodes")}
wanted = {
    str(place / file.relative_to(checkout / folder))
    for folder, place in folders.items()
    for file in (checkout / folder).rglob("*")
    if file.suffix in (".py", ".typed")
}
there = {str(file.relative_to(installed)) for file in installed.rglob("*") if file.is_file()}
if missing := sorted(wanted - there):
    sys.exit(f"the wheel lacks {', '.join(missing)}")

names = ["antiphon." + name[:-3].replace("/", ".") for name in wanted if name.endswith(".py")]
names.remove("antiphon.__main__")  # importing it is running it
for extra in (
    "antiphon.mcp",
    "antiphon.llm.mcp",
    "antiphon.mcp_toolset",
):  # these need `antiphon[mcp]`
    names.remove(extra)
of_the_console = {"textual", "sounddevice"}  # for whoever asks for `antiphon[console]`
for name in sorted(name.removesuffix(".__init__") for name in names):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in of_the_console:
            raise

files = importlib.metadata.files("antiphon") or []
if not any(file.name == "LICENSE" for file in files):
    sys.exit("the wheel holds no LICENSE")
strays = {file.parts[0] for file in files} & {"agent", "pipeline", "nodes", "tests", "samples"}
if strays:
    sys.exit(f"the wheel also installs {', '.join(sorted(strays))} at the top level")
print(f"{len(names)} modules import from the wheel")  # noqa: T201
