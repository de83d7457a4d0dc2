import type { JobMetadata } from '../job.ts'

// A line for each pair, between line breaks: whether there is a pair is whether a text is in a text, in either database.

export function encodeMetadata(metadata: JobMetadata): string {
  return `\n${Object.entries(metadata)
    .map(([name, value]) => `${line(name, value)}\n`)
    .join('')}`
}

export function decodeMetadata(text: string): JobMetadata {
  const lines = text.split('\n').filter(one => one !== '')
  return Object.fromEntries(lines.map((one): [string, string] => JSON.parse(one)))
}

/** What {@link encodeMetadata} of anything with this pair contains. */
export function metadataPart(name: string, value: string): string {
  return `\n${line(name, value)}\n`
}

function line(name: string, value: string): string {
  return JSON.stringify([name, value])
}
