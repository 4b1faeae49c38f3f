"""Where visitors are asked, choose and change their choices: a banner, two pages, and what scripts may ask.

``choices`` is the page of consent, ``preferences`` that of topics and channels; ``asking`` knows what is to be
asked, ``texts`` the words for it in each language, ``posted`` reads what was sent.
"""

from __future__ import annotations

from cxkit.web.consent.banner import banner, consent_url
from cxkit.web.consent.choices import consent_endpoints

__all__ = ["banner", "consent_endpoints", "consent_url"]
