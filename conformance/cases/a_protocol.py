"""Cases 1-16: frames, headers, versions, and what becomes of a connection.

Bytes that are no request are put together here by hand; everything else goes through kio.
"""

from __future__ import annotations

import struct
from typing import Any

from conformance.cases import codec
from conformance.cases.groups import joining
from conformance.cases.line import Line, frame
from conformance.cases.stage import Stage, case

_METADATA = "metadata.version"
_SOFTWARE: dict[str, Any] = {"client_software_name": "case", "client_software_version": "1.0"}
_MIB = 1024 * 1024


@case("1", "ApiVersions of a version nobody has is answered in version 0 with the one range to go on with")
def _(it: Stage) -> None:
    line = it.line()
    line.send_raw("ApiVersions", 99, b"", flexible=True, read_as=0)
    line.hear()
    line.ask("ApiVersions", 3, **_SOFTWARE)


@case("1a", "ApiVersions version -1 is answered like one that is too high")
def _(it: Stage) -> None:
    line = it.line()
    line.send_raw("ApiVersions", -1, b"", flexible=False, read_as=0)
    line.hear()


@case("3", "The header of an ApiVersions answer has no tagged fields although its body may")
def _(it: Stage) -> None:
    for version in (0, 1, 2):
        it.ask("ApiVersions", version)
    for version in (3, 4):
        it.ask("ApiVersions", version, **_SOFTWARE)


@case(
    "3a",
    "ApiVersions v5 says where the client thinks that it is, and is told when it is elsewhere",
    since=(4, 4),
)
def _(it: Stage) -> None:
    here = it.quietly("Metadata", 12, topics=[])["cluster_id"]
    for cluster, node in (
        (None, -1),
        (here, 1),
        (here, 77),
        ("somewhere-else", 1),
        (None, 1),
        (here, -1),
        ("", 1),
        (here, -2),
    ):
        name = b"\0" if cluster is None else _compact(cluster)
        body = _compact("case") + _compact("1.0") + name + struct.pack(">i", node) + b"\0"
        line = it.line()
        line.send_raw("ApiVersions", 5, body, flexible=True, read_as=4)
        line.hear()


@case("4", "A software name that is no name is an invalid request, and the connection stays open")
def _(it: Stage) -> None:
    line = it.line()
    for name, version in (("a b", "1"), ("", "1"), ("a", ""), ("a", "1 2"), ("-a", "1"), ("a", "1-")):
        line.ask("ApiVersions", 3, client_software_name=name, client_software_version=version)
    line.ask("ApiVersions", 3, client_software_name="a", client_software_version="2.3.0-RC1")


@case("5", "An API that is unknown, or not for clients, ends the connection without a word")
def _(it: Stage) -> None:
    for key in (9999, -1, 4, 56):
        line = it.line()
        line.write(frame(codec.header(key, 0, 1, "case", flexible=False)))
        line.expect_close(f"API key {key}")


@case("5a", "Versions that Kafka 4 has dropped end the connection, advertised or not", since=(4, 0))
def _(it: Stage) -> None:
    for api, version in (("Produce", 2), ("Fetch", 3), ("ListOffsets", 0), ("OffsetCommit", 1)):
        line = it.line()
        line.write(frame(codec.header(codec.key_of(api), version, 1, "case", flexible=False) + bytes(64)))
        line.expect_close(f"{api} v{version}")


@case("6", "A version or a body that cannot be read ends the connection")
def _(it: Stage) -> None:
    whole = codec.request("Metadata", 1, 1, "case", {"topics": [{"name": "t"}]})
    for what, sent in (
        ("Metadata v200", codec.header(3, 200, 1, "case", flexible=True)),
        ("Metadata v-1", codec.header(3, -1, 1, "case", flexible=False)),
        ("a body without its last byte", whole[:-1]),
        ("a frame of three bytes", b"\0\3\0"),
        ("an empty frame", b""),
    ):
        line = it.line()
        line.write(frame(sent))
        line.expect_close(what)


@case("6a", "Bytes behind a complete body are ignored")
def _(it: Stage) -> None:
    line = it.line()
    line.write(frame(line.packed("ApiVersions", 0) + b"more"))
    line.hear()
    line.write(frame(line.packed("Metadata", 1, topics=[]) + b"more"))
    line.hear()


