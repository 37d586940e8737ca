"""Parts of pages. Each takes the open run and the view and draws one panel."""
