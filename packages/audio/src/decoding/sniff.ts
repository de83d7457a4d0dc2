import { audioInvalid } from '../audio-invalid.ts'
import { firstMp3Frame } from './mp3-frames.ts'

/** Files that are opened here. */
export type OwnContainer = 'wav' | 'mp3' | 'flac' | 'ogg' | 'webm'

/** Files that ffmpeg opens, where there is one. */
export type ForeignContainer = 'mp4' | 'aac' | 'aiff' | 'amr' | 'ape' | 'au' | 'caf' | 'rifx' | 'wavpack' | 'wma'

export type AudioContainer = OwnContainer | ForeignContainer

interface Signature {
  /** Latin-1, from `at` on. */
  readonly text: string
  readonly at?: number
}

const opened: readonly (readonly [AudioContainer, ...Signature[]])[] = [
  ['wav', { text: 'RIFF' }, { text: 'WAVE', at: 8 }],
  ['wav', { text: 'RF64' }, { text: 'WAVE', at: 8 }],
  ['flac', { text: 'fLaC' }],
  ['ogg', { text: 'OggS' }],
  ['webm', { text: '\x1aE\xdf\xa3' }],
  ['mp4', { text: 'ftyp', at: 4 }],
  ['mp4', { text: 'moov', at: 4 }],
  ['mp4', { text: 'mdat', at: 4 }],
  ['mp4', { text: 'wide', at: 4 }],
  // ADTS: twelve bits, a version of MPEG, a layer of 0, and whether there is no checksum
  ['aac', { text: '\xff\xf0' }],
  ['aac', { text: '\xff\xf1' }],
  ['aac', { text: '\xff\xf8' }],
  ['aac', { text: '\xff\xf9' }],
  ['aiff', { text: 'FORM' }, { text: 'AIF', at: 8 }],
  ['amr', { text: '#!AMR' }],
  ['ape', { text: 'MAC ' }],
  ['au', { text: '.snd' }],
  ['caf', { text: 'caff' }],
  ['rifx', { text: 'RIFX' }, { text: 'WAVE', at: 8 }],
  ['wavpack', { text: 'wvpk' }],
  ['wma', { text: '\x30\x26\xb2\x75' }]
]

/** Known, and not opened: named in the error. */
const refused: readonly (readonly [string, ...Signature[]])[] = [
  ['AVI', { text: 'RIFF' }, { text: 'AVI ', at: 8 }],
  ['MIDI', { text: 'MThd' }]
]

const others: readonly (readonly [string, ...Signature[]])[] = [
  ['a PNG picture', { text: '\x89PNG' }],
  ['a JPEG picture', { text: '\xff\xd8\xff' }],
  ['a PDF document', { text: '%PDF' }],
  ['a zip archive', { text: 'PK\x03\x04' }],
  ['a gzip archive', { text: '\x1f\x8b' }],
  ['an HTML page', { text: '<!' }],
  ['an HTML page', { text: '<html' }],
  ['JSON', { text: '{' }]
]

/**
 * What a file is by its bytes, whatever its name or its content type.
 * @throws MeshError `invalid_request`: `empty`, `unsupported`, `not_audio`
 */
export function sniffAudio(bytes: Uint8Array): AudioContainer {
  if (bytes.length === 0) throw audioInvalid('empty', 'the file is empty')
  const start = tagEnd(bytes)
  const matches = ([, ...signatures]: readonly [string, ...Signature[]]): boolean =>
    signatures.every(({ text, at = 0 }) => latinAt(bytes, start + at, text.length) === text)
  const container = opened.find(matches)?.[0]
  if (container !== undefined) return container
  const known = refused.find(matches)?.[0]
  if (known !== undefined) throw audioInvalid('unsupported', `the file is ${known}, which is not decoded here`)
  const other = others.find(matches)?.[0]
  if (other !== undefined) throw audioInvalid('not_audio', `the file is no audio: it reads as ${other}`)
  if (firstMp3Frame(bytes, start) !== undefined) return 'mp3'
  if (start > 0) throw audioInvalid('damaged', 'the file has a tag of an MP3 file, and no audio behind it')
  throw audioInvalid(
    'not_audio',
    `the file is no audio: its first bytes are ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`
  )
}

/** Where the audio begins behind ID3 tags of version 2, which FLAC files have too. */
export function tagEnd(bytes: Uint8Array): number {
  let at = 0
  while (latinAt(bytes, at, 3) === 'ID3' && at + 10 <= bytes.length) {
    // four times seven bits
    const size = [6, 7, 8, 9].reduce((sum, offset) => sum * 128 + ((bytes[at + offset] ?? 0) & 127), 0)
    const footer = ((bytes[at + 5] ?? 0) & 16) === 0 ? 0 : 10
    at += 10 + size + footer
  }
  return at
}

function latinAt(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.subarray(at, at + length)).toString('latin1')
}
