#!/usr/bin/env python3
"""A tiny Kandinsky 2.2 of random weights, what diffusers makes of it, and the tensors of the real one.

    python3 -m venv --system-site-packages VENV && VENV/bin/pip install -r scripts/reference-diffusion.requirements.txt
    OMP_NUM_THREADS=1 VENV/bin/python scripts/reference-kandinsky.py [--check | --indexes]

Makes in packages/diffusion-model/test/fixtures:

  tiny-kandinsky/             a folder as diffusers saves the combined pipeline
  tiny-kandinsky.safetensors  what goes in, and of every block what comes out, f32
  tiny-kandinsky.json         tokens of a prompt, and sizes

in test/fixtures/kandinsky.json whole pictures with this project's own noise, as reference-pictures.py makes those of other models, and in
packages/diffusion/test/fixtures/posterior.json steps of the schedulers. With `--indexes` only indexes/kandinsky-2.2.json, which reference-diffusion.py describes. `--check`
compares with the committed figures, and makes nothing.
"""

import argparse
import base64
import importlib.util
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
from accelerate import init_empty_weights
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    KandinskyV22Img2ImgPipeline,
    KandinskyV22Pipeline,
    KandinskyV22PriorPipeline,
    PriorTransformer,
    UnCLIPScheduler,
    UNet2DConditionModel,
    VQModel,
)
from diffusers.pipelines.kandinsky2_2 import pipeline_kandinsky2_2_img2img
from diffusers.schedulers import scheduling_ddpm, scheduling_unclip
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAME = "tiny-kandinsky"
PICTURES = ROOT / "test/fixtures/kandinsky.json"
TABLES = ROOT / "packages/diffusion/test/fixtures/posterior.json"


def script(name):
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), ROOT / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


diffusion = script("reference-diffusion")
schedulers = script("reference-schedulers")
FIXTURES = diffusion.FIXTURES

EMBEDDING = 16
PROMPT, NEGATIVE = diffusion.PROMPT, "the moon"
WIDTH, HEIGHT = 32, 24
SEED = 1234567890123456789
# draws of a prior, of the prompt and of the negative one
PRIOR, PRIOR_NEGATIVE = 4096, 8192

UNET = {
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 8,
    "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
    "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "block_out_channels": [8, 12],
    "layers_per_block": 2,
    "norm_num_groups": 4,
    "attention_head_dim": 4,
    "cross_attention_dim": 12,
    "encoder_hid_dim": EMBEDDING,
    "encoder_hid_dim_type": "image_proj",
    "addition_embed_type": "image",
    "resnet_time_scale_shift": "scale_shift",
}
MOVQ = {
    "block_out_channels": [32, 32],
    "down_block_types": ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
    "up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
    "latent_channels": 4,
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "norm_type": "spatial",
    "num_vq_embeddings": 12,
    "vq_embed_dim": 4,
    "sample_size": 32,
}
SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "linear"}
DDPM = {**SCHEDULE, "clip_sample": True, "clip_sample_range": 2.0, "variance_type": "learned_range"}
UNCLIP = {"prediction_type": "sample", "clip_sample_range": 5.0, "variance_type": "fixed_small_log"}


def tiny():
    vocabulary = len(diffusion.vocabulary())
    text = diffusion.text_config(vocabulary, hidden_act="gelu", hidden_size=EMBEDDING, projection_dim=EMBEDDING)
    sight = CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=3,
        image_size=12,
        patch_size=4,
        hidden_act="gelu",
        projection_dim=EMBEDDING,
    )
    return {
        "prior_text_encoder": CLIPTextModelWithProjection(text),
        "prior_image_encoder": CLIPVisionModelWithProjection(sight),
        "prior_prior": PriorTransformer(
            num_attention_heads=2, attention_head_dim=12, num_layers=2, embedding_dim=EMBEDDING, num_embeddings=77
        ),
        "unet": UNet2DConditionModel(**UNET),
        "movq": VQModel(**MOVQ),
    }


def randomize(parts):
    for folder, module in parts.items():
        diffusion.randomize(module)
        for name, parameter in module.named_parameters():
            # these begin as zeros
            if name in ("positional_embedding", "prd_embedding", "clip_mean", "clip_std", "quantize.embedding.weight"):
                with torch.no_grad():
                    parameter.normal_(0, 0.3)
                    parameter.copy_((parameter + (1 if name == "clip_std" else 0)).half().float())
    # numbers of what is no text and no picture are as large as others'
    with torch.no_grad():
        parts["prior_image_encoder"].vision_model.embeddings.class_embedding.normal_(0, 1).copy_(
            parts["prior_image_encoder"].vision_model.embeddings.class_embedding.half().float()
        )
    return parts


