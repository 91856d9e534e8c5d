"""What `--help` ends with: examples of each command, and what an exit status means."""

STATUS = """\
exit status: 0 done; 1 refused, with one line that says why and what to do; 2 a wrong command line;
130 stopped by Ctrl-C. Without a terminal nothing is drawn; NO_COLOR switches colours off."""
EXAMPLES = {
    "select": (
        "cryofed select Class2D/job012/",
        "cryofed select CS-project/J42/ --out picked",
        "cryofed select averages.mrcs --json",
        "cryofed select Class2D/job030/ --learn-from Select/job013",
    ),
    "review": ("cryofed review Class2D/job012/", "cryofed review averages.mrcs"),
    "watch": (
        "cryofed watch /data/project",
        "cryofed watch /data/project --once    # for cron",
    ),
    "relion-job": ("cryofed relion-job --o External/job014/ --in_parts Class2D/job012/run_it025_data.star",),
    "simulate": (
        "cryofed simulate sites --sites 3 --out world",
        "cryofed simulate jobs --jobs 2 --out jobs",
    ),
    "harvest": (
        "cryofed harvest /data/projects --library site.db",
        "cryofed harvest /data/projects --library site.db --dry-run --json",
    ),
    "learnt": ("cryofed learnt", "cryofed learnt remove 3f2a"),
    "library": ("cryofed library info site.db", "cryofed library export site.db --to folder"),
    "train": (
        "cryofed train --library site.db --out our-model",
        "cryofed select Class2D/job012/ --model our-model --own-model",
    ),
    "federation": (
        "cryofed federation new plan.toml --sites north=north.db,south=south.db",
        "cryofed federation run plan.toml",
        "cryofed federation monitor plan.toml",
    ),
    "demo": ("cryofed demo --out demo",),
    "completion": (
        "cryofed completion bash > ~/.local/share/bash-completion/completions/cryofed",
        'cryofed completion zsh > "${fpath[1]}/_cryofed"',
    ),
}


def epilog(command: str) -> str:
    """The end of a command's help."""
    lines = [f"  {line}" for line in EXAMPLES.get(command, ())]
    return "\n".join([*(["examples:", *lines, ""] if lines else []), STATUS])
