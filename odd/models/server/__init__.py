"""Models on inference servers: token ids go in and come out; one adapter per kind of server."""
