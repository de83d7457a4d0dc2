#!/usr/bin/env python3
"""Tiny diffusion models of random weights, what diffusers makes of them, and the tensors of real ones.

    python3 -m venv --system-site-packages VENV && VENV/bin/pip install -r scripts/reference-diffusion.requirements.txt
    OMP_NUM_THREADS=1 VENV/bin/python scripts/reference-diffusion.py [NAME ...]

Makes in packages/diffusion-model/test/fixtures, for each of the models NAME (default: all):

  NAME/                   a folder as diffusers publishes them: model_index.json and a folder for each component
  NAME.safetensors        what goes in, and of every block what comes out, f32
  NAME.json               tokens of a prompt, and sizes

  tiny-inpaint, tiny-small, tiny-playground
                          what another model has in place of the same files of tiny-sd or tiny-xl

and with `--indexes` of each published model, without weights and without a network:

  indexes/NAME.json       its components' config.json and, as a tree, the shape of every tensor by its name; a tree that stands
                          there several times is written once, and its place says which

Weights are exact in f16, and everything is computed in f32. `--check` compares with the committed figures, and makes nothing.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
from accelerate import init_empty_weights
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EDMDPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/diffusion-model/test/fixtures"
PROMPT = "a cat on the mat, at dawn"
# sides that do not halve evenly
HEIGHT, WIDTH = 7, 5
MERGES = ["c a", "t h", "th e</w>", "ca t</w>", "m a", "ma t</w>", "o n</w>", "a t</w>", "d a", "w n</w>"]

SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "timestep_spacing": "leading",
}


def text_config(vocabulary, **changes):
    return CLIPTextConfig(
        **{
            "vocab_size": vocabulary,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 77,
            "projection_dim": 24,
            "bos_token_id": vocabulary - 2,
            "eos_token_id": vocabulary - 1,
            **changes,
        }
    )


UNET = {
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "attention_head_dim": 2,
    "cross_attention_dim": 16,
}

# three levels, so that a latent is four pixels wide
VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 3,
    "up_block_types": ["UpDecoderBlock2D"] * 3,
    "block_out_channels": [8, 8, 16],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "latent_channels": 4,
    "sample_size": 64,
}


def tiny_sd(vocabulary):
    """Stable Diffusion 1.5: projections by convolutions, one number of heads, the noise is predicted."""
    return {
        "pipeline": "StableDiffusionPipeline",
        "text": [CLIPTextModel(text_config(vocabulary))],
        "unet": UNet2DConditionModel(**UNET),
        "vae": AutoencoderKL(**VAE, scaling_factor=0.18215),
        "scheduler": PNDMScheduler(**SCHEDULE, set_alpha_to_one=False, skip_prk_steps=True),
        "pads": ["<|endoftext|>"],
    }


def tiny_sd2(vocabulary):
    """Stable Diffusion 2.1: projections by matrices, heads by level, GELU in the text encoder, velocity is predicted."""
    unet = {
        **UNET,
        "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
        "attention_head_dim": [2, 4],
        "use_linear_projection": True,
    }
    return {
        "pipeline": "StableDiffusionPipeline",
        "text": [CLIPTextModel(text_config(vocabulary, hidden_act="gelu"))],
        "unet": UNet2DConditionModel(**unet),
        "vae": AutoencoderKL(**VAE, scaling_factor=0.18215),
        "scheduler": DDIMScheduler(
            **SCHEDULE, set_alpha_to_one=False, clip_sample=False, prediction_type="v_prediction"
        ),
        "pads": ["!"],
        "old_vae": True,
        "sharded_unet": True,
    }


def tiny_xl(vocabulary):
    """Stable Diffusion XL: two text encoders, their states before the last layer, text and sizes in the time, three levels."""
    unet = {
        **UNET,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "block_out_channels": [8, 8, 12],
        "attention_head_dim": [1, 2, 3],
        "transformer_layers_per_block": [1, 1, 2],
        "cross_attention_dim": 16 + 24,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 24 + 6 * 8,
    }
    second = text_config(vocabulary, hidden_act="gelu", hidden_size=24, num_attention_heads=3)
    return {
        "pipeline": "StableDiffusionXLPipeline",
        "text": [CLIPTextModel(text_config(vocabulary)), CLIPTextModelWithProjection(second)],
        "unet": UNet2DConditionModel(**unet),
        "vae": AutoencoderKL(**VAE, scaling_factor=0.13025),
        "scheduler": EulerDiscreteScheduler(**SCHEDULE),
        "pads": ["<|endoftext|>", "!"],
        "variant": "fp16",
    }


MODELS = {"tiny-sd": tiny_sd, "tiny-sd2": tiny_sd2, "tiny-xl": tiny_xl}


def bytes_to_unicode():
    """The characters that stand for bytes in a vocabulary."""
    kept = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    codes, extra = list(kept), 0
    for byte in range(256):
        if byte not in kept:
            kept.append(byte)
            codes.append(256 + extra)
            extra += 1
    return [chr(code) for code in codes]


def vocabulary():
    letters = bytes_to_unicode()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *("".join(merge.split()) for merge in MERGES)]
    return {token: index for index, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}


def save_tokenizer(folder, pad):
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary(), ensure_ascii=False, separators=(",", ":")))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{merge}\n" for merge in MERGES))
    names = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": pad}
    (folder / "special_tokens_map.json").write_text(json.dumps(names, indent=1))
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1))
    return CLIPTokenizer.from_pretrained(folder)


def randomize(module):
    """Norms and biases are not what they begin with, and all is exact in f16."""
    for name, parameter in module.named_parameters():
        with torch.no_grad():
            if parameter.ndim == 1:
                parameter.normal_(1 if name.endswith("weight") else 0, 0.2)
            parameter.copy_(parameter.half().float())
    return module.eval()


def half_state(module):
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in module.state_dict().items()}


OLD_ATTENTION = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}


def old_names(state):
    def old(name):
        for new, former in OLD_ATTENTION.items():
            name = name.replace(new, former)
        return name

    return {old(name): tensor for name, tensor in state.items()}


def save_component(folder, module, stem, variant=None, sharded=False, state=None):
    folder.mkdir(parents=True)
    module.config.save_pretrained(folder) if hasattr(module.config, "save_pretrained") else module.save_config(folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("_name_or_path", None)
    if "architectures" in config or stem == "model":
        config["architectures"] = [type(module).__name__]
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    state = {name: tensor.contiguous() for name, tensor in (state or half_state(module)).items()}
    suffix = "" if variant is None else f".{variant}"
    if not sharded:
        save_file(state, folder / f"{stem}{suffix}.safetensors", metadata={"format": "pt"})
        return
    names = sorted(state)
    halves = [names[: len(names) // 2], names[len(names) // 2 :]]
    placed = {}
    for number, half in enumerate(halves, 1):
        file = f"{stem}{suffix}-{number:05d}-of-{len(halves):05d}.safetensors"
        save_file({name: state[name] for name in half}, folder / file, metadata={"format": "pt"})
        placed.update({name: file for name in half})
    index = {"metadata": {}, "weight_map": placed}
    (folder / f"{stem}.safetensors.index{suffix}.json").write_text(json.dumps(index, indent=1))


def save_folder(folder, model):
    folder.mkdir(parents=True)
    index = {"_class_name": model["pipeline"], "_diffusers_version": "0.29.2"}
    tokenizers = []
    for number, encoder in enumerate(model["text"]):
        ending = "" if number == 0 else f"_{number + 1}"
        save_component(folder / f"text_encoder{ending}", encoder, "model", model.get("variant"))
        tokenizers.append(save_tokenizer(folder / f"tokenizer{ending}", model["pads"][number]))
        index[f"text_encoder{ending}"] = ["transformers", type(encoder).__name__]
        index[f"tokenizer{ending}"] = ["transformers", "CLIPTokenizer"]
    stem = "diffusion_pytorch_model"
    save_component(folder / "unet", model["unet"], stem, model.get("variant"), model.get("sharded_unet", False))
    vae = half_state(model["vae"])
    save_component(
        folder / "vae", model["vae"], stem, model.get("variant"), state=old_names(vae) if model.get("old_vae") else vae
    )
    model["scheduler"].save_config(folder / "scheduler")
    index["unet"] = ["diffusers", "UNet2DConditionModel"]
    index["vae"] = ["diffusers", "AutoencoderKL"]
    index["scheduler"] = ["diffusers", type(model["scheduler"]).__name__]
    (folder / "model_index.json").write_text(json.dumps(index, indent=1))
    return tokenizers


def watch(module, prefix, found, kinds):
    """Keeps what comes out of the blocks of some kinds."""
    for name, part in module.named_modules():
        if type(part).__name__ not in kinds:
            continue

        def keep(_part, _inputs, output, name=name):
            output = output if torch.is_tensor(output) else output[0] if isinstance(output, tuple) else output.sample
            found[f"{prefix}{name}"] = output.detach().clone().contiguous()

        part.register_forward_hook(keep)


BLOCKS = {"ResnetBlock2D", "Transformer2DModel", "Attention", "Downsample2D", "Upsample2D"}


@torch.no_grad()
def figures(model, tokenizers):
    found = {}
    generator = torch.Generator().manual_seed(7)
    random = lambda *shape: torch.randn(*shape, generator=generator)
    states, pooled, tokens = [], None, []
    for encoder, tokenizer in zip(model["text"], tokenizers):
        ids = tokenizer(PROMPT, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        tokens.append(ids[0].tolist())
        out = encoder(ids, output_hidden_states=True)
        states.append((out.hidden_states[-2] if len(model["text"]) > 1 else out[0])[0])
        pooled = out.text_embeds if hasattr(out, "text_embeds") else pooled
    text = torch.cat(states, -1)
    for number, state in enumerate(states):
        found[f"text.{number}.states"] = state
    added = {}
    if pooled is not None:
        found["text.pooled"] = pooled
        found["unet.time_ids"] = torch.tensor([32.0, 24.0, 3.0, 1.0, 28.0, 20.0])
        added = {"text_embeds": pooled, "time_ids": found["unet.time_ids"][None]}
    blocks = BLOCKS - {"Attention"}
    watch(model["unet"], "unet.", found, blocks)
    found["unet.latents"] = random(1, 4, HEIGHT, WIDTH)
    timestep = 501
    out = model["unet"](found["unet.latents"], timestep, text[None], added_cond_kwargs=added or None).sample
    found["unet.prediction"] = out
    watch(model["vae"], "vae.", found, BLOCKS)
    vae, config = model["vae"], model["vae"].config
    found["vae.latents"] = random(1, 4, 3, 5)
    found["vae.pixels"] = vae.decode(found["vae.latents"] / config.scaling_factor).sample
    found["vae.picture"] = random(1, 3, 24, 20).clamp(-1, 1)
    moments = vae.encode(found["vae.picture"]).latent_dist
    found["vae.mean"], found["vae.log_variance"] = moments.mean, moments.logvar
    told = {"prompt": PROMPT, "tokens": tokens, "timestep": timestep}
    return told, {name: tensor.contiguous() for name, tensor in found.items()}


def tiny_inpaint(folder):
    """Stable Diffusion's inpainting: a mask and the masked picture stand behind the latents."""
    return other_unet(folder, {"in_channels": 9})


