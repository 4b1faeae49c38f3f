"""Which parameters tell what brought somebody here."""

from __future__ import annotations

import pytest

from cxkit.model.context import CLICK_IDS
from cxkit.rules.acquisition import tells_acquisition


@pytest.mark.parametrize(
    "name",
    [
        *CLICK_IDS,
        *[
            "utm_source",
            "UTM_Source",
            "utm_id",
            "utm_source_platform",
            "mtm_campaign",
            "hsa_acc",
            "mc_eid",
            "_gl",
            "srsltid",
        ],
        *[
            "GCLID",
            "gclid[]",
            "gclid[0]",
            " gclid ",
            "gclid []",
            "\tgclid",
            "_branch_match_id",
            "utm_" + "x" * 1_000_000,
        ],
    ],
)
def test_these_do(name: str) -> None:
    assert tells_acquisition(name)


@pytest.mark.parametrize("name", ["", "sku", "page_source", "clid", "glid", "xutm_source", "[gclid]", "x" * 1_000_000])
def test_others_do_not(name: str) -> None:
    assert not tells_acquisition(name)
