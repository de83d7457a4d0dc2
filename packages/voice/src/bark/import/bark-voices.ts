import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { openFileSource, readNumpyArray, readZipDirectory, readZipEntry } from '@resultity/formats'
import { modelInvalid, SPEAKERS_MAX } from '@resultity/interface'
import type { VoicePrompt } from './bark-source.ts'

/** Where a repository keeps what its voices have said. */
export const VOICES_FOLDER = 'speaker_embeddings'

/** The second edition of them, in a folder of its own. */
export const SECOND_EDITION = 'v2'

/** Bytes of one array: published ones have 60,000. */
export const PROMPT_BYTES_MAX = 1024 * 1024
const FRAMES_MAX = 16_384

/** Speaks where a request names nobody: the one of its publishers' examples. */
const FIRST_VOICE = 'v2/en_speaker_6'

const kinds = ['semantic', 'coarse', 'fine'] as const
type Kind = (typeof kinds)[number]

/** What the numbers of prompts are checked by. */
export interface PromptLimits {
  readonly semanticCount: number
  readonly codebookSize: number
  readonly coarseCodebooks: number
  readonly fineCodebooks: number
}

const arrayName = /^([A-Za-z][\w-]{0,99})_(semantic|coarse|fine)_prompt\.npy$/
const archiveName = /^([A-Za-z][\w-]{0,99})\.npz$/

/** Whether a file of the folder of voices is read. */
export function isVoiceFile(name: string): boolean {
  return arrayName.test(name) || archiveName.test(name)
}

/**
 * The voices of a folder: of each, three arrays of NumPy (`NAME_semantic_prompt.npy`, …) or an archive of them (`NAME.npz`). The
 * first is the default.
 *
 * @throws MeshError `model_invalid` for an array that is none, of another shape, or with numbers that the model does not know
 */
export function readBarkVoices(directory: string, limits: PromptLimits): VoicePrompt[] {
  const root = join(directory, VOICES_FOLDER)
  const found = new Map<string, Partial<Record<Kind, () => Uint8Array>>>()
  for (const edition of ['', `${SECOND_EDITION}/`]) {
    for (const file of namesIn(join(root, edition))) {
      const path = join(root, edition, file)
      const [, arrayOf, kind] = arrayName.exec(file) ?? []
      const [, archiveOf] = archiveName.exec(file) ?? []
      const name = `${edition}${arrayOf ?? archiveOf ?? ''}`
      if (archiveOf !== undefined) found.set(name, inArchive(path))
      else if (isKind(kind)) found.set(name, { ...found.get(name), [kind]: () => readWhole(path) })
    }
  }
  if (found.size > SPEAKERS_MAX) throw modelInvalid(root, `has more than ${SPEAKERS_MAX} voices`)
  return [...found]
    .toSorted(([a], [b]) => Number(b === FIRST_VOICE) - Number(a === FIRST_VOICE) || (a < b ? -1 : 1))
    .map(([name, arrays]) => readVoice(join(root, name), name, arrays, limits))
}

function readVoice(
  path: string,
  name: string,
  arrays: Partial<Record<Kind, () => Uint8Array>>,
  limits: PromptLimits
): VoicePrompt {
  const rows = (kind: Kind, count: number, below: number): number[][] => {
    const read = arrays[kind]
    if (read === undefined) throw modelInvalid(path, `has no ${kind} prompt`)
    return readRows(`${path} (${kind})`, read(), count, below)
  }
  const [semantic = []] = rows('semantic', 1, limits.semanticCount)
  return {
    name,
    language: /(?:^|\/)([a-z]{2,3})_/.exec(name)?.[1] ?? 'en',
    semantic,
    coarse: rows('coarse', limits.coarseCodebooks, limits.codebookSize),
    fine: rows('fine', limits.fineCodebooks, limits.codebookSize)
  }
}

/** So many rows of numbers from 0 to `below`; one row may be a vector. */
function readRows(name: string, bytes: Uint8Array, count: number, below: number): number[][] {
  const { shape, values } = readNumpyArray(name, bytes)
  const [rows, length] = shape.length === 1 ? [1, shape[0]] : shape
  if (rows !== count || length === undefined || shape.length > 2 || length < 1 || length > FRAMES_MAX) {
    throw modelInvalid(
      name,
      `has the shape [${shape.join(', ')}], and ${count} rows of 1 to ${FRAMES_MAX} numbers are read`
    )
  }
  if (!values.every(value => value >= 0 && value < below))
    throw modelInvalid(name, `has a number that is not from 0 to ${below - 1}`)
  return Array.from({ length: count }, (_, row) => [...values.subarray(row * length, (row + 1) * length)])
}

function inArchive(path: string): Partial<Record<Kind, () => Uint8Array>> {
  const read = (kind: Kind) => () => {
    using file = openFileSource(path)
    const entry = readZipDirectory(file).get(`${kind}_prompt.npy`)
    if (entry === undefined) throw modelInvalid(path, `has no ${kind}_prompt.npy`)
    return readZipEntry(file, entry, PROMPT_BYTES_MAX)
  }
  return { semantic: read('semantic'), coarse: read('coarse'), fine: read('fine') }
}

function readWhole(path: string): Uint8Array {
  const { size } = statSync(path)
  if (size > PROMPT_BYTES_MAX) throw modelInvalid(path, `has ${size} bytes, the limit is ${PROMPT_BYTES_MAX}`)
  return readFileSync(path)
}

function namesIn(folder: string): string[] {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder).toSorted() : []
}

function isKind(kind: string | undefined): kind is Kind {
  return kinds.some(each => each === kind)
}
