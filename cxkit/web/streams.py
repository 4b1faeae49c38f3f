"""Streams of asynchronous frameworks that hand over an iterator; what WSGI has is `cxkit.web.wsgi.Body`."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

from cxkit.web.visit import Visit

__all__ = ["AsyncBody"]


class AsyncBody(AsyncIterator[bytes]):
    """What the app answers, piece by piece as it comes; with its last piece the visit ends.

    Args:
        pieces: Of the response.
        visit: Of the request.
    """

    def __init__(self, pieces: AsyncIterable[bytes], visit: Visit) -> None:
        self._visit = visit
        self._next = aiter(pieces)

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._next)
        except StopAsyncIteration:
            self._visit.end()
            raise
        except BaseException as error:
            self._visit.close(error)
            raise

    def close(self) -> None:
        """What the framework calls in the end, however that came."""
        self._visit.close()
