"""`packtrace up` as a person runs it: what it prints is enough to go on by hand, and nothing outlives it."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from eth_account import Account

from packtrace.chain.deployment import Deployment
from packtrace.chain.facts import ChainReader
from packtrace.chain.node import Node
from packtrace.chain.registry import RegistryAdmin

pytestmark = pytest.mark.e2e
PROGRAM = [sys.executable, "-c", "from packtrace.cli import main; main()"]


def test_a_company_joins_by_what_up_prints_and_nothing_outlives_it(tmp_path: Path) -> None:
    command = [*PROGRAM, "up", "--folder", str(tmp_path / "up")]
    printed = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            printed += line
            if "Ctrl-C ends it" in line:
                break
        gateways = re.findall(r"^  gateway   (\S+)$", printed, re.M)
        assert len(gateways) == 5, printed
        for url in gateways:
            assert httpx.get(f"{url}/health").json()["database"] == "ok"

        key = re.findall(r"authority .* its key (0x\w{64})", printed)[0]
        node = Node(re.findall(r"^node +(\S+)", printed, re.M)[0])
        deployment = Deployment.load(re.findall(r"^deployment +(\S+)", printed, re.M)[0])
        with (admin := RegistryAdmin(node, deployment, Account.from_key(key))).together():
            admin.register_party(6, company=6, roles=16, gln_commitment=b"\1" * 32)
            admin.add_key(6, Account.create().address, 1)
        assert ChainReader(node, deployment).parties([6])[6].roles == 16

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    for url in (*gateways, node.shown):
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/health")