def save_folder(folder, parts):
    folder.mkdir(parents=True)
    index = {"_class_name": "KandinskyV22CombinedPipeline", "_diffusers_version": "0.29.2"}
    for name, module in parts.items():
        transformers = name in ("prior_text_encoder", "prior_image_encoder")
        stem = "model" if transformers else "diffusion_pytorch_model"
        diffusion.save_component(folder / name, module, stem, sharded=name == "movq")
        index[name] = ["transformers" if transformers else "diffusers", type(module).__name__]
    DDPMScheduler(**DDPM).save_config(folder / "scheduler")
    UnCLIPScheduler(**UNCLIP).save_config(folder / "prior_scheduler")
    index["scheduler"] = ["diffusers", "DDPMScheduler"]
    index["prior_scheduler"] = ["diffusers", "UnCLIPScheduler"]
    index["prior_tokenizer"] = ["transformers", "CLIPTokenizer"]
    (folder / "model_index.json").write_text(json.dumps(index, indent=1))
    return diffusion.save_tokenizer(folder / "prior_tokenizer", "!")


@torch.no_grad()
def figures(parts, tokenizer):
    found = {}
    generator = torch.Generator().manual_seed(7)
    random = lambda *shape: torch.randn(*shape, generator=generator)
    inputs = tokenizer(PROMPT, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    out = parts["prior_text_encoder"](inputs.input_ids)
    found["text.0.states"], found["text.pooled"] = out.last_hidden_state[0], out.text_embeds
    sight = parts["prior_image_encoder"]
    found["sight.pixels"] = random(1, 3, 12, 12)
    found["sight.embedding"] = sight(found["sight.pixels"]).image_embeds
    found["sight.nothing"] = sight(torch.zeros(1, 3, 12, 12)).image_embeds
    prior = parts["prior_prior"]
    for number, block in enumerate(prior.transformer_blocks):
        keep = lambda _part, _inputs, output, name=f"prior.layer.{number}": found.update({name: output[0].clone()})
        block.register_forward_hook(keep)
    found["prior.noisy"] = random(1, EMBEDDING)
    found["prior.prediction"] = prior(
        found["prior.noisy"],
        timestep=501,
        proj_embedding=out.text_embeds,
        encoder_hidden_states=out.last_hidden_state,
        attention_mask=inputs.attention_mask.bool(),
    ).predicted_image_embedding
    found["prior.embedding"] = prior.post_process_latents(found["prior.noisy"])
    unet = parts["unet"]
    diffusion.watch(unet, "unet.", found, {"ResnetBlock2D", "Attention"})
    found["unet.latents"], found["unet.shown"] = random(1, 4, 6, 4), random(1, EMBEDDING)
    found["unet.prediction"] = unet(
        found["unet.latents"], 501, None, added_cond_kwargs={"image_embeds": found["unet.shown"]}
    ).sample
    movq = parts["movq"]
    blocks = {"ResnetBlock2D", "ResnetBlockCondNorm2D", "Attention", "Downsample2D", "Upsample2D"}
    diffusion.watch(movq, "vae.", found, blocks)
    found["vae.latents"] = random(1, 4, 3, 5)
    found["vae.pixels"] = movq.decode(found["vae.latents"], force_not_quantize=True).sample
    found["vae.picture"] = random(1, 3, 8, 6).clamp(-1, 1)
    found["vae.mean"] = movq.encode(found["vae.picture"]).latents
    told = {"prompt": PROMPT, "tokens": [inputs.input_ids[0].tolist()], "timestep": 501}
    return told, {name: tensor.contiguous() for name, tensor in found.items()}


def noise(draw, *shape):
    values = schedulers.normals(SEED, 0, draw, int(np.prod(shape)))
    return torch.tensor(values, dtype=torch.float64).float().reshape(shape)


def inject(start, rows):
    """Has the schedulers and pipelines draw this project's noise."""
    prior_steps = iter(range(1000))
    steps = iter(range(start, 1000))

    def of_prior(*_, **__):
        step = next(prior_steps)
        return torch.cat([noise(draw + 16 + step, 1, EMBEDDING) for draw in rows])

    scheduling_unclip.randn_tensor = of_prior
    scheduling_ddpm.randn_tensor = lambda *_, **__: noise(16 + next(steps), 1, 4, HEIGHT // 2, WIDTH // 2)
    pipeline_kandinsky2_2_img2img.randn_tensor = lambda *_, **__: noise(0, 1, 4, HEIGHT // 2, WIDTH // 2)
    # sides are rounded for a coder of four levels, and this one has two
    for module in (sys.modules[KandinskyV22Pipeline.__module__], pipeline_kandinsky2_2_img2img):
        module.downscale_height_and_width = lambda height, width, _scale: (height // 2, width // 2)


def picture():
    index = torch.arange(3 * HEIGHT * WIDTH)
    return ((index * 89 % 256) / 128 - 1).float().reshape(1, 3, HEIGHT, WIDTH)


@torch.no_grad()
def case(parts, tokenizer, scheduler, steps=5, guidance=4.0, negative=None, strength=None):
    rows = [PRIOR] if negative is None else [PRIOR, PRIOR_NEGATIVE]
    inject(0 if strength is None else steps - int(steps * strength), rows)
    prior = KandinskyV22PriorPipeline(
        prior=parts["prior_prior"],
        image_encoder=parts["prior_image_encoder"],
        text_encoder=parts["prior_text_encoder"],
        tokenizer=tokenizer,
        scheduler=UnCLIPScheduler(**UNCLIP),
        image_processor=CLIPImageProcessor(),
    )
    made = {"ddpm": DDPMScheduler(**DDPM), "ddim": DDIMScheduler(**SCHEDULE, clip_sample=True, clip_sample_range=2.0)}
    pipeline = KandinskyV22Pipeline if strength is None else KandinskyV22Img2ImgPipeline
    pipe = pipeline(unet=parts["unet"], scheduler=made[scheduler], movq=parts["movq"])
    for each in (prior, pipe):
        each.set_progress_bar_config(disable=True)
    start = torch.cat([noise(draw, 1, EMBEDDING) for draw in rows])
    shown, not_shown = prior(PROMPT, negative_prompt=negative, latents=start, return_dict=False)
    common = {
        "image_embeds": shown,
        "negative_image_embeds": not_shown,
        "height": HEIGHT,
        "width": WIDTH,
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "output_type": "latent",
    }
    if strength is None:
        latents = pipe(latents=noise(0, 1, 4, HEIGHT // 2, WIDTH // 2), **common).images
    else:
        pipeline_kandinsky2_2_img2img.prepare_image = lambda image, *_: image
        latents = pipe(image=picture(), strength=strength, **common).images
    pixels = parts["movq"].decode(latents, force_not_quantize=True).sample
    pack = lambda tensor, kind: base64.b64encode(tensor.numpy().astype(kind).tobytes()).decode()
    return {
        "scheduler": scheduler,
        "prompt": PROMPT,
        "negative": negative or "",
        "steps": steps,
        "guidance": guidance,
        **({} if strength is None else {"strength": strength}),
        "shown": pack(shown, "<f4"),
        "notShown": pack(not_shown, "<f4"),
        "latents": pack(latents, "<f4"),
        "pixels": pack(pixels, "<f2"),
    }


def table(scheduler, channels, steps):
    """Latents behind each step of a scheduler that is told fixed numbers."""
    scheduler.set_timesteps(steps)
    values = lambda seed, count: torch.from_numpy(np.sin(np.arange(count, dtype=np.float64) * 1.7 + seed)).float()[None]
    drawn = iter(range(1000))
    for module in (scheduling_ddpm, scheduling_unclip):
        module.randn_tensor = lambda *_, **__: values(100 + next(drawn), 6)
    latents, behind = values(0, 6), []
    timesteps = scheduler.timesteps.tolist()
    for step, timestep in enumerate(timesteps):
        before = {}
        if isinstance(scheduler, UnCLIPScheduler):
            before = {"prev_timestep": timesteps[step + 1] if step + 1 < steps else None}
        latents = scheduler.step(values(1 + step, channels), timestep, latents, **before).prev_sample
        behind.append(latents[0].tolist())
    return {"steps": steps, "timesteps": timesteps, "latents": behind}


def tables():
    fixed = {**SCHEDULE, "variance_type": "fixed_small", "clip_sample": False}
    return {
        "learned": [table(DDPMScheduler(**DDPM), 12, steps) for steps in (1, 3, 10, 50)],
        "fixed": [table(DDPMScheduler(**fixed), 6, steps) for steps in (1, 3, 10, 50)],
        "unclip": [table(UnCLIPScheduler(**UNCLIP), 6, steps) for steps in (2, 5, 25)],
    }


def pictures(parts, tokenizer):
    make = lambda *each, **request: case(parts, tokenizer, *each, **request)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "seed": str(SEED),
        "cases": [
            make("ddpm"),
            make("ddpm", negative=NEGATIVE),
            make("ddpm", guidance=1.0),
            make("ddim", steps=7),
            make("ddpm", strength=0.6),
        ],
    }


REAL = {
    "prior_text_encoder": lambda: CLIPTextModelWithProjection(CLIPTextConfig(**diffusion.OPENCLIP_G)),
    "prior_image_encoder": lambda: CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=1664,
            intermediate_size=8192,
            num_hidden_layers=48,
            num_attention_heads=16,
            image_size=224,
            patch_size=14,
            hidden_act="gelu",
            projection_dim=1280,
        )
    ),
    "prior_prior": lambda: PriorTransformer(embedding_dim=1280),
    "unet": lambda: UNet2DConditionModel(
        **{
            **UNET,
            "sample_size": 64,
            "down_block_types": ["ResnetDownsampleBlock2D", *["SimpleCrossAttnDownBlock2D"] * 3],
            "up_block_types": [*["SimpleCrossAttnUpBlock2D"] * 3, "ResnetUpsampleBlock2D"],
            "block_out_channels": [384, 768, 1152, 1536],
            "layers_per_block": 3,
            "norm_num_groups": 32,
            "attention_head_dim": 64,
            "cross_attention_dim": 768,
            "encoder_hid_dim": 1280,
        }
    ),
    "movq": lambda: VQModel(
        **{
            **MOVQ,
            "block_out_channels": [128, 256, 256, 512],
            "down_block_types": [*["DownEncoderBlock2D"] * 3, "AttnDownEncoderBlock2D"],
            "up_block_types": ["AttnUpDecoderBlock2D", *["UpDecoderBlock2D"] * 3],
            "layers_per_block": 2,
            "norm_num_groups": 32,
            "num_vq_embeddings": 16384,
        }
    ),
}


def make_index():
    with init_empty_weights():
        index = {folder: diffusion.index_of(make()) for folder, make in REAL.items()}
    for folder in ("prior_text_encoder", "prior_image_encoder"):
        index[folder]["config"].pop("_class_name", None)
    path = FIXTURES / "indexes/kandinsky-2.2.json"
    path.write_text(json.dumps(index, separators=(",", ":")) + "\n")


def same(name, ours, theirs):
    assert np.allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max(), rtol=1e-4), name


def check(told, found, drawn):
    kept = load_file(FIXTURES / f"{NAME}.safetensors")
    assert kept.keys() == found.keys()
    for key, tensor in found.items():
        same(key, tensor.numpy(), kept[key].numpy())
    assert json.loads((FIXTURES / f"{NAME}.json").read_text()) == told
    floats = lambda each: np.frombuffer(base64.b64decode(each["latents"]), "<f4")
    committed = json.loads(PICTURES.read_text())
    for ours, theirs in zip(drawn["cases"], committed["cases"], strict=True):
        same(theirs["scheduler"], floats(ours), floats(theirs))
    kept = json.loads(TABLES.read_text())
    for kind, rows in tables().items():
        for ours, theirs in zip(rows, kept[kind], strict=True):
            same(kind, np.array(ours["latents"]), np.array(theirs["latents"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--indexes", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.indexes:
        make_index()
        return
    torch.manual_seed(diffusion.seed_of(NAME))
    parts = randomize(tiny())
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory) / NAME if options.check else FIXTURES / NAME
        shutil.rmtree(folder, ignore_errors=True)
        tokenizer = save_folder(folder, parts)
        told, found = figures(parts, tokenizer)
        drawn = pictures(parts, tokenizer)
    if options.check:
        check(told, found, drawn)
        return
    save_file(found, FIXTURES / f"{NAME}.safetensors")
    (FIXTURES / f"{NAME}.json").write_text(json.dumps(told))
    PICTURES.write_text(json.dumps(drawn, indent=1) + "\n")
    TABLES.write_text(json.dumps(tables(), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    sys.exit(main())
