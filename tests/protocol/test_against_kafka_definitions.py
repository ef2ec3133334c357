"""Our declarations against Kafka's own message definitions, as its client library carries them.

The newest library has every version that brokers serve today; an older one has those that were removed since.
Both are resolved by Maven into the user's cache; where there is no Maven, or no way out, these are skipped.
"""

import json
import os
import re
import shutil
import subprocess
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mockbroker.protocol.apis import Api
from mockbroker.protocol.schema import Field, Struct, fields_of, schema_of
from mockbroker.protocol.types import Versions, versions
from tests.protocol.declared import MESSAGES, VERSIONS, name, versions_of

NEWEST, WITH_OLD_VERSIONS = "4.4.0", "3.9.1"


@cache
def definitions(release: str) -> zipfile.ZipFile:
    """The client library of a release, with the definitions of all messages in it."""
    folder = Path(os.environ.get("MOCKBROKER_CACHE", Path.home() / ".cache" / "mockbroker")) / "definitions"
    library = folder / f"kafka-clients-{release}.jar"
    if not library.exists():
        maven = shutil.which("mvn")
        if maven is None:
            pytest.skip("Kafka's message definitions are not here, and there is no mvn to fetch them")
        wanted = f"-Dartifact=org.apache.kafka:kafka-clients:{release}"
        command = [maven, "-q", "-B", "dependency:copy", wanted, f"-DoutputDirectory={folder}"]
        fetched = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if fetched.returncode or not library.exists():
            pytest.skip("Kafka's message definitions are not here, and mvn could not fetch them")
    return zipfile.ZipFile(library)


@cache
def definition(release: str, message: str) -> dict[str, Any]:
    """One message as Kafka defines it: JSON with comments."""
    text = definitions(release).read(f"common/message/{message}.json").decode()
    found: dict[str, Any] = json.loads(re.sub(r"(?m)^\s*//.*$|\s//[^\"\n]*$", "", text))
    return found


def snake(camel: str) -> str:
    """Kafka's field names as ours."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", camel).lower()


def within(text: str | None, version: int) -> bool:
    """Whether a range of Kafka's, "none" included, has this version."""
    return text not in (None, "none") and version in versions(str(text))


def kafka_layout(fields: list[dict[str, Any]], common: dict[str, Any], version: int) -> list[Any]:
    """The fields of one version: name, type, whether null exists, tag, default; and the same inside."""
    layout = []
    for field in fields:
        if not within(field["versions"], version):
            continue
        plain = field["type"].removeprefix("[]")
        is_array = plain != field["type"]
        inside: Any = plain
        if plain[0].isupper():
            inside = kafka_layout(field.get("fields") or common[plain], common, version)
        null = within(field.get("nullableVersions"), version)
        default = None if is_array or plain[0].isupper() else kafka_default(field, plain, null=null)
        shape = [inside] if is_array else inside
        layout.append((snake(field["name"]), shape, null, field.get("tag"), default))
    return sorted(layout, key=lambda entry: -1 if entry[3] is None else entry[3])


def kafka_default(field: dict[str, Any], kind: str, *, null: bool) -> Any:
    """A default as a value.  Records have none in Kafka; ours are null where they may be, and else empty."""
    said = field.get("default")
    if said == "null" or (kind == "records" and null):
        return None
    match kind:
        case "string":
            return said or ""
        case "bytes" | "records":
            return b""
        case "uuid":
            return bytes(16)
        case "bool":
            return str(said).lower() == "true"
        case "float64":
            return float(said or 0)
    return int(str(said or 0), 0)


def our_layout(struct_type: type[Struct], version: int) -> list[Any]:
    """The same from a declaration."""
    layout = []
    for field in fields_of(struct_type):
        if version not in field.versions:
            continue
        inside = our_type(field.element or field, version)
        plain = field.element is None and field.struct is None
        shape = inside if field.element is None else [inside]
        default = field.default if plain else None
        layout.append((field.name, shape, field.null_in(version), field.tag, default))
    return sorted(layout, key=lambda entry: -1 if entry[3] is None else entry[3])


def our_type(field: Field, version: int) -> Any:
    """A primitive's name, or the layout of a struct."""
    return our_layout(field.struct, version) if field.struct else field.wire.kind if field.wire else None


def release_of(message_type: type[Any], version: int) -> str:
    """Which release still defines this version."""
    valid = definition(NEWEST, message_type.__name__)["validVersions"]
    return NEWEST if within(valid, version) else WITH_OLD_VERSIONS


@pytest.mark.parametrize(("message_type", "version"), VERSIONS, ids=name)
def test_a_message_is_laid_out_as_kafka_defines_it(message_type: type[Any], version: int) -> None:
    kafkas = definition(release_of(message_type, version), message_type.__name__)
    common = {struct["name"]: struct["fields"] for struct in kafkas.get("commonStructs", [])}
    assert within(kafkas["validVersions"], version)
    assert schema_of(message_type).api_key == kafkas["apiKey"]
    assert schema_of(message_type).is_flexible(version) == within(kafkas["flexibleVersions"], version)
    assert our_layout(message_type, version) == kafka_layout(kafkas["fields"], common, version)


@pytest.mark.parametrize("message_type", MESSAGES, ids=name)
def test_no_version_of_kafka_is_missing(message_type: type[Any]) -> None:
    newest = versions(definition(NEWEST, message_type.__name__)["validVersions"])
    assert newest.last == versions_of(message_type)[-1]
    assert isinstance(newest, Versions)


def test_every_api_of_kafka_has_its_name_and_key() -> None:
    for entry in definitions(NEWEST).namelist():
        if entry.startswith("common/message/") and entry.endswith("Request.json"):
            title = Path(entry).stem.removesuffix("Request")
            assert Api.named(title) == definition(NEWEST, title + "Request")["apiKey"]
