"""The pieces of `memkit.testing.contract`, one for each promise."""

import pytest

__all__: list[str] = []

# A failure then shows the values that were compared, also where memkit is not installed as a pytest plugin.
pytest.register_assert_rewrite(
    *(
        f"memkit.testing._contract.{piece}"
        for piece in (
            "base",
            "basics",
            "filters",
            "inputs",
            "longterm",
            "metadata",
            "names",
            "null",
            "owners",
            "queries",
            "shortterm",
            "sharing",
            "ttl",
            "versions",
            "working",
        )
    )
)
