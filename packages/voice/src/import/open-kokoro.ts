import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { openFileSource, readOptionalFolderText, type WeightFilePlan } from '@resultity/formats'
import {
  describeIssues,
  KOKORO_SPEAKERS_MAX,
  type KokoroConfig,
  kokoroConfigSchema,
  modelInvalid,
  safeParse
} from '@resultity/interface'
import { z } from 'zod'
import type { GraphRules } from './onnx-check.ts'
import { checkVoiceGraph, FLOAT32, fileAsItIs, INT64, licenseOf, parseVoiceJson, readVoiceFile } from './voice-file.ts'

/** Kokoro: its settings, its graph as it is, and the styles of its speakers. */
export interface KokoroVoice {
  readonly config: KokoroConfig
  readonly file: WeightFilePlan
  readonly styles: WeightFilePlan
}

/** Where the parts of a Kokoro lie. */
export interface KokoroFiles {
  readonly folder: string
  /** Name of the ONNX file. */
  readonly graph: string
  /** Names of the files of {@link VOICES_FOLDER}: a speaker each. */
  readonly voices: readonly string[]
}

const VOICES_FOLDER = 'voices'
const VOCABULARY = 'vocab.json'

/** Of every speaker's sound, in Hz. */
const SAMPLE_RATE = 24_000

/** Numbers of a style. */
const STYLE_SIZE = 256

/** Stands before the first phoneme and behind the last one. */
const FRAME_ID = 0

/** Speaks where a request names nobody: the one that its publisher grades best. */
const FIRST_SPEAKER = 'af_heart'

/** Languages by the first letter of a speaker's name. Those of others are not read here, so these speakers are left out. */
const languages: Readonly<Record<string, string>> = { a: 'en_US', b: 'en_GB' }

/**
 * Operators of ONNX Runtime itself that its quantizer and its optimizer write in place of standard ones. Each is a pure
 * function of its inputs. The domains are those that its tools name in every model that they write.
 */
const rules: GraphRules = {
  operators: new Set(
    ['DynamicQuantizeLSTM', 'FastGelu', 'FusedMatMul', 'SkipLayerNormalization'].map(name => `com.microsoft:${name}`)
  ),
  domains: new Set([
    'ai.onnx.ml',
    'ai.onnx.preview.training',
    'ai.onnx.training',
    'com.microsoft',
    'com.microsoft.experimental',
    'com.microsoft.nchwc',
    'org.pytorch.aten'
  ])
}

const vocabularySchema = z.looseObject({ vocab: z.record(z.string(), z.int().nonnegative()) })

/**
 * The Kokoro in a folder: one ONNX file, `vocab.json`, and `voices/NAME.bin` for each speaker. Undefined where there is none.
 */
export function kokoroAt(folder: string): KokoroFiles | undefined {
  const names = namesIn(folder)
  const [graph, ...others] = names.filter(name => name.endsWith('.onnx'))
  if (graph === undefined || others.length > 0 || !names.includes(VOCABULARY)) return undefined
  const voices = namesIn(join(folder, VOICES_FOLDER)).filter(name => name.endsWith('.bin'))
  return voices.length === 0 ? undefined : { folder, graph, voices }
}

function namesIn(folder: string): string[] {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : []
}

/**
 * Opens a Kokoro, reading its files once. Synchronous: call it where nothing waits.
 *
 * @throws MeshError `model_invalid` for what is no Kokoro, or has no speaker of English
 */
