"""The tables of docs/reference/pixels.md are what MXNet's decoders and recordkit's give."""

import pytest
from pixel_kinds import every_kind
from pixel_matrix import PAGE, REMARKS, replaced, tables


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_page_has_the_differences_from_mxnet(mx):
    page = PAGE.read_text()
    assert replaced(page, tables(mx)) == page, "run python tests/pixel_matrix.py and look at what has changed"


def test_each_remark_is_about_a_kind():
    assert REMARKS.keys() <= every_kind().keys()
