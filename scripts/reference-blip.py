#!/usr/bin/env python3
"""Tiny BLIPs of random weights, what transformers makes of them and of pictures, and the tensors that the real ones have.

    python3 -m venv --system-site-packages VENV && VENV/bin/pip install -r scripts/reference-blip.requirements.txt
    VENV/bin/python scripts/reference-blip.py

Makes in packages/blip/test/fixtures:

  tiny-captioner  as Hugging Face publishes them: config.json, preprocessor_config.json, tokenizer.json, model.safetensors
  tiny-answerer   the same for questions
  captioner.json  states behind each layer, logits of every position, what is generated
  answerer.json   the same
  pictures.json   what the image processor makes of pictures of other sizes
  published.json  names and shapes of Salesforce/blip-image-captioning-base, -large and blip-vqa-base, by the reference code

Weights are exact in f16, all is computed in f32. Pictures are a formula that the tests compute too (`picture`).
`--check` compares with the committed figures instead, and makes nothing.
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
from PIL import Image
from safetensors.torch import save_file
from tokenizers import BertWordPieceTokenizer, processors
from transformers import BlipConfig, BlipForConditionalGeneration, BlipForQuestionAnswering, BlipImageProcessor

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/blip/test/fixtures"
MADE_BY = f"transformers {transformers.__version__}, torch {torch.__version__}"
SIDE = 32
CORPUS = [
    "two cats sleeping on a couch",
    "a woman sitting on the beach with her dog",
    "how many dogs are in the picture?",
    "a photography of an old red bus in the city",
    "what colour is the car? it is white.",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is committed, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    tokenizer = make_tokenizer()
    captioner = make_model(BlipForConditionalGeneration, config_of(tokenizer, vision_size=24), seed=3, end_bias=3.5)
    answerer = make_model(BlipForQuestionAnswering, config_of(tokenizer, vision_size=32), seed=5, end_bias=2.0)
    if not check:
        write_folder("tiny-captioner", captioner, tokenizer)
        write_folder("tiny-answerer", answerer, tokenizer)
    made = {
        "captioner.json": described(captioner, tokenizer),
        "answerer.json": answered(answerer, tokenizer),
        "pictures.json": pictures(),
        "published.json": published(),
    }
    return max(settle(FIXTURES / name, value, check) for name, value in made.items())


def settle(path: pathlib.Path, made: dict, check: bool) -> int:
    if not check:
        path.write_text(json.dumps(made) + "\n")
        print(f"{path.name}: {path.stat().st_size} bytes")
        return 0
    same = json.loads(path.read_text()) == made
    print(f"{path.name}: {'the same' if same else 'another'}")
    return 0 if same else 1


def make_tokenizer() -> BertWordPieceTokenizer:
    """Letters, and the words of the corpus: training one gives another vocabulary each time."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = sorted(set(re.findall(r"[a-z]{2,}", " ".join(CORPUS))))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *"?.,!'", *letters, *(f"##{letter}" for letter in letters), "##ing", *words]
    tokenizer = BertWordPieceTokenizer({piece: index for index, piece in enumerate(pieces)}, lowercase=True)
    framing = [(name, tokenizer.token_to_id(name)) for name in ("[SEP]", "[CLS]")]
    tokenizer._tokenizer.post_processor = processors.BertProcessing(*framing)
    return tokenizer


def config_of(tokenizer, vision_size: int) -> BlipConfig:
    size = tokenizer.get_vocab_size()
    text = {
        # behind those of the tokenizer, the two that begin a text and a question, as in the published models
        "vocab_size": size + 2,
        "bos_token_id": size,
        "sep_token_id": tokenizer.token_to_id("[SEP]"),
        "pad_token_id": tokenizer.token_to_id("[PAD]"),
        "eos_token_id": 2,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 40,
    }
    vision = {
        "hidden_size": vision_size,
        "num_hidden_layers": 2,
        "num_attention_heads": 3 if vision_size == 24 else 4,
        "intermediate_size": 40,
        "image_size": SIDE,
        "patch_size": 8,
    }
    return BlipConfig(text_config=text, vision_config=vision)


