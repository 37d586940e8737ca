"""What pages, HTML files and notebooks show: payloads, figures, components, the glossary and links."""
