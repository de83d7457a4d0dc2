import json
import os
import pathlib
import subprocess
import sys

from check import BASE, MODEL, path, report

folder = pathlib.Path(os.environ["HOME"]) / "tasks"
folder.mkdir(exist_ok=True)
(folder / "capitals.jsonl").write_text(
    "\n".join(
        json.dumps({"question": f"The capital of {country} is", "choices": [" Paris", " Rome", " Berlin"], "answer": at})
        for at, country in enumerate(["France", "Italy", "Germany"])
    )
)
COMMON = f"""dataset_path: json
dataset_kwargs:
  data_files:
    test: {folder}/capitals.jsonl
test_split: test
doc_to_text: "{{{{question}}}}"
"""
(folder / "choices.yaml").write_text(
    f"task: mesh_choices\n{COMMON}output_type: multiple_choice\ndoc_to_choice: choices\ndoc_to_target: answer\n"
    "target_delimiter: ''\nmetric_list:\n  - metric: acc\n"
)
(folder / "likelihood.yaml").write_text(
    f"task: mesh_likelihood\n{COMMON}output_type: loglikelihood_rolling\ndoc_to_target: question\nmetric_list:\n  - metric: word_perplexity\n"
)
(folder / "generation.yaml").write_text(
    f"task: mesh_generation\n{COMMON}output_type: generate_until\ndoc_to_target: '{{{{choices[answer]}}}}'\n"
    "generation_kwargs:\n  max_gen_toks: 8\n  until: ['.']\nmetric_list:\n  - metric: exact_match\n"
)


def evaluate(model, args, task, *more):
    out = folder / "out"
    run = subprocess.run(
        [sys.executable, "-m", "lm_eval", "--model", model, "--model_args", args, "--tasks", task, "--include_path", folder]
        + ["--output_path", out, *more],
        env={**os.environ, "OPENAI_API_KEY": "none", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-600:]
    newest = max(out.rglob("results*.json"), key=lambda found: found.stat().st_mtime)
    return json.loads(newest.read_text())["results"][task]


PLAIN = f"model={MODEL},base_url={BASE}/completions,tokenizer_backend=remote,num_concurrent=2,max_retries=1"


@path("local-completions: multiple choice by log-likelihood")
def _():
    # a model that knows anything knows some of these
    assert evaluate("local-completions", PLAIN, "mesh_choices")["acc,none"] > 0


@path("local-completions: rolling log-likelihood")
def _():
    assert evaluate("local-completions", PLAIN, "mesh_likelihood")["word_perplexity,none"] > 1


@path("local-completions: generation")
def _():
    assert "exact_match,none" in evaluate("local-completions", PLAIN, "mesh_generation")


@path("local-chat-completions: generation")
def _():
    args = f"model={MODEL},base_url={BASE}/chat/completions,num_concurrent=2,max_retries=1"
    assert "exact_match,none" in evaluate("local-chat-completions", args, "mesh_generation", "--apply_chat_template")


report()
