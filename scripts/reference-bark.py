#!/usr/bin/env python3
"""A tiny Bark of random weights, what transformers makes of it, and the tensors that the real ones have.

    python3 -m venv --system-site-packages VENV && VENV/bin/pip install -r scripts/reference-bark.requirements.txt
    VENV/bin/python scripts/reference-bark.py

Makes in packages/voice/test/fixtures:

  tiny-bark       as suno publishes them: config.json, generation_config.json, pytorch_model.bin, tokenizer.json, voices
  bark.json       states behind each layer, greedy tokens of all three transformers, waveforms
  published.json  names and shapes of suno/bark and suno/bark-small, by the reference code

Weights are exact in f16, all is computed in f32. `--check` compares with the committed figures instead, and makes nothing.
"""

import argparse
import base64
import json
import math
import pathlib
import re
import sys

import numpy as np
import torch
import transformers
from accelerate import init_empty_weights
from tokenizers import BertWordPieceTokenizer
from transformers import BarkCoarseModel, BarkConfig, BarkFineModel, BarkModel, BarkSemanticModel, EncodecModel
from transformers.models.bark.generation_configuration_bark import (
    BarkCoarseGenerationConfig,
    BarkFineGenerationConfig,
    BarkGenerationConfig,
    BarkSemanticGenerationConfig,
)

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/voice/test/fixtures"
MADE_BY = f"transformers {transformers.__version__}, torch {torch.__version__}"

SEMANTIC = 40
CODES = 16
TEXT_OFFSET = 44
BLOCK = 72


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is committed, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    tokenizer = make_tokenizer()
    model = make_model(config_of(tokenizer), seed=11)
    voices = {"v2/en_speaker_0": make_voice(3, frames=30), "v2/de_speaker_1": make_voice(4, frames=5)}
    FIXTURES.mkdir(parents=True, exist_ok=True)
    if not check:
        write_folder(model, tokenizer, voices)
    made = {"bark.json": described(model, tokenizer, voices), "published.json": published()}
    return max(settle(FIXTURES / name, value, check) for name, value in made.items())


def settle(path: pathlib.Path, made: dict, check: bool) -> int:
    if not check:
        path.write_text(json.dumps(made) + "\n")
        print(f"{path.name}: {path.stat().st_size} bytes")
        return 0
    same = json.loads(path.read_text()) == json.loads(json.dumps(made))
    print(f"{path.name}: {'the same' if same else 'another'}")
    return 0 if same else 1


def make_tokenizer() -> BertWordPieceTokenizer:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    capitals = ["H", "T", "W"]
    pieces = [*special, *".,!?", *letters, *capitals, *(f"##{letter}" for letter in letters), "Hello", "the", "mesh"]
    return BertWordPieceTokenizer({piece: index for index, piece in enumerate(pieces)}, lowercase=False, strip_accents=False)


def config_of(tokenizer) -> BarkConfig:
    text = TEXT_OFFSET + tokenizer.get_vocab_size()
    common = {"block_size": BLOCK, "num_layers": 2, "num_heads": 2, "hidden_size": 16, "bias": False, "dropout": 0.0}
    return BarkConfig(
        semantic_config={**common, "input_vocab_size": text + 2, "output_vocab_size": SEMANTIC + 4},
        coarse_acoustics_config={**common, "input_vocab_size": 76, "output_vocab_size": 76},
        fine_acoustics_config={
            **common,
            "block_size": 16,
            "input_vocab_size": CODES + 4,
            "output_vocab_size": CODES + 4,
            "n_codes_total": 8,
            "n_codes_given": 1,
        },
        codec_config={
            "model_type": "encodec",
            "sampling_rate": 24_000,
            "target_bandwidths": [80.0],
            "hidden_size": 12,
            "codebook_size": CODES,
            "codebook_dim": 12,
            "num_filters": 2,
            "upsampling_ratios": [4, 3, 2],
            "num_residual_layers": 2,
        },
    )


