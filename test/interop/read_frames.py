"""Reads frames of the consistency protocol with another CBOR decoder than ours: hexadecimal lines in, JSON lines out.

It follows runtime/sync/sync.cddl and shares no code with the program. Every message comes out as test/vectors/wire.json writes
it, with isSigned beside it where it stood in an envelope, which verify_sign1.py looks at.
"""

import json
import sys
import zlib

import cbor2

KINDS = ["batch", "announcement", "request", "epoch", "join-request", "refusal", "offer", "chunk-request", "chunk", "telemetry"]
WRITES = ["set", "delete", "toggle", "add", "append"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">=", "exists"]
ORIGINALS = ["operation", "draft"]
ROLES = ["gateway", "observer", "operator"]
PURPOSES = ["welcome", "catch-up"]
QUALITIES = ["good", "uncertain", "bad"]
ENVELOPE = bytes.fromhex("a10127")


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


def batch(body):
    if isinstance(body, bytes):
        body = cbor2.loads(zlib.decompress(body, wbits=-15))
    return Batch(body).expand()


def entries(vector):
    if vector is None:
        return None
    return [{"member": member(one), "seq": seq, "digest": digest.hex()} for one, seq, digest in vector]


def octets(data):
    assert isinstance(data, bytes)
    return {"$bytes": data.hex()}


def named(names, fields):
    """What is left out at the end is absent."""
    assert len(fields) <= len(names)
    return dict(zip(names, fields))


def turn(fields):
    return {"turn": named(("start", "number"), fields)} if fields else {}


def announcement(fields):
    who, start, number, epoch, newest, epoch_digest, knows_cuts, frozen, stage, own_seq, floor, *digests = fields
    floor_digest, vector_digest, vector, *state = digests
    read = {"member": member(who), "start": start, "number": number, "epoch": epoch, "newestEpoch": newest}
    read |= {"epochDigest": epoch_digest.hex(), "knowsCuts": knows_cuts, "frozen": entries(frozen), "stage": stage}
    read |= {"ownSeq": own_seq, "floor": floor, "floorDigest": floor_digest.hex()}
    read |= {"vectorDigest": vector_digest.hex(), "vector": entries(vector)}
    if state:
        at, digest = state
        read["state"] = {"stage": at, "digest": digest.hex()}
    return read


def request(fields):
    asker, answerer, gaps, *rest = fields
    wanted = [{"member": member(one), "after": after, "through": through} for one, after, through in gaps]
    return {"from": member(asker), "to": answerer and member(answerer), "gaps": wanted} | turn(rest)


def epoch(fields):
    number, counting, retired, signature, *rest = fields
    read = {"number": number, "counting": list(map(member, counting)), "retired": list(map(member, retired))}
    read["signature"] = octets(signature)
    if rest and rest[0]:
        read["isForced"] = True
    if len(rest) > 1:
        _, revoked, admitted = rest
        read |= {"revoked": [token.hex() for token in revoked], "admitted": list(map(admission, admitted))}
    return read


def admission(fields):
    draft, tier, key, grant, *role = fields
    read = {"member": member(draft), "tier": tier, "key": octets(key), "grant": octets(grant)}
    return read | named(("role",), [ROLES[one] for one in role])


def join_request(fields):
    draft, tier, key, proof, newest, *role = fields
    read = {"member": member(draft), "tier": tier, "key": octets(key), "proof": octets(proof), "epoch": newest}
    return read | named(("role",), [ROLES[one] for one in role])


def refusal(fields):
    draft, by, reason = fields
    assert isinstance(reason, str)
    return {"to": member(draft), "from": member(by), "reason": reason}


def offer(fields):
    to, by, purpose, digest, size, *join = fields
    read = {"to": member(to), "from": member(by), "purpose": PURPOSES[purpose], "digest": digest.hex(), "size": size}
    if join:
        tier, key, token, role, credential = join[0]
        sponsor = {"tier": tier, "key": key.hex(), "token": token and token.hex(), "role": role and ROLES[role]}
        read["sponsor"] = sponsor | {"credential": credential.hex()}
    return read


def chunk_request(fields):
    asker, answerer, digest, offset, *rest = fields
    return {"from": member(asker), "to": member(answerer), "digest": digest.hex(), "offset": offset} | turn(rest)


def chunk(fields):
    digest, offset, content = fields
    return {"digest": digest.hex(), "offset": offset, "bytes": octets(content)}


def telemetry(fields):
    who, start, number, device, readings = fields
    read = {"member": member(who), "start": start, "number": number, "device": device}
    return read | {"readings": [reading(device, one) for one in readings]}


def reading(device, fields):
    point, what, age, *quality = fields
    good = QUALITIES[quality[0]] if quality else QUALITIES[0]
    return {"path": f"{device}/{point}", "value": value(what), "quality": good, "ageMs": age}


READERS = [batch, announcement, request, epoch, join_request, refusal, offer, chunk_request, chunk, telemetry]


def read(line):
    version, fleet, kind, body = cbor2.loads(bytes.fromhex(line))
    assert version == 1 and len(fleet) == 8
    if KINDS[kind] == "batch":
        body = cbor2.loads(body)
    is_signed = len(body) == 4 and body[0] == ENVELOPE
    if is_signed:
        _, unprotected, payload, signature = body
        assert unprotected == {} and len(signature) == 64
        body = cbor2.loads(payload)
    message = READERS[kind](body)
    return {"fleet": fleet.hex(), "kind": KINDS[kind], "isSigned": is_signed, "message": message}


for line in sys.stdin:
    print(json.dumps(read(line.strip())))
