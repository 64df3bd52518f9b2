"""The documentation is tested: a command, an endpoint or a headline that it does not know fails."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from fastapi.routing import APIRoute
from typer.testing import CliRunner

from packtrace import cli
from packtrace.chain.registry import RegistryAdmin
from packtrace.verdict import Headline
from packtrace_gateway.access.models import Role
from packtrace_gateway.app import ROUTERS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *DOCS.glob("*.md"))


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):  # a group; typer brings click's classes under names of its own
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}")
    else:
        yield path, command


@pytest.fixture(scope="module")
def all_commands() -> dict[str, Any]:
    cli.load_commands()
    return dict(commands(typer.main.get_command(cli.app), "packtrace"))


def test_every_command_is_documented_with_all_its_options(all_commands: dict[str, Any]) -> None:
    text = (DOCS / "commands.md").read_text()
    sections = dict(re.findall(r"^## `(packtrace [^`]+)`\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert set(sections) == set(all_commands)
    for path, command in all_commands.items():
        for parameter in command.params:
            for name in parameter.opts if parameter.param_type_name == "option" else ():
                if name != "--help":
                    assert f"`{name}`" in sections[path], f"{path} {name} is not in docs/commands.md"


def test_help_says_what_the_program_is_for_in_a_users_words() -> None:
    said = CliRunner().invoke(cli.app, ["--help"]).stdout
    assert "ledger for medicines" in said
    assert "entry point" not in said


def test_every_headline_is_explained_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    for headline in Headline:
        assert f"| {headline.value}" in text


def test_links_in_the_documentation_lead_somewhere() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
            file = page.parent / target if target else page
            assert file.exists(), f"{page.name} links to {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", file.read_text(), re.M)
                slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in slugs, f"{page.name} links to {target}#{anchor}"


def test_every_route_that_the_documentation_names_exists() -> None:
    def form(path: str) -> str:
        return re.sub(r"\{[^}]*\}", "{}", path)

    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    known = {(method, form(route.path)) for route in routes for method in route.methods}
    named = [
        (page.name, method, path)
        for page in PAGES
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`? ]*)", page.read_text())
    ]
    assert len(named) > 40
    for page_name, method, path in named:
        assert (method, form(path)) in known, f"{page_name} names {method} {path}"


def test_every_role_of_an_api_key_is_explained() -> None:
    text = (DOCS / "operations.md").read_text()
    for role in Role:
        assert f"| `{role}` |" in text, role


def test_what_the_licensing_authority_is_told_to_call_exists() -> None:
    text = (DOCS / "governance.md").read_text()
    for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S):
        compile(block, "docs/governance.md", "exec")
    named = set(re.findall(r"\badmin\.(\w+)\(", text))
    assert named >= {"announced", "together", "register_party", "add_key"}
    assert not [name for name in named if not hasattr(RegistryAdmin, name)]


def test_every_test_that_the_threat_model_names_exists() -> None:
    text = (DOCS / "threat-model.md").read_text()
    named = re.findall(r"`((?:tests|contracts/test)/[\w/.]+)::(\w+)`", text)
    assert len(named) > 40
    for file, test in named:
        word = "function" if file.endswith(".sol") else "def"
        assert re.search(rf"\b{word} {test}\(", (ROOT / file).read_text()), f"{file} has no {test}"
    attacks = re.findall(r"^\| ([^|]+) \| [^|]+ \| `", text, re.M)
    assert len(set(attacks)) == len(attacks), "a row stands there twice"
    prevented = text.split("## Prevented")[1].split("## Only detected")[0]
    for row in re.findall(r"^\| (?!---|attack|accident)(.*) \|$", prevented, re.M):
        assert "`" in row.rsplit(" | ", 1)[1], f"no test is named for: {row}"
