"""Several interactions as one body. Source: CloudEvents 1.0.2, JSON batch format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from cxkit.codec.wire import decode
from cxkit.errors import CodecError
from cxkit.model import Interaction

__all__ = ["BATCH_CONTENT_TYPE", "decode_batch", "encode_batch", "split_batch"]

BATCH_CONTENT_TYPE: Final = "application/cloudevents-batch+json"

_batch_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def encode_batch(payloads: Iterable[bytes]) -> bytes:
    """Encoded interactions as one CloudEvents batch (`BATCH_CONTENT_TYPE`), without decoding them."""
    return b"[" + b",".join(payloads) + b"]"


def decode_batch(body: bytes) -> list[Interaction]:
    """The interactions of a CloudEvents batch.

    Raises:
        CodecError: As `decode`, or the body is no JSON array.
    """
    return [decode(bytes(one)) for one in split_batch(body)]


def split_batch(body: bytes) -> list[msgspec.Raw]:
    """The events of a CloudEvents batch, each still encoded.

    Raises:
        CodecError: The body is no JSON array.
    """
    try:
        return _batch_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CodecError("a batch is no JSON array", fix="send a CloudEvents batch", code="CX4002") from error
