#!/usr/bin/env python3
"""Reference sentence vectors, by Hugging Face transformers and torch.

    python3 -m venv --system-site-packages VENV && VENV/bin/pip install -r scripts/reference-embeddings.requirements.txt
    VENV/bin/python scripts/reference-embeddings.py NAME FOLDER

Loads the model folder (in the layout of sentence-transformers), computes a vector of each text as that library does
(tokens cut to max_seq_length, the last hidden state, the pooling of 1_Pooling/config.json, normalization where
modules.json has it) and writes packages/model/test/fixtures/embeddings/NAME.json. `--check` compares with the
committed vectors instead. It also writes the token ids of texts that are hard to cut, which need no vectors.
"""

import argparse
import hashlib
import json
import pathlib
import sys

import numpy as np
import tokenizers
import torch
import transformers
from transformers import BertModel, PreTrainedTokenizerFast

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/model/test/fixtures/embeddings"

TEXTS = [
    "The capital of France is Paris.",
    "Paris is where the French government sits.",
    "How do I bake a chocolate cake?",
    "a",
    "Café-crème, naïve façade; Ελλάδα ΟΔΟΣ, 東京 (3.14159!) and 🙂🙂",
    "def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)",
    "On calm days she noted the colour of the sea, the ships that passed, and the birds on the rail.",
    " ".join(f"word number {index} of a long text that goes on and on" for index in range(60)),
]

HARD = [
    "",
    "   \t\n ",
    "[MASK] and [SEP] in a text",
    "ΣΊΣΥΦΟΣ İstanbul ŁÓDŹ ß ﬁne",
    "zero\u0000width\u200b\u00adsoft\ufeffmark\u2028line\u0085next",
    "한국어 हिन्दी ไทย العربية עברית",
    "\U00020000\U0002a6d6 𠮷野家 ｆｕｌｌｗｉｄｔｈ １２３",
    "don't-stop_believing@example.com #hash $5 50% a+b=c <tag> ~`^|",
    "x" * 100 + " " + "y" * 101,
    "e\u0301 \u0041\u030a n\u0303 \u1e69",
    "emoji 👩‍👩‍👧‍👦 🇫🇷 \ue000 private",
    "“quotes” — dashes … ellipsis ‚low‘ «guillemets» ¿qué? 、。",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="compare with the committed vectors, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = describe(args.folder)
    path = FIXTURES / f"{args.name}.json"
    if args.check:
        return check(json.loads(path.read_text()), found)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, ensure_ascii=True, separators=(",", ":")) + "\n")
    return 0


def describe(folder: pathlib.Path) -> dict:
    limit = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    model = BertModel.from_pretrained(folder, add_pooling_layer=False, torch_dtype=torch.float32).eval()
    texts = []
    for text in TEXTS:
        ids = tokenizer.backend_tokenizer.encode(text).ids
        cut = ids if len(ids) <= limit else ids[: limit - 1] + ids[-1:]
        texts.append({"text": text, "ids": cut, "vector": [float(f"{value:.7g}") for value in embed(folder, model, cut)]})
        print(f"{len(cut):4d} tokens: {text[:60]!r}", file=sys.stderr)
    hard = [{"text": text, "ids": tokenizer.backend_tokenizer.encode(text).ids} for text in HARD]
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    versions = {library.__name__: library.__version__ for library in (transformers, torch, tokenizers)}
    return {"modelSha256": weights, "versions": versions, "texts": texts, "hard": hard}


def embed(folder: pathlib.Path, model: BertModel, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        hidden = model(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids))).last_hidden_state[0]
    pooling = json.loads((folder / "1_Pooling/config.json").read_text())
    vector = hidden.mean(dim=0) if pooling["pooling_mode_mean_tokens"] else hidden[0]
    modules = json.loads((folder / "modules.json").read_text())
    if any(module["type"].endswith("Normalize") for module in modules):
        vector = torch.nn.functional.normalize(vector, dim=0)
    return vector.numpy()


def check(before: dict, after: dict) -> int:
    assert before["modelSha256"] == after["modelSha256"], "another model"
    assert before["hard"] == after["hard"]
    for old, new in zip(before["texts"], after["texts"], strict=True):
        assert old["ids"] == new["ids"], old["text"]
        a, b = np.array(old["vector"]), np.array(new["vector"])
        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        assert cosine > 0.999999, (old["text"], cosine)
    print("the committed vectors agree", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
