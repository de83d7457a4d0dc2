#!/usr/bin/env python3
"""A tiny Whisper of random weights, what transformers and torch make of it, and what faster-whisper makes of real ones.

    python3 -m venv --system-site-packages VENV && VENV/bin/pip install -r scripts/reference-whisper.requirements.txt
    VENV/bin/python scripts/reference-whisper.py
    VENV/bin/python scripts/reference-whisper.py --recording jfk.wav --model FOLDER --name tiny.en

The first makes in packages/whisper/test/fixtures:

  tiny-whisper      as Hugging Face publishes them: config.json, generation_config.json, tokenizer.json, model.safetensors
  tiny-whisper-ct2  the same weights as CTranslate2's converter writes them: config.json, tokenizer.json, model.bin
  tiny-whisper.json keys and values that cross attention reads, logits of every position, where the alignment heads look

Weights are exact in f16, so that both formats hold the same numbers; all is computed in f32. The spectrogram is a formula,
which the tests compute too (`waves`).

The second adds NAME.json: the log-mel spectrogram of a recording (f16, what is heard of it) and the tokens that faster-whisper
decodes greedily with a CTranslate2 model, with their mean log-probability.

`--check` compares with the committed figures instead, and makes nothing.
"""

import argparse
import base64
import itertools
import json
import math
import pathlib
import shutil
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import WhisperConfig, WhisperForConditionalGeneration

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/whisper/test/fixtures"
MEL_BINS, FRAMES, POSITIONS = 80, 3000, 1500
TEXT_TOKENS = 300
LANGUAGES = ["en", "de", "haw"]
SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{language}|>" for language in LANGUAGES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
ALIGNMENT_HEADS = [[1, 0], [2, 3]]
CORPUS = ["And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country. "] * 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", type=pathlib.Path, help="a wav file")
    parser.add_argument("--model", type=pathlib.Path, help="folder of a CTranslate2 model")
    parser.add_argument("--name", help="of the file that is made")
    parser.add_argument("--check", action="store_true", help="compare with what is committed, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.recording is not None:
        return settle(FIXTURES / f"{args.name}.json", recorded(args.recording, args.model), args.check)
    tokenizer = make_tokenizer()
    ids = {token: tokenizer.token_to_id(token) for token in SPECIAL}
    model = make_model(tokenizer.get_vocab_size(), ids)
    if not args.check:
        write_hugging_face(model, tokenizer, ids)
        write_ctranslate2(model, tokenizer, ids)
    return settle(FIXTURES / "tiny-whisper.json", computed(model, ids), args.check)


def settle(path: pathlib.Path, made: dict, check: bool) -> int:
    if not check:
        path.write_text(json.dumps(made) + "\n")
        print(f"{path.name}: {path.stat().st_size} bytes")
        return 0
    same = json.loads(path.read_text()) == made
    print(f"{path.name}: {'the same' if same else 'another'}")
    return 0 if same else 1


def make_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=TEXT_TOKENS, initial_alphabet=sorted(alphabet), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def make_model(named_tokens: int, ids: dict) -> WhisperForConditionalGeneration:
    config = WhisperConfig(
        # behind the named tokens one for every 20 ms of a window, and one for its end
        vocab_size=named_tokens + POSITIONS + 1,
        num_mel_bins=MEL_BINS,
        d_model=32,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_layers=3,
        decoder_attention_heads=4,
        decoder_ffn_dim=64,
        max_source_positions=POSITIONS,
        max_target_positions=448,
        decoder_start_token_id=ids["<|startoftranscript|>"],
        bos_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|endoftext|>"],
        pad_token_id=ids["<|endoftext|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
        attn_implementation="eager",
    )
    model = WhisperForConditionalGeneration(config).eval()
    generator = torch.Generator().manual_seed(17)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            if name.endswith("layer_norm.weight"):
                values = 1 + 0.2 * drawn
            elif name.endswith("bias"):
                values = 0.1 * drawn
            elif "embed_positions" in name and "encoder" in name:
                values = parameter
            else:
                values = drawn * (1.5 / math.sqrt(parameter[0].numel()))
            parameter.copy_(values.half().float())
    return model


def write_hugging_face(model, tokenizer: Tokenizer, ids: dict) -> None:
    folder = FIXTURES / "tiny-whisper"
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config.to_dict()
    config["architectures"] = ["WhisperForConditionalGeneration"]
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / "generation_config.json").write_text(json.dumps(generation_config(ids), indent=2) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tensors = {name: value.half().contiguous() for name, value in model.state_dict().items() if name != "proj_out.weight"}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})


