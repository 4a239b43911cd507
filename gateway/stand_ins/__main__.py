"""`python -m gateway.stand_ins PORT`: the stand-ins, until Ctrl-C or SIGTERM."""

import sys

from gateway.stand_ins.server import run

if __name__ == "__main__":
    run(int(sys.argv[1]))
