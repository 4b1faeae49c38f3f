"""How often from one address, and each thing once."""

from __future__ import annotations

from cxkit.web.limits import Rate, Recent


def test_a_rate_fills_up_again_and_forgets_the_oldest() -> None:
    """S15."""
    now = [0.0]
    rate = Rate(60, clock=lambda: now[0])
    assert [rate.allows("::1") for _ in range(61)] == [True] * 60 + [False]
    assert not rate.allows("::2"), "one network has one household"
    assert rate.allows("2001:db8::1")
    now[0] = 1.0
    assert [rate.allows("::1"), rate.allows("::1")] == [True, False]
    now[0] = 1e6
    assert [rate.allows("::1") for _ in range(61)].count(True) == 60
    for number in range(20_000):
        rate.allows(str(number))
    assert len(rate._left) == 10_000
    assert rate.allows(None)


def test_what_is_charged_beyond_what_is_left_is_waited_for() -> None:
    """S15."""
    now = [0.0]
    rate = Rate(60, clock=lambda: now[0])
    assert rate.allows("192.0.2.7")
    rate.charge("192.0.2.7", 99)
    for now[0], allowed in ((40.0, False), (40.9, False), (41.0, True), (41.0, False)):  # a refusal costs nothing
        assert rate.allows("192.0.2.7") is allowed


def test_what_is_remembered_to_have_come_is_bounded() -> None:
    """S15."""
    recent = Recent()
    assert not any(recent.again(number.to_bytes(8)) for number in range(20_000))
    assert len(recent._seen) == 10_000
    assert recent.again((19_999).to_bytes(8))
    assert not recent.again((0).to_bytes(8))
