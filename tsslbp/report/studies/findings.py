"""What the studies of a pipeline add to its report: recipes beside published rows, and variants beside the unchanged model."""

from collections.abc import Mapping
from dataclasses import dataclass

from tsslbp.report.origin import Run
from tsslbp.report.rows import ResultRow
from tsslbp.report.studies.ablation import Variant, variants
from tsslbp.report.studies.recipes import RecipeRow, recipe_rows
from tsslbp.settings import Settings

Runs = Mapping[str, Run]


@dataclass(frozen=True)
class Studies:
    """The rows of both studies; empty for a pipeline that has none, and there although nothing was run for one that has."""

    recipes: tuple[RecipeRow, ...] = ()
    ablation: tuple[Variant, ...] = ()

    def labelled(self) -> list[tuple[str, ResultRow]]:
        """The rows of the studies' own runs, with a name that no other row of the report has."""
        recipes = [(f"{each.row.model}, {each.row.recipe}", each.row) for each in self.recipes if not each.from_base]
        return [*recipes, *((f"{each.like}, {each.name} (ablation)", each.row) for each in self.ablation if not each.from_base)]


NO_STUDIES = Studies()


def make_studies(
    studies: Mapping[str, tuple[Settings, Runs]], base: Settings, base_runs: Runs, present_code: Mapping[str, str] | None = None
) -> Studies:
    """Make the rows.

    Args:
        studies: by name, "recipes" or "ablation": settings and records.
        base: the settings that the studies' models are variants of.
        base_runs: the records of these.
        present_code: by model of a study, the digest of the code that would train it now; None: not compared.
    """
    return Studies(
        recipes=recipe_rows(*studies["recipes"], base, base_runs, present_code) if "recipes" in studies else (),
        ablation=variants(*studies["ablation"], base, base_runs, present_code) if "ablation" in studies else (),
    )
