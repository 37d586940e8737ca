"""Shared by all pages: the link, the open run, the frame around a page, and widgets bound to the link."""
