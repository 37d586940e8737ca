"""What all pages share: the link, the open run, the frame around a page, and choices bound to the link."""
