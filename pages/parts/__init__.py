"""Parts of pages: each takes the open run and the view, and draws one panel."""
