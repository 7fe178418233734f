"""Reads frames of the consistency protocol with another CBOR decoder than ours: hexadecimal lines in, JSON lines out.

It follows runtime/sync/sync.cddl and shares no code with the program. A batch comes out as test/vectors/wire.json writes
it; of the other kinds come the name and the fields in their order.
"""

import json
import sys
import zlib

import cbor2

KINDS = ["batch", "announcement", "request", "epoch", "join-request", "refusal", "offer", "chunk-request", "chunk", "telemetry"]
FIELDS = [(2,), (14, 16), (3,), (4, 5, 7), (5, 6), (3,), (5,), (4,), (3,), (5,)]
WRITES = ["set", "delete", "toggle", "add", "append"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">=", "exists"]
ORIGINALS = ["operation", "draft"]
ROLES = ["gateway", "observer", "operator"]


def member(octets):
    assert isinstance(octets, bytes) and len(octets) == 12
    return octets[:8].hex() + "." + octets[8:].hex()


def value(data):
    if isinstance(data, bytes):
        return {"$bytes": data.hex()}
    if isinstance(data, bool) or data is None or isinstance(data, (str, float)):
        return data
    if isinstance(data, int):
        return data if abs(data) <= 2**53 - 1 else {"$int": str(data)}
    if isinstance(data, list):
        return [value(item) for item in data]
    assert all(isinstance(key, str) for key in data)
    return {key: value(item) for key, item in data.items()}


class Batch:
    def __init__(self, plain):
        members, link, self.tier, self.first, self.messages = plain
        self.members = [member(one) for one in members]
        self.link = link.hex()

    def operation(self, reference):
        if reference is None:
            return None
        if isinstance(reference, int):
            return f"{self.members[0]}:{reference}"
        place, seq = reference
        return f"{self.members[place]}:{seq}"

    def write(self, fields):
        path, argument, *rest = fields
        replaces = self.operation(rest[0]) if rest else None
        kind = WRITES[rest[1]] if len(rest) > 1 else "set"
        return [path, kind, value(argument), replaces]

    def content(self, content):
        if isinstance(content[0], bytes):
            joining, tier, key, *rest = content
            proof = [part.hex() if isinstance(part, bytes) else part for part in rest]
            shown = [ROLES[part] if isinstance(part, int) else part for part in proof]
            return {"writes": [], "join": [member(joining), tier, key.hex(), *shown]}
        return {"writes": [self.write(fields) for fields in content]}

    def expand(self):
        operations = []
        for place, message in enumerate(self.messages):
            if len(message) == 5:
                content, guards, original, distance, previous = message
                before = 0 if previous is None else previous[0]
                name = None if previous is None else self.operation(previous[1])
                floor = before - distance
            else:
                content, guards, original = (list(message) + [None, None])[:3] if len(message) < 3 else message
                last = operations[-1]
                before, floor, name = last["stage"], last["floor"], f"{self.members[0]}:{last['seq']}"
            operation = {"seq": self.first + place, "stage": before + 1, "floor": floor, "previous": name}
            operation.update(self.content(content))
            operation["guards"] = [[path, COMPARISONS[which], value(wanted)] for path, which, wanted in guards or []]
            if original is not None:
                operation["original"] = [ORIGINALS[original[0]], self.operation(original[1])]
            operations.append(operation)
        return {"origin": self.members[0], "tier": self.tier, "link": self.link, "operations": operations}


def batch(octets):
    body = cbor2.loads(octets)
    if isinstance(body, bytes):
        body = cbor2.loads(zlib.decompress(body, wbits=-15))
    return Batch(body).expand()


def read(line):
    version, fleet, kind, body = cbor2.loads(bytes.fromhex(line))
    assert version == 1 and len(fleet) == 8
    name = KINDS[kind]
    if name == "batch":
        return {"fleet": fleet.hex(), "kind": name, "message": batch(body)}
    assert len(body) in FIELDS[kind], f"{name} has {len(body)} fields"
    return {"fleet": fleet.hex(), "kind": name, "message": value(body)}


for line in sys.stdin:
    print(json.dumps(read(line.strip())))
