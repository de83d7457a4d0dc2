#!/usr/bin/env python3
"""Reference steps of schedulers, by diffusers.

    python3 -m venv VENV && VENV/bin/pip install -r scripts/reference-schedulers.requirements.txt
    VENV/bin/python scripts/reference-schedulers.py

Writes packages/diffusion/test/fixtures/schedulers.json. A case is a scheduler with a schedule, a number of steps and a first
step; its figures are the timesteps, noise over signal at each step, the scale of the first noise, and the latents before the
first step and after each. Noise and predictions follow the closed formulas `noise` and `predict`, which the test has too, so
they are not written down. Numbers are little-endian float32 in base64. `spacings` sums up the timesteps of 1 to 1000 steps, `guidance` has predictions of guided steps.
`noise.json` has values of this project's own stream of noise, by a second implementation of docs/diffusion.md.
`--check` compares with the committed figures instead.
"""

import argparse
import base64
import json
import pathlib
import sys

import diffusers
import numpy as np
import torch
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import rescale_noise_cfg
from diffusers.schedulers import (
    scheduling_edm_dpmsolver_multistep,
    scheduling_edm_euler,
    scheduling_euler_ancestral_discrete,
    scheduling_euler_discrete,
    scheduling_lcm,
)

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/diffusion/test/fixtures"
VALUES = 4
STEPS = [1, 4, 20, 50]
SPACINGS = ["leading", "trailing", "linspace"]
PREDICTIONS = ["epsilon", "v_prediction", "sample"]
STABLE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
LINEAR = dict(beta_start=0.0001, beta_end=0.02, beta_schedule="linear", steps_offset=0)
COSINE = dict(beta_start=0.0001, beta_end=0.02, beta_schedule="squaredcos_cap_v2", steps_offset=0)

CLASSES = {
    "ddim": (diffusers.DDIMScheduler, dict(clip_sample=False)),
    "euler": (diffusers.EulerDiscreteScheduler, {}),
    "euler_karras": (diffusers.EulerDiscreteScheduler, dict(use_karras_sigmas=True)),
    "euler_a": (diffusers.EulerAncestralDiscreteScheduler, {}),
    "dpmpp_2m": (diffusers.DPMSolverMultistepScheduler, {}),
    "dpmpp_2m_karras": (diffusers.DPMSolverMultistepScheduler, dict(use_karras_sigmas=True)),
    "lcm": (diffusers.LCMScheduler, {}),
    "edm": (diffusers.EDMDPMSolverMultistepScheduler, {}),
    "edm_euler": (diffusers.EDMEulerScheduler, {}),
}


def noise(draw: int) -> torch.Tensor:
    return torch.tensor([((draw * 53 + index * 29 + 7) % 61 - 30) / 16 for index in range(VALUES)], dtype=torch.float32)


def predict(step: int, scaled: torch.Tensor) -> torch.Tensor:
    own = [((step * 37 + index * 17 + 11) % 31 - 15) / 16 for index in range(VALUES)]
    return 0.25 * scaled + torch.tensor(own, dtype=torch.float32)


def packed(values) -> str:
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()


def build(name: str, spacing: str, prediction: str, schedule: dict):
    made, extra = CLASSES[name]
    if name.startswith("edm"):
        return made(prediction_type=prediction, **schedule)
    alpha = dict(set_alpha_to_one=schedule["beta_schedule"] != "scaled_linear") if name in ("ddim", "lcm") else {}
    return made(timestep_spacing=spacing, prediction_type=prediction, **schedule, **extra, **alpha)


def levels(scheduler, name: str, start: int) -> list[float]:
    """Noise over signal at each step."""
    if name in ("ddim", "lcm"):
        kept = [scheduler.alphas_cumprod[min(int(t), 999)].double() for t in scheduler.timesteps]
        return [float(((1 - level) / level) ** 0.5) for level in kept][start:]
    return [float(sigma) for sigma in scheduler.sigmas[:-1]][start:]


def case(name: str, spacing: str, prediction: str, steps: int, schedule: dict, start: int = 0, eta: float = 0) -> dict:
    scheduler = build(name, spacing, prediction, schedule)
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps[start:]
    # by number: two steps may have the same timestep
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start)
    if start > 0:
        latents = scheduler.add_noise(noise(1), noise(0), timesteps[:1])
    else:
        latents = noise(0) * scheduler.init_noise_sigma
    states = [latents]
    for index, timestep in enumerate(timesteps):
        step = start + index
        added = noise(16 + step)
        for module in MODULES:
            module.randn_tensor = lambda *_, **__: added
        extra = dict(eta=eta, variance_noise=added) if name == "ddim" else {}
        scaled = scheduler.scale_model_input(latents, timestep)
        latents = scheduler.step(predict(step, scaled), timestep, latents, return_dict=False, **extra)[0]
        states.append(latents)
    return {
        "scheduler": name,
        "spacing": spacing,
        "prediction": prediction,
        "steps": steps,
        "start": start,
        "eta": eta,
        "schedule": schedule,
        "timesteps": packed([float(t) for t in timesteps]),
        "sigmas": packed(levels(scheduler, name, start)),
        "scale": float(scheduler.init_noise_sigma),
        "latents": packed(torch.cat(states).numpy()),
    }


