#!/usr/bin/env python3
"""Tiny BERT classifiers of random weights, and what Hugging Face transformers and torch make of texts with them.

    python3 -m venv --system-site-packages VENV && VENV/bin/pip install -r scripts/reference-embeddings.requirements.txt
    VENV/bin/python scripts/reference-scores.py

Makes packages/model/test/fixtures/NAME, with the tokenizer of tiny-encoder, and packages/model/test/fixtures/scores/NAME.json:

  tiny-cross-encoder  one label, for pairs of texts
  tiny-moderator      several labels, each by itself, for single texts

`--check` compares with the committed logits instead, and makes nothing.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import sys

import tokenizers
import torch
import transformers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/model/test/fixtures"
TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
POSITIONS = 48

MODELS = {
    "tiny-cross-encoder": {"seed": 11, "labels": ["LABEL_0"], "problem_type": None},
    "tiny-moderator": {
        "seed": 12,
        "labels": ["toxic", "threat", "identity_hate", "self-harm", "sexual", "neutral"],
        "problem_type": "multi_label_classification",
    },
}

QUERY = "What is the capital of France?"
TEXTS = [
    "The capital of France is Paris.",
    "How do I bake a chocolate cake?",
    "a",
    "Café-crème, naïve; Ελλάδα, 東京 (3.14!) 🙂",
    "[SEP] and [MASK] in a text",
    "def next(n): return n + 1",
]
LONG = "On calm days she noted the colour of the sea, the ships that passed, and the birds on the rail. " * 3
# what is cut off where both do not fit: of the longer text, then of both
PAIRS = [(QUERY, text) for text in TEXTS] + [(text, QUERY) for text in TEXTS]
CUT = [(QUERY, LONG), (LONG, QUERY), (LONG, LONG), (LONG, "a"), ("a", LONG)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed logits, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, how in MODELS.items():
        folder = FIXTURES / name
        if not args.check:
            make(folder, **how)
        found = describe(folder)
        path = FIXTURES / "scores" / f"{name}.json"
        if args.check:
            check(json.loads(path.read_text()), found)
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, ensure_ascii=True, separators=(",", ":")) + "\n")
    return 0


def make(folder: pathlib.Path, seed: int, labels: list[str], problem_type: str | None) -> None:
    folder.mkdir(exist_ok=True)
    source = FIXTURES / "tiny-encoder"
    for name in TOKENIZER_FILES:
        shutil.copyfile(source / name, folder / name)
    vocabulary = json.loads((source / "tokenizer.json").read_text())["model"]["vocab"]
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=POSITIONS,
        type_vocab_size=2,
        # far from every common configuration, so that a forgotten setting shows
        layer_norm_eps=1e-6,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        problem_type=problem_type,
    )
    torch.manual_seed(seed)
    model = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "LayerNorm.weight" in name:
                tensor.normal_(1, 0.1)
            elif tensor.dim() == 1:
                tensor.normal_(0, 0.1)
            elif "embeddings" in name:
                tensor.normal_(0, 1 if "word" in name else 0.5)
            else:
                tensor.normal_(0, 2 / tensor.shape[1] ** 0.5)
    model.save_pretrained(folder)


def describe(folder: pathlib.Path) -> dict:
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")
    model = BertForSequenceClassification.from_pretrained(folder, torch_dtype=torch.float32).eval()

    def logits(first: str, second: str | None, cut: bool = False) -> dict:
        settings = {"truncation": "longest_first", "max_length": POSITIONS} if cut else {}
        encoded = tokenizer(first, second, return_token_type_ids=True, **settings)
        ids, types = encoded["input_ids"], encoded["token_type_ids"]
        assert len(ids) <= POSITIONS, (first, second, len(ids))
        with torch.no_grad():
            found = model(torch.tensor([ids]), token_type_ids=torch.tensor([types])).logits[0]
        values = [float(f"{value:.7g}") for value in found]
        second_at = types.index(1) if second is not None else None
        print(folder.name, values[:2], repr(first[:30]), file=sys.stderr)
        return {"first": first, "second": second, "ids": ids, "secondAt": second_at, "logits": values}

    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    versions = {library.__name__: library.__version__ for library in (transformers, torch, tokenizers)}
    return {
        "modelSha256": weights,
        "versions": versions,
        "texts": [logits(text, None) for text in TEXTS],
        "pairs": [logits(*pair) for pair in PAIRS],
        "cut": [logits(*pair, cut=True) for pair in CUT],
    }


def check(before: dict, after: dict) -> None:
    assert before["modelSha256"] == after["modelSha256"], "another model"
    for kind in ("texts", "pairs", "cut"):
        for old, new in zip(before[kind], after[kind], strict=True):
            assert old["ids"] == new["ids"] and old["secondAt"] == new["secondAt"], old
            for a, b in zip(old["logits"], new["logits"], strict=True):
                assert abs(a - b) < 1e-5, (old, new)
    print("the committed logits agree", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
