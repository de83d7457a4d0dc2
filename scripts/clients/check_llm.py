import json
import pathlib
import subprocess
import sys
import os

from check import BASE, MODEL, QUESTION, path, report

home = pathlib.Path(os.environ["HOME"]) / "llm"
home.mkdir(exist_ok=True)
(home / "extra-openai-models.yaml").write_text(
    f"- model_id: mesh\n  model_name: {MODEL}\n  api_base: {BASE}\n  api_key_name: none\n  supports_tools: true\n  supports_schema: true\n"
    f"- model_id: mesh-completion\n  model_name: {MODEL}\n  api_base: {BASE}\n  completion: true\n"
)
(home / "keys.json").write_text(json.dumps({"none": "none", "openai": "none"}))


def llm(*args):
    run = subprocess.run(
        [sys.executable, "-m", "llm", *args], env={**os.environ, "LLM_USER_PATH": str(home)}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-400:]
    return run.stdout.strip()


@path("a prompt, streamed and whole")
def _():
    assert llm("-m", "mesh", QUESTION, "-o", "max_tokens", "12")
    assert llm("-m", "mesh", QUESTION, "-o", "max_tokens", "12", "--no-stream", "-s", "Be brief.")


@path("a conversation that goes on")
def _():
    assert llm("-m", "mesh", "-c", "And of Italy?", "-o", "max_tokens", "12")


@path("a schema")
def _():
    assert json.loads(llm("-m", "mesh", QUESTION, "--schema", "name, inhabitants int", "-o", "max_tokens", "200"))


@path("the completions route")
def _():
    assert llm("-m", "mesh-completion", "One, two,", "-o", "max_tokens", "8")


@path("tools")
def _():
    assert llm("-m", "mesh", QUESTION, "-T", "llm_version", "-o", "max_tokens", "24", "--chain-limit", "2") is not None


report()
