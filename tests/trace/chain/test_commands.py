"""`packtrace contracts` as a person types it."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account
from supply import Network
from typer.testing import CliRunner

from packtrace.chain.commands import app
from packtrace.chain.deployment import Deployment
from packtrace.errors import PacktraceError


def test_deploy_with_a_key_from_the_environment_writes_the_deployment_file(network: Network, tmp_path: Path) -> None:
    out, key = tmp_path / "deployment.json", bytes(network.authority.key).hex()
    arguments = ["deploy", "--rpc", network.node.url, "--private-key-env", "MY_KEY", "--out", str(out)]
    ran = CliRunner().invoke(app, arguments, env={"MY_KEY": key})
    assert ran.exit_code == 0, ran.exception
    deployment = Deployment.load(out)
    network.node.check(deployment)
    assert all(address in ran.stdout for address in deployment.contracts.values())
    assert key not in ran.output


def test_deploy_with_an_encrypted_key_file(network: Network, tmp_path: Path) -> None:
    passphrase, key_file = secrets.token_hex(8), tmp_path / "key.json"
    key_file.write_text(json.dumps(Account.encrypt(network.authority.key, passphrase, kdf="pbkdf2", iterations=1000)))
    out = tmp_path / "deployment.json"
    arguments = ["deploy", "--rpc", network.node.url, "--key-file", str(key_file), "--out", str(out)]
    wrong = CliRunner().invoke(app, arguments, input="wrong\n")
    assert "is the passphrase right?" in str(wrong.exception)
    assert not out.exists()
    arguments += ["--admin", network.relayer.address]
    ran = CliRunner().invoke(app, arguments, env={"PACKTRACE_PASSPHRASE": passphrase})
    assert ran.exit_code == 0, ran.exception
    member = network.node.call(Deployment.load(out), "AccessManager", "hasRole", [0, network.relayer.address])
    assert member == (True, 14 * 86_400), "what changes the rules waits, without being asked"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--key-file or by --private-key-env"),
        (["--private-key-env", "NOT_SET"], "environment variable is not set (got 'NOT_SET')"),
        (["--private-key-env", "PATH"], "no key could be read"),
        (["--key-file", "/no/such/file"], "the key file cannot be read"),
        (["--key-file", __file__], "no key could be read"),
        (["--private-key-env", "MY_KEY", "--out", "/no/such/folder/x.json"], "no such folder"),
        (["--private-key-env", "MY_KEY", "--out", __file__], "there is a deployment file already"),
        (["--private-key-env", "MY_KEY", "--rpc", "nonsense"], "not an address of a node"),
        (["--private-key-env", "MY_KEY", "--rpc", "http://127.0.0.1:9"], "did not answer"),
        (["--private-key-env", "MY_KEY", "--admin", "me"], "not an address"),
        (["--private-key-env", "MY_KEY"], "insufficient funds"),
    ],
)
def test_refusal_says_what_is_wrong_and_writes_nothing(
    arguments: list[str], said: str, network: Network, tmp_path: Path
) -> None:
    whole = ["deploy", "--rpc", network.node.url, "--out", str(tmp_path / "out.json"), *arguments]
    ran = CliRunner().invoke(app, whole, env={"MY_KEY": "11" * 32, "PACKTRACE_PASSPHRASE": "x"})
    assert isinstance(ran.exception, PacktraceError)
    assert said.lower() in str(ran.exception).lower()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["[1]", "7", "{}", '{"version": 9, "crypto": {}}', '{"version": 3, "crypto": 1}'])
def test_file_that_is_no_key_file_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(content)
    whole = ["deploy", "--rpc", "http://127.0.0.1:9", "--out", str(tmp_path / "out.json")]
    ran = CliRunner().invoke(
        app, [*whole, "--key-file", str(tmp_path / "key.json")], env={"PACKTRACE_PASSPHRASE": "correct horse"}
    )
    assert isinstance(ran.exception, PacktraceError)
    assert "key.json: no key could be read from this" in str(ran.exception)


def test_refusal_is_one_clear_line_on_the_terminal(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("packtrace")
    command = [program, "contracts", "verify", "--rpc", "http://127.0.0.1:9", "--deployment", tmp_path / "none.json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert ran.stderr.startswith("packtrace: ")
    assert "none.json: the deployment file cannot be read" in ran.stderr


def test_build_outside_a_checkout_is_refused(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["build"], env=os.environ | {"PACKTRACE_HOME": str(tmp_path)})
    assert "needs a checkout" in str(ran.exception)
