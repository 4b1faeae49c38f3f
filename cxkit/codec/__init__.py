"""Canonical bytes: CloudEvents 1.0 JSON, and the frame that holds them in a spool."""

from __future__ import annotations

from cxkit.codec.batch import BATCH_CONTENT_TYPE, decode_batch, encode_batch, split_batch
from cxkit.codec.frame import COMMAND, ERASED, INTERACTION, NOBODY, Record, erased
from cxkit.codec.wire import CONTENT_TYPE, SCHEMA, decode, encode

__all__ = [
    "BATCH_CONTENT_TYPE",
    "COMMAND",
    "CONTENT_TYPE",
    "ERASED",
    "INTERACTION",
    "NOBODY",
    "SCHEMA",
    "Record",
    "decode",
    "decode_batch",
    "encode",
    "encode_batch",
    "erased",
    "split_batch",
]
