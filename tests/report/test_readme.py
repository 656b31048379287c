"""What the report writes into a README: only between its markers, and nothing where they are wrong."""

import pytest

from tsslbp.report.readme import TABLE, markers, splice

BEGIN, END = markers(TABLE)
OTHER, OTHER_END = markers("recipes")


def test_all_but_the_parts_stays():
    text = f"before\n{BEGIN}\nold\n{END}\nbetween\n1. item\n   {OTHER}\n   - old\n   {OTHER_END}\nafter\n"
    parts = {TABLE: "| new |", "recipes": "- new"}
    new = splice(text, parts)
    assert new == text.replace("- old", "- new").replace("old", "| new |")
    assert splice(new, parts) == new


def test_a_document_may_have_a_place_for_some_parts_alone():
    assert splice(f"{OTHER}\n{OTHER_END}", {TABLE: "new", "recipes": "- one"}) == f"{OTHER}\n- one\n{OTHER_END}"
    assert splice(f"{BEGIN}\n{END}", {TABLE: "new", "recipes": "- one"}) == f"{BEGIN}\nnew\n{END}"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_readme_without_its_markers_is_refused(text):
    with pytest.raises(ValueError, match="results:begin"):
        splice(text, {TABLE: ""})


def test_a_part_that_there_is_not_is_refused():
    """What is no longer written would stand there for ever, as if it were new."""
    with pytest.raises(ValueError, match="no part is called variant of old; the parts are: results"):
        splice(f"{BEGIN}\n{END}\n<!-- variant of old:begin -->\n- 1\n<!-- variant of old:end -->\n", {TABLE: ""})


def test_a_part_with_half_a_place_is_refused():
    with pytest.raises(ValueError, match="recipes:begin"):
        splice(f"{BEGIN}\n{END}\n{OTHER}\n", {TABLE: "", "recipes": "- one"})