@case("7", "A frame that announces more than a request may have, or less than nothing, ends the connection")
def _(it: Stage) -> None:
    for size in (200 * _MIB, 100 * _MIB + 1, -1, -(2**31)):
        line = it.line()
        line.write(struct.pack(">i", size))
        line.expect_close(f"a frame of {size} bytes")
    line = it.line()
    line.write(struct.pack(">i", 100 * _MIB))
    line.expect_nothing("a frame of 100 MiB")


@case("8", "A client may be nameless or have a very long name")
def _(it: Stage) -> None:
    topic = it.topic()
    for client_id in (None, "", "c" * 300):
        line = it.line(client_id=client_id)
        line.ask("Metadata", 0, topics=[{"name": topic}])
        line.ask("Metadata", 12, topics=[])


@case("9", "Tagged fields that nobody knows are ignored in header and body")
def _(it: Stage) -> None:
    tagged = b"\1\x63\3abc"
    twice = b"\2\x63\1a\x63\1b"
    for what, tags in (("once", tagged), ("twice", twice)):
        line = it.line()
        head = codec.header(3, 12, 1, "case", flexible=False) + tags
        line.ask_packed("Metadata", 12, head + b"\1\0\0" + (tagged if what == "once" else b"\0"))


@case("10", "Requests that arrive together are answered one after the other")
def _(it: Stage) -> None:
    line = it.line()
    topic = it.topic()
    line.write(
        frame(line.packed("ApiVersions", 0))
        + frame(line.packed("Metadata", 1, topics=[{"name": topic}]))
        + frame(line.packed("ApiVersions", 3, **_SOFTWARE))
    )
    for _ in range(3):
        line.hear()


@case("11", "What is asked behind a JoinGroup that waits is answered behind it")
def _(it: Stage) -> None:
    group, first, second = it.group(), it.line(), it.line()
    leader = first.ask("JoinGroup", 3, **joining(group))
    second.send("JoinGroup", 3, **joining(group, metadata=b"other"))
    second.send("Metadata", 1, topics=[])
    second.expect_nothing("the second member waits for the first")
    first.ask("JoinGroup", 3, **joining(group, member_id=leader["member_id"]))
    second.hear()
    second.hear()


@case("12", "A request may arrive byte by byte")
def _(it: Stage) -> None:
    line = it.line()
    for byte in frame(line.packed("ApiVersions", 0)):
        line.write(bytes([byte]))
    line.hear()


@case("13", "Features whose lowest level is 0 are listed from version 4 on; the epoch grows with an update")
def _(it: Stage) -> None:
    for version in (3, 4):
        answer = it.quietly("ApiVersions", version, **_SOFTWARE)
        it.tell(f"the epoch of v{version} is known", answer["finalized_features_epoch"] >= 0)
        supported = {feature["name"]: feature["min_version"] for feature in answer["supported_features"]}
        it.tell(f"ELR in v{version}", supported.get("eligible.leader.replicas.version"))
    answer = it.quietly("ApiVersions", 4, **_SOFTWARE)
    before = answer["finalized_features_epoch"]
    (level,) = (
        each["max_version_level"] for each in answer["finalized_features"] if each["name"] == _METADATA
    )
    update = {"feature": _METADATA, "max_version_level": level, "upgrade_type": 1}
    it.ask("UpdateFeatures", 1, timeout=10_000, feature_updates=[update], validate_only=False)
    it.until(
        lambda: it.quietly("ApiVersions", 4, **_SOFTWARE)["finalized_features_epoch"] > before,
        "the epoch has grown",
    )


@case("14", "Produce is advertised from 0 and served from 3", since=(4, 0))
def _(it: Stage) -> None:
    listed = it.quietly("ApiVersions", 0)["api_keys"]
    it.tell("Produce", [[k["min_version"], k["max_version"]] for k in listed if k["api_key"] == 0])
    for version in (0, 1, 2):
        _dropped(it.line(), version)


def _dropped(line: Line, version: int) -> None:
    line.write(frame(codec.header(0, version, 1, "case", flexible=False) + struct.pack(">hii", 1, 1000, 0)))
    line.expect_close(f"Produce v{version}")


def _compact(text: str) -> bytes:
    return bytes([len(text) + 1]) + text.encode()
