#!/usr/bin/env python3
"""Reference logits of SmolLM2-135M-Instruct, computed by Hugging Face transformers.

  apt-get install --no-install-recommends python3-torch python3-venv
  /usr/bin/python3 -m venv --system-site-packages VENV
  VENV/bin/pip install -r scripts/reference-logits.requirements.txt
  VENV/bin/python scripts/reference-logits.py MODEL.gguf [--full OUT] [--check]

Loads the GGUF with its weights dequantized to f32, runs each prompt in one forward pass on one thread, and writes
packages/engine/test/fixtures/smollm2-logits (its README tells the format). `--full OUT` also writes every logit as raw
f32, one file a prompt; `--check` compares with the committed vectors instead of writing them.
"""

import argparse
import hashlib
import json
import pathlib
import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
import transformers

FIXTURE = pathlib.Path(__file__).resolve().parent.parent / "packages/engine/test/fixtures/smollm2-logits"
TOP = 16
SKETCH_BUCKETS = 256
FULL_VECTORS = 14

PROMPTS = [
    "The capital of France is",
    "<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n    if n < 2:\n        return n\n    return",
    "Zürich, São Paulo, Αθήνα, 東京 and 🦙🦙 are written in many scripts; 3.14159, 2,718 and 1e-9 are numbers.",
    "A lighthouse keeper wrote in her diary every evening for forty years. On calm days she noted the colour of the sea, "
    "the ships that passed, and the birds that rested on the rail. On stormy days she wrote only one line: the lamp is lit. "
    "When the light was made automatic she carried the books down the stairs, all one hundred and twelve of them, and gave "
    "them to the village school, where the children learned to read the weather of years in which none of them had",
    "Minutes of the meeting. Present: Ada, Grace, Edsger, Barbara. Item 1: the new bridge will carry 4,200 vehicles a day, "
    "of which 15% are lorries; Grace asked how noise is measured, and Edsger showed the chart from 2019. Item 2: the budget. "
    "Income was 81,450 and spending 79,985, so 1,465 remains for the library roof. Barbara objected that the roof needs at "
    "least 9,000, and proposed to wait for spring. Agreed: 3 in favour, 1 against. Item 3: the school kitchen. Lunch is now "
    "cooked by two people for 130 children; a third will start in May. Item 4: any other business. The clock on the town "
    "hall is eleven minutes slow; Ada knows a clockmaker who would mend it for the price of the parts. Agreed without a "
    "vote. The next meeting is on the first Tuesday of the month, at seven in the evening. The chair closed the meeting and",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--full", type=pathlib.Path, help="folder for all logits as raw f32 [positions, vocabulary]")
    parser.add_argument("--check", action="store_true", help="compare with the committed vectors, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = run_prompts(args.model)
    if args.full is not None:
        args.full.mkdir(parents=True, exist_ok=True)
        for index, run in enumerate(runs):
            run["logits"].astype("<f4").tofile(args.full / f"prompt-{index}.f32")
    files = fixture_files(runs, hashlib.sha256(args.model.read_bytes()).hexdigest())
    if args.check:
        return check(files)
    FIXTURE.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (FIXTURE / name).write_bytes(content)
    return 0


def run_prompts(path: pathlib.Path) -> list[dict]:
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, torch_dtype=torch.float32)
    # the file has no output.weight because the head is the embedding; transformers 4.45 takes it for untied
    # and would leave a random head
    model.config.tie_word_embeddings = True
    model.tie_weights()
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    model.eval()
    runs = []
    for prompt in PROMPTS:
        # the file says add_bos_token = false, which this version of transformers does not read
        ids = tokenizer(prompt, add_special_tokens=False).input_ids
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0].to(torch.float32).numpy()
        runs.append({"prompt": prompt, "ids": ids, "logits": logits})
        best = tokenizer.decode([int(logits[-1].argmax())])
        print(f"{len(ids):4d} positions, next: {best!r}", file=sys.stderr)
    return runs


def fixture_files(runs: list[dict], model_sha256: str) -> dict[str, bytes]:
    sketches, vectors, full, prompts = [], [], [], []
    wanted = set(full_positions([len(run["ids"]) for run in runs]))
    buckets, signs = sketch_table(runs[0]["logits"].shape[1])
    for index, run in enumerate(runs):
        logits = run["logits"]
        # a stable sort, so that the lower id comes first on a tie
        top = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
        values = np.take_along_axis(logits, top, axis=1)
        prompts.append(
            {
                "text": run["prompt"],
                "ids": run["ids"],
                "topIds": top.tolist(),
                "topLogits": [[round(float(value), 4) for value in row] for row in values],
            }
        )
        for position, row in enumerate(logits):
            signed = row.astype(np.float64) * signs
            sketches.append(np.bincount(buckets, weights=signed, minlength=SKETCH_BUCKETS).astype("<f4"))
            if (index, position) in wanted:
                full.append({"prompt": index, "position": position})
                vectors.append(row.astype("<f2"))
    description = {
        "model": {"file": "SmolLM2-135M-Instruct.Q4_1.gguf", "sha256": model_sha256},
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__, "numpy": np.__version__},
        "vocabularySize": int(runs[0]["logits"].shape[1]),
        "sketchBuckets": SKETCH_BUCKETS,
        "full": full,
        "prompts": prompts,
    }
    return {
        "vectors.json": (json.dumps(description, ensure_ascii=False, separators=(",", ":")) + "\n").encode(),
        "logits.f16": np.concatenate(vectors).tobytes(),
        "sketches.f32": np.concatenate(sketches).tobytes(),
    }


def full_positions(lengths: list[int]) -> list[tuple[int, int]]:
    """Last positions of all prompts, and the rest spread evenly over the longest ones."""
    last = [(index, length - 1) for index, length in enumerate(lengths)]
    first = [(0, 0)]
    rest = FULL_VECTORS - len(last) - len(first)
    longest = lengths.index(max(lengths))
    spread = [(longest, (step + 1) * lengths[longest] // (rest + 1)) for step in range(rest)]
    return first + last + spread


def sketch_table(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Bucket and sign of each vocabulary entry: MurmurHash3's 32-bit finalizer of its index."""
    hashed = np.arange(size, dtype=np.uint64)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        hashed = ((hashed ^ (hashed >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    hashed ^= hashed >> np.uint64(16)
    return (hashed % np.uint64(SKETCH_BUCKETS)).astype(np.int64), np.where(hashed >> np.uint64(31), -1.0, 1.0)


def check(files: dict[str, bytes]) -> int:
    """Other processors round otherwise, so numbers are compared with a tolerance and ids exactly."""
    old, new = (json.loads(text) for text in ((FIXTURE / "vectors.json").read_bytes(), files["vectors.json"]))
    for before, after in zip(old["prompts"], new["prompts"], strict=True):
        assert before["ids"] == after["ids"], before["text"]
        difference = np.abs(np.array(before["topLogits"]) - np.array(after["topLogits"])).max()
        assert difference < 1e-2, (before["text"], difference)
    for name, kind, tolerance in (("logits.f16", "<f2", 0.05), ("sketches.f32", "<f4", 0.5)):
        before = np.frombuffer((FIXTURE / name).read_bytes(), kind).astype(np.float32)
        after = np.frombuffer(files[name], kind).astype(np.float32)
        difference = np.abs(before - after).max()
        assert difference < tolerance, (name, difference)
    print("the committed vectors agree", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
