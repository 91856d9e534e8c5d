"""`python -m benchmarks [NAME ...]`: every file here with a `main()` is a benchmark of its name.

Without a name: what people wait for, in a quarter of an hour; the others take minutes to hours.
A folder here is a benchmark with commands of its own: `python -m benchmarks real build --out DIR`.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

# As `cryofed select` sets it, before NumPy is there: threads that wait for each other would count as work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
QUICK = ("select_job", "filter_particles", "million_rows", "review", "aggregation", "scale")

here = Path(__file__).parent
rooms = sorted(p.parent.name for p in here.glob("*/commands.py"))
names = sorted([p.stem for p in here.glob("*.py") if not p.stem.startswith("__")] + rooms)
if sys.argv[1:2] and sys.argv[1] in rooms:
    sys.exit(import_module(f"benchmarks.{sys.argv[1]}.commands").main(sys.argv[2:]))
unknown = set(sys.argv[1:]) - set(names)
if unknown:
    sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
for name in sys.argv[1:] or QUICK:
    print(f"== {name}", flush=True)
    import_module(f"benchmarks.{name}.commands" if name in rooms else f"benchmarks.{name}").main()
if not sys.argv[1:]:
    print(f"others, by name: {', '.join(n for n in names if n not in QUICK)}")
