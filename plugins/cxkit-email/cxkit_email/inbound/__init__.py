"""Inbound mail: bounces, complaints, answers of programs, and replies of people."""

from __future__ import annotations

from cxkit_email.inbound.classify import Inbound, Kind, classify
from cxkit_email.inbound.reply import Reply

__all__ = ["Inbound", "Kind", "Reply", "classify"]
