"""What the plugin gives cxkit through its hooks: nothing; being listed is all that is needed."""

from __future__ import annotations