def make_model(config: BarkConfig, seed: int) -> BarkModel:
    model = BarkModel(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith("attn.bias") or not parameter.is_floating_point():
                continue
            drawn = torch.randn(parameter.shape, generator=generator)
            if re.search(r"layernorm\w*\.weight$", name):
                values = 1 + 0.2 * drawn
            elif name.endswith("weight_g"):
                values = 0.9 + 0.2 * drawn.abs()
            elif "bias" in name:
                values = 0.1 * drawn
            elif "embed" in name:
                values = 0.7 * drawn
            else:
                values = drawn * (1.5 / math.sqrt(parameter[0].numel()))
            parameter.copy_(values.half().float())
    model.fine_acoustics.tie_weights()
    text_pad = config.semantic_config.input_vocab_size - 2
    generation = BarkGenerationConfig.from_sub_model_configs(
        BarkSemanticGenerationConfig(
            eos_token_id=SEMANTIC,
            max_new_tokens=40,
            text_encoding_offset=TEXT_OFFSET,
            text_pad_token=text_pad,
            semantic_infer_token=text_pad + 1,
            semantic_vocab_size=SEMANTIC,
            max_input_semantic_length=12,
            min_eos_p=0.3,
            temperature=0.7,
            top_k=50,
        ),
        BarkCoarseGenerationConfig(
            coarse_semantic_pad_token=72,
            coarse_infer_token=73,
            max_coarse_input_length=12,
            max_coarse_history=18,
            sliding_window_len=6,
            temperature=0.7,
            top_k=50,
        ),
        BarkFineGenerationConfig(max_fine_history_length=8, max_fine_input_length=16),
    )
    generation.codebook_size = CODES
    generation.sample_rate = 24_000
    model.generation_config = generation
    return model


def make_voice(seed: int, frames: int) -> dict:
    drawn = np.random.default_rng(seed)
    return {
        "semantic_prompt": drawn.integers(0, SEMANTIC, frames * 2 // 3 + 1).astype(np.int64),
        "coarse_prompt": drawn.integers(0, CODES, (2, frames)).astype(np.int64),
        "fine_prompt": np.asfortranarray(drawn.integers(0, CODES, (8, frames)).astype(np.int64)),
    }


def write_folder(model: BarkModel, tokenizer, voices: dict) -> None:
    folder = FIXTURES / "tiny-bark"
    for name, arrays in voices.items():
        for kind, array in arrays.items():
            path = folder / "speaker_embeddings" / f"{name}_{kind}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
    np.savez_compressed(folder / "speaker_embeddings" / "announcer.npz", **voices["v2/en_speaker_0"])
    model.config.save_pretrained(folder)
    generation = json.loads(model.generation_config.to_json_string())
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2, sort_keys=True) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": False}) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    state = model.state_dict()
    halved = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    # as published: what is tied is one storage
    for index in range(7):
        halved[f"fine_acoustics.lm_heads.{index}.weight"] = halved[f"fine_acoustics.input_embeds_layers.{index + 1}.weight"]
    torch.save(type(state)(halved), folder / "pytorch_model.bin")


def as_dict(config) -> dict:
    return config if isinstance(config, dict) else config.to_dict()


def floats(tensor: torch.Tensor) -> str:
    return base64.b64encode(tensor.detach().float().contiguous().numpy().astype("<f4").tobytes()).decode()


def described(model: BarkModel, tokenizer, voices: dict) -> dict:
    cases = []
    for text, voice, eos in [("Hello the mesh.", None, None), ("Hello the mesh.", "v2/en_speaker_0", None), ("What, the?", "v2/de_speaker_1", 0.06)]:
        cases.append(said(model, tokenizer, voices, text, voice, eos))
    return {"made_by": MADE_BY, "cases": cases, "blocks": blocks(model)}


@torch.no_grad()
def said(model: BarkModel, tokenizer, voices: dict, text: str, voice, eos) -> dict:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    parts = {key: as_dict(getattr(model.generation_config, key)) for key in ["semantic_config", "coarse_acoustics_config", "fine_acoustics_config"]}
    longest = parts["semantic_config"]["max_input_semantic_length"]
    padded = torch.tensor([ids + [0] * (longest - len(ids))])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids))])
    history = None if voice is None else {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in voices[voice].items()}
    configs = [
        BarkSemanticGenerationConfig(**{**parts["semantic_config"], "min_eos_p": eos, "do_sample": False}),
        BarkCoarseGenerationConfig(**{**parts["coarse_acoustics_config"], "do_sample": False}),
        BarkFineGenerationConfig(**parts["fine_acoustics_config"]),
    ]
    semantic = model.semantic.generate(padded, attention_mask=mask, history_prompt=history, semantic_generation_config=configs[0])
    kept = semantic[0].tolist()
    coarse = model.coarse_acoustics.generate(
        semantic, history_prompt=history, semantic_generation_config=configs[0], coarse_generation_config=configs[1], codebook_size=CODES
    )
    fine = model.fine_acoustics.generate(
        coarse,
        history_prompt=history,
        semantic_generation_config=configs[0],
        coarse_generation_config=configs[1],
        fine_generation_config=configs[2],
        codebook_size=CODES,
    )
    audio = model.codec_decode(fine)[0]
    print(f"{text!r} {voice}: {len(kept)} semantic, {coarse.shape[1]} coarse, {fine.shape[2]} frames, {audio.numel()} samples, peak {audio.abs().max():.2f}")
    return {
        "text": text,
        "ids": ids,
        "voice": voice,
        "min_eos_p": eos,
        "semantic": kept,
        "coarse": coarse[0].tolist(),
        "fine": fine[0].tolist(),
        "audio": floats(audio),
    }


