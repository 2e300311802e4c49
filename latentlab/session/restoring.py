"""The way back into a view: a recipe, a link, an entry of the history and a lesson say what the view is made from, and
one function makes it again.

The networks, the pictures and the move are put into the session first; then every model looks at the input once, and
the move is made once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from latentlab import recipe
from latentlab.errors import UserError
from latentlab.operators import OPERATORS, LatentOperator
from latentlab.recipe import Recipe
from latentlab.session.actions import (
    begin_session,
    choose_opening_move,
    copy_surroundings,
    inspect_input,
    repeat_move,
    require_choice,
    time_action,
)
from latentlab.session.state import Picture, Session
from latentlab.session.workspace import Workspace

ZIP_PICTURE_NAME = re.compile(r"\d{3}-(.+)")  # how a zip names its pictures
PicturesByPlace = Mapping[str, Picture]  # by their place, input or partner


@dataclass(frozen=True, eq=False)
class SavedView:
    """What a view is made from; what is left out is as in the first view of the world."""

    world: str
    model: str = ""
    classifier: str = ""
    tool: LatentOperator | None = None
    seed: int = 0
    refined: frozenset[str] = frozenset()  # models in which the input's encoding is improved
    pictures: PicturesByPlace = field(default_factory=dict)
    notice: str = ""  # a line about what could not be brought
    second: str = ""  # reader beside the first


def restore_view(workspace: Workspace, saved: SavedView, beside: Session | None = None) -> Session:
    """Make the view again, with the time that its move took; what lies beside the other session's view stays."""
    store = workspace.store
    require_choice("world", saved.world, store.worlds)
    require_choice("space", saved.model or None, store.list_models(saved.world))
    require_choice("classifier", saved.classifier or None, store.list_classifiers(saved.world))
    require_choice("second reader", saved.second or None, store.list_classifiers(saved.world))
    fresh = begin_session(workspace, saved.world, saved.model, saved.classifier, saved.seed)
    fresh = replace(
        fresh,
        source=saved.pictures.get("input", fresh.source),
        partner=saved.pictures.get("partner", fresh.partner),
        refined=saved.refined,
        second=saved.second,
    )
    seen = inspect_input(workspace, copy_surroundings(fresh, beside) if beside else fresh)
    tool = saved.tool or choose_opening_move(workspace, seen.model)
    session = time_action(repeat_move, workspace, replace(seen, result=replace(seen.result, tool=tool)))
    return replace(session, notice="\n".join(filter(None, [saved.notice, session.notice])))


def require_latent_operator(made: Recipe) -> LatentOperator:
    """Return the recipe's operator; refuse one that moves pictures and no latents."""
    tool = made.make_operator()
    if not isinstance(tool, LatentOperator):
        raise UserError(f"The recipe's operator is {made.operator}; the page restores {', '.join(OPERATORS)}.")
    return tool


def restore_recipe(workspace: Workspace, session: Session, text: str) -> Session:
    """Restore the view of a recipe alone, on the pictures that it names; for one that is not here the one at hand
    stays.
    """
    made = recipe.parse_recipe(text)

    def find_pictures(world: str) -> tuple[PicturesByPlace, str]:
        here = {"partner": session.partner, "input": session.source} if session.world == world else {}
        stays, lines = ("the one at hand" if here else "an example"), []
        for place, name in _list_wanted(made).items():
            try:
                here |= {place: workspace.find_picture(world, name)}
            except UserError:
                lines.append(f"The recipe's picture {name[:60]!r} is not inside it, and not here; {stays} stands in.")
        return here, "\n".join(lines)

    return restore_view(workspace, plan_recipe_view(workspace, made, find_pictures), session)


def plan_recipe_view(
    workspace: Workspace, made: Recipe, find_pictures: Callable[[str], tuple[PicturesByPlace, str]]
) -> SavedView:
    """Plan the recipe's view, on the pictures that are found for its world, with a line for what is not as it was."""
    tool, (world, model, classifier) = require_latent_operator(made), _resolve_networks(workspace, made)
    refined = frozenset({model}) if made.refine and model == made.model else frozenset()
    pictures, lost = find_pictures(world)
    lines = [*list_differences(workspace, made), lost]
    return SavedView(
        world, model, classifier, tool, made.seed, refined, pictures, "\n".join(line for line in lines if line)
    )


def _list_wanted(made: Recipe) -> dict[str, str]:
    """List the recipe's pictures by name and place; of a zip's many only the first, as they are no partners."""
    plain = [
        match[1].replace("-", " ") if (match := ZIP_PICTURE_NAME.fullmatch(name)) else name for name in made.images
    ]
    zipped = any(ZIP_PICTURE_NAME.fullmatch(name) for name in made.images)
    return dict(zip(("input",) if zipped else ("input", "partner"), plain, strict=False))


def _resolve_networks(workspace: Workspace, made: Recipe) -> tuple[str, str, str]:
    """Return world, space and classifier of the recipe; what is not here is stood in for."""
    world = workspace.store.find_world(made.model) if workspace.can_load(made.model) else made.model.partition("-")[0]
    world = world if world in workspace.store.worlds else workspace.first_world
    model = made.model if workspace.can_load(made.model) else workspace.choose_drawing_model(world)
    return world, model, made.classifier if made.classifier and workspace.can_load(made.classifier) else ""


def list_differences(workspace: Workspace, made: Recipe) -> list[str]:
    """List a line for each network that is not the one the recipe was made with."""
    pairs = ((made.model, made.model_digest), (made.classifier, made.classifier_digest))
    return [line for name, digest in pairs if name and (line := _describe_difference(workspace, name, digest or ""))]


def _describe_difference(workspace: Workspace, name: str, expected: str) -> str:
    if not workspace.can_load(name):
        wanted = f" with hash {expected}" if expected else ""
        return (
            f"{name} is not here, and another network stands in. Put its file{wanted} into the folder of checkpoints."
        )
    found = workspace.store.digest(name)
    if not expected or expected == found:
        return ""
    return (
        f"{name} changed since this picture was made: expected hash {expected}, found {found}. "
        "The result may differ; put the old file back for the same one."
    )