def tiny_small(folder):
    """BK-SDM: Stable Diffusion 1 with fewer blocks, and none in the middle."""
    return other_unet(folder, {"mid_block_type": None})


@torch.no_grad()
def other_unet(folder, changes):
    unet = randomize(UNet2DConditionModel(**{**UNET, **changes}))
    save_component(folder / "unet", unet, "diffusion_pytorch_model")
    latents = torch.randn(1, unet.config.in_channels, HEIGHT, WIDTH)
    text = load_file(FIXTURES / "tiny-sd.safetensors")["text.0.states"]
    told = json.loads((FIXTURES / "tiny-sd.json").read_text())
    out = unet(latents, told["timestep"], text[None]).sample
    return told, {"text.0.states": text, "unet.latents": latents, "unet.prediction": out}


@torch.no_grad()
def tiny_playground(folder):
    """Playground v2.5: latents by the mean and deviation of each channel, and a schedule in EDM's terms."""
    path = FIXTURES / "tiny-xl/vae"
    vae = AutoencoderKL.from_config({**json.loads((path / "config.json").read_text()), **PLAYGROUND_LATENTS})
    vae.load_state_dict(load_file(path / "diffusion_pytorch_model.fp16.safetensors"))
    vae = vae.float().eval()
    (folder / "vae").mkdir(parents=True)
    (folder / "vae/config.json").write_text(json.dumps({"_class_name": "AutoencoderKL", **vae.config}, indent=1))
    EDMDPMSolverMultistepScheduler(sigma_max=80, sigma_min=0.002, sigma_data=0.5).save_config(folder / "scheduler")
    latents = torch.randn(1, 4, 3, 5)
    mean, std = (torch.tensor(PLAYGROUND_LATENTS[name])[None, :, None, None] for name in ("latents_mean", "latents_std"))
    pixels = vae.decode(latents * std / vae.config.scaling_factor + mean).sample
    told = json.loads((FIXTURES / "tiny-xl.json").read_text())
    return told, {"vae.latents": latents, "vae.pixels": pixels}


