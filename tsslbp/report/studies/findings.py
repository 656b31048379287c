"""What the studies of a pipeline add to its report: recipes beside published rows, and variants beside the unchanged model."""

from collections.abc import Mapping
from dataclasses import dataclass

from tsslbp.report.origin import IsPresent, Run
from tsslbp.report.rows import ResultRow
from tsslbp.report.studies.ablation import STUDY, Variant, variants
from tsslbp.report.studies.recipes import RecipeRow, recipe_rows
from tsslbp.report.studies.variants import longest
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
    studies: Mapping[str, tuple[Settings, Runs]], base: Settings, base_runs: Runs, is_present: IsPresent | None = None
) -> Studies:
    """Make the rows.

    Args:
        studies: by name, "recipes" or "ablation": settings and records.
        base: the settings that the studies' models are variants of.
        base_runs: the records of these.
        is_present: compares a record's code with today's; None: nobody does.
    """
    return Studies(
        recipes=recipe_rows(*studies["recipes"], base, base_runs, is_present) if "recipes" in studies else (),
        ablation=_ablation(studies, base, base_runs, is_present) if STUDY in studies else (),
    )


def _ablation(
    studies: Mapping[str, tuple[Settings, Runs]], base: Settings, base_runs: Runs, is_present: IsPresent | None
) -> tuple[Variant, ...]:
    settings, runs = studies[STUDY]
    others = [study for name, study in studies.items() if name != STUDY]
    return variants(settings, longest(settings, runs, others), base, base_runs, is_present)
