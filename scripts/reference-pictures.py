#!/usr/bin/env python3
"""Reference pictures of whole pipelines, by diffusers.

    python3 -m venv VENV && VENV/bin/pip install -r scripts/reference-schedulers.requirements.txt
    VENV/bin/python scripts/reference-pictures.py

Draws with the tiny models of packages/diffusion-model/test/fixtures (see reference-diffusion.py), in f32, and writes
test/fixtures/pictures.json: for each case the request, the last latents (f32 in base64) and the pixels as the decoder gives them (f16 in
base64). Two of the models are drawn with as variants, too: in EDM's terms with means and deviations of latents, as Playground v2.5, and
with channels for a mask and what is masked. Noise is this project's own, by seed, picture and draw, as docs/diffusion.md specifies it, put in diffusers' place. Source
pictures and masks follow the closed formulas `picture` and `mask`, which the test has too. `--check` compares with the committed
figures instead, to 1e-4.
"""

import argparse
import base64
import importlib.util
import json
import pathlib
import sys

import diffusers
import numpy as np
import torch
from diffusers.models.autoencoders import vae
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_img2img, pipeline_stable_diffusion_inpaint
from diffusers.pipelines.stable_diffusion_xl import pipeline_stable_diffusion_xl_img2img
from diffusers.schedulers import scheduling_euler_ancestral_discrete, scheduling_euler_discrete, scheduling_lcm

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELS = ROOT / "packages/diffusion-model/test/fixtures"
FIGURES = ROOT / "test/fixtures/pictures.json"
WIDTH, HEIGHT = 32, 24
# sides of a latent in pixels
SCALE = 4
SEED = 1234567890123456789
PROMPT = "a cat on the mat, at dawn"
NEGATIVE = "the moon"

spec = importlib.util.spec_from_file_location("reference_schedulers", ROOT / "scripts/reference-schedulers.py")
schedulers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(schedulers)


def noise(draw: int) -> torch.Tensor:
    height, width = HEIGHT // SCALE, WIDTH // SCALE
    values = schedulers.normals(SEED, 0, draw, 4 * height * width)
    return torch.tensor(values, dtype=torch.float64).float().reshape(1, 4, height, width)


def picture() -> torch.Tensor:
    index = torch.arange(3 * HEIGHT * WIDTH)
    return ((index * 89 % 256) / 128 - 1).float().reshape(1, 3, HEIGHT, WIDTH)


def mask() -> torch.Tensor:
    rows, columns = torch.arange(HEIGHT)[:, None], torch.arange(WIDTH)[None, :]
    return ((rows + 2 * columns) % 40 >= 17).float()[None, None]


def inject(start: int, encoded: list[int]) -> None:
    """Has every module that draws noise draw this project's; pictures are encoded in the order of `encoded`."""
    inside = iter([noise(draw) for draw in encoded])
    steps = iter(noise(16 + step) for step in range(start, 1000))
    vae.randn_tensor = lambda *_, **__: next(inside)
    for module in (
        pipeline_stable_diffusion_img2img,
        pipeline_stable_diffusion_inpaint,
        pipeline_stable_diffusion_xl_img2img,
    ):
        module.randn_tensor = lambda *_, **__: noise(0)
    for module in (scheduling_euler_ancestral_discrete, scheduling_euler_discrete, scheduling_lcm):
        module.randn_tensor = lambda *_, **__: next(steps)


PIPELINES = {
    "tiny-sd": diffusers.StableDiffusionPipeline,
    "tiny-sd2": diffusers.StableDiffusionPipeline,
    "tiny-xl": diffusers.StableDiffusionXLPipeline,
}


MEANS, DEVIATIONS = [-1.5, 0.25, 0.5, 2.0], [4.0, 2.0, 5.0, 8.0]


def in_edm_terms(pipe, scheduler: str) -> None:
    pipe.vae.register_to_config(latents_mean=MEANS, latents_std=DEVIATIONS)
    made, _ = schedulers.CLASSES[scheduler]
    pipe.scheduler = made(sigma_min=0.002, sigma_max=80.0, sigma_data=0.5)


def with_mask_channels(pipe) -> None:
    old = pipe.unet.conv_in
    made = torch.nn.Conv2d(9, old.out_channels, 3, padding=1)
    index = torch.arange(made.weight.numel()).reshape(made.weight.shape)
    weight = ((index * 31 % 61) - 30) / 256
    weight[:, :4] = old.weight
    made.weight, made.bias = torch.nn.Parameter(weight), old.bias
    pipe.unet.conv_in = made
    pipe.unet.register_to_config(in_channels=9)


