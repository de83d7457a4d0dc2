import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** Folder of a committed model, or of committed test vectors, seen from the compiled test. */
export const tinyChatDirectory = fileURLToPath(new URL('../../../model/models/tiny-chat', import.meta.url))
const fixtures = new URL('../../test/fixtures/tokenizer/', import.meta.url)

export interface TokenizerVector {
  readonly text: string
  readonly ids: readonly number[]
  readonly decoded: string
}

export async function readSentencePiece(): Promise<{ metadata: Record<string, unknown>; vectors: TokenizerVector[] }> {
  return JSON.parse(await readFile(new URL('sentencepiece.json', fixtures), 'utf8'))
}

export interface GoldenAnswer {
  readonly prompt: string
  readonly prompt_ids: readonly number[]
  readonly completion: string
  readonly completion_ids: readonly number[]
}

export async function readGolden(): Promise<GoldenAnswer[]> {
  return JSON.parse(await readFile(`${tinyChatDirectory}/golden.json`, 'utf8'))
}

/** GGUF metadata of a byte-level vocabulary: the 256 letters, a few merges, three control tokens. */
export function byteLevelMetadata(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const letters = byteLetters()
  const merges = ['h e', 'l l', 'he ll', 'hell o', 'Ġ w', 'Ġw o']
  const tokens = [
    '<|endoftext|>',
    '<|im_start|>',
    '<|im_end|>',
    ...letters,
    ...merges.map(pair => pair.replace(' ', ''))
  ]
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'smollm',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': tokens.map((_, id) => (id < 3 ? 3 : 1)),
    'tokenizer.ggml.merges': merges,
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.chat_template':
      "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}" +
      '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}',
    ...changes
  }
}

function byteLetters(): string[] {
  let shifted = 0
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    return String.fromCodePoint(printable ? byte : 0x100 + shifted++)
  })
}
