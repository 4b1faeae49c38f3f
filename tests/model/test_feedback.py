"""Feedback: a whole number on the scale of its question."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from cxkit.errors import InvalidInteractionError
from cxkit.model import SCALES, Feedback
from cxkit.model.feedback import Question


def test_every_question_has_a_scale() -> None:
    assert set(get_args(Question)) == SCALES.keys()


@pytest.mark.parametrize("question", SCALES)
def test_scores_end_where_the_scale_ends(question: Any) -> None:
    low, high = SCALES[question]
    assert [Feedback(question=question, score=score).score for score in (low, high)] == [low, high]
    for score in (low - 1, high + 1, float(low), str(low), None, True):
        with pytest.raises(InvalidInteractionError) as caught:
            Feedback(question=question, score=score)  # type: ignore[arg-type]
        assert caught.value.code == "CX3113"
        assert f"from {low} to {high}" in caught.value.fix


@pytest.mark.parametrize("question", ["", "NPS", "mood", None, [], {}])
def test_another_question_is_refused(question: Any) -> None:
    with pytest.raises(InvalidInteractionError) as caught:
        Feedback(question=question, score=1)
    assert caught.value.code == "CX3113"
    assert "csat" in caught.value.fix