def load(model: str, scheduler: str, variant: str | None):
    pipe = load_folder(model)
    if variant == "edm":
        in_edm_terms(pipe, scheduler)
        return pipe
    if variant == "masks":
        with_mask_channels(pipe)
    made, options = schedulers.CLASSES[scheduler]
    pipe.scheduler = made.from_config(pipe.scheduler.config, **options)
    return pipe


def load_folder(model: str):
    variant = dict(variant="fp16") if model == "tiny-xl" else {}
    extra = {} if model == "tiny-xl" else dict(safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe = PIPELINES[model].from_pretrained(MODELS / model, torch_dtype=torch.float32, **variant, **extra)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@torch.no_grad()
def case(model: str, scheduler: str, **request) -> dict:
    variant = request.get("variant")
    pipe = load(model, scheduler, variant)
    steps, strength, guidance = request.get("steps", 6), request.get("strength"), request.get("guidance", 5.0)
    common = dict(
        num_inference_steps=steps,
        guidance_scale=guidance,
        output_type="latent",
        prompt=request.get("prompt", PROMPT),
        negative_prompt=request.get("negative", NEGATIVE) or None,
    )
    # what is drawn anew at full strength is not encoded where the denoiser has channels for the rest
    encoded = [2] if variant == "masks" and strength == 1 else [1, 2]
    inject(0 if strength is None else steps - int(steps * strength), encoded)
    if strength is None:
        rescale = dict(guidance_rescale=request["rescale"]) if "rescale" in request else {}
        latents = pipe(height=HEIGHT, width=WIDTH, latents=noise(0), **rescale, **common).images
    elif model == "tiny-xl":
        parts = {name: part for name, part in pipe.components.items() if part is not None}
        made = diffusers.StableDiffusionXLImg2ImgPipeline(**parts)
        latents = made(image=picture(), strength=strength, **common).images
    else:
        source = dict(image=picture(), strength=strength)
        if request.get("masked"):
            source |= dict(mask_image=mask(), height=HEIGHT, width=WIDTH)
            made = diffusers.StableDiffusionInpaintPipeline
        else:
            made = diffusers.StableDiffusionImg2ImgPipeline
        latents = made(**pipe.components, requires_safety_checker=False)(**source, **common).images
    scaled = latents / pipe.vae.config.scaling_factor
    if variant == "edm":
        means, deviations = (torch.tensor(each).reshape(1, 4, 1, 1) for each in (MEANS, DEVIATIONS))
        scaled = scaled * deviations + means
    pixels = pipe.vae.decode(scaled).sample
    return {
        "model": model,
        "scheduler": scheduler,
        "prompt": common["prompt"],
        "negative": common["negative_prompt"] or "",
        "steps": steps,
        "guidance": guidance,
        **{name: request[name] for name in ("variant", "rescale", "strength", "masked") if name in request},
        "latents": base64.b64encode(latents.numpy().astype("<f4").tobytes()).decode(),
        "pixels": base64.b64encode(pixels.numpy().astype("<f2").tobytes()).decode(),
    }


def cases() -> list[dict]:
    return [
        *(case("tiny-sd", name) for name in ("ddim", "euler_a", "dpmpp_2m", "dpmpp_2m_karras", "lcm")),
        case("tiny-sd", "euler", guidance=1.0),
        *(case("tiny-sd2", name) for name in ("ddim", "euler", "dpmpp_2m")),
        case("tiny-sd2", "euler_a", rescale=0.7, negative=""),
        *(case("tiny-xl", name) for name in ("euler", "euler_a", "dpmpp_2m_karras")),
        # as XL has no negative prompt: zeros
        case("tiny-xl", "euler", negative=""),
        # as XL Turbo
        case("tiny-xl", "euler_a", steps=1, guidance=0.0),
        *(case("tiny-sd", name, strength=0.7) for name in ("ddim", "euler_a", "dpmpp_2m")),
        *(case("tiny-sd", name, strength=0.7, masked=True) for name in ("euler", "dpmpp_2m")),
        case("tiny-sd", "ddim", strength=1.0, masked=True),
        *(case("tiny-sd", "euler", strength=strength, masked=True, variant="masks") for strength in (0.7, 1.0)),
        *(case("tiny-xl", name, variant="edm") for name in ("edm", "edm_euler")),
        case("tiny-xl", "edm", strength=0.7, variant="edm"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    made = {"width": WIDTH, "height": HEIGHT, "seed": str(SEED), "cases": cases()}
    if not args.check:
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        FIGURES.write_text(json.dumps(made, indent=1) + "\n")
        return 0
    latents = lambda figures: [np.frombuffer(base64.b64decode(each["latents"]), "<f4") for each in figures["cases"]]
    pairs = zip(latents(made), latents(json.loads(FIGURES.read_text())), strict=True)
    same = all(np.allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max()) for ours, theirs in pairs)
    print("the same" if same else "not the same", file=sys.stderr)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