export function openKokoro({ folder, graph, voices }: KokoroFiles): KokoroVoice {
  const speakers = voices
    .map(name => name.slice(0, -'.bin'.length))
    .filter(name => languageOf(name) !== undefined)
    .toSorted((a, b) => Number(b === FIRST_SPEAKER) - Number(a === FIRST_SPEAKER) || (a < b ? -1 : 1))
  const [first] = speakers
  if (first === undefined) {
    throw modelInvalid(
      join(folder, VOICES_FOLDER),
      'has no speaker of English',
      'Texts are read in English only: add files such as af_heart.bin or bf_emma.bin.'
    )
  }
  if (speakers.length > KOKORO_SPEAKERS_MAX) {
    throw modelInvalid(join(folder, VOICES_FOLDER), `has more than ${KOKORO_SPEAKERS_MAX} speakers`)
  }
  const tables = speakers.map(name => readTable(join(folder, VOICES_FOLDER, `${name}.bin`)))
  const config = configOf(folder, speakers, tables[0]?.byteLength ?? 0)
  const odd = speakers.find((_, index) => tables[index]?.byteLength !== tables[0]?.byteLength)
  if (odd !== undefined) throw modelInvalid(join(folder, VOICES_FOLDER), `${first} and ${odd} have not as many styles`)
  const path = join(folder, graph)
  const bytes = readVoiceFile(path)
  const inputs = new Map([
    ['tokens', INT64],
    ['style', FLOAT32],
    ['speed', FLOAT32]
  ])
  checkVoiceGraph(path, bytes, { of: 'Kokoro', inputs, output: 'audio', rules })
  return { config, file: fileAsItIs(bytes), styles: fileAsItIs(Buffer.concat(tables)) }
}

function languageOf(speaker: string): string | undefined {
  const [, letter = ''] = /^([a-z])[a-z]_[a-z0-9_]{1,64}$/.exec(speaker) ?? []
  return Object.hasOwn(languages, letter) ? languages[letter] : undefined
}

/** The styles of one speaker: f32, little endian. */
function readTable(path: string): Uint8Array {
  using source = openFileSource(path)
  const rowBytes = 4 * STYLE_SIZE
  const rows = source.bytes / rowBytes
  if (!Number.isInteger(rows) || rows < 1 || rows > 1024) {
    throw modelInvalid(path, `has ${source.bytes} bytes, which are no 1 to 1024 styles of ${STYLE_SIZE} numbers`)
  }
  const bytes = source.read(0, source.bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < bytes.byteLength; at += 4) {
    if (!Number.isFinite(view.getFloat32(at, true))) throw modelInvalid(path, 'has styles that are no numbers')
  }
  return bytes
}

function configOf(folder: string, speakers: readonly string[], tableBytes: number): KokoroConfig {
  const name = join(folder, VOCABULARY)
  const json = parseVoiceJson(name, readOptionalFolderText(name) ?? '')
  const parsed = safeParse(vocabularySchema, json)
  if (!parsed.success) throw modelInvalid(name, describeIssues(parsed.error, json))
  const { vocab } = parsed.data
  const spoken = Object.fromEntries(speakers.map(speaker => [speaker, languageOf(speaker) ?? '']))
  const candidate = {
    sampleRate: SAMPLE_RATE,
    language: Object.values(spoken)[0],
    phonemeIds: {
      ...Object.fromEntries(Object.entries(vocab).map(([phoneme, id]) => [phoneme, [id]])),
      '^': [FRAME_ID],
      $: [FRAME_ID]
    },
    phonemeCount: Math.max(FRAME_ID, ...Object.values(vocab)) + 1,
    styleRows: tableBytes / (4 * STYLE_SIZE),
    styleSize: STYLE_SIZE,
    speakers: Object.fromEntries(speakers.map((speaker, index) => [speaker, index])),
    languages: spoken,
    ...licenseIn(folder)
  }
  const config = safeParse(kokoroConfigSchema, candidate)
  if (!config.success) throw modelInvalid(name, describeIssues(config.error, candidate))
  return config.data
}

/** The licence by the folder's card, or by the text of the Apache licence where that lies there. */
function licenseIn(folder: string): { license?: string } {
  const named = licenseOf(readOptionalFolderText(join(folder, 'MODEL_CARD')))
  if (named.license !== undefined) return named
  const text = readOptionalFolderText(join(folder, 'LICENSE')) ?? ''
  return /^\s*Apache License\s+Version 2\.0,/.test(text) ? { license: 'Apache-2.0' } : {}
}
