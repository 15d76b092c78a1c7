"""Prints compile_commands.json for the command and the files that are given."""
import json
import os
import sys

print(json.dumps([{"directory": os.getcwd(), "file": f, "command": f"{sys.argv[1]} -c {f}"} for f in sys.argv[2:]], indent=1))
