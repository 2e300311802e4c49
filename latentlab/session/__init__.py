"""A visitor's session: small frozen values, and the verbs that make the next one.

A feature of more than one module has a folder, called as its tab. Nothing here imports Gradio or makes HTML: what is
computed for a visitor is here, what it looks like is in `ui`.
"""

from latentlab.session.actions import (
    apply_move,
    apply_moves,
    change_seed,
    change_world,
    choose_networks,
    crop_photo,
    move_latents,
    move_once,
    open_world,
    place_picture,
    rebuild_input,
    receive_photo,
    time_action,
)
from latentlab.session.attack.trace import trace_attack, trace_control
from latentlab.session.directions import DirectionPreview, list_session_directions, preview_directions
from latentlab.session.export.animation import ANIMATION_FORMATS, export_animation, name_animation
from latentlab.session.export.png import (
    export_png,
    make_recipe,
    name_png,
    pictures_in,
    restore_png,
)
from latentlab.session.export.python import export_python
from latentlab.session.export.url import make_link, open_link, report_left_out
from latentlab.session.export.zip import export_zip, name_zip
from latentlab.session.history import HISTORY_LENGTH, find_current_entry, go_back, remember_view
from latentlab.session.latent_change import PartChange, measure_latent_change
from latentlab.session.paths import PathPredictions, move_along_path, predict_path
from latentlab.session.pictures import (
    load_selected_picture,
    parse_rows,
    pick_picture,
    pin_picture,
    remove_pin,
    select_rows,
    take_pinned,
)
from latentlab.session.refinement import refine_encoding, use_plain_encoding
from latentlab.session.restoring import restore_recipe
from latentlab.session.second_reader import (
    SecondReading,
    choose_second_reader,
    has_second_reader,
    list_second_readers,
    read_beside,
    read_result_beside,
)
from latentlab.session.space_comparison import SpaceResult, compare_spaces
from latentlab.session.state import (
    AttackTrace,
    HistoryEntry,
    Photo,
    Picture,
    PictureSource,
    PinnedPicture,
    Prediction,
    Reconstruction,
    Result,
    Selection,
    Session,
)
from latentlab.session.workspace import (
    DIRECTION_SLIDERS,
    DRAW_SETTING,
    INDEX_SETTING,
    REFINE_STEPS,
    SEED_SETTING,
    TEMPERATURE_SETTING,
    Workspace,
)

__all__ = [
    "ANIMATION_FORMATS",
    "DIRECTION_SLIDERS",
    "DRAW_SETTING",
    "HISTORY_LENGTH",
    "INDEX_SETTING",
    "REFINE_STEPS",
    "SEED_SETTING",
    "TEMPERATURE_SETTING",
    "AttackTrace",
    "DirectionPreview",
    "HistoryEntry",
    "PartChange",
    "PathPredictions",
    "Photo",
    "Picture",
    "PictureSource",
    "PinnedPicture",
    "Prediction",
    "Reconstruction",
    "Result",
    "SecondReading",
    "Selection",
    "Session",
    "SpaceResult",
    "Workspace",
    "apply_move",
    "apply_moves",
    "change_seed",
    "change_world",
    "choose_networks",
    "choose_second_reader",
    "compare_spaces",
    "crop_photo",
    "export_animation",
    "export_png",
    "export_python",
    "export_zip",
    "find_current_entry",
    "go_back",
    "has_second_reader",
    "list_second_readers",
    "list_session_directions",
    "load_selected_picture",
    "make_link",
    "make_recipe",
    "measure_latent_change",
    "move_along_path",
    "move_latents",
    "move_once",
    "name_animation",
    "name_png",
    "name_zip",
    "open_link",
    "open_world",
    "parse_rows",
    "pick_picture",
    "pictures_in",
    "pin_picture",
    "place_picture",
    "predict_path",
    "preview_directions",
    "read_beside",
    "read_result_beside",
    "rebuild_input",
    "receive_photo",
    "refine_encoding",
    "remember_view",
    "remove_pin",
    "report_left_out",
    "restore_png",
    "restore_recipe",
    "select_rows",
    "take_pinned",
    "time_action",
    "trace_attack",
    "trace_control",
    "use_plain_encoding",
]
