"""The project against its peers, every entrant in a process of its own, all in one run.

python -m latentlab benchmark [--peers] [--only JOB] [--json FILE]
"""
