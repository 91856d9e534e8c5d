"""`python -m benchmarks [NAME ...]`: every file here with a `main()` is a benchmark of its name."""

import sys
from importlib import import_module
from pathlib import Path

names = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_"))
unknown = set(sys.argv[1:]) - set(names)
if unknown:
    sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
for name in sys.argv[1:] or names:
    print(f"== {name}", flush=True)
    import_module(f"benchmarks.{name}").main()
