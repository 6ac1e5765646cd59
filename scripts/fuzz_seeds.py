"""Writes what the fuzz targets start from: the documented frames of tests/fixtures/protocol, as text for `envelope` and as
WebSocket frames for `decoder`, and histories without a plan for the others. The same files every time."""

import json
import pathlib
import random
import struct
import sys

FIXTURES = pathlib.Path(__file__).parent.parent / "tests" / "fixtures" / "protocol"
MASK = b"\x37\xfa\x21\x3d"


def documented():
    """The text of every client frame, good and bad, by name."""
    for folder in ("client", "invalid"):
        for path in sorted((FIXTURES / folder).glob("*.json")):
            fixture = json.loads(path.read_text(encoding="utf-8"))
            if folder == "client":
                yield path.stem, json.dumps(fixture, ensure_ascii=False)
            elif "text" in fixture:
                yield path.stem, fixture["text"]
            else:
                yield path.stem, json.dumps(fixture["frame"], ensure_ascii=False)


def frame(first, payload, mask=MASK):
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", first, 0x80 | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", first, 0xFE, length)
    else:
        head = struct.pack("!BBQ", first, 0xFF, length)
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def connections():
    """What clients may send, and some that they may not."""
    texts = {name: text.encode("utf-8", "surrogatepass") for name, text in documented()}
    for name, text in texts.items():
        yield name, frame(0x81, text)
    text = "κόσμε ☕ 😀".encode()
    halves = [frame(0x01, text[:3]), frame(0x89, b"ping"), frame(0x00, text[3:4]), frame(0x80, text[4:])]
    yield "fragments", b"".join(halves)
    yield "fragments_clear", b"".join([frame(0x01, text[:1], bytes(4)), frame(0x80, text[1:], bytes(4))])
    yield "binary_fragments", frame(0x02, b"\xff") + frame(0x00, b"") + frame(0x80, b"\xfe")
    yield "controls", frame(0x89, b"") + frame(0x8A, b"x" * 125) + frame(0x88, b"")
    yield "conversation", b"".join(frame(0x81, text) for text in list(texts.values())[:12])
    for code in (1000, 1001, 1005, 1012, 2999, 3000, 4999):
        yield f"close_{code}", frame(0x88, struct.pack("!H", code) + "né".encode())
    for length in (125, 126, 299, 301, 4096, 65535, 65536):
        yield f"long_{length}", frame(0x82, b"x" * length) + frame(0x89, b"")
    yield "terabyte", struct.pack("!BBQ", 0x82, 0xFF, 1 << 40) + MASK
    yield "endless", frame(0x01, b"") + frame(0x00, b"") * 6
    yield "unmasked", b"\x81\x02hi"
    yield "not_shortest", struct.pack("!BBH", 0x81, 0xFE, 5) + MASK + b"hello"


def from_redis():
    """Entries of a room's log, seats, owners, answers."""
    owner, number, peer = b"0000019ab3c4d5e601a", b"%016x" % 7, bytes(range(16))
    head = number * 4
    seat = b"10" + number * 3 + b"-" * 32 + owner + b"0003ada" + b"00000007" + b'{"a":1}'
    frame = b"\x81\x05hello"
    payloads = {
        "joined": b"J" + peer + seat,
        "left": b"L" + peer + b"T" + owner,
        "away": b"A" + peer + number,
        "back": b"B" + peer,
        "updated": b"U" + peer + b"{}",
        "lock": b"K1",
        "ban": b"N" + b"0" * 32 + number,
        "settled": b"T",
        "signal": b"Go" + owner + number + peer + b"0001" + peer + frame,
    }
    for name, payload in payloads.items():
        yield name, b"\0" + head + payload
    yield "seat", b"\1" + seat
    yield "owner", b"\2" + owner
    # A list of a name and a number.
    yield "answer", b"\3" + bytes([2 << 2 | 2, 10 << 2]) + b"generation" + bytes([9 << 2 | 3, 9 << 2 | 3])


def main(corpus):
    corpus = pathlib.Path(corpus)
    chance = random.Random(1)
    seeds = {"envelope": [(name, text.encode("utf-8", "surrogatepass")) for name, text in documented()]}
    plans = [bytes([bound, 7, 200, token]) for bound in (0, 1) for token in (0, 3)]
    seeds["decoder"] = [
        (f"{name}_{at}", plan + bytes) for name, bytes in connections() for at, plan in enumerate(plans)
    ]
    seeds["cluster_wire"] = list(from_redis())
    for target in ("room", "resume_buffer", "seats"):
        seeds[target] = [(str(at), chance.randbytes(8 * (at + 1))) for at in range(64)]
    for target, files in seeds.items():
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files:
            (folder / f"seed_{name}").write_bytes(content)
        print(f"{target}: {len(files)} seeds")


if __name__ == "__main__":
    main(sys.argv[1])