@torch.no_grad()
def blocks(model: BarkModel) -> dict:
    drawn = torch.Generator().manual_seed(1)
    draw = lambda most, *shape: torch.randint(0, most, shape, generator=drawn)
    tokens, beside = draw(100, 1, 9), draw(SEMANTIC, 1, 9)
    beside[0, -1] = -1
    embed = model.semantic.input_embeds_layer
    summed = torch.cat([embed(tokens[:, :-1]) + embed(beside[:, :-1]), embed(tokens[:, -1:])], dim=1)
    semantic = model.semantic(input_embeds=summed, output_hidden_states=True, use_cache=False)
    coarse_tokens = draw(70, 1, 11)
    coarse = model.coarse_acoustics(input_ids=coarse_tokens, output_hidden_states=True, use_cache=False)
    codes = draw(CODES + 1, 1, 16, 8)
    fine = model.fine_acoustics(4, codes, output_hidden_states=True)
    short = draw(CODES, 8, 1, 3)
    states = []
    hooks = [layer.register_forward_hook(lambda _module, _input, output: states.append(output)) for layer in model.codec_model.decoder.layers]
    audio = model.codec_decode(short.transpose(0, 1))
    for hook in hooks:
        hook.remove()
    text = lambda found: {"states": [floats(state[0]) for state in found.hidden_states], "logits": floats(found.logits[0])}
    return {
        "semantic": {"tokens": tokens[0].tolist(), "beside": beside[0].tolist(), **text(semantic)},
        "coarse": {"tokens": coarse_tokens[0].tolist(), **text(coarse)},
        "fine": {"codebook": 4, "codes": codes[0].tolist(), **text(fine)},
        "codec": {"codes": short[:, 0].tolist(), "states": [floats(state[0]) for state in states], "audio": floats(audio)},
    }


def published() -> dict:
    """suno/bark-small is the defaults of BarkConfig; suno/bark is wider and deeper."""
    models = {}
    shapes = {
        "suno/bark-small": {"num_layers": 12, "num_heads": 12, "hidden_size": 768},
        "suno/bark": {"num_layers": 24, "num_heads": 16, "hidden_size": 1024},
    }
    for name, shape in shapes.items():
        common = {**shape, "block_size": 1024, "bias": False}
        config = BarkConfig(
            semantic_config={**common, "input_vocab_size": 129_600, "output_vocab_size": 10_048},
            coarse_acoustics_config={**common, "input_vocab_size": 12_096, "output_vocab_size": 12_096},
            fine_acoustics_config={**common, "input_vocab_size": 1056, "output_vocab_size": 1056, "n_codes_total": 8, "n_codes_given": 1},
        )
        with init_empty_weights():
            parts = {
                "semantic": BarkSemanticModel(config.semantic_config),
                "coarse_acoustics": BarkCoarseModel(config.coarse_acoustics_config),
                "fine_acoustics": BarkFineModel(config.fine_acoustics_config),
            }
        # its norms of weights are computed, which none of nothing can be
        parts["codec_model"] = EncodecModel(config.codec_config)
        state = {f"{part}.{key}": value for part, model in parts.items() for key, value in model.state_dict().items()}
        numbers = sum(value.numel() for key, value in state.items() if value.is_floating_point() and "lm_heads" not in key)
        models[name] = {"config": shape, "parameters": numbers, "tensors": folded({key: list(value.shape) for key, value in state.items()})}
        print(f"{name}: {len(state)} tensors")
    return models


def folded(tensors: dict) -> dict:
    """Of layers that are alike, one, and how many there are."""
    found = {}
    for key, shape in tensors.items():
        pattern = re.sub(r"^(semantic|coarse_acoustics|fine_acoustics)\.layers\.\d+\.", r"\1.layers.*.", key)
        entry = found.setdefault(pattern, {"shape": shape, "count": 0})
        assert entry["shape"] == shape
        entry["count"] += 1
    return found


if __name__ == "__main__":
    sys.exit(main())
