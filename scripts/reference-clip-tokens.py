#!/usr/bin/env python3
"""Reference tokens of CLIP's tokenizer, by transformers.

    python3 -m venv VENV && VENV/bin/pip install -r scripts/reference-schedulers.requirements.txt
    VENV/bin/python scripts/reference-clip-tokens.py

Writes packages/tokenizer/test/fixtures/clip: a vocabulary (`vocab.json`, `merges.txt`) that is learned from a few sentences, and
`tokens.json`, the ids that transformers' CLIPTokenizer gives of some 240 texts with it, without the tokens that frame them; once
with the end as what fills a chunk, as Stable Diffusion 1 has it, and once with `!`, as Stable Diffusion 2 and XL's second encoder
have it. ftfy must not be installed, as with diffusers alone. `--check` compares with the committed figures instead.
"""

import argparse
import collections
import json
import pathlib
import sys
import tempfile

from transformers import CLIPTokenizer
from transformers.models.clip.tokenization_clip import bytes_to_unicode

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "packages/tokenizer/test/fixtures/clip"
MERGES = 420

CORPUS = """a photo of a cat. a photo of an astronaut riding a horse on the moon, highly detailed, 8k, trending
a painting of a castle by the sea at sunset, oil on canvas, soft light, masterpiece, best quality
portrait of an old fisherman with a white beard, studio lighting, sharp focus, film grain, 35mm
the quick brown fox jumps over the lazy dog. it's raining; they're drawing, we've seen what i'd like and you'll paint
a red car, a blue house, green trees, yellow flowers, two dogs, three birds, many people in the street
low quality, blurry, bad anatomy, extra fingers, watermark, signature, text, cropped, worst quality, ugly, deformed
café naïve über straße façade señor привет мир кошка 猫 犬 東京 ねこ 고양이 مرحبا शुभ 😀 🎨 ❤️ é à ü ö ß ñ ç å ø"""

SAMPLES = [
    "",
    " ",
    "\t\n \r\n",
    "a",
    "!",
    "a photo of a cat",
    "A PHOTO OF A CAT!",
    "A  photo\tof\na   cat.",
    "  leading and trailing   ",
    "cat,dog;bird:fish",
    "it's they're we've i'd you'll i'm don't IT'S WE'VE",
    "'s 't 're 've 'm 'll 'd ''s",
    "rock'n'roll o'clock ‘quoted’ “double”",
    "1234567890 3.14 1,000 2nd 8k 35mm ½ ² Ⅷ ٣",
    "!!! wow !!! amazing!!",
    "hello!world !hello! !",
    "(((masterpiece))), [bad] {good} <lora:x:1>",
    "a_b-c+d=e*f/g\\h|i~j`k@l#m$n%o^p&q",
    "... --- ___ *** ???!!!",
    "<|startoftext|>a cat<|endoftext|>",
    "<|endoftext|>",
    "a <|ENDOFTEXT|> b <|StartOfText|> c",
    "< |endoftext| > <|endoftext|",
    "café naïve façade",
    "cafe\u0301 nai\u0308ve",
    "ÀÉÎÕÜ ÀÉÎÕÜ",
    "STRASSE straße ẞ",
    "İstanbul ıstanbul I i",
    "ΟΔΟΣ ΟΔΟΣ. Σ σ ς",
    "ПРИВЕТ, МИР! кошка",
    "猫",
    "a猫b犬c",
    "東京タワーの写真、夕焼け",
    "ねこが好きです。カタカナ",
    "고양이 사진 한 장",
    "Tiếng Việt có dấu",
    "مرحبا بالعالم",
    "שלום עולם",
    "हिन्दी में शुभ प्रभात",
    "ภาษาไทย",
    "𠀀𪜀𫝀𫠠",
    "豈 﨑 丽",
    "😀",
    "a 😀 cat 🎨🎨 ❤️ ❤",
    "👨‍👩‍👧‍👦 family 🏳️‍🌈 🇩🇪 👍🏽",
    "™ © ® € £ ¥ ° µ ½",
    "ﬁne ﬂow ﬃ",
    "Å Å Å",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒻𝓊𝓃",
    "Ｆｕｌｌ ｗｉｄｔｈ ！",
    "soft\u00adhyphen zero\u200bwidth no\u00a0break em\u2003space",
    "line\u2028separator para\u2029graph next\u0085line",
    "null\u0000char bell\u0007 escape\u001b[31m del\u007f",
    "replacement\ufffdchar bom\ufeff",
    "rtl\u202eoverride\u202c end",
    "tab\tvertical\u000bform\u000cfeed",
    "ideographic\u3000space ogham\u1680space",
    "private\ue000use",
    "e" * 300,
    "ab" * 200,
    "!" * 100,
    "longwordwithoutanyspaces" * 10,
    "a photo of a cat, " * 30,
    "the " * 80,
    "x" * 75,
    "https://example.com/path?query=1&b=2#frag",
    "user@example.com @handle #hashtag",
    "C:\\Users\\name\\file.txt",
    "f(x) = x^2 + 3x - 5; ∑ ∫ √ ∞ ≠ ≤",
    "a\\nb",
    "masterpiece, best quality, 1girl, (red hair:1.2), [[blurry]]",
    "photo of a cat BREAK painting of a dog AND 2 birds",
    "ÆON ŒUVRE Þorn ÐETH ĲSSEL ǅ",
    "K (kelvin) Ω (ohm) ſ (long s)",
    "Q̃ ñ n\u0303 é\u0301",
    "👍👍🏻👍🏿",
    "ａ　ｂ",
    "١٢٣ ۱۲۳ १२३ 一二三",
    "①②③ ⑴ Ⅳ ⅷ",
    "a\u0300\u0301\u0302 zalgo",
]

