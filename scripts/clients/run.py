#!/usr/bin/env python3
"""Drives the Python clients that people use against a running mesh, and prints what of each worked.

    npx resultity up --model smollm2-135m --model file:$PWD/packages/model/test/fixtures/tiny-encoder \\
        --model file:$PWD/packages/model/test/fixtures/tiny-cross-encoder
    scripts/clients/run.py [--url http://127.0.0.1:8420] [--only NAME]

Each client is installed, in the version that its requirements pin, into an environment of its own in a temporary folder. The
table that this prints at the end is the one of docs/clients.md. Exits with 1 where a path failed.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

HERE = pathlib.Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8420")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--encoder", default="tiny-encoder")
    parser.add_argument("--reranker", default="tiny-cross-encoder")
    parser.add_argument("--only", action="append", help="a client's name; as often as wanted")
    parser.add_argument("--environments", type=pathlib.Path, help="a folder that keeps the environments between runs")
    args = parser.parse_args()
    names = sorted(path.stem for path in (HERE / "requirements").glob("*.txt"))
    wanted = [name for name in names if args.only is None or name in args.only]
    mesh = {
        "MESH_URL": args.url,
        "MESH_MODEL": args.model,
        "MESH_ENCODER": args.encoder,
        "MESH_RERANKER": args.reranker,
    }
    with tempfile.TemporaryDirectory(prefix="resultity-clients-") as temporary:
        folder = args.environments or pathlib.Path(temporary)
        results = {name: check(name, folder / name, mesh) for name in wanted}
    show(results)
    return 0 if all(outcome["ok"] for outcomes in results.values() for outcome in outcomes) else 1


def check(name: str, environment: pathlib.Path, mesh: dict[str, str]) -> list[dict]:
    print(f"== {name}", file=sys.stderr, flush=True)
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", HERE / "requirements" / f"{name}.txt"]
    if subprocess.run(install).returncode != 0:
        return [{"path": "installation", "ok": False, "why": "pip failed"}]
    run = subprocess.run(
        [python, HERE / f"check_{name.replace('-', '_')}.py"],
        env={**os.environ, **mesh, "PYTHONWARNINGS": "ignore", "HOME": str(environment)},
        cwd=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    outcomes = [json.loads(line[7:]) for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    if run.returncode != 0 or not outcomes:
        outcomes.append({"path": "the check itself", "ok": False, "why": f"ended with {run.returncode}"})
    for outcome in outcomes:
        told = "ok    " if outcome["ok"] else "FAILED"
        print(f"   {told} {outcome['path']} {outcome.get('why', '')}", file=sys.stderr, flush=True)
    return outcomes


def show(results: dict[str, list[dict]]) -> None:
    print(f"\n{datetime.date.today()}, Python {sys.version.split()[0]}\n")
    print("| client | version | paths that worked | paths that did not |")
    print("| --- | --- | --- | --- |")
    for name, outcomes in results.items():
        pins = (HERE / "requirements" / f"{name}.txt").read_text().split()
        worked = ", ".join(outcome["path"] for outcome in outcomes if outcome["ok"])
        failed = "; ".join(f"{outcome['path']}: {outcome['why']}" for outcome in outcomes if not outcome["ok"])
        print(f"| {name} | {', '.join(pins)} | {worked} | {failed or 'none'} |")


if __name__ == "__main__":
    sys.exit(main())
