"""The pieces of `memkit.testing.contract`, one for each promise."""

import pytest

__all__: list[str] = []

# A failure then shows the values that were compared, also where memkit is not installed as a pytest plugin.
pytest.register_assert_rewrite(
    *(
        f"memkit.testing._contract.{piece}"
        for piece in (
            "admin_erase",
            "admin_listing",
            "admin_transfer",
            "base",
            "basics",
            "filters",
            "history_about",
            "history_append",
            "history_base",
            "history_branches",
            "history_compact",
            "history_edits",
            "history_follow",
            "history_forks",
            "history_inputs",
            "history_lives",
            "history_null",
            "history_owners",
            "history_pages",
            "history_repair",
            "history_retention",
            "history_turns",
            "history_window",
            "inputs",
            "longterm",
            "metadata",
            "names",
            "null",
            "owners",
            "queries",
            "sharing",
            "shortterm",
            "ttl",
            "versions",
            "working",
        )
    )
)
