"""What the page is made of: a list of licences and an SBOM, written from what is installed, and the check that both are
still true.

    python tools/supply_chain.py write     writes docs/licences.md and docs/sbom.json
    python tools/supply_chain.py check     fails where they differ from requirements.txt, or where a licence is unknown
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

LICENCES_FILE, SBOM_FILE = ROOT / "docs" / "licences.md", ROOT / "docs" / "sbom.json"
REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^]]*\])?")
# A licence that lets one run, change and pass on the program, named in words that its package uses.
FREE_LICENCES = re.compile(
    r"MIT|BSD|OSI Approved|Apache|PSF|Python Software|ISC|MPL|Mozilla|HPND|CNRI|Zlib|Unlicense|CC0|LLVM|BSL",
    re.IGNORECASE,
)
PLATFORM_PACKAGES = ("nvidia-", "triton", "cuda-", "colorama", "pywin32", "tzdata", "audioop-lts", "brotli", "uvloop")


@dataclass(frozen=True, order=True)
class Part:
    """One package that the page needs, as it is installed."""

    name: str
    version: str
    licence: str


def list_parts() -> list[Part]:
    """List the pinned requirements and all that they need on this system."""
    wanted = list(read_requirements(ROOT / "requirements.txt"))
    found: dict[str, Part] = {}
    while wanted:
        name = normalise_name(wanted.pop())
        if name in found or name.startswith(PLATFORM_PACKAGES):
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:  # needed on another system only
            continue
        found[name] = Part(name, package.version.partition("+")[0], read_licence(name))
        wanted += [needed for line in package.requires or () if (needed := read_unconditional(line))]
    return sorted(found.values())


def read_requirements(path: Path) -> Iterator[str]:
    for line in path.read_text("utf-8").splitlines():
        if match := REQUIREMENT.match(line):
            yield match[1]


def read_unconditional(line: str) -> str | None:
    """Return the package that a requirement names, none where it belongs to an extra that nobody asked for."""
    match = REQUIREMENT.match(line)
    return None if match is None or "extra ==" in line else match[1]


def normalise_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_licence(name: str) -> str:
    """Return the licence in one line, from the newest field in which the package names it."""
    told = distribution(name).metadata
    classified = [
        line.rpartition(":: ")[2] for line in told.get_all("Classifier") or () if line.startswith("License ::")
    ]
    words = (told.get("License") or "").strip().partition("\n")[0][:80]
    return told.get("License-Expression") or ", ".join(classified) or words or "unknown"


def write_sbom(parts: list[Part]) -> str:
    """Write the list as CycloneDX 1.5."""
    components = [
        {
            "type": "library",
            "name": part.name,
            "version": part.version,
            "purl": f"pkg:pypi/{part.name}@{part.version}",
            "licenses": [{"license": {"name": part.licence}}],
        }
        for part in parts
    ]
    whole = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}
    return json.dumps(whole, indent=1) + "\n"


def write_licences(parts: list[Part]) -> str:
    """Write the list for people: packages, then data and weights."""
    rows = [f"| {part.name} | {part.licence} |" for part in parts]
    cards = [f"| {name} | {data} | {licence} |" for name, data, licence in list_weights()]
    return "\n".join(
        [
            "# Licences",
            "",
            "Written by `make supply`; `make check` fails where it is no longer true.",
            "",
            "## Packages that the page needs",
            "",
            "| package | licence |",
            "|---|---|",
            *rows,
            "",
            "## Weights and the data that they have seen",
            "",
            "| checkpoint | data | licence, as its card says |",
            "|---|---|---|",
            *cards,
            "",
        ]
    )


def list_weights() -> list[tuple[str, str, str]]:
    from latentlab.models.checkpoint import read_card

    cards = {path.stem: read_card(path) for path in sorted((ROOT / "checkpoints").glob("*.safetensors"))}
    return [(name, card.data, card.licence or "unknown") for name, card in cards.items()]


def find_faults(parts: list[Part]) -> Iterator[str]:
    """Say what is wrong: a licence that is unknown or not free, a file that is no longer true."""
    for part in parts:
        if not FREE_LICENCES.search(part.licence):
            yield f"{part.name} {part.version} has the licence {part.licence!r}; look at it, and add it or leave it out"
    for name, _, licence in list_weights():
        if licence == "unknown":
            yield f"the card of {name} names no licence"
    if not LICENCES_FILE.exists() or LICENCES_FILE.read_text("utf-8") != write_licences(parts):
        yield f"{LICENCES_FILE.relative_to(ROOT)} is not what is installed; run `make supply`"
    if read_pinned(SBOM_FILE.read_text("utf-8")) != read_pinned(write_sbom(parts)):
        yield f"{SBOM_FILE.relative_to(ROOT)} is not what requirements.txt pins; run `make supply`"


def read_pinned(sbom: str) -> set[tuple[str, str]]:
    """Return names and versions of the pinned packages in it: others come in the version of the day."""
    pinned = set(map(normalise_name, read_requirements(ROOT / "requirements.txt")))
    return {(part["name"], part["version"]) for part in json.loads(sbom)["components"] if part["name"] in pinned}


def main(verb: str) -> int:
    parts = list_parts()
    if verb == "write":
        LICENCES_FILE.write_text(write_licences(parts), "utf-8")
        SBOM_FILE.write_text(write_sbom(parts), "utf-8")
    faults = list(find_faults(parts))
    print("\n".join(faults) or f"{len(parts)} packages, all with a licence that is known")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "check"))
