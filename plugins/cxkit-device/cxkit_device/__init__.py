"""cxkit for devices: on what the customer is, and who asks where it is no customer.

``enricher``  what fills the context           ``agents``   bots, mail programs, whoever fetches ahead
``devices``   the device, of hints and agent   ``device_types`` its type, by words
``hints``     client hints                     ``systems``  system and browser, by words
``engine``    system and browser, by ua-parser
"""

from __future__ import annotations

from cxkit_device.enricher import DeviceEnricher, Settings
from cxkit_device.hints import FORM

__all__ = ["FORM", "DeviceEnricher", "Settings"]
