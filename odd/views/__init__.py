"""Presentation for pages, HTML files and notebooks: payloads, figures, components, glossary and links."""