OVERLAYS = {"tiny-inpaint": tiny_inpaint, "tiny-small": tiny_small, "tiny-playground": tiny_playground}

PLAYGROUND_LATENTS = {
    "scaling_factor": 0.5,
    "latents_mean": [-1.6574, 1.886, -1.383, 2.5155],
    "latents_std": [8.4927, 5.9022, 6.5498, 5.2299],
}

SD15_UNET = {
    "sample_size": 64,
    "block_out_channels": [320, 640, 1280, 1280],
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
BK_SMALL_UNET = {**SD15_UNET, "layers_per_block": 1, "mid_block_type": None}
BK_TINY_UNET = {
    **BK_SMALL_UNET,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["CrossAttnDownBlock2D"] * 3,
    "up_block_types": ["CrossAttnUpBlock2D"] * 3,
}
SD21_UNET = {
    "sample_size": 96,
    "block_out_channels": [320, 640, 1280, 1280],
    "cross_attention_dim": 1024,
    "attention_head_dim": [5, 10, 20, 20],
    "use_linear_projection": True,
    "upcast_attention": True,
}
XL_UNET = {
    "sample_size": 128,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "block_out_channels": [320, 640, 1280],
    "cross_attention_dim": 2048,
    "attention_head_dim": [5, 10, 20],
    "transformer_layers_per_block": [1, 2, 10],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
REAL_VAE = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "sample_size": 512,
}
# as their own files have them; those of Playground v2.5 name the channels that its latents were measured to have
PLAYGROUND_VAE = {**REAL_VAE, **PLAYGROUND_LATENTS, "sample_size": 1024}
CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "projection_dim": 768}
OPENCLIP_H = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "hidden_act": "gelu",
    "projection_dim": 512,
}
OPENCLIP_G = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "hidden_act": "gelu",
    "projection_dim": 1280,
}
XL_TEXT = [(CLIPTextModel, CLIP_L), (CLIPTextModelWithProjection, OPENCLIP_G)]
REAL = {
    "stable-diffusion-1.5": ([(CLIPTextModel, CLIP_L)], SD15_UNET, REAL_VAE),
    "stable-diffusion-1.5-inpainting": ([(CLIPTextModel, CLIP_L)], {**SD15_UNET, "in_channels": 9}, REAL_VAE),
    "bk-sdm-small": ([(CLIPTextModel, CLIP_L)], BK_SMALL_UNET, REAL_VAE),
    "bk-sdm-tiny": ([(CLIPTextModel, CLIP_L)], BK_TINY_UNET, REAL_VAE),
    "stable-diffusion-2.1": ([(CLIPTextModel, OPENCLIP_H)], SD21_UNET, {**REAL_VAE, "sample_size": 768}),
    "stable-diffusion-xl": (XL_TEXT, XL_UNET, {**REAL_VAE, "sample_size": 1024, "scaling_factor": 0.13025}),
    "playground-2.5": (XL_TEXT, XL_UNET, PLAYGROUND_VAE),
}


