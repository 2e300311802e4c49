"""The page: `python app.py` is `python -m latentlab app`; `--help` lists the flags."""

import sys

from latentlab.cli import main

if __name__ == "__main__":
    sys.exit(main(["app", *sys.argv[1:]]))
