"""Generate the client's protobuf and gRPC code from `proto/`.

    python scripts/generate.py                 write it into client/
    python scripts/generate.py --check         change nothing, fail if client/ is not what would be written
    python scripts/generate.py --image FILE    only write the contract's descriptors (for buf)

Two environments take part. This script runs in the application's, because the descriptor of
`buf/validate/validate.proto` is taken from the installed protovalidate: the rules that we compile against are
the rules that are enforced, and no copy of that file lies in the repository. `protoc` and its plugins run in
one of their own (`.venv-gen`), whose versions are the floor of what the generated code loads on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
GENERATORS = ROOT / ".venv-gen" / "bin"
# What this script owns below the output folder: files here that it did not write are left-overs.
OWNED = ("casetrail/v1", "buf")
VALIDATE = "buf/validate/validate.proto"
PACKAGE = '''\
"""Generated from proto/casetrail/v1 by scripts/generate.py. Do not edit."""

from casetrail.v1 import {enums}

# protobuf looks an enum's value up in its descriptor whenever it is named, for a microsecond: from here on it is there.
for _module in ({enums}):
    for _name in _module.DESCRIPTOR.enum_types_by_name:
        _enum = getattr(_module, _name)
        vars(_enum).update(_enum.items())
'''
# buf.alpha.image.v1.ImageFile.buf_extension { is_import: true }: an unknown field (number 8042) to everybody
# but buf, which then leaves the file alone, as it does with dependencies that it resolved itself.
IMAGE_FILE_IS_IMPORT = b"\xd2\xf6\x03\x02\x08\x01"


def write_dependencies(path: Path) -> None:
    """Write the descriptors that `proto/` imports from elsewhere, as a FileDescriptorSet."""
    dependencies = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, timestamp_pb2, field_mask_pb2):
        dependencies.file.add().ParseFromString(module.DESCRIPTOR.serialized_pb)
    dependencies.file.add().ParseFromString(validate_pb._DESC.proto.to_binary())  # noqa: SLF001 - see the module's docstring
    path.write_bytes(dependencies.SerializeToString())


def protoc(proto: Path, dependencies: Path, *arguments: str) -> None:
    """Run the pinned `protoc` with its plugins on the path; its own messages are the error report."""
    python = GENERATORS / "python"
    if not python.exists():
        sys.exit("The generators are not installed: run `make setup`.")
    subprocess.run(
        [python, "-m", "grpc_tools.protoc", f"--descriptor_set_in={dependencies}", f"-I{proto}", *arguments],
        check=True,
        env={**os.environ, "PATH": f"{GENERATORS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
    )


def read_contract(proto: Path, dependencies: Path) -> descriptor_pb2.FileDescriptorSet:
    """Compile every file of the contract and return it with what it imports and its comments."""
    files = sorted(path.relative_to(proto).as_posix() for path in proto.rglob("*.proto"))
    if not files:
        sys.exit(f"There is no .proto file below {proto}.")
    with tempfile.NamedTemporaryFile(suffix=".binpb") as output:
        protoc(proto, dependencies, "--include_imports", "--include_source_info", f"-o{output.name}", *files)
        return descriptor_pb2.FileDescriptorSet.FromString(Path(output.name).read_bytes())


def write_image(contract: descriptor_pb2.FileDescriptorSet, proto: Path, path: Path) -> None:
    """Write the contract as an image for buf, with everything that is not ours marked as an import."""
    for file in contract.file:
        if not (proto / file.name).exists():
            file.MergeFromString(IMAGE_FILE_IS_IMPORT)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contract.SerializeToString())


def generate(proto: Path, dependencies: Path, output: Path) -> None:
    """Generate all Python code into an empty folder."""
    ours = [file for file in read_contract(proto, dependencies).file if (proto / file.name).exists()]
    messages = [f"--python_out={output}", f"--mypy_out=quiet:{output}"]
    protoc(proto, dependencies, *messages, VALIDATE, *(file.name for file in ours))
    # Only where there is a service: otherwise the plugins leave a file without content beside each proto.
    services = [file.name for file in ours if file.service]
    if services:
        calls = [f"--grpc_python_out={output}", f"--mypy_grpc_out=quiet:{output}"]
        protoc(proto, dependencies, *calls, *services)
    enums = ", ".join(f"{Path(file.name).stem}_pb2" for file in ours if file.enum_type)
    (output / "casetrail" / "v1" / "__init__.py").write_text(PACKAGE.format(enums=enums))


def read_owned(folder: Path) -> dict[str, bytes]:
    """Return the content of the generated files below a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for owned in OWNED
        for path in sorted((folder / owned).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def main() -> None:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(description="Generate the client's protobuf and gRPC code from proto/.")
    parser.add_argument("--proto", type=Path, default=ROOT / "proto", help="the contract (default: proto)")
    parser.add_argument("--output", type=Path, default=ROOT / "client", help="where to (default: client)")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="fail if the output is not up to date")
    action.add_argument("--image", type=Path, metavar="FILE", help="write an image for buf instead of code")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        dependencies = Path(temporary, "dependencies.binpb")
        write_dependencies(dependencies)
        try:
            if options.image:
                write_image(read_contract(options.proto, dependencies), options.proto, options.image)
                return
            scratch = Path(temporary, "generated")
            scratch.mkdir()
            generate(options.proto, dependencies, scratch)
        except subprocess.CalledProcessError as error:
            sys.exit(error.returncode)
        wanted = read_owned(scratch)
    present = read_owned(options.output)
    changed = [name for name in sorted(wanted) if wanted[name] != present.get(name)]
    stale = sorted(present.keys() - wanted.keys())

    if options.check:
        if changed or stale:
            sys.exit("Generated code is not up to date, run `make gen`: " + ", ".join(changed + stale))
        return
    for name in changed:
        target = options.output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(wanted[name])
    for name in stale:
        (options.output / name).unlink()
    print(f"{len(wanted)} generated files, {len(changed)} changed, {len(stale)} removed.")


if __name__ == "__main__":
    main()
