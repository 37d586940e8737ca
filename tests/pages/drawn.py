"""The data that the components of a page draw."""

import json
from typing import Any


def payload_of(proto: Any) -> Any:
    """The payload in the message of a component."""
    return json.loads(json.loads(proto.json)["payload"])
