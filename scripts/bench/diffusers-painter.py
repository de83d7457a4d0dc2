#!/usr/bin/env python3
"""diffusers, measured by `npm run bench -- images --python PROGRAM`.

    python3 -m venv --system-site-packages VENV && VENV/bin/pip install -r scripts/bench/diffusers.requirements.txt

`diffusers-painter.py make FOLDER TOKENIZER` writes a Stable Diffusion 1.5 of its full width with random weights in half precision; what it
draws is noise, and takes as long. `diffusers-painter.py draw JSON` loads a folder in f32 and answers each line on stdin with the seconds that
one picture takes: both halves of guidance are one batch of two, as its pipelines have it.
"""

import json
import pathlib
import shutil
import sys
import time

import diffusers
import torch
import transformers


def make(folder: pathlib.Path, tokenizer: pathlib.Path) -> int:
    torch.manual_seed(0)
    words = len(json.loads((tokenizer / "vocab.json").read_text()))
    text = transformers.CLIPTextConfig(
        vocab_size=max(49408, words),
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
    )
    with torch.no_grad():
        transformers.CLIPTextModel(text).half().save_pretrained(folder / "text_encoder")
        unet = diffusers.UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
        unet.half().save_pretrained(folder / "unet")
        del unet
        vae = diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            layers_per_block=2,
            sample_size=512,
        )
        vae.half().save_pretrained(folder / "vae")
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    diffusers.DDIMScheduler(**schedule, steps_offset=1, set_alpha_to_one=False, clip_sample=False).save_pretrained(
        folder / "scheduler"
    )
    shutil.copytree(tokenizer, folder / "tokenizer")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
    }
    # the last file: with it the folder is whole
    (folder / "model_index.json").write_text(json.dumps(index))
    return 0


@torch.no_grad()
def draw(init: dict) -> int:
    torch.set_num_threads(init["threads"])
    torch.set_flush_denormal(True)
    folder = pathlib.Path(init["model"])
    text = transformers.CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32)
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    scheduler = diffusers.DDIMScheduler.from_pretrained(folder / "scheduler", clip_sample=False)
    scale = 2 ** (len(vae.config.block_out_channels) - 1)
    side = init["side"] // scale
    prompt = torch.tensor([[5] * text.config.max_position_embeddings, [6] * text.config.max_position_embeddings])
    answer({"name": f"diffusers {diffusers.__version__}, torch {torch.__version__}"})
    for _ in sys.stdin:
        begun = time.perf_counter()
        states = text(prompt)[0]
        encoded = time.perf_counter()
        scheduler.set_timesteps(init["steps"])
        latents = torch.zeros(1, 4, side, side)
        for timestep in scheduler.timesteps:
            both = unet(torch.cat([latents] * 2), timestep, encoder_hidden_states=states).sample
            without, prediction = both.chunk(2)
            latents = scheduler.step(without + 7.5 * (prediction - without), timestep, latents).prev_sample
        drawn = time.perf_counter()
        vae.decode(latents / vae.config.scaling_factor)
        decoded = time.perf_counter()
        answer({"text": encoded - begun, "steps": drawn - encoded, "decoder": decoded - drawn, "peakBytes": peak()})
    return 0


def peak() -> int:
    """The most that has been resident: `VmHWM` of Linux."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


def answer(message: dict) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        sys.exit(make(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])))
    sys.exit(draw(json.loads(sys.argv[2])))
