"""Reading files that others wrote."""

import json
from typing import Any


def parse_json(text: str) -> Any:
    """Parse JSON, whatever it holds.

    Raises:
        ValueError: it is no JSON, or Python cannot hold it: too many digits, or nested too deeply. One short line.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise ValueError("a number has too many digits") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