def make_model(kind, config: BlipConfig, seed: int, end_bias: float):
    model = kind(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            if re.search(r"(LayerNorm|layer_?norm\d?)\.weight$", name):
                values = 1 + 0.2 * drawn
            elif name.endswith("bias"):
                values = 0.1 * drawn
            elif "embedding" in name and parameter.dim() != 4:
                values = 0.5 * drawn
            else:
                values = drawn * (1.5 / math.sqrt(parameter[0].numel()))
            parameter.copy_(values.half().float())
        # so that some texts come to their end, and none at once
        end = config.text_config.sep_token_id
        model.text_decoder.cls.predictions.bias[end] = end_bias
    return model


def write_folder(name: str, model, tokenizer) -> None:
    folder = FIXTURES / name
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config.to_dict()
    config["architectures"] = [type(model).__name__]
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    processor = BlipImageProcessor(size={"height": SIDE, "width": SIDE})
    (folder / "preprocessor_config.json").write_text(processor.to_json_string())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True}) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tied = "text_decoder.cls.predictions.decoder.bias"
    tensors = {key: value.half().contiguous() for key, value in model.state_dict().items() if key != tied}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})


def picture(width: int, height: int) -> np.ndarray:
    """u8 [height, width, 3], of whole numbers only."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((x * 7 + y * 13 + c * 50 + (x * y * (c + 1)) % 61 * 3 + (x // 5 + y // 7) % 2 * 90) % 256).astype(np.uint8)


def pixels_of(image: np.ndarray) -> torch.Tensor:
    processor = BlipImageProcessor(size={"height": SIDE, "width": SIDE})
    return processor(Image.fromarray(image), return_tensors="pt").pixel_values


def pictures() -> dict:
    sizes = [[61, 47], [20, 9], [32, 100], [3, 300], [1, 1], [200, 32], [2, 500]]
    resized = [stretched(Image.fromarray(picture(*size))) for size in sizes]
    return {
        "made_by": f"{MADE_BY}, Pillow {Image.__version__}",
        "side": SIDE,
        "sizes": sizes,
        # u8 [side, side, 3] each
        "resized": [base64.b64encode(np.asarray(image).tobytes()).decode() for image in resized],
        # f32 [3, side, side] of the first
        "pixels": packed(pixels_of(picture(*sizes[0]))),
    }


def stretched(image: Image.Image) -> Image.Image:
    """Columns first, as when models were trained: since then Pillow begins with rows where it takes that for less work. But
    of pictures that are over 100 times as tall as wide rows."""
    if image.height > 100 * image.width:
        return image.resize((image.width, SIDE), Image.BICUBIC).resize((SIDE, SIDE), Image.BICUBIC)
    return image.resize((SIDE, image.height), Image.BICUBIC).resize((SIDE, SIDE), Image.BICUBIC)


@torch.no_grad()
def seen(model) -> tuple:
    pixels = pixels_of(picture(SIDE, SIDE))
    vision = model.vision_model(pixels, output_hidden_states=True)
    return pixels, vision, {
        # f32 [positions, size]: of the patches with their places, and behind each layer
        "vision": [packed(states[0]) for states in vision.hidden_states],
        "seen": packed(vision.last_hidden_state[0]),
    }


@torch.no_grad()
def written(model, tokens: list, states: torch.Tensor) -> dict:
    out = model.text_decoder(
        input_ids=torch.tensor([tokens]), encoder_hidden_states=states, output_hidden_states=True, use_cache=False
    )
    return {
        "tokens": tokens,
        # f32 [tokens, size]: of the embedded tokens, and behind each layer
        "text": [packed(each[0]) for each in out.hidden_states],
        # f32 [tokens, vocabulary]
        "logits": packed(out.logits[0]),
    }


def text_of(tokenizer, tokens: list) -> str:
    published = transformers.BertTokenizerFast(tokenizer_object=tokenizer._tokenizer)
    return published.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=True)


SETTINGS = [
    {"max_length": 20},
    {"max_length": 24, "repetition_penalty": 1.6},
    {"max_length": 24, "repetition_penalty": 1.3, "min_length": 12},
]


@torch.no_grad()
def described(model, tokenizer) -> dict:
    pixels, vision, states = seen(model)
    begin = model.config.text_config.bos_token_id
    prompts = [None, "a photography of"]
    generated = []
    for prompt in prompts:
        ids = None if prompt is None else tokenizer.encode(prompt).ids
        for settings in SETTINGS:
            given = {} if ids is None else {"input_ids": torch.tensor([ids])}
            tokens = model.generate(pixel_values=pixels, num_beams=1, do_sample=False, **given, **settings)[0].tolist()
            generated.append({"prompt": prompt, **settings, "tokens": tokens, "text": text_of(tokenizer, tokens)})
    tokens = [begin, *tokenizer.encode("two cats sleeping on the beach").ids[1:-1]]
    return {"made_by": MADE_BY, **states, **written(model, tokens, vision.last_hidden_state), "generated": generated}


@torch.no_grad()
def answered(model, tokenizer) -> dict:
    pixels, vision, states = seen(model)
    begin = model.config.text_config.bos_token_id
    question = "how many dogs are in the picture?"
    ids = torch.tensor([tokenizer.encode(question).ids])
    asked = model.text_encoder(
        input_ids=ids, encoder_hidden_states=vision.last_hidden_state, output_hidden_states=True, is_decoder=False
    )
    generated = []
    for settings in SETTINGS:
        tokens = model.generate(input_ids=ids.clone(), pixel_values=pixels, num_beams=1, do_sample=False, **settings)
        tokens = tokens[0].tolist()
        generated.append({"prompt": question, **settings, "tokens": tokens, "text": text_of(tokenizer, tokens)})
    tokens = [begin, *tokenizer.encode("it is white").ids[1:-1]]
    return {
        "made_by": MADE_BY,
        **states,
        "question": ids[0].tolist(),
        # f32 [tokens, size]: of the embedded question, and behind each layer
        "asked": [packed(each[0]) for each in asked.hidden_states],
        **written(model, tokens, asked.last_hidden_state),
        "generated": generated,
    }


def published() -> dict:
    """What config.json of the real repositories says where it is not the default of the reference code."""
    large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    base = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
    text = {"num_attention_heads": 12, "vocab_size": 30524}
    kinds = {
        "blip-image-captioning-base": (BlipForConditionalGeneration, base),
        "blip-image-captioning-large": (BlipForConditionalGeneration, large),
        "blip-vqa-base": (BlipForQuestionAnswering, base),
    }
    models = {}
    for name, (kind, vision) in kinds.items():
        config = BlipConfig(text_config=text, vision_config=vision)
        # nothing of full width is drawn: a layer each is made, and its tensors counted as often as there are layers
        counts = {"vision_model": config.vision_config.num_hidden_layers, "text": config.text_config.num_hidden_layers}
        config.vision_config.num_hidden_layers = config.text_config.num_hidden_layers = 1
        state = kind(config).state_dict()
        tensors = {}
        for key, value in state.items():
            layered = re.sub(r"(layers?)\.0\.", r"\1.#.", key)
            repeated = counts["vision_model" if key.startswith("vision_model") else "text"] if layered != key else 1
            tensors[layered] = [repeated, list(value.shape)]
        config.vision_config.num_hidden_layers, config.text_config.num_hidden_layers = counts.values()
        sizes = {"architectures": [kind.__name__], "model_type": "blip"}
        models[name] = {
            "config": {**sizes, "text_config": text, "vision_config": vision},
            # name, with # for each layer's number: [how many layers, shape]
            "tensors": tensors,
        }
    return {"made_by": MADE_BY, "models": models}


def packed(values: torch.Tensor) -> str:
    return base64.b64encode(values.contiguous().numpy().astype("<f4").tobytes()).decode()


if __name__ == "__main__":
    sys.exit(main())
