"""Writes hefu_client/generated/ from the protocol buffers of the control side.

    python3 clients/python/generate.py

Needs the packages of requirements.txt. Run it again after proto/ changed.
"""
import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
OUT = HERE / "hefu_client" / "generated"
# What the client calls, and the detail of a refused call.
FOLDERS = ("hefu/control/v1", "hefu/v1")


def sources():
    return sorted(path for folder in FOLDERS for path in (PROTO / folder).glob("*.proto"))


def main():
    from grpc_tools import protoc

    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    arguments = ["protoc", f"-I{PROTO}", f"--python_out={OUT}", f"--grpc_python_out={OUT}"]
    failed = protoc.main([*arguments, *map(str, sources())])
    if failed:
        return failed
    for path in OUT.rglob("*.py"):
        # The modules live inside this package, so that no package called `hefu` is taken.
        text = re.sub(r"^from hefu\.", "from hefu_client.generated.hefu.", path.read_text(), flags=re.MULTILINE)
        path.write_text(text)
    for folder in [OUT, *(p for p in OUT.rglob("*") if p.is_dir())]:
        (folder / "__init__.py").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
