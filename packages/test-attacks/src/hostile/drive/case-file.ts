import { readFile, writeFile } from 'node:fs/promises'
import type { HostileCase, HostileRequest } from '../corpus/hostile-case.ts'

/** A case as a JSON file has it: bytes in base64. */
interface StoredCase extends Omit<HostileCase, 'request'> {
  readonly request: Omit<HostileRequest, 'body' | 'raw'> & { readonly bodyBase64?: string; readonly rawBase64?: string }
}

/** Writes cases so that {@link readCases} reads the same. `seed` is for people: it made them. */
export async function writeCases(path: string, seed: number, cases: readonly HostileCase[]): Promise<void> {
  await writeFile(path, `${JSON.stringify({ seed, cases: cases.map(toStored) }, null, 2)}\n`)
}

export async function readCases(path: string): Promise<HostileCase[]> {
  const { cases }: { cases: StoredCase[] } = JSON.parse(await readFile(path, 'utf8'))
  return cases.map(fromStored)
}

function toStored({ request: { body, raw, ...head }, ...rest }: HostileCase): StoredCase {
  const bodyBase64 = body === undefined ? {} : { bodyBase64: Buffer.from(body as string).toString('base64') }
  const rawBase64 = raw === undefined ? {} : { rawBase64: Buffer.from(raw).toString('base64') }
  return { ...rest, request: { ...head, ...bodyBase64, ...rawBase64 } }
}

function fromStored({ request: { bodyBase64, rawBase64, ...head }, ...rest }: StoredCase): HostileCase {
  const body = bodyBase64 === undefined ? {} : { body: Buffer.from(bodyBase64, 'base64') }
  const raw = rawBase64 === undefined ? {} : { raw: Buffer.from(rawBase64, 'base64') }
  return { ...rest, request: { ...head, ...body, ...raw } }
}
