#!/usr/bin/env python3
"""A tiny Idefics 3 (the architecture of SmolVLM) of random weights, and what transformers makes of it and of pictures.

    python3 -m venv --system-site-packages VENV && VENV/bin/pip install -r scripts/reference-idefics.requirements.txt
    VENV/bin/python scripts/reference-idefics.py

Makes in packages/blip/test/fixtures:

  tiny-idefics             as Hugging Face publishes them: config.json, preprocessor_config.json, processor_config.json,
                           tokenizer.json, tokenizer_config.json, chat_template.json, model.safetensors
  idefics.json             states behind each layer that looks, what takes the place of tokens, prompts, greedy answers
  idefics-pictures.json    how pictures of other sizes are cut, and the bytes of the pieces
  idefics-places.json      which row of the table of places each patch of a side takes, by the number of patches
  idefics-published.json   names and shapes of HuggingFaceTB/SmolVLM-256M-Instruct and -500M-Instruct, by the reference code

Weights are exact in f16, all is computed in f32. Pictures are a formula that the tests compute too (`picture`).
`--check` compares with the committed figures instead, and makes nothing.
"""

import argparse
import base64
import hashlib
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
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import Idefics3Config, Idefics3ForConditionalGeneration, PreTrainedTokenizerFast
from transformers.models.idefics3.image_processing_idefics3 import Idefics3ImageProcessor
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/blip/test/fixtures"
MADE_BY = f"transformers {transformers.__version__}, torch {torch.__version__}, Pillow {Image.__version__}"
SIDE, PATCH, SHUFFLE, LONGEST = 24, 4, 3, 96
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is committed, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    processor = make_processor()
    model = make_model(processor.tokenizer, seed=11)
    if not check:
        write_folder(model, processor)
    made = {
        "idefics.json": figures(model, processor),
        "idefics-pictures.json": pictures(processor),
        "idefics-places.json": places(),
        "idefics-published.json": published(),
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


def make_processor() -> Idefics3Processor:
    """Bytes, and the special tokens of SmolVLM in its order."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {piece: index for index, piece in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    places = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    more = ["<global-img>", *places, "<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in [*special, *more]])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<end_of_utterance>",
        pad_token="<|im_end|>",
        bos_token="<|im_start|>",
        unk_token="<|endoftext|>",
        model_input_names=["input_ids", "attention_mask"],
    )
    images = Idefics3ImageProcessor(
        size={"longest_edge": LONGEST},
        max_image_size={"longest_edge": SIDE},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    return Idefics3Processor(images, fast, image_seq_len=(SIDE // PATCH // SHUFFLE) ** 2, chat_template=TEMPLATE)


def make_model(tokenizer, seed: int) -> Idefics3ForConditionalGeneration:
    size = len(tokenizer)
    text = {
        "model_type": "llama",
        "vocab_size": size,
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "rope_theta": 100000,
        "pad_token_id": 2,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 40,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": SIDE,
        "patch_size": PATCH,
    }
    config = Idefics3Config(
        text_config=text,
        vision_config=vision,
        scale_factor=SHUFFLE,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=2,
    )
    model = Idefics3ForConditionalGeneration._from_config(config, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            if re.search(r"norm\d?\.weight$", name):
                values = 1 + 0.2 * drawn
            elif name.endswith("bias"):
                values = 0.1 * drawn
            elif "embed_tokens" in name or "position_embedding" in name:
                values = 0.5 * drawn
            else:
                values = drawn * (1.5 / math.sqrt(parameter[0].numel()))
            parameter.copy_(values.half().float())
    return model


def write_folder(model, processor) -> None:
    folder = FIXTURES / "tiny-idefics"
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config.to_diff_dict()
    config["architectures"] = [type(model).__name__]
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    processor.image_processor.save_pretrained(folder)
    (folder / "processor_config.json").write_text(json.dumps({"image_seq_len": processor.image_seq_len}) + "\n")
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": TEMPLATE}) + "\n")
    settings = {"bos_token": "<|im_start|>", "eos_token": "<end_of_utterance>", "unk_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings) + "\n")
    processor.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tensors = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})


def picture(width: int, height: int) -> np.ndarray:
    """u8 [height, width, 3], of whole numbers only."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((x * 7 + y * 13 + c * 50 + (x * y * (c + 1)) % 61 * 3 + (x // 5 + y // 7) % 2 * 90) % 256).astype(np.uint8)


CHATS = [
    {"turns": [["user", ["image", "What is this?"]]], "sizes": [[61, 47]]},
    {"turns": [["user", ["image", "image", "Which is larger?"]]], "sizes": [[20, 90], [24, 24]]},
    {
        "turns": [["user", ["Look:", "image"]], ["assistant", ["A cat."]], ["user", ["And ", "image", " here?"]]],
        "sizes": [[200, 40], [9, 14]],
    },
]
ANSWER_TOKENS = 24


@torch.no_grad()
def figures(model, processor) -> dict:
    given = Image.fromarray(picture(SIDE, SIDE))
    pixels = processor.image_processor([given], return_tensors="pt", do_image_splitting=False, do_resize=False).pixel_values[0]
    vision = model.model.vision_model(pixels, output_hidden_states=True)
    shown = model.model.connector(vision.last_hidden_state)
    return {
        "made_by": MADE_BY,
        # f32 [positions, size]: of the patches with their places, and behind each layer
        "vision": [packed(states[0]) for states in vision.hidden_states],
        "seen": packed(vision.last_hidden_state[0]),
        # f32 [positions, hidden]: what takes the place of tokens
        "shown": packed(shown[0]),
        "chats": [chat(model, processor, **one) for one in CHATS],
    }


@torch.no_grad()
def chat(model, processor, turns: list, sizes: list) -> dict:
    part = lambda said: {"type": "image"} if said == "image" else {"type": "text", "text": said}
    messages = [{"role": role, "content": [part(said) for said in parts]} for role, parts in turns]
    prompt = processor.apply_chat_template(messages, add_generation_prompt=True)
    images = [Image.fromarray(picture(*size)) for size in sizes]
    inputs = processor(text=prompt, images=[images], return_tensors="pt")
    ids = inputs.input_ids[0].tolist()
    logits, answer = [], []
    # whole each time: `generate` of this version does not run beside this torch
    for _ in range(ANSWER_TOKENS):
        tokens = torch.tensor([[*ids, *answer]])
        inputs["input_ids"], inputs["attention_mask"] = tokens, torch.ones_like(tokens)
        logits.append(model(**inputs).logits[0, -1])
        answer.append(int(logits[-1].argmax()))
    best = torch.stack(logits).topk(2).values
    return {"turns": turns, "sizes": sizes, "prompt": ids, "answer": answer, "gap": float((best[:, 0] - best[:, 1]).min()), "logits": packed(logits[0])}


def pictures(processor) -> dict:
    sizes = [[61, 47], [47, 61], [24, 24], [96, 96], [97, 300], [6, 300], [7, 5], [200, 11], [500, 333]]
    cut = []
    for size in sizes:
        given = Image.fromarray(picture(*size))
        made = processor.image_processor(
            [given], return_row_col_info=True, return_tensors="np", do_rescale=False, do_normalize=False
        )
        tiles = made["pixel_values"][0].transpose(0, 2, 3, 1).astype(np.uint8)
        digest = hashlib.sha256(np.ascontiguousarray(tiles).tobytes()).hexdigest()
        cut.append({"size": size, "rows": made["rows"][0][0], "columns": made["cols"][0][0], "tiles": len(tiles), "sha256": digest})
    return {"made_by": MADE_BY, "side": SIDE, "longest": LONGEST, "pictures": cut}


def places() -> dict:
    """As `Idefics3VisionEmbeddings` has it, of pictures that are whole."""
    rows = {}
    for count in range(1, 65):
        boundaries = torch.arange(1 / count, 1.0, 1 / count)
        coordinates = torch.arange(0, 1 - 1e-6, 1 / torch.tensor(count))
        rows[str(count)] = torch.bucketize(coordinates, boundaries, right=True).tolist()
    return {"made_by": MADE_BY, "rows": rows}


def published() -> dict:
    """What config.json of the real repositories says where it is not the default of the reference code."""
    vision = {"hidden_size": 768, "image_size": 512, "num_attention_heads": 12, "patch_size": 16}
    text = {"model_type": "llama", "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100000, "vocab_size": 49280}
    kinds = {
        "SmolVLM-256M-Instruct": {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64},
        "SmolVLM-500M-Instruct": {"hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 15, "num_key_value_heads": 5, "head_dim": 64},
    }
    found = {}
    for name, own in kinds.items():
        config = Idefics3Config(
            text_config={**text, **own}, vision_config=dict(vision), scale_factor=4, image_token_id=49190, pad_token_id=2
        )
        # nothing of full width is drawn: a layer each is made, and its tensors counted as often as there are layers
        counts = {"vision": config.vision_config.num_hidden_layers, "text": config.text_config.num_hidden_layers}
        config.vision_config.num_hidden_layers = config.text_config.num_hidden_layers = 1
        tensors = {}
        for key, value in Idefics3ForConditionalGeneration(config).state_dict().items():
            layered = re.sub(r"(layers)\.0\.", r"\1.#.", key)
            repeated = counts["vision" if ".vision_model." in key else "text"] if layered != key else 1
            tensors[layered] = [repeated, list(value.shape)]
        found[name] = {
            "config": {
                "architectures": ["Idefics3ForConditionalGeneration"],
                "model_type": "idefics3",
                "image_token_id": 49190,
                "scale_factor": 4,
                "tie_word_embeddings": False,
                "text_config": {**text, **own},
                "vision_config": {**vision, "model_type": "idefics3"},
            },
            # name, with # for each layer's number: [how many layers, shape]
            "tensors": tensors,
        }
    return {"made_by": MADE_BY, "models": found}


def packed(values: torch.Tensor) -> str:
    return base64.b64encode(values.contiguous().numpy().astype("<f4").tobytes()).decode()


if __name__ == "__main__":
    sys.exit(main())
