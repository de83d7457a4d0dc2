import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Grammar, type GrammarState, tokenBudget } from '@resultity/grammar'
import { readVocabulary, type TokenVocabulary } from '@resultity/tokenizer'
import { type CorpusSchema, readCorpus } from './grammar-corpus.ts'
import { percentile } from './percentile.ts'

export interface GrammarBenchInit {
  /** Of the repository. */
  readonly root: string
  /** A `tokenizer.json`; tiny-chat's when undefined. */
  readonly tokenizer: string | undefined
  readonly rounds: number
}

export interface GrammarGroup {
  readonly name: string
  readonly schemas: number
  readonly compiled: number
  /** Refused because of a limit on work or size, not because of a keyword. Should be none. */
  readonly tooMuch: readonly string[]
  readonly compileMsMedian: number
  readonly compileMsSlowest: number
  readonly tokens: number
  /** Milliseconds a token, the mask and the step together, where no answer has been before. */
  readonly newTokenMs: number
  readonly newTokenMsP99: number
  /** The same where one has been before, the mask worked out again. */
  readonly knownTokenMs: number
}

export interface GrammarReport {
  readonly vocabularySize: number
  readonly rounds: number
  readonly groups: readonly GrammarGroup[]
}

/** What schemas cost that somebody might really send: compiling, and the mask of each token of their documents. */
export function benchGrammar({ root, tokenizer, rounds }: GrammarBenchInit): GrammarReport {
  const path = tokenizer ?? join(root, 'packages/model/models/tiny-chat/tokenizer.json')
  const definition = readFileSync(path)
  const vocabulary = readVocabulary(definition, vocabularySize(definition))
  const corpus = readCorpus(root)
  const groups = [...Map.groupBy(corpus, ({ group }) => group)]
  // the first round is for the compiler of the machine's code
  for (const schema of corpus) measure(schema, vocabulary)
  return {
    vocabularySize: vocabulary.size,
    rounds,
    groups: groups.map(([name, schemas]) => measureGroup(name, schemas, vocabulary, rounds))
  }
}

function vocabularySize(definition: Uint8Array): number {
  const { model, added_tokens: added = [] } = JSON.parse(Buffer.from(definition).toString('utf8'))
  const ids = [...Object.values<number>(model.vocab), ...added.map(({ id }: { id: number }) => id)]
  return 1 + ids.reduce((most, id) => Math.max(most, id), 0)
}

interface Measured {
  readonly compileMs: number
  readonly newMs: readonly number[]
  readonly knownMs: readonly number[]
}

function measureGroup(
  name: string,
  schemas: readonly CorpusSchema[],
  vocabulary: TokenVocabulary,
  rounds: number
): GrammarGroup {
  const all = schemas.map(schema => {
    const runs = Array.from({ length: rounds }, () => measure(schema, vocabulary))
    return { schema, runs, error: runs.find((run): run is Error => run instanceof Error) }
  })
  const measured = all
    .map(({ runs }) => runs.flatMap(run => (run instanceof Error ? [] : [run])))
    .filter(runs => runs.length > 0)
  const compile = measured.map(runs => median(runs.map(({ compileMs }) => compileMs)))
  const across = (pick: (run: Measured) => readonly number[]): number[] =>
    measured.flatMap(runs => pick(runs[0] ?? NOTHING).map((_, at) => median(runs.map(run => pick(run)[at] ?? 0))))
  const [fresh, known] = [across(({ newMs }) => newMs), across(({ knownMs }) => knownMs)]
  return {
    name,
    schemas: schemas.length,
    compiled: measured.length,
    tooMuch: all.flatMap(({ schema, error }) =>
      error !== undefined && /takes more|at most/.test(error.message) ? [`${schema.name}: ${error.message}`] : []
    ),
    compileMsMedian: median(compile),
    compileMsSlowest: Math.max(...compile),
    tokens: fresh.length,
    newTokenMs: mean(fresh),
    newTokenMsP99: percentile(fresh, 0.99),
    knownTokenMs: mean(known)
  }
}

const NOTHING: Measured = { compileMs: 0, newMs: [], knownMs: [] }

/** @returns the refusal, where the schema cannot be held to */
function measure({ schema, documents }: CorpusSchema, vocabulary: TokenVocabulary): Measured | Error {
  const newMs: number[] = []
  const knownMs: number[] = []
  const began = performance.now()
  let grammar: Grammar
  try {
    grammar = new Grammar({ type: 'json_schema', schema })
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
  const compileMs = performance.now() - began
  for (const document of documents) {
    newMs.push(...walk(grammar, document, vocabulary))
    knownMs.push(...walk(grammar, document, vocabulary))
  }
  return { compileMs, newMs, knownMs }
}

/** Milliseconds of each token of `document`, as far as the grammar follows it: members may come in another order. */
function walk(grammar: Grammar, document: string, vocabulary: TokenVocabulary): number[] {
  const times: number[] = []
  const bytes = Buffer.from(document)
  let state: GrammarState | undefined = grammar.start
  for (let at = 0; at < bytes.length && state !== undefined; ) {
    const began = performance.now()
    grammar.work(tokenBudget())
    const length = longestToken(grammar, state, bytes.subarray(at), vocabulary)
    for (const byte of bytes.subarray(at, at + length)) state = state && grammar.after(state, byte)
    times.push(performance.now() - began)
    at += length
  }
  return times
}

/** Walks the whole vocabulary as a mask does; the bytes of the longest token that `rest` begins with. */
function longestToken(grammar: Grammar, state: GrammarState, rest: Uint8Array, { trie }: TokenVocabulary): number {
  const { byte, depth, behind, tokensAt } = trie
  const path: GrammarState[] = [state]
  let matched = 0
  let longest = 1
  for (let node = 0; node < byte.length; ) {
    const level = depth[node] ?? 1
    const after = grammar.after(path[level - 1] ?? state, byte[node] ?? 0)
    if (after === undefined) {
      node = behind[node] ?? byte.length
      continue
    }
    path[level] = after
    if (level === matched + 1 && rest[level - 1] === byte[node]) {
      matched = level
      if ((tokensAt[node + 1] ?? 0) > (tokensAt[node] ?? 0)) longest = level
    }
    node++
  }
  return longest
}

function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
