"""The few protobuf frames that the tests send and read, made by hand from the field numbers of Mesos 1.11."""

import struct


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """One field: an int as varint, a float as double, text and bytes (also of messages) with their length."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(int(value))
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(*fields):
    return b"".join(field(*each) for each in fields)


def decode(data):
    """A message's fields: {number: [values in order]}; messages inside stay bytes."""
    fields, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = number()
        kind = tag & 7
        if kind == 0:
            value = number()
        elif kind == 1:
            value, at = struct.unpack("<d", data[at : at + 8])[0], at + 8
        elif kind == 2:
            length = number()
            if at + length > len(data):
                raise ValueError("field %d ends outside of its message" % (tag >> 3))
            value, at = data[at : at + length], at + length
        elif kind == 5:
            value, at = struct.unpack("<f", data[at : at + 4])[0], at + 4
        else:
            raise ValueError("wire type %d" % kind)
        fields.setdefault(tag >> 3, []).append(value)
    return fields


# Call: framework_id 1 {value 1}, type 2, subscribe 3 {framework_info 1}, decline 5, reconcile 9.
SUBSCRIBE, TEARDOWN, RECONCILE = 1, 2, 9
# Event: type 1, subscribed 2 {framework_id 1, heartbeat_interval_seconds 2}, offers 3, update 5 {status 1}, error 8.
SUBSCRIBED, OFFERS, UPDATE, ERROR, HEARTBEAT = 1, 2, 4, 7, 8


def subscribe(user="root", name="frames"):
    info = message((1, user), (2, name), (4, 10.0))
    return message((2, SUBSCRIBE), (3, message((1, info))))


def identifier(text):
    return message((1, text))


def teardown(framework_id):
    return message((1, identifier(framework_id)), (2, TEARDOWN))


def reconcile(framework_id, task_id):
    return message((1, identifier(framework_id)), (2, RECONCILE), (9, message((1, message((1, identifier(task_id)))))))
