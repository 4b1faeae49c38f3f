"""Feedback: a whole number on its scale."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from cxkit.errors import InvalidInteractionError
from cxkit.model import SCALES, Feedback
from cxkit.model.feedback import Scale


def test_every_question_has_a_scale() -> None:
    assert set(get_args(Scale)) == SCALES.keys()


@pytest.mark.parametrize("scale", SCALES)
def test_scores_end_where_the_scale_ends(scale: Any) -> None:
    low, high = SCALES[scale]
    assert [Feedback(scale=scale, score=score).score for score in (low, high)] == [low, high]
    for score in (low - 1, high + 1, float(low), str(low), None, True):
        with pytest.raises(InvalidInteractionError) as caught:
            Feedback(scale=scale, score=score)  # type: ignore[arg-type]
        assert caught.value.code == "CX3113"
        assert f"from {low} to {high}" in caught.value.fix


@pytest.mark.parametrize("scale", ["", "NPS", "mood", None, [], {}])
def test_another_scale_is_refused(scale: Any) -> None:
    with pytest.raises(InvalidInteractionError) as caught:
        Feedback(scale=scale, score=1)
    assert caught.value.code == "CX3113"
    assert "csat" in caught.value.fix
