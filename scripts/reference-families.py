#!/usr/bin/env python3
"""Reference logits of a tiny model of each decoder family, computed by Hugging Face transformers.

  python3 -m venv VENV
  VENV/bin/pip install -r scripts/reference-families.requirements.txt
  VENV/bin/python scripts/reference-families.py [FAMILY ...]

Each model is the architecture of transformers with small sizes. Its weights are not stored: they come from a hash of
their place, the same here and in the tests. For each family it writes two files to packages/engine/test/fixtures/families
(its README tells the format): the configuration, the tensors and llama.cpp's names and keys as gguf-py knows them, and
the logits of two prompts, one of them longer than every window and original context.
"""

import argparse
import json
import math
import pathlib
import re

import gguf
import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/engine/test/fixtures/families"
VOCABULARY = 96
PROMPT_LENGTHS = [40, 12]
WINDOW = 8
BASE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
GEMMA = {"hidden_activation": "gelu_pytorch_tanh", "head_dim": 32, "tie_word_embeddings": True}
LONG_FACTORS = {
    "short_factor": [1.0 + 0.1 * i for i in range(8)],
    "long_factor": [1.5 + 0.5 * i for i in range(8)],
}

# family: (model_type, changes of the configuration, llama.cpp's architecture, and its keys beyond the common ones)
MODELS = {
    "llama": ("llama", {"rope_theta": 500000.0, "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192}}, gguf.MODEL_ARCH.LLAMA, {}),
    "mistral": ("mistral", {"sliding_window": WINDOW}, None, {}),
    "mixtral": ("mixtral", {"head_dim": None, "sliding_window": WINDOW, "num_local_experts": 6,
                            "num_experts_per_tok": 2}, None, {}),
    "mixtral-wide": ("mixtral", {"head_dim": None, "num_key_value_heads": 4, "num_local_experts": 8,
                                 "num_experts_per_tok": 2}, gguf.MODEL_ARCH.LLAMA, {
        "expert_count": 8, "expert_used_count": 2}),
    "qwen2": ("qwen2", {"head_dim": None, "tie_word_embeddings": True}, gguf.MODEL_ARCH.QWEN2, {}),
    "qwen2-yarn": ("qwen2", {"head_dim": None, "num_key_value_heads": 1, "rope_scaling": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}}, gguf.MODEL_ARCH.QWEN2, {
        "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 16}),
    "qwen2-window": ("qwen2", {"head_dim": None, "use_sliding_window": True, "sliding_window": WINDOW,
                               "max_window_layers": 2}, None, {}),
    "qwen2-experts": ("qwen2_moe", {"head_dim": None, "num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 32,
                                    "shared_expert_intermediate_size": 64}, gguf.MODEL_ARCH.QWEN2MOE, {
        "expert_count": 8, "expert_used_count": 3, "expert_feed_forward_length": 32,
        "expert_shared_feed_forward_length": 64}),
    "qwen3": ("qwen3", {"head_dim": 32, "rope_theta": 1000000.0}, gguf.MODEL_ARCH.QWEN3, {}),
    "qwen3-experts": ("qwen3_moe", {"head_dim": 32, "rope_theta": 1000000.0, "num_experts": 16, "num_experts_per_tok": 4,
                                    "moe_intermediate_size": 32, "norm_topk_prob": True}, gguf.MODEL_ARCH.QWEN3MOE, {
        "expert_count": 16, "expert_used_count": 4, "expert_feed_forward_length": 32}),
    "qwen3-experts-sparse": ("qwen3_moe", {"num_experts": 5, "num_experts_per_tok": 3, "moe_intermediate_size": 48,
                                           "num_hidden_layers": 6, "decoder_sparse_step": 2, "mlp_only_layers": [3],
                                           "use_sliding_window": True, "sliding_window": WINDOW}, None, {}),
    "smollm3": ("smollm3", {"head_dim": None, "num_key_value_heads": 1, "rope_theta": 2000000.0,
                            "tie_word_embeddings": True}, gguf.MODEL_ARCH.SMOLLM3, {}),
    "gemma": ("gemma", {**GEMMA, "num_key_value_heads": 1}, gguf.MODEL_ARCH.GEMMA, {}),
    "gemma2": ("gemma2", {**GEMMA, "query_pre_attn_scalar": 32, "sliding_window": WINDOW, "attn_logit_softcapping": 2.0,
                          "final_logit_softcapping": 5.0}, gguf.MODEL_ARCH.GEMMA2, {
        "attention.sliding_window": WINDOW, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 5.0}),
    "gemma3": ("gemma3_text", {**GEMMA, "num_hidden_layers": 7, "query_pre_attn_scalar": 32, "sliding_window": WINDOW,
                               "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
                               "rope_scaling": {"rope_type": "linear", "factor": 4.0}}, gguf.MODEL_ARCH.GEMMA3, {
        "attention.sliding_window": WINDOW, "rope.scaling.type": "linear", "rope.scaling.factor": 4.0}),
    "phi3": ("phi3", {"head_dim": None, "sliding_window": WINDOW}, gguf.MODEL_ARCH.PHI3, {
        "attention.sliding_window": WINDOW}),
    "phi3-longrope": ("phi3", {"head_dim": None, "hidden_size": 128, "partial_rotary_factor": 0.5,
                               "tie_word_embeddings": True, "original_max_position_embeddings": 16,
                               "rope_scaling": {"type": "longrope", **LONG_FACTORS}}, gguf.MODEL_ARCH.PHI3, {
        "rope.scaling.original_context_length": 16,
        "rope.scaling.attn_factor": math.sqrt(1 + math.log(4) / math.log(16))}),
}
# models that take images too, whose text is that of a family above
VISION = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
          "image_size": 28, "patch_size": 14}
TEXT_PARTS = {
    "gemma3-images": ("gemma3", "gemma3", "siglip_vision_model"),
    "mistral3": ("mistral3", "mistral", "pixtral"),
}
# llama.cpp's converter stores queries and keys of these with interleaved rotary pairs
INTERLEAVED = {"llama", "mixtral-wide", "smollm3"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", help="default: all")
    parser.add_argument("--gemma3-270m", type=pathlib.Path, help="the GGUF of the catalogue: writes its vectors instead")
    args = parser.parse_args()
    torch.set_num_threads(1)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    if args.gemma3_270m is not None:
        write_real(args.gemma3_270m)
        return
    for name in args.families or [*MODELS, *TEXT_PARTS]:
        write(name)


def write(name: str) -> None:
    if name in TEXT_PARTS:
        outer, text, vision = TEXT_PARTS[name]
        model_type, changes, _, _ = MODELS[text]
        architecture, keys = None, {}
        text_config = {key: value for key, value in {**BASE, **changes}.items() if value is not None}
        config = AutoConfig.for_model(outer, text_config={**text_config, "model_type": model_type},
                                      vision_config={**VISION, "model_type": vision})
        model = AutoModelForImageTextToText.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    else:
        model_type, changes, architecture, keys = MODELS[name]
        settings = {key: value for key, value in {**BASE, **changes}.items() if value is not None}
        config = AutoConfig.for_model(model_type, **settings)
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    tensors = fill(model, plus_one=model_type.startswith("gemma"))
    prompts = [[int(token) for token in hashes(1000 + length, length) % VOCABULARY] for length in PROMPT_LENGTHS]
    logits = []
    with torch.no_grad():
        for prompt in prompts:
            logits.append(model(input_ids=torch.tensor([prompt])).logits[0].numpy())
    saved = {**config.to_diff_dict(), "architectures": [type(model).__name__]}
    saved.pop("dtype", None)
    fixture = {
        "transformers": transformers.__version__,
        "config": saved,
        "tensors": tensors,
        "prompts": prompts,
    }
    if architecture is not None:
        fixture["gguf"] = gguf_facts(name, config, architecture, keys, tensors)
    text = json.dumps(fixture, indent=1, default=str)
    (FIXTURES / f"{name}.json").write_text(compact(text) + "\n")
    np.concatenate(logits).astype("<f4").tofile(FIXTURES / f"{name}.f32")
    gaps = np.sort(np.concatenate(logits), axis=1)
    print(f"{name}: {model.num_parameters()} parameters, median gap {np.median(gaps[:, -1] - gaps[:, -2]):.2f}")


# token ids of Gemma's vocabulary: "<bos>The capital of France is"; a repeated one is longer than the window of 512
REAL_PROMPTS = [[2, 818, 5279, 529, 7001, 563], [2] + [818, 5279, 529, 7001, 563] * 110]
REAL_POSITIONS = 6
REAL_TOP = 16


def write_real(path: pathlib.Path) -> None:
    """The best logits of the last positions of a real model, its weights dequantized to f32, and its greedy answer."""
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager").eval()
    vocabulary = gguf.GGUFReader(path).fields["tokenizer.ggml.tokens"].contents()
    runs = []
    with torch.no_grad():
        for prompt in REAL_PROMPTS:
            logits = model(input_ids=torch.tensor([prompt]), logits_to_keep=REAL_POSITIONS).logits[0]
            values, ids = logits.topk(REAL_TOP)
            runs.append({
                "ids": prompt,
                "topIds": ids.tolist(),
                "topLogits": [[round(float(value), 4) for value in row] for row in values],
            })
        answer = model.generate(torch.tensor([REAL_PROMPTS[0]]), max_new_tokens=24, do_sample=False)[0].tolist()
    facts = {
        "transformers": transformers.__version__,
        "text": "".join(vocabulary[token] for token in REAL_PROMPTS[0]),
        "answerIds": answer[len(REAL_PROMPTS[0]):],
        "answer": "".join(vocabulary[token] for token in answer[len(REAL_PROMPTS[0]):]).replace("\u2581", " "),
        "prompts": runs,
    }
    target = FIXTURES.parent / "gemma3-270m.json"
    target.write_text(compact(json.dumps(facts, indent=1, ensure_ascii=False)) + "\n")
    print(facts["text"], facts["answer"])


def compact(text: str) -> str:
    """Short lists on one line."""
    lines, buffer = [], None
    for line in text.split("\n"):
        stripped = line.strip()
        if buffer is None:
            if stripped.endswith("["):
                buffer = [line]
            else:
                lines.append(line)
            continue
        buffer.append(stripped)
        if stripped.endswith(("{", "[")):
            lines.extend(buffer[:1] + [" " * 2 + part for part in buffer[1:]])
            buffer = None
        elif stripped.startswith("]"):
            lines.append(buffer[0] + " ".join(buffer[1:-1]) + buffer[-1])
            buffer = None
    return "\n".join(lines)


def hashes(seed: int, count: int) -> np.ndarray:
    """The finalizer of MurmurHash3 of seed · 2654435769 + 0, 1, 2 …, in 32 bits."""
    value = (np.arange(count, dtype=np.uint64) + (seed * 2654435769)) & 0xFFFFFFFF
    value ^= value >> 16
    value = (value * 0x85EBCA6B) & 0xFFFFFFFF
    value ^= value >> 13
    value = (value * 0xC2B2AE35) & 0xFFFFFFFF
    return value ^ (value >> 16)


def fill(model: torch.nn.Module, plus_one: bool) -> list[dict]:
    """Gives every parameter its hashed values; tied ones count once."""
    described = []
    with torch.no_grad():
        for seed, (name, parameter) in enumerate(model.named_parameters()):
            shape = list(parameter.shape)
            mean, spread = spread_of(name, shape, plus_one)
            values = mean + spread * (hashes(seed, parameter.numel()).astype(np.float64) / 2**32 - 0.5)
            parameter.copy_(torch.from_numpy(values.astype(np.float32).reshape(shape)))
            described.append({"name": saved_name(name, model), "shape": shape, "mean": mean, "spread": spread})
    return described


def saved_name(name: str, model: torch.nn.Module) -> str:
    """What `save_pretrained` calls a parameter: transformers turns its own names into the older ones of publishers."""
    for pattern, own in getattr(model, "_checkpoint_conversion_mapping", {}).items():
        if name.startswith(own):
            return pattern.removeprefix("^") + name[len(own):]
    return name


def spread_of(name: str, shape: list[int], plus_one: bool) -> tuple[float, float]:
    """Wide enough that every block shows in the logits."""
    if "norm" in name:
        return (0.0 if plus_one else 1.0), 1.0
    if len(shape) == 1:
        return 0.0, 2.0
    deviation = {"lm_head": 3.0, "embed_tokens": 2.0}.get(name.split(".")[-2], 1.3)
    return 0.0, round(deviation * math.sqrt(12 / shape[1]), 4)


def gguf_facts(name: str, config, architecture, keys: dict, tensors: list[dict]) -> dict:
    prefix = gguf.MODEL_ARCH_NAMES[architecture]
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rotary = int(head_dim * getattr(config, "partial_rotary_factor", 1.0))
    common = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.key_length": head_dim,
        "attention.value_length": head_dim,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.dimension_count": rotary,
        "rope.freq_base": float(config.rope_theta),
    }
    facts = {
        "architecture": prefix,
        "metadata": {f"{prefix}.{key}": value for key, value in {**common, **keys}.items()},
        "names": {},
        "vectors": {},
        "interleaved": name in INTERLEAVED,
        "normOffset": 1 if "gemma" in name else 0,
    }
    for tensor in tensors:
        # the converter puts the experts of a layer into one tensor, one after the other
        joined = re.sub(r"\.experts\.\d+\.", ".experts.", tensor["name"])
        found = names.get_name(joined, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise ValueError(f"gguf-py does not know {tensor['name']} of {prefix}")
        facts["names"][tensor["name"]] = found
    if name == "llama":
        facts["vectors"]["rope_freqs.weight"] = llama3_divisors(config, head_dim)
    if name == "phi3-longrope":
        facts["vectors"]["rope_factors_long.weight"] = LONG_FACTORS["long_factor"]
        facts["vectors"]["rope_factors_short.weight"] = LONG_FACTORS["short_factor"]
    return facts


def llama3_divisors(config, head_dim: int) -> list[float]:
    """As llama.cpp's converter writes them: by how much each frequency was divided."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    plain = 1.0 / config.rope_theta ** (torch.arange(0, head_dim, 2).float() / head_dim)
    return [round(float(value), 6) for value in plain / scaled]


if __name__ == "__main__":
    main()
