import { readFileSync } from 'node:fs'

/** A file of `test/fixtures`, seen from a compiled test. */
export function fixture(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../../../test/fixtures/${name}`, import.meta.url)))
}

interface Reference {
  readonly mels: readonly {
    readonly bins: number
    readonly mean: number
    readonly places: [number, number, number][]
  }[]
  readonly voice: {
    readonly rules: readonly Readonly<Record<string, number>>[]
    readonly cases: readonly {
      readonly probabilities: readonly number[]
      readonly total: number
      /** For each of the rules. */
      readonly spans: readonly [number, number][][]
    }[]
  }
}

/** What scripts/reference-audio.py wrote. */
export function reference(): Reference {
  return JSON.parse(Buffer.from(fixture('reference.json')).toString())
}

/** The samples of jfk.wav, whose header has 44 bytes. */
export function speech(): Float32Array<ArrayBuffer> {
  const samples = new Int16Array(fixture('jfk.wav').buffer.slice(44))
  return Float32Array.from(samples, sample => sample / 32_768)
}
