"""`python -m benchmarks [NAME ...]`: every file here with a `main()` is a benchmark of its name.

Without a name: those whose figures stand in README (a quarter of an hour); the others take minutes to hours.
"""

import sys
from importlib import import_module
from pathlib import Path

README = ("select_job", "filter_particles", "demo")

names = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("__"))
unknown = set(sys.argv[1:]) - set(names)
if unknown:
    sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
for name in sys.argv[1:] or README:
    print(f"== {name}", flush=True)
    import_module(f"benchmarks.{name}").main()
if not sys.argv[1:]:
    print(f"others, by name: {', '.join(n for n in names if n not in README)}")
