import { basename, dirname, join } from 'node:path'
import { modelInvalid } from '@resultity/interface'
import type { GgufHeader } from './gguf.ts'

/** One part of a model that lies in several files, as llama.cpp names it: `NAME-00002-of-00003.gguf`. */
export interface GgufPart {
  /** What stands before the numbers, folders included. */
  readonly name: string
  /** From 1. */
  readonly number: number
  readonly count: number
}

/** Parts of 2 GB make of the largest published model some hundreds. */
const PARTS_MAX = 1024

const partName = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/s

/** The part that `path` is, judged by its name; undefined if the name is not that of a part. */
export function ggufPartOf(path: string): GgufPart | undefined {
  const [, name = '', number, count] = partName.exec(basename(path)) ?? []
  const part = { name: join(dirname(path), name), number: Number(number), count: Number(count) }
  return part.number >= 1 && part.number <= part.count && part.count <= PARTS_MAX ? part : undefined
}

/** The paths of all files that a name promises, in order: `path` alone when it is no part. */
export function ggufPartPaths(path: string): string[] {
  const part = ggufPartOf(path)
  if (part === undefined) return [path]
  const digits = (number: number): string => String(number).padStart(5, '0')
  return Array.from(
    { length: part.count },
    (_, index) => `${part.name}-${digits(index + 1)}-of-${digits(part.count)}.gguf`
  )
}

/** `path` without its folder, its ending and its number among parts. */
export function ggufModelName(path: string): string {
  return basename(ggufPartOf(path)?.name ?? path.replace(/\.gguf$/, ''))
}

/** The number of files that a model lies in, as one of them says. @throws MeshError `model_invalid` */
export function ggufPartCount(file: string, { metadata }: GgufHeader): number {
  const count = metadata.get('split.count') ?? 1
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 0 || count > PARTS_MAX) {
    throw modelInvalid(file, `split.count is ${String(count)}, not a number of files up to ${PARTS_MAX}`)
  }
  // a model that was never split says 0 in some files
  return Math.max(1, count)
}

/**
 * The files of the model of which `path` is one, in order; `path` alone where its header knows no others.
 *
 * @throws MeshError `model_invalid` when its name does not tell where the others are
 */
export function ggufFilesOf(path: string, header: GgufHeader): readonly string[] {
  const count = ggufPartCount(path, header)
  if (count === 1) return [path]
  const part = ggufPartOf(path)
  if (part?.count === count) return ggufPartPaths(path)
  throw modelInvalid(
    path,
    `is one of ${count} parts of a model, and its name does not say which`,
    `Give the parts the names that they were published with: NAME-00001-of-${String(count).padStart(5, '0')}.gguf and so on.`
  )
}

/** @throws MeshError `model_invalid` when the file is another part than its place says, or one of another model */
export function checkGgufPart(file: string, header: GgufHeader, index: number, count: number): void {
  const own = ggufPartCount(file, header)
  const number = header.metadata.get('split.no') ?? 0
  if (own === count && number === index) return
  const found = typeof number === 'number' ? number + 1 : String(number)
  throw modelInvalid(
    file,
    `is part ${found} of ${own} by its header, and part ${index + 1} of ${count} by its name`,
    'Download this part again.'
  )
}
