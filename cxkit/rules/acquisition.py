"""Which parameters of a link tell what brought somebody here. No link that is kept has them."""

from __future__ import annotations

from typing import Final

from cxkit.model.context import CLICK_IDS

__all__ = ["tells_acquisition"]

_NAMES: Final = frozenset(CLICK_IDS) | frozenset(
    # what comes with click ids
    "gclsrc gad gad_source gad_campaignid srsltid igsh irgwc ymclid ysclid _openstat dicbo obclid tblci tduid "
    "_branch_match_id "
    # who got which mail
    "mc_eid _ke vero_id vero_conv mkt_tok _hsenc _hsmi __hstc __hssc __hsfp hsctatracking elqtrackid "
    "oly_anon_id oly_enc_id wickedid s_kwcid ef_id "
    # one visitor from one site to the next
    "_ga _gl "
    "pk_campaign pk_kwd piwik_campaign piwik_kwd".split()
)
_BEGINNINGS: Final = ("utm_", "mtm_", "matomo_", "hsa_")
_LONGEST: Final = 64


def tells_acquisition(name: str) -> bool:
    """Whether a parameter of this name tells of a campaign or a click.

    Args:
        name: Decoded; blanks around it and brackets after it (``gclid[]``) do not count.

    Example:
        >>> tells_acquisition("utm_source"), tells_acquisition("ScCid[]"), tells_acquisition("sku")
        (True, True, False)
    """
    name = name.strip()[:_LONGEST].partition("[")[0].rstrip().lower()
    return name in _NAMES or name.startswith(_BEGINNINGS)
