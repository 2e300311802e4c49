"""Worlds: data sets as uint8 tensors in memory, with the names of their classes; one module a source.

They are looked for in `$LATENTLAB_DATA` (default `data/`): `NAME.npz` (`train_x`, `test_x` uint8 N H W C, `train_y`,
`test_y`, optional `names`), then torchvision's own layout (`cifar-10-batches-py`, `MNIST/raw`), then a folder per class
(`NAME/train/CLASS/*.png` and `NAME/test/…`, or `NAME/CLASS/*.png`, a tenth of it held out by the hash of the name).
`latentlab world` makes `NAME.npz` of any folder of pictures: such a world has a title and needs no network.
`digits` needs no file, nor do its variants: in `digits-biased` nine of ten training digits wear their class's hue, in
`digits-mislabelled` four of ten have the label of another class.

What is done with the pictures does not belong here: reading a visitor's picture is `images`, moving it is `operators`.
"""

from latentlab.datasets.dataset import Dataset, Split
from latentlab.datasets.digits import COLOURINGS_PER_DIGIT, make_digits_world
from latentlab.datasets.folder import load_folder_world
from latentlab.datasets.known_worlds import DATA_LICENCES, WORLD_NAMES, find_data_folder
from latentlab.datasets.loading import is_world_here, load_world
from latentlab.datasets.npz import load_npz_world
from latentlab.datasets.torchvision_layouts import TORCHVISION_LAYOUTS, download_world
from latentlab.datasets.world_file import WorldHead, list_world_files, make_slug, read_world_head

__all__ = [
    "COLOURINGS_PER_DIGIT",
    "DATA_LICENCES",
    "TORCHVISION_LAYOUTS",
    "WORLD_NAMES",
    "Dataset",
    "Split",
    "WorldHead",
    "download_world",
    "find_data_folder",
    "is_world_here",
    "list_world_files",
    "load_folder_world",
    "load_npz_world",
    "load_world",
    "make_digits_world",
    "make_slug",
    "read_world_head",
]