SUBJECTS = ["a cat", "an Astronaut", "the Castle", "two dogs", "кошка", "猫と犬", "an old fisherman's boat", "😀 people"]
STYLES = ["oil on canvas", "35mm film grain", "8K, highly-detailed", "trending on ArtStation!", "(soft light:1.3)"]
PLACES = ["on the moon", "by the sea", "in Tōkyō", "at sunset…"]


def texts() -> list[str]:
    made = list(SAMPLES)
    for number, subject in enumerate(SUBJECTS):
        for style in STYLES:
            made += [f"{subject} {place}, {style}" for place in PLACES]
        made.append(f"{subject.upper()}{'.' * number}")
    return made


def learn() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Byte pairs of the corpus, the most frequent first; of as many the first in order."""
    alphabet = bytes_to_unicode()
    counts = collections.Counter(
        tuple(alphabet[byte] for byte in word.encode())
        for line in CORPUS.lower().split("\n")
        for word in line.replace(",", " ,").replace(".", " .").split()
    )
    words = {letters[:-1] + (letters[-1] + "</w>",): count for letters, count in counts.items()}
    merges: list[tuple[str, str]] = []
    while len(merges) < MERGES:
        pairs: collections.Counter = collections.Counter()
        for letters, count in words.items():
            for pair in zip(letters, letters[1:]):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {merged(letters, best): count for letters, count in words.items()}
    # the order of CLIP: `!` is 0
    letters = list(alphabet.values())
    names = letters + [f"{letter}</w>" for letter in letters] + ["".join(pair) for pair in merges]
    names += ["<|startoftext|>", "<|endoftext|>"]
    return {name: index for index, name in enumerate(dict.fromkeys(names))}, merges


def merged(letters: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    made: list[str] = []
    index = 0
    while index < len(letters):
        if letters[index : index + 2] == pair:
            made.append("".join(pair))
            index += 2
        else:
            made.append(letters[index])
            index += 1
    return tuple(made)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    vocabulary, merges = learn()
    files = {
        "vocab.json": json.dumps(vocabulary, ensure_ascii=False) + "\n",
        "merges.txt": "#version: 0.2\n" + "".join(f"{first} {second}\n" for first, second in merges),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (pathlib.Path(folder) / name).write_text(text)
        paths = [f"{folder}/{name}" for name in files]
        end, mark = CLIPTokenizer(*paths), CLIPTokenizer(*paths, pad_token="!")
        assert end.fix_text is None, "ftfy is installed"
        cases = [
            {"text": text, "end": ids(end, text), **({} if ids(mark, text) == ids(end, text) else {"mark": ids(mark, text)})}
            for text in texts()
        ]
    files["tokens.json"] = json.dumps({"cases": cases}, ensure_ascii=True) + "\n"
    same = True
    for name, text in files.items():
        path = FIXTURES / name
        if args.check:
            same = same and path.read_text() == text
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    print("the same" if same else "not the same", file=sys.stderr)
    return 0 if same else 1


def ids(tokenizer: CLIPTokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False).input_ids


if __name__ == "__main__":
    sys.exit(main())
