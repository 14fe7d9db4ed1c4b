#!/usr/bin/env python3
"""Makes the golden frames of MesosWireTests with the reference implementation of protobuf and the published files.

    pip install protobuf && apt-get install protobuf-compiler
    make_golden.py PROTOS OUT           write OUT/<type>.<name>.bin and .json
    make_golden.py PROTOS --check OURS  read the frames that Rondo wrote (same names) and compare

PROTOS is the folder that holds `mesos/v1/mesos.proto` as Mesos 1.11 publishes it (its `include`), kept outside of this
repository. OURS is what the tests write when RONDO_GOLDEN_OUT names a folder:

    RONDO_GOLDEN_OUT=/tmp/ours swift test --filter GoldenFrame
"""
import base64
import json
import pathlib
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from golden_cases import CASES

TYPES = {
    "scheduler-call": "mesos.v1.scheduler.Call",
    "scheduler-event": "mesos.v1.scheduler.Event",
    "operator-call": "mesos.v1.master.Call",
    "operator-response": "mesos.v1.master.Response",
    "operator-event": "mesos.v1.master.Event",
}


def classes(protos):
    """The message classes of the published files, made from their descriptors."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(
            ["protoc", f"-I{protos}", "--include_imports", f"--descriptor_set_out={out.name}",
             "mesos/v1/scheduler/scheduler.proto", "mesos/v1/master/master.proto"],
            check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return {key: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for key, name in TYPES.items()}


def plain(message):
    """A message as Mesos writes it in JSON: proto names, numbers as numbers, enums by name, bytes in base64."""
    result = {}
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
            of = field.message_type.fields_by_name["value"]
            result[field.name] = {key: scalar(of, value[key]) for key in sorted(value)}
        elif field.is_repeated:
            result[field.name] = [scalar(field, one) for one in value]
        else:
            result[field.name] = scalar(field, value)
    return result


def scalar(field, value):
    if field.type == field.TYPE_MESSAGE:
        return plain(value)
    if field.type == field.TYPE_ENUM:
        return field.enum_type.values_by_number[value].name
    if field.type == field.TYPE_BYTES:
        return base64.b64encode(value).decode()
    return value


def text(message):
    return json.dumps(plain(message), separators=(",", ":"))


def main():
    protos = sys.argv[1]
    known = classes(protos)
    if sys.argv[2] != "--check":
        out = pathlib.Path(sys.argv[2])
        out.mkdir(parents=True, exist_ok=True)
        for name, fields in CASES.items():
            message = json_format.ParseDict(fields, known[name.split(".")[0]]())
            assert message.IsInitialized(), (name, message.FindInitializationErrors())
            (out / f"{name}.bin").write_bytes(message.SerializeToString(deterministic=True))
            (out / f"{name}.json").write_text(text(message))
        print(f"{len(CASES)} frames in {out}")
        return
    ours = pathlib.Path(sys.argv[3])
    for name, fields in CASES.items():
        kind = known[name.split(".")[0]]
        wanted = json_format.ParseDict(fields, kind())
        assert kind.FromString((ours / f"{name}.bin").read_bytes()) == wanted, f"{name}.bin differs"
        read = json.loads((ours / f"{name}.json").read_text())
        assert json_format.ParseDict(read, kind()) == wanted, f"{name}.json differs"
    print(f"{len(CASES)} frames of ours read back equal")


if __name__ == "__main__":
    main()
