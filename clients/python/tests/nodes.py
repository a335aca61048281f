"""Real nodes for the tests: made, started and stopped through the binary.

`HEFU` names the binary; target/debug/hefu where it does not.
"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys

CLIENT = pathlib.Path(__file__).resolve().parent.parent
ROOT = CLIENT.parent.parent
HEFU = pathlib.Path(os.environ.get("HEFU", ROOT / "target" / "debug" / "hefu")).resolve()


def missing():
    """Why the tests cannot run, or None."""
    try:
        import grpc  # noqa: F401
        import grpc_tools  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed: see clients/python/requirements.txt"
    return None if HEFU.exists() else f"{HEFU} does not exist: cargo build -p hefu-server"


def load_client():
    """The client over stubs made of the protocol buffers as they are now."""
    subprocess.run([sys.executable, CLIENT / "generate.py"], check=True)
    import hefu_client
    return hefu_client


def run(*arguments, config):
    done = subprocess.run([HEFU, *arguments, "--json", "--config", config], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{arguments}\n{done.stdout}\n{done.stderr}")


@contextlib.contextmanager
def serving(config):
    """A running node; it stops when its standard input ends."""
    with open(config.parent / "log", "w") as log, subprocess.Popen(
            [HEFU, "serve", "--json", "--until-input-ends", "--config", config], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log, text=True) as node:
        try:
            told = json.loads(node.stdout.readline())
            if "error" in told:
                raise AssertionError(told)
            yield
        finally:
            node.stdin.close()
            try:
                node.wait(10)
            except subprocess.TimeoutExpired:
                node.kill()


def party(folder, id_, alias, more=""):
    home = folder / alias
    home.mkdir()
    config = home / "node.toml"
    config.write_text(f'[party]\nid = "{id_}"\nalias = "{alias}"\nname = "{alias}"\n'
                      f'[listen]\ninterconnect = "127.0.0.1:0"\ncontrol = "127.0.0.1:0"\n{more}')
    run("init", config=config)
    return config


def trust(truster, other, alias):
    run("party", "trust", other.parent / "state/party.json", "--alias", alias, config=truster)


def allow(initiator, dataset, outputs):
    """An entry of a configuration file, approved by the steward."""
    return (f'[[allow]]\nparty = "{initiator}"\ndataset = "{dataset}"\npurpose = "origination"\n'
            f'outputs = {json.dumps(outputs)}\napproved = true\n')
