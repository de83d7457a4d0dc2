import type { MeshError } from '@resultity/interface'
import { audioInvalid } from '../audio-invalid.ts'
import { mp4SampleType } from './mp4.ts'
import type { AudioContainer, ForeignContainer } from './sniff.ts'

/** A file that is known here and decoded by ffmpeg: what it may use for it, and no more. */
export interface ForeignAudio {
  readonly container: ForeignContainer
  /** Such as `aac`, `alac`. */
  readonly codec: string
  /** For people: "mp4 with AAC audio". */
  readonly name: string
  /** The one format that ffmpeg reads it as, by ffmpeg's name. */
  readonly demuxer: string
  /** The codecs that ffmpeg may run, by its names. */
  readonly decoders: readonly string[]
}

type Codec = Pick<ForeignAudio, 'codec' | 'name' | 'decoders'>

const integers = ['s16', 's24', 's32'].flatMap(type => [`pcm_${type}le`, `pcm_${type}be`])
const floats = ['f32', 'f64'].flatMap(type => [`pcm_${type}le`, `pcm_${type}be`])
const linear = ['pcm_s8', 'pcm_u8', ...integers, ...floats]

const aac: Codec = { codec: 'aac', name: 'AAC', decoders: ['aac'] }
const pcm: Codec = { codec: 'pcm', name: 'PCM', decoders: [...linear, 'pcm_alaw', 'pcm_mulaw'] }
const opus: Codec = { codec: 'opus', name: 'Opus', decoders: ['opus', 'libopus'] }

/** By the type of samples in MP4 and QuickTime files, or by the format of a CAF file. */
const sampleTypes: Readonly<Record<string, Codec>> = {
  // MP3 comes under this name too
  mp4a: { ...aac, decoders: ['aac', 'mp3float'] },
  'aac ': aac,
  alac: { codec: 'alac', name: 'Apple Lossless', decoders: ['alac'] },
  Opus: opus,
  opus,
  fLaC: { codec: 'flac', name: 'FLAC', decoders: ['flac'] },
  '.mp3': { codec: 'mp3', name: 'MP3', decoders: ['mp3float'] },
  'ac-3': { codec: 'ac3', name: 'AC-3', decoders: ['ac3'] },
  'ec-3': { codec: 'eac3', name: 'E-AC-3', decoders: ['eac3'] },
  ima4: { codec: 'adpcm', name: 'IMA ADPCM', decoders: ['adpcm_ima_qt'] },
  samr: { codec: 'amr_nb', name: 'AMR', decoders: ['amrnb', 'libopencore_amrnb'] },
  sawb: { codec: 'amr_wb', name: 'AMR-WB', decoders: ['amrwb', 'libopencore_amrwb'] },
  ...Object.fromEntries(
    ['sowt', 'twos', 'lpcm', 'in24', 'in32', 'fl32', 'fl64', 'ulaw', 'alaw', 'raw '].map(type => [type, pcm])
  )
}

const wma = ['wmav1', 'wmav2', 'wmapro', 'wmalossless', 'wmavoice']

type RawContainer = Exclude<ForeignContainer, 'mp4' | 'caf'>

const raw: Readonly<Record<RawContainer, Omit<ForeignAudio, 'container'>>> = {
  aac: { ...aac, name: 'raw AAC (ADTS)', demuxer: 'aac' },
  aiff: { ...pcm, name: 'AIFF', demuxer: 'aiff' },
  amr: { codec: 'amr', name: 'AMR', demuxer: 'amr', decoders: ['amrnb', 'amrwb'] },
  ape: { codec: 'ape', name: "Monkey's Audio", demuxer: 'ape', decoders: ['ape'] },
  au: { ...pcm, name: 'AU', demuxer: 'au' },
  rifx: { ...pcm, name: 'big-endian wav (RIFX)', demuxer: 'wav' },
  wavpack: { codec: 'wavpack', name: 'WavPack', demuxer: 'wv', decoders: ['wavpack'] },
  wma: { codec: 'wma', name: 'WMA', demuxer: 'asf', decoders: wma }
}

/**
 * What ffmpeg has to know of a file that is not decoded here.
 * @returns undefined for a file that is decoded here
 * @throws MeshError `invalid_request`: `unsupported`, `no_audio_track`, `truncated`, `damaged`
 */
export function foreignAudio(bytes: Uint8Array, container: AudioContainer): ForeignAudio | undefined {
  if (container === 'mp4') return inside('mp4', 'mov', mp4SampleType(bytes))
  // a CAF file begins with its description: 8 bytes, a head of 12, a rate of 8
  if (container === 'caf') return inside('caf', 'caf', Buffer.from(bytes.subarray(28, 32)).toString('latin1'))
  return isRaw(container) ? { ...raw[container], container } : undefined
}

/** The error of a file that ffmpeg would decode, where there is none. */
export function withoutFfmpeg({ name }: ForeignAudio): MeshError {
  return audioInvalid('unsupported', `the file is ${name}, which only ffmpeg decodes, and ffmpeg is not set up here`)
}

function isRaw(container: AudioContainer): container is RawContainer {
  return Object.hasOwn(raw, container)
}

function inside(container: 'mp4' | 'caf', demuxer: string, type: string): ForeignAudio {
  const codec = Object.hasOwn(sampleTypes, type) ? sampleTypes[type] : undefined
  if (codec === undefined) {
    const shown = type.replaceAll(/[^ -~]/g, '?')
    throw audioInvalid('unsupported', `the file is ${container} with ${shown} audio, which is not decoded here`)
  }
  return { ...codec, container, demuxer, name: `${container} with ${codec.name} audio` }
}
