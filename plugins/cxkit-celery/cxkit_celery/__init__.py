"""cxkit for Celery: the customer's scope travels with the task, and workers deliver before they end."""

from __future__ import annotations

from cxkit_celery.tasks import instrument

__all__ = ["instrument"]