def tree_of(shapes):
    root = {}
    for name, shape in shapes.items():
        *path, last = name.split(".")
        place = root
        for part in path:
            place = place.setdefault(part, {})
        place[last] = shape
    return root


def folded(tree, kept):
    """The tree with each of its trees that was there before as its number."""
    if not isinstance(tree, dict):
        return tree
    small = {name: folded(part, kept) for name, part in tree.items()}
    key = json.dumps(small)
    if len(key) < 40:
        return small
    return kept.setdefault(key, len(kept))


def index_of(module):
    kept = {}
    shapes = {name: list(tensor.shape) for name, tensor in module.state_dict().items() if tensor.is_floating_point()}
    root = folded(tree_of(shapes), kept)
    config = json.loads(module.config.to_json_string()) if hasattr(module.config, "to_json_string") else dict(module.config)
    config = {name: value for name, value in config.items() if not name.startswith("_") or name == "_class_name"}
    if isinstance(module, CLIPTextModel | CLIPTextModelWithProjection):
        config["architectures"] = [type(module).__name__]
    else:
        config["_class_name"] = type(module).__name__
    count = sum(tensor.numel() for tensor in module.parameters())
    return {"config": config, "parameters": count, "tensors": len(shapes), "trees": [json.loads(key) for key in kept], "root": root}


