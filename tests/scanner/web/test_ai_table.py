"""`scanner/web/lib/ai-table.js`: the library's table of Application Identifiers as the phone page has it."""

import gzip
import os
from pathlib import Path

import pycountry

from packtrace.gs1.ai_table import TABLE

LIB = Path(__file__).resolve().parents[3] / "scanner" / "web" / "lib"
FILE = LIB / "ai-table.js"
MODULES = ("ai-table", "application-identifiers", "component-checks", "dates", "digital-link", "link-compression")
MOST_BYTES = 13_000  # of these modules, as the gateway sends them: what strict reading costs a phone, once


def test_table_is_the_librarys() -> None:
    if os.environ.get("PACKTRACE_WRITE_SNAPSHOTS"):
        FILE.write_text(written())
    assert FILE.read_text() == written()


def test_phone_fetches_little_for_it() -> None:
    assert sum(len(gzip.compress((LIB / f"{name}.js").read_bytes(), 6)) for name in MODULES) < MOST_BYTES


def written() -> str:
    table = "\n".join(" ".join(line.partition("#")[0].split()) for line in TABLE.strip().splitlines())
    countries = "".join(sorted(country.numeric for country in pycountry.countries))
    currencies = "".join(sorted(currency.numeric for currency in pycountry.currencies))
    return f"""\
/**
 * The GS1 Application Identifiers as `packtrace.gs1.ai_table` has them, without their titles: AIs, flags, components,
 * attributes. Written by `PACKTRACE_WRITE_SNAPSHOTS=1 pytest tests/scanner/web/test_ai_table.py`.
 * The facts are GS1's (GS1 Barcode Syntax Dictionary, © GS1 AISBL, Apache License 2.0).
 */
export const TABLE = `
{table}
`;

/** Countries (ISO 3166-1) and currencies (ISO 4217) by number, three digits each. */
export const COUNTRIES = "{countries}";
export const CURRENCIES = "{currencies}";
"""
