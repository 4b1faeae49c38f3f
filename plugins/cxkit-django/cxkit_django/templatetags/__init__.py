"""Where Django looks for tags: ``{% load cxkit %}``."""
