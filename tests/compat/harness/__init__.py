"""What the tests need to call two servers and compare their answers."""

import pytest

pytest.register_assert_rewrite("harness.pair")
