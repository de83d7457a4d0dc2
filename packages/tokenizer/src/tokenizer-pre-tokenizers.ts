import { GPT2_PATTERN, type Step, splitStep, tokenizerInvalid } from './tokenizer-definition.ts'

/** How a byte-level vocabulary in a GGUF file cuts text, by the name in `tokenizer.ggml.pre`. */
export interface PreTokenizerKind {
  /** Patterns applied one after the other; every match is a piece of its own. */
  readonly patterns: readonly string[]
  /** A piece that is a token as a whole is taken as it is. */
  readonly ignoreMerges: boolean
  /** Whether a text begins with the begin token when the file does not say. */
  readonly addBos: boolean
}

const contractions = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
const afterWords = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
const word = '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+'

const gpt2: PreTokenizerKind = { patterns: [GPT2_PATTERN], ignoreMerges: false, addBos: false }
const smollm: PreTokenizerKind = { ...gpt2, patterns: ['\\p{N}', GPT2_PATTERN] }
const qwen2: PreTokenizerKind = { ...gpt2, patterns: [`${contractions}|${word}|\\p{N}|${afterWords}`] }
const dbrx: PreTokenizerKind = { ...gpt2, patterns: [`${contractions}|${word}|\\p{N}{1,3}|${afterWords}`] }
const llama3: PreTokenizerKind = { ...dbrx, ignoreMerges: true, addBos: true }
const deepseekCoder: PreTokenizerKind = {
  ...gpt2,
  patterns: ['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', '[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+', '\\p{N}']
}
/** Letters with marks on them belong to words. */
const qwen35: PreTokenizerKind = {
  ...gpt2,
  patterns: [
    `${contractions}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|` +
      '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
  ]
}
// a word ends before a capital letter
const upper = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]'
const lower = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'
const casedWord = (ending: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+${ending}|[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*${ending}`
const afterCasedWords = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
const tekken: PreTokenizerKind = {
  ignoreMerges: true,
  addBos: true,
  patterns: [`${casedWord('')}|\\p{N}|${afterCasedWords}`]
}
const gpt4o: PreTokenizerKind = {
  ...gpt2,
  patterns: [`${casedWord(`${contractions}?`)}|\\p{N}{1,3}|${afterCasedWords}`]
}
/** What llama.cpp does for files that were made before the name was recorded. */
const unnamed: PreTokenizerKind = {
  ...gpt2,
  patterns: ['[\\p{P}\\$\\+<=>\\^~\\|]+', GPT2_PATTERN, '\\p{N}+', '[0-9][0-9][0-9]']
}

/** Names and groups as in llama.cpp's `llama-vocab.cpp`; those that models of the families use. */
const kinds: ReadonlyMap<string, PreTokenizerKind> = new Map([
  ['default', unnamed],
  ['gpt-2', gpt2],
  ['phi-2', gpt2],
  ['mpt', gpt2],
  ['olmo', gpt2],
  ['jais', gpt2],
  ['gigachat', gpt2],
  ['trillion', gpt2],
  ['exaone4', gpt2],
  ['granite-docling', gpt2],
  ['smollm', smollm],
  ['starcoder', smollm],
  ['refact', smollm],
  ['command-r', smollm],
  ['codeshell', smollm],
  ['exaone', smollm],
  ['minerva-7b', smollm],
  ['qwen2', qwen2],
  ['deepseek-r1-qwen', qwen2],
  ['stablelm2', qwen2],
  ['megrez', qwen2],
  ['kormo', qwen2],
  ['hunyuan', qwen2],
  ['dbrx', dbrx],
  ['smaug-bpe', dbrx],
  ['chatglm-bpe', dbrx],
  ['llama-bpe', llama3],
  ['llama3', llama3],
  ['llama-v3', llama3],
  ['falcon3', llama3],
  ['pixtral', llama3],
  ['midm-2.0', llama3],
  ['deepseek-coder', deepseekCoder],
  ['tekken', tekken],
  // Phi 4-mini
  ['gpt-4o', gpt4o],
  ['llama4', gpt4o],
  ['kanana2', gpt4o],
  ['qwen35', qwen35]
])

/** @throws MeshError `model_invalid` for a name that is not known: a wrong cut gives wrong tokens without a sign */
export function preTokenizerKind(name: string): PreTokenizerKind {
  const kind = kinds.get(name)
  if (kind === undefined) {
    const known = [...kinds.keys()].join(', ')
    throw tokenizerInvalid(
      `tokenizer.ggml.pre is ${JSON.stringify(name.slice(0, 64))}; supported are ${known}`,
      undefined,
      'How that one cuts text into words is not known here: take the model as a folder with tokenizer.json, or another model.'
    )
  }
  return kind
}

/** Every pattern of every kind. */
export function preTokenizerPatterns(): string[] {
  return [...kinds.values()].flatMap(({ patterns }) => patterns)
}

/** The `pre_tokenizer` of a `tokenizer.json` that cuts as `kind` does. */
export function preTokenizerStep(kind: PreTokenizerKind): Step {
  const bytes: Step = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
  return { type: 'Sequence', pretokenizers: [...kind.patterns.map(splitStep), bytes] }
}