def make_index(name):
    texts, unet, vae = REAL[name]
    with init_empty_weights():
        parts = {
            f"text_encoder{'' if number == 0 else f'_{number + 1}'}": kind(CLIPTextConfig(**config))
            for number, (kind, config) in enumerate(texts)
        }
        parts["unet"] = UNet2DConditionModel(**unet)
        parts["vae"] = AutoencoderKL(**vae)
    (FIXTURES / "indexes").mkdir(exist_ok=True)
    index = {folder: index_of(module) for folder, module in parts.items()}
    (FIXTURES / "indexes" / f"{name}.json").write_text(json.dumps(index, separators=(",", ":")) + "\n")


def seed_of(name):
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")


def whole(name, folder):
    model = MODELS[name](len(vocabulary()))
    for module in [*model["text"], model["unet"], model["vae"]]:
        randomize(module)
    return figures(model, save_folder(folder, model))


def make(name, check):
    torch.manual_seed(seed_of(name))
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory) / name if check else FIXTURES / name
        shutil.rmtree(folder, ignore_errors=True)
        told, found = OVERLAYS[name](folder) if name in OVERLAYS else whole(name, folder)
    if check:
        kept = load_file(FIXTURES / f"{name}.safetensors")
        assert kept.keys() == found.keys(), name
        for key, tensor in found.items():
            assert torch.allclose(kept[key], tensor, atol=1e-5, rtol=1e-4), f"{name} {key}"
        assert json.loads((FIXTURES / f"{name}.json").read_text()) == told, name
        return
    save_file(found, FIXTURES / f"{name}.safetensors")
    (FIXTURES / f"{name}.json").write_text(json.dumps(told))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join([*MODELS, *OVERLAYS])}")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--indexes", action="store_true")
    options = parser.parse_args()
    if options.indexes:
        for name in options.names or REAL:
            make_index(name)
        return
    for name in options.names or [*MODELS, *OVERLAYS]:
        make(name, options.check)


if __name__ == "__main__":
    sys.exit(main())
