#!/usr/bin/env python3
"""Reference transcripts, by faster-whisper on CTranslate2.

    python3 -m venv VENV && VENV/bin/pip install -r scripts/reference-speech.requirements.txt
    VENV/bin/python scripts/reference-speech.py NAME MODEL_FOLDER RECORDING

Decodes a recording greedily (beam of one, no fallback) with a CTranslate2 model in f32 and writes
packages/speech/test/fixtures/NAME.json: for each case the segments with their tokens, times and mean log-probability, and the
words with theirs. The cases take the recording as it is, twice with a pause, behind a prompt, and cut amid a word.
`--check` compares with the committed figures instead.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
from faster_whisper import WhisperModel, decode_audio

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/speech/test/fixtures"
RATE = 16_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("recording", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    model = WhisperModel(str(args.model), device="cpu", compute_type="float32", cpu_threads=1)
    # as a job carries it
    samples = np.round(decode_audio(str(args.recording), sampling_rate=RATE) * 32768).clip(-32768, 32767) / 32768
    samples = samples.astype(np.float32)
    pause = np.zeros(2 * RATE, dtype=np.float32)
    cases = {
        "as it is": case(model, samples),
        "twice": case(model, np.concatenate([samples, pause, samples])),
        "behind a prompt": case(model, samples, prompt="NASA, JFK AND THE SPACE RACE."),
        "cut amid a word": case(model, samples[: int(5.3 * RATE)]),
    }
    made = {"recording": args.recording.name, "cases": cases}
    path = FIXTURES / f"{args.name}.json"
    if args.check:
        same = json.loads(path.read_text()) == made
        print("the same" if same else "not the same", file=sys.stderr)
        return 0 if same else 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made, indent=1) + "\n")
    return 0


def case(model: WhisperModel, samples: np.ndarray, prompt: str | None = None) -> dict:
    common = dict(language="en", beam_size=1, temperature=[0.0], initial_prompt=prompt)
    # how words are timed moves the times of segments, and where windows begin
    segments, _ = model.transcribe(samples, **common)
    timed, _ = model.transcribe(samples, word_timestamps=True, **common)
    return {
        "prompt": [] if prompt is None else model.hf_tokenizer.encode(" " + prompt, add_special_tokens=False).ids,
        "segments": [
            {
                "seek": segment.seek,
                "start": round(segment.start, 2),
                "end": round(segment.end, 2),
                "text": segment.text,
                "tokens": list(segment.tokens),
                "averageLogprob": round(segment.avg_logprob, 4),
                "compressionRatio": round(segment.compression_ratio, 4),
                "noSpeech": round(segment.no_speech_prob, 6),
            }
            for segment in segments
        ],
        "words": [
            {"text": word.word, "start": float(word.start), "end": float(word.end)}
            for segment in timed
            for word in segment.words
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