def generation_config(ids: dict) -> dict:
    return {
        "alignment_heads": ALIGNMENT_HEADS,
        "is_multilingual": True,
        "lang_to_id": {f"<|{language}|>": ids[f"<|{language}|>"] for language in LANGUAGES},
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "prev_sot_token_id": ids["<|startofprev|>"],
        "task_to_id": {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")},
        "suppress_tokens": suppressed(ids),
        "begin_suppress_tokens": [220, ids["<|endoftext|>"]],
    }


def suppressed(ids: dict) -> list:
    kept = {"<|endoftext|>", "<|notimestamps|>", *(f"<|{language}|>" for language in LANGUAGES)}
    return [1, 2, 7, *(ids[name] for name in SPECIAL if name not in kept)]


def write_ctranslate2(model, tokenizer: Tokenizer, ids: dict) -> None:
    from ctranslate2.converters.transformers import WhisperLoader

    folder = FIXTURES / "tiny-whisper-ct2"
    folder.mkdir(parents=True, exist_ok=True)
    spec = WhisperLoader().get_model_spec(model)
    spec.config.suppress_ids = suppressed(ids)
    spec.config.suppress_ids_begin = [220, ids["<|endoftext|>"]]
    spec.config.lang_ids = [ids[f"<|{language}|>"] for language in LANGUAGES]
    spec.config.alignment_heads = ALIGNMENT_HEADS
    names = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    spec.register_vocabulary([name for name, _ in names] + [f"<|{index * 0.02:.2f}|>" for index in range(POSITIONS + 1)])
    spec.validate()
    spec.optimize(quantization="float16")
    spec.save(str(folder))
    (folder / "vocabulary.json").unlink()
    shutil.copyfile(FIXTURES / "tiny-whisper/tokenizer.json", folder / "tokenizer.json")


def waves() -> torch.Tensor:
    """As wide as log-mel spectrograms are; computed in f64 and rounded once."""
    bins, frames = np.arange(MEL_BINS)[:, None], np.arange(FRAMES)[None, :]
    values = np.sin(0.37 * bins + 0.011 * frames) * np.cos(0.0023 * frames * (1 + bins % 5))
    return torch.tensor(values.astype(np.float32))[None]


@torch.no_grad()
def computed(model, ids: dict) -> dict:
    heard = model.model.encoder(waves()).last_hidden_state
    rows = [0, 1, 2, 3, *range(49, POSITIONS, 50), POSITIONS - 1]
    cross = []
    for layer in model.model.decoder.layers:
        attention = layer.encoder_attn
        cross.append({"keys": packed(attention.k_proj(heard)[0, rows]), "values": packed(attention.v_proj(heard)[0, rows])})
    prompt = ["<|startofprev|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>"]
    first_timestamp = ids["<|notimestamps|>"] + 1
    tokens = [*(ids[name] for name in prompt), first_timestamp, 41, 299, 7, 220, 260, first_timestamp + 140, 12]
    out = model.model.decoder(
        input_ids=torch.tensor([tokens]), encoder_hidden_states=heard, output_attentions=True, use_cache=False
    )
    logits = model.proj_out(out.last_hidden_state)[0]
    looks = torch.stack([out.cross_attentions[layer][0, head] for layer, head in ALIGNMENT_HEADS])
    return {
        "made_by": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "rows": rows,
        "cross": cross,
        "tokens": tokens,
        # f32 [tokens, vocabulary]
        "logits": packed(logits),
        "frames": list(range(0, POSITIONS, 10)),
        # f32 [heads, tokens, frames]
        "looks": packed(looks[:, :, ::10]),
        "greedy": greedy(model, heard, tokens[:5]),
    }


def greedy(model, heard: torch.Tensor, tokens: list) -> list:
    """What is most likely, again and again, with no rules."""
    tokens = list(tokens)
    for _ in range(24):
        states = model.model.decoder(input_ids=torch.tensor([tokens]), encoder_hidden_states=heard).last_hidden_state
        tokens.append(int(model.proj_out(states[0, -1]).argmax()))
    return tokens


def recorded(recording: pathlib.Path, folder: pathlib.Path) -> dict:
    import faster_whisper

    model = faster_whisper.WhisperModel(str(folder), device="cpu", compute_type="float32", cpu_threads=1)
    sound = faster_whisper.decode_audio(str(recording))
    mel = model.feature_extractor(sound)
    # the extractor pads what it is given by half a minute
    frames = min(FRAMES, math.ceil(sound.shape[0] / 160))
    segments, info = model.transcribe(
        sound, beam_size=1, temperature=0, without_timestamps=True, condition_on_previous_text=False, language="en"
    )
    segments = list(segments)
    return {
        "made_by": f"faster-whisper {faster_whisper.__version__}",
        "bins": int(mel.shape[0]),
        "frames": frames,
        # f16 [bins, frames]; what is behind is silence
        "mel": base64.b64encode(mel[:, :frames].astype("<f2").tobytes()).decode(),
        "silence": float(mel[:, frames:].min()),
        "tokens": list(itertools.chain.from_iterable(segment.tokens for segment in segments)),
        "avg_logprob": segments[0].avg_logprob,
        "text": "".join(segment.text for segment in segments),
    }


def packed(values: torch.Tensor) -> str:
    return base64.b64encode(values.contiguous().numpy().astype("<f4").tobytes()).decode()


if __name__ == "__main__":
    sys.exit(main())
