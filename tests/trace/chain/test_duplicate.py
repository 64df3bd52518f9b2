"""Two packs with one serial: from two pedigrees to the proof, and to the chain."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from journeys import GTIN, PRODUCT, SCAN, World, disclose, event
from supply import EXPIRES, LOT_KEY, MAKER, PRODUCT_KEY, Network
from typer.testing import CliRunner

from packtrace.chain.commands import app
from packtrace.chain.facts import ChainReader
from packtrace.commit.disclosure import Disclosure
from packtrace.commit.event import Ledger
from packtrace.duplicate import Opening, prove
from packtrace.errors import EvidenceError, PacktraceError
from packtrace.facts import Status, unit_number
from packtrace.gs1 import sgtin_uri
from packtrace.material import Material

URI = sgtin_uri(GTIN, SCAN.serial)


@dataclass
class Made:
    """A commissioning that has the serial in it, and what a gateway shows of it."""

    batch: int
    root: bytes
    count: int
    disclosures: tuple[Disclosure, ...]
    unit: int


def commissioned(number: int, others: int) -> Made:
    batch, world = MAKER << 22 | number, World()
    uris = sorted([URI, *(sgtin_uri(GTIN, f"{number}X{other:04}") for other in range(others))])
    made = world.add(
        event(0, type="ObjectEvent", action="ADD", biz_step="commissioning", epcs=uris),
        Ledger(party=MAKER, product=PRODUCT, batch=batch),
    )
    shown = disclose(made, [URI, uris[0]], world.events[0][2])  # more than the one that counts
    return Made(batch, made.tree.root, len(uris), (shown,), unit_number(batch, uris.index(URI)))


@pytest.fixture(scope="module")
def twins() -> tuple[Made, Made]:
    return commissioned(20, 6), commissioned(21, 700)


def on_chain(network: Network, *batches: Made) -> None:
    for made in batches:
        proposal = {"batch": made.batch, "productKey": PRODUCT_KEY, "lotKey": LOT_KEY, "itemRoot": made.root,
                    "count": made.count, "expiresAt": EXPIRES}  # fmt: skip
        network.act(network.maker, "PackLedger", "propose", [proposal])
        network.act(network.maker, "PackLedger", "release", [made.batch, made.root])


def files(folder: Path, *batches: Made) -> list[str]:
    """What two gateways answered."""
    for made in batches:
        answer = {"verdict": {}, "material": Material(made.disclosures).to_json()}
        (folder / f"{made.batch}.json").write_text(json.dumps(answer))
    return [str(folder / f"{made.batch}.json") for made in batches]


def command(network: Network, folder: Path, *given: str) -> list[str]:
    deployment = folder / "deployment.json"
    network.deployment.save(deployment)
    where = ["--rpc", network.node.url, "--deployment", str(deployment), "--private-key-env", "MY_KEY"]
    return ["prove-duplicate", *given, "--gtin", GTIN, "--serial", SCAN.serial, *where]


def test_proof_names_the_lower_unit_first(twins: tuple[Made, Made]) -> None:
    one, other = twins
    proof = prove(SCAN, other.disclosures, one.disclosures)
    assert proof == prove(SCAN, one.disclosures, other.disclosures)
    assert (proof.uri, proof.unit.unit, proof.twin.unit) == (URI.encode(), one.unit, other.unit)
    assert [len(opening.salt) for opening in (proof.unit, proof.twin)] == [16, 16]
    assert isinstance(proof.unit, Opening)


def test_proof_flags_both_on_chain_and_is_made_once(network: Network, twins: tuple[Made, Made], tmp_path: Path) -> None:
    on_chain(network, *twins)
    arguments = command(network, tmp_path, *files(tmp_path, *twins))
    environment = {"MY_KEY": bytes(network.devnet.accounts[7].key).hex()}  # nobody's: it only pays
    ran = CliRunner().invoke(app, arguments, env=environment)
    assert ran.exit_code == 0, ran.exception
    assert f"number {twins[0].unit & 0xFFFFF} of batch {twins[0].batch}" in ran.stdout
    assert "Both are flagged since block" in ran.stdout
    reader = ChainReader(network.node, network.deployment)
    facts = reader.units_facts([made.unit for made in twins])
    assert [(unit.status, unit.twin) for unit in facts.values()] == [
        (Status.SUSPECT, twins[1].unit),
        (Status.SUSPECT, twins[0].unit),
    ]
    again = CliRunner().invoke(app, arguments, env=environment)
    assert (again.exit_code, "That was proven before." in again.stdout) == (0, True)


def test_one_pack_shown_twice_is_no_duplicate(twins: tuple[Made, Made]) -> None:
    with pytest.raises(EvidenceError, match="both pedigrees show the same pack"):
        prove(SCAN, twins[0].disclosures, twins[0].disclosures)


def test_pedigree_of_another_serial_proves_nothing(twins: tuple[Made, Made]) -> None:
    with pytest.raises(EvidenceError, match="not proven: it is not among the events shown"):
        prove(replace(SCAN, serial="20X0001"), twins[0].disclosures, twins[1].disclosures)


def test_pedigree_that_does_not_verify_proves_nothing(twins: tuple[Made, Made]) -> None:
    (good,) = twins[1].disclosures
    spoilt = replace(good, shown=replace(good.shown, salts=bytes(len(good.shown.salts))))
    with pytest.raises(EvidenceError, match="not proven: disclosure 0"):
        prove(SCAN, twins[0].disclosures, [spoilt])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"material": {"pedigree": 7, "answer": null, "receipt": null}}'])
def test_file_that_is_no_answer_is_refused(
    network: Network, twins: tuple[Made, Made], tmp_path: Path, text: str
) -> None:
    (tmp_path / "bad.json").write_text(text)
    given = [*files(tmp_path, twins[0]), str(tmp_path / "bad.json")]
    ran = CliRunner().invoke(app, command(network, tmp_path, *given), env={"MY_KEY": "11" * 32})
    assert isinstance(ran.exception, PacktraceError)
    assert "bad.json: this is not a gateway's answer" in str(ran.exception), "it names which of the two"
    missing = CliRunner().invoke(app, command(network, tmp_path, given[0], "/no/such/file"), env={"MY_KEY": "11" * 32})
    assert "the file cannot be read" in str(missing.exception)


def test_batch_that_is_not_released_is_refused_in_plain_words(
    network: Network, twins: tuple[Made, Made], tmp_path: Path
) -> None:
    on_chain(network, twins[0])
    environment = {"MY_KEY": bytes(network.devnet.accounts[7].key).hex()}
    ran = CliRunner().invoke(app, command(network, tmp_path, *files(tmp_path, *twins)), env=environment)
    assert f"batch {twins[1].batch} is not released" in str(ran.exception)
