#!/usr/bin/env python3
"""What ONNX Runtime's own Python package makes of real voices: two short recordings and what they were made of.

    python3 -m venv VENV && VENV/bin/pip install -r scripts/reference-voices.requirements.txt
    VENV/bin/python scripts/reference-voices.py --piper en_US-joe-medium.onnx --kokoro FOLDER

The files are those of the catalogue's `piper-joe` and `kokoro`, as `npx resultity pull` fetches them. Made in test/fixtures/voices:

  voices.json               versions, and for each voice the phoneme ids and the settings
  piper-joe.wav, kokoro.wav  s16, one channel

Piper's noise is 0 in it, so that it says the same each time. Kokoro has none.
"""

import argparse
import json
import pathlib
import wave

import numpy as np
import onnxruntime

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "test/fixtures/voices"
PIPER = "ɡˈʊd mˈɔːɹnɪŋ."
KOKORO = "ɡˈʊd mˈɔɹnɪŋ."
SPEAKER = "af_heart"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--piper", type=pathlib.Path, required=True)
    parser.add_argument("--kokoro", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    FIXTURES.mkdir(parents=True, exist_ok=True)
    voices = {"piper-joe": piper(arguments.piper), "kokoro": kokoro(arguments.kokoro)}
    described = {"made_by": f"onnxruntime {onnxruntime.__version__}", "voices": voices}
    (FIXTURES / "voices.json").write_text(json.dumps(described) + "\n")


def session(path: pathlib.Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def piper(path: pathlib.Path) -> dict:
    settings = json.loads(path.with_name(path.name + ".json").read_text())
    ids = settings["phoneme_id_map"]
    sentence = [*ids["^"], *ids["_"]]
    for phoneme in PIPER:
        sentence += [*ids[phoneme], *ids["_"]]
    sentence += ids["$"]
    scales = [0.0, settings["inference"]["length_scale"], 0.0]
    inputs = {
        "input": np.array([sentence], dtype=np.int64),
        "input_lengths": np.array([len(sentence)], dtype=np.int64),
        "scales": np.array(scales, dtype=np.float32),
    }
    (samples,) = session(path).run(None, inputs)
    write("piper-joe", samples, settings["audio"]["sample_rate"])
    return {"ids": sentence, "lengthScale": 1}


def kokoro(folder: pathlib.Path) -> dict:
    vocabulary = json.loads((folder / "vocab.json").read_text())["vocab"]
    phonemes = [vocabulary[phoneme] for phoneme in KOKORO]
    styles = np.fromfile(folder / f"voices/{SPEAKER}.bin", dtype="<f4").reshape(-1, 256)
    inputs = {
        "tokens": np.array([[0, *phonemes, 0]], dtype=np.int64),
        "style": styles[len(phonemes) - 1 : len(phonemes)],
        "speed": np.ones(1, dtype=np.float32),
    }
    (graph,) = folder.glob("*.onnx")
    (samples,) = session(graph).run(None, inputs)
    write("kokoro", samples, 24000)
    return {"ids": [0, *phonemes, 0], "lengthScale": 1, "speaker": SPEAKER}


def write(name: str, samples: np.ndarray, rate: int) -> None:
    with wave.open(str(FIXTURES / f"{name}.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(np.clip(samples.ravel(), -1, 1) * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