MODULES = [
    scheduling_edm_dpmsolver_multistep,
    scheduling_edm_euler,
    scheduling_euler_ancestral_discrete,
    scheduling_euler_discrete,
    scheduling_lcm,
]


def cases() -> list[dict]:
    made = []
    for name in CLASSES:
        edm = name.startswith("edm")
        schedule = dict(sigma_min=0.002, sigma_max=80.0, sigma_data=0.5) if edm else STABLE
        # spaced by rules of their own
        for spacing in ["leading"] if edm or name == "lcm" else SPACINGS:
            for prediction in PREDICTIONS:
                if prediction == "sample" and (edm or name == "euler_a"):
                    continue
                made += [case(name, spacing, prediction, steps, schedule) for steps in STEPS]
        # begun from another picture
        made.append(case(name, "leading", "epsilon", 20, schedule, start=8))
        if edm:
            continue
        made += [case(name, "leading", "epsilon", 20, other) for other in (LINEAR, COSINE)]
        zero = dict(STABLE, rescale_betas_zero_snr=True)
        made.append(case(name, "trailing", "v_prediction", 20, zero))
    made += [case("ddim", "leading", "epsilon", 20, STABLE, eta=eta) for eta in (0.3, 1.0)]
    # as Playground v2.5 has it
    made.append(case("edm", "leading", "epsilon", 20, dict(sigma_min=0.002, sigma_max=80.0, sigma_data=0.5), start=3))
    return made


def spacings() -> dict:
    """For each spacing the sum of the timesteps, each times its place, modulo 2^32, of 1 to 1000 steps."""
    made = {}
    for name in ("ddim", "dpmpp_2m"):
        for spacing in SPACINGS:
            scheduler = build(name, spacing, "epsilon", LINEAR)
            sums = []
            for steps in range(1, 1001):
                scheduler.set_timesteps(steps)
                # a rounding error may add one more at the end
                timesteps = scheduler.timesteps.numpy()[:steps]
                sums.append(int((timesteps * np.arange(1, steps + 1)).sum()) % 2**32)
            made[f"{name} {spacing}"] = base64.b64encode(np.asarray(sums, dtype="<u4").tobytes()).decode()
    return made


def guidance() -> list[dict]:
    without, prompted = predict(3, noise(2)), predict(8, noise(5))
    made = []
    for scale, rescale in ((7.5, 0.0), (7.5, 0.7), (1.5, 1.0)):
        guided = (without + scale * (prompted - without))[None]
        values = rescale_noise_cfg(guided, prompted[None], rescale)[0] if rescale > 0 else guided[0]
        made.append({"scale": scale, "rescale": rescale, "values": packed(values.numpy())})
    return made


def stream() -> list[dict]:
    keys = [(0, 0, 0), (42, 0, 0), (42, 1, 0), (42, 0, 16), (2**64 - 1, 9, 1015), (0x123456789ABCDEF0, 2**32 - 1, 2)]
    return [
        {"seed": str(seed), "picture": picture, "draw": draw, "values": packed(normals(seed, picture, draw, 10))}
        for seed, picture, draw in keys
    ]


def normals(seed: int, picture: int, draw: int, count: int) -> list[float]:
    values: list[float] = []
    for block in range((count + 3) // 4):
        words = philox([block, draw, picture, 0], [seed % 2**32, seed >> 32])
        for first, second in ((words[0], words[1]), (words[2], words[3])):
            radius = np.sqrt(-2 * np.log((first + 0.5) / 2**32))
            angle = 2 * np.pi * ((second + 0.5) / 2**32)
            values += [radius * np.cos(angle), radius * np.sin(angle)]
    return values[:count]


def philox(counter: list[int], key: list[int]) -> list[int]:
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        first, second = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (second >> 32) ^ c1 ^ k0, second % 2**32, (first >> 32) ^ c3 ^ k1, first % 2**32
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [c0, c1, c2, c3]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    made = {
        "schedulers.json": {"cases": cases(), "spacings": spacings(), "guidance": guidance()},
        "noise.json": {"draws": stream()},
    }
    same = True
    for name, figures in made.items():
        path = FIXTURES / name
        if args.check:
            same = same and json.loads(path.read_text()) == figures
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(figures, indent=1) + "\n")
    print("the same" if same else "not the same", file=sys.stderr)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
