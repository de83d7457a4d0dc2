#!/usr/bin/env python3
"""faster-whisper, measured by `npm run bench -- speech --python PROGRAM`.

    python3 -m venv VENV && VENV/bin/pip install -r scripts/bench/faster-whisper.requirements.txt

Takes one JSON object as its argument, with model, samples and threads as in listener.ts. Writes a line of JSON with its
versions once the model is loaded. Then answers each line {"words": BOOLEAN} with the seconds of features, encoder and decoder
and the text. It decodes greedily in f32: a beam of one, no fallback.
"""

import json
import pathlib
import sys
import tempfile
import time

import ctranslate2
import faster_whisper
import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor


class Stopwatch:
    """Wraps a function and sums the seconds that its calls take."""

    def __init__(self, function):
        self.function = function
        self.seconds = 0.0

    def __call__(self, *args, **kwargs):
        begun = time.perf_counter()
        try:
            return self.function(*args, **kwargs)
        finally:
            self.seconds += time.perf_counter() - begun


def main() -> int:
    init = json.loads(sys.argv[1])
    samples = np.fromfile(init["samples"], dtype="<i2").astype(np.float32) / 32768
    with tempfile.TemporaryDirectory() as directory:
        model = faster_whisper.WhisperModel(
            str(with_vocabulary(pathlib.Path(init["model"]), pathlib.Path(directory))),
            device="cpu",
            compute_type="float32",
            cpu_threads=init["threads"],
            num_workers=1,
        )
    extract = FeatureExtractor.__call__
    answer({"faster-whisper": faster_whisper.__version__, "ctranslate2": ctranslate2.__version__})
    for line in sys.stdin:
        features, encode = Stopwatch(extract), Stopwatch(type(model).encode)
        FeatureExtractor.__call__ = lambda self, *args, **kwargs: features(self, *args, **kwargs)
        model.encode = lambda *args, **kwargs: encode(model, *args, **kwargs)
        begun = time.perf_counter()
        segments, _ = model.transcribe(
            samples,
            language="en",
            beam_size=1,
            temperature=[0.0],
            word_timestamps=json.loads(line)["words"],
        )
        text = "".join(segment.text for segment in segments).strip()
        seconds = time.perf_counter() - begun
        answer(
            {
                "features": features.seconds,
                "encoder": encode.seconds,
                "decoder": seconds - features.seconds - encode.seconds,
                "text": text,
            }
        )
    return 0


def with_vocabulary(model: pathlib.Path, directory: pathlib.Path) -> pathlib.Path:
    """The model's files, and beside them the list of tokens that CTranslate2 wants and our engine reads elsewhere."""
    for path in model.iterdir():
        if not path.name.startswith("vocabulary."):
            (directory / path.name).symlink_to(path.resolve())
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    ids = {**tokenizer["model"]["vocab"], **{token["content"]: token["id"] for token in tokenizer["added_tokens"]}}
    tokens = sorted(ids, key=ids.get)
    if "<|0.00|>" not in ids:
        # timestamps every 20 ms of 30 s are the last tokens
        tokens += [f"<|{step / 50:.2f}|>" for step in range(1501)]
    (directory / "vocabulary.json").write_text(json.dumps(tokens))
    return directory


def answer(message: dict) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    sys.exit(main())
