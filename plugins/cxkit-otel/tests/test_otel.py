"""What is peculiar to OTLP: the map, the bytes, partial success, who is named how."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, get_args, get_type_hints

import attrs
import opentelemetry.semconv._incubating.attributes
import opentelemetry.semconv.attributes
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

import cxkit
from cxkit.codec import encode
from cxkit.keyring import Keyring
from cxkit.model import Identity, Interaction
from cxkit.roles import Batch, Outcome
from cxkit.settings import Secret
from cxkit.testing.samples import FULL
from cxkit_otel.attributes import ATTRIBUTES, FIELDS, NOT_SENT, SCHEMA_URL
from cxkit_otel.exporter import OTelExporter, Settings
from cxkit_otel.protobuf import attribute, rejected
from cxkit_otel.testing import value_of

PAGE = Path(__file__).parents[3] / "docs/how-to/send-to-opentelemetry.md"
KEY = Secret("a key of sixteen characters")
TYPE = {"Content-Type": "application/x-protobuf"}


# --- the map --------------------------------------------------------------------------------------


def test_every_field_arrives_where_the_map_says(collector: Any) -> None:
    log = collector.one(FULL, properties=["sku"])

    assert log.attributes == {
        "cx.schema": "urn:cxkit:interaction:1",
        "cx.event.id": FULL.id,
        "cx.kind": "transaction",
        "cx.purpose": "personalization",
        "cx.channel": "store",
        "cx.direction": "outbound",
        "cx.stage": "purchase",
        "cx.nature": "person",
        "cx.presence": "offline",
        "cx.reach": "indirect",
        "cx.via": "reseller",
        "cx.promise": "answered within one day",
        "cx.case": "4711",
        "cx.outcome": "failed",
        "error.type": "ValueError",
        "cx.duration_ms": 12.5,
        "cx.cause.id": FULL.cause,
        "cx.consent.granted": ["analytics"],
        "user.hash": Keyring(signing=[b"x" * 16], identifier=KEY.reveal().encode())
        .identifier_key("user_id", "nancy")
        .hex(),
        "enduser.pseudo.id": "v-1",
        "cx.identity.evidence": "login",
        "session.id": "s1",
        "cx.locale": "fr-CA",
        "cx.timezone": "Europe/Paris",
        "cx.currency": "EUR",
        "cx.market": "fr",
        "cx.actor": "bot",
        "user_agent.synthetic.type": "bot",
        "cx.agent.category": "search_engine",
        "cx.agent.name": "Seeker",
        "cx.agent.evidence": ["listed"],
        "http.route": "/products/{sku}",
        "http.request.method": "GET",
        "cx.page.title": "Almonds",
        "cx.page.engaged_ms": 12_000,
        "cx.device.type": "phone",
        "os.name": "android",
        "user_agent.name": "firefox",
        "user_agent.version": "140",
        "os.version": "14",
        "cx.device.viewport": 412,
        "cx.device.touch": True,
        "cx.device.reduced_motion": False,
        "cx.device.color_scheme": "dark",
        "cx.device.save_data": True,
        "geo.country.iso_code": "FR",
        "geo.region.iso_code": "FR-75",
        "geo.locality.name": "Paris",
        "geo.location.lat": 48.9,
        "geo.location.lon": 2.4,
        "cx.geo.store": "paris-2",
        "cx.geo.fences": ["marais"],
        "cx.geo.source": "edge",
        "cx.geo.precision": "coordinates",
        "cx.geo.accuracy_km": 5.0,
        "cx.geo.confidence": "high",
        "cx.campaign.source": "newsletter",
        "cx.campaign.medium": "email",
        "cx.campaign.name": "spring",
        "cx.campaign.term": "almonds",
        "cx.campaign.content": "footer",
        "cx.campaign.vendor": "google",
        "cx.campaign.click_id": "c-1",
        "cx.campaign.referrer": "example.org",
        "cx.campaign.landing": "/products/{sku}",
        "feature_flag.key": "home.hero",
        "feature_flag.result.variant": "gold",
        "cx.decision.form": "wide",
        "cx.decision.content": {"title": "Welcome back", "lines": None},
        "cx.decision.sequence": [1, 2],
        "cx.decision.level": 3,
        "cx.decision.depth": 3,
        "cx.decision.cap": 4,
        "cx.decision.capped_by": "consent",
        "cx.decision.reasons": ["gold: chosen"],
        "feature_flag.version": "5f1d7a2c",
        "feature_flag.result.reason": "split",
        "feature_flag.provider.name": "cxkit",
        "cx.experiment.key": "warmer",
        "cx.experiment.variation": "gold",
        "cx.experiment.version": 2,
        "cx.experiment.unit": "user_id",
        "cx.experiment.sticky": True,
        "cx.experiment.crossed_over": True,
        "cx.holdout.key": "quiet-2026",
        "cx.holdout.variation": "compared",
        "cx.holdout.unit": "user_id",
        "cx.value.amount": "24.90",
        "cx.value.minor": 2490,
        "cx.value.currency": "EUR",
        "cx.feedback.scale": "nps",
        "cx.feedback.score": 9,
        "cx.p.sku": "ALM-200",
    }
    assert log.event == "cx.cart.item_added"
    event = log.record
    assert event.time_unix_nano == 1_795_257_000_000_250_000
    assert event.observed_time_unix_nano == 1_795_257_001_000_000_000
    assert (event.severity_number, event.severity_text) == (17, "ERROR")
    assert event.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert (event.span_id.hex(), event.flags) == ("b7ad6b7169203331", 1)


def test_the_map_names_all_that_is_sent(collector: Any) -> None:
    named = {row.name for row in ATTRIBUTES}
    never = {"cx.p.*", "user.id", "cx.name", "cx.occurred_at"}  # here: the first is a pattern, the others stand in
    assert set(collector.one(FULL).attributes) == named - never


def test_every_field_of_an_interaction_is_sent_or_the_map_says_why_not() -> None:
    mapped = {row.path for row in ATTRIBUTES} | set(FIELDS) | set(NOT_SENT)
    beyond_the_model = {"", "value.minor"}
    assert mapped - beyond_the_model == set(leaves(Interaction))


def leaves(kind: type, path: str = "") -> Iterator[str]:
    hints = get_type_hints(kind, vars(import_module(kind.__module__)) | vars(import_module("collections.abc")))
    for field in attrs.fields(kind):
        below = [one for one in (hints[field.name], *get_args(hints[field.name])) if attrs.has(one)]
        if below and below[0] is not Identity and path + field.name not in NOT_SENT:
            yield from leaves(below[0], f"{path}{field.name}.")
        else:
            yield path + field.name


def test_names_and_stabilities_are_those_of_the_semantic_conventions() -> None:
    stable, all_of_them = (
        {
            value
            for module in iter_modules(package.__path__)
            for name, value in vars(import_module(f"{package.__name__}.{module.name}")).items()
            if name.isupper() and isinstance(value, str)
        }
        for package in (opentelemetry.semconv.attributes, opentelemetry.semconv._incubating.attributes)
    )
    theirs = {row.name: row.stability for row in ATTRIBUTES if not row.name.startswith("cx.")}

    assert set(theirs) <= all_of_them
    assert {name for name, stability in theirs.items() if stability == "stable"} == set(theirs) & stable
    assert {row.stability for row in ATTRIBUTES if row.name.startswith("cx.")} == {"cxkit"}
    assert re.fullmatch(r"https://opentelemetry\.io/schemas/1\.\d+\.\d+", SCHEMA_URL)


def test_the_page_shows_the_map_as_it_is() -> None:
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*?) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    shown = {tuple(cell.replace("`", "") for cell in row) for row in rows}
    assert {(row.path or "(its form)", row.name, row.stability) for row in ATTRIBUTES} <= shown
    assert {(path, name, "field") for path, name in FIELDS.items()} <= shown
    assert {(path, "not sent", why) for path, why in NOT_SENT.items()} <= shown
    ours = {row for row in shown if row[2] in {"stable", "release candidate", "development", "cxkit", "field"}}
    assert len(ours) == len(ATTRIBUTES) + len(FIELDS)


def test_what_is_not_known_is_left_out(collector: Any, plainly: Any) -> None:
    log = collector.one(plainly())
    event = log.record
    assert set(log.attributes) == {
        "cx.schema", "cx.event.id", "cx.kind", "cx.purpose", "cx.direction", "cx.presence", "cx.reach",
    }  # fmt: skip
    assert (event.severity_number, event.trace_id, event.flags) == (9, b"", 0)
    assert event.observed_time_unix_nano == event.time_unix_nano


def test_services_and_scopes_are_told_apart(collector: Any, plainly: Any) -> None:
    collector.export(
        plainly(id="a"),
        plainly(id="b", source="/till"),
        plainly(id="c", plugin="cxkit-starlette"),
        plainly(id="d"),
        resource={"deployment.environment.name": "test"},
    )
    found = [(log.resource, log.scope, log.attributes["cx.event.id"]) for log in collector.logs]
    shop, till = ({"service.name": name, "deployment.environment.name": "test"} for name in ("shop", "till"))
    assert found == [
        (shop, "cxkit", "a"), (shop, "cxkit", "d"), (shop, "cxkit-starlette", "c"), (till, "cxkit", "b"),
    ]  # fmt: skip
    request = ExportLogsServiceRequest.FromString(collector.requests[0].body)
    assert [len(logs.scope_logs) for logs in request.resource_logs] == [2, 1]
    assert request.resource_logs[0].scope_logs[0].scope.version == cxkit.__version__
    assert request.resource_logs[0].scope_logs[0].schema_url == SCHEMA_URL


def test_a_time_that_the_protocol_cannot_hold_is_said_in_words(collector: Any, plainly: Any) -> None:
    years = (1969, 1970, 2262, 2263)
    collector.export(*(plainly(occurred_at=datetime(year, 1, 1, tzinfo=UTC)) for year in years))
    found = [(log.record.time_unix_nano > 0, log.attributes.get("cx.occurred_at")) for log in collector.logs]
    assert found == [
        (False, "1969-01-01T00:00:00+00:00"),
        (False, "1970-01-01T00:00:00+00:00"),  # 0 means that it is not known
        (True, None),
        (False, "2263-01-01T00:00:00+00:00"),
    ]


def test_there_are_few_names_of_events(collector: Any, plainly: Any) -> None:
    exporter = collector.exporter()
    payloads = [encode(plainly(name=f"page.p{number}")) for number in range(1005)]
    for _ in range(2):
        assert exporter.export(Batch("b", tuple(payloads)), deadline_s=9.0) == Outcome.delivered()
    exporter.close()

    found = collector.logs
    assert len({log.event for log in found}) == 1001
    late = [log.attributes["cx.name"] for log in found if log.event == "cx.custom"]
    assert late == [f"page.p{number}" for number in range(1000, 1005)] * 2


# --- the bytes ------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(name=st.text(), value=JSON)
def test_the_official_classes_read_every_value_as_it_was(name: str, value: Any) -> None:
    written = attribute(name, value)
    found = KeyValue.FromString(written)
    assert (found.key, value_of(found.value)) == (name, expected(value))
    assert found.SerializeToString() == written


def expected(value: Any) -> Any:
    if isinstance(value, list):
        return [expected(one) for one in value]
    if isinstance(value, dict):
        return {name: expected(one) for name, one in value.items()}
    whole = type(value) is int and not -(2**63) <= value < 2**63
    return str(value) if whole else value


@given(interactions=st.lists(st.sampled_from([FULL, attrs.evolve(FULL, source="/till", plugin=None)]), max_size=4))
def test_a_request_is_written_as_the_official_classes_would_write_it(interactions: list[Interaction]) -> None:
    batch = Batch("b", tuple(map(encode, interactions)))
    with closing(OTelExporter(Settings(customer="none", properties=("*",)))) as exporter:
        body = exporter.body(batch)
    assert ExportLogsServiceRequest.FromString(body).SerializeToString() == body


def test_types_are_kept() -> None:
    found = {value: KeyValue.FromString(attribute("n", value)).value.WhichOneof("value") for value in (0, 1.0, "x")}
    assert found == {0: "int_value", 1.0: "double_value", "x": "string_value"}
    assert KeyValue.FromString(attribute("n", True)).value.WhichOneof("value") == "bool_value"
    assert KeyValue.FromString(attribute("n", "\ud800")).value.string_value == "?"


@given(count=st.integers(-(2**63), 2**63 - 1), message=st.text(max_size=200))
def test_the_count_of_those_refused_is_read_as_official_classes_write_it(count: int, message: str) -> None:
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = count
    response.partial_success.error_message = message
    assert rejected(response.SerializeToString()) == max(count, 0)


@given(body=st.binary(max_size=60))
def test_whatever_the_answer_is_it_can_be_read_or_is_refused(body: bytes) -> None:
    try:
        assert 0 <= rejected(body) < 2**63
    except ValueError:
        pass
