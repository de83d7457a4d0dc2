import { fourierTransform } from '../mel/fourier.ts'
import { VOICE_FRAME_SAMPLES } from './speech-spans.ts'
import { readVoiceWeights, type VoiceWeights } from './voice-weights.ts'

/** Samples before a frame that the model hears again, and as many behind it that are mirrored. */
const CONTEXT_SAMPLES = 64

const FRAME_END = CONTEXT_SAMPLES + VOICE_FRAME_SAMPLES

const STFT_SIZE = 256
const STFT_HOP = 128
const FREQUENCIES = STFT_SIZE / 2 + 1

/** Steps of the spectrum in a frame: (64 + 512 + 64 - 256) / 128 + 1. */
const STEPS = 4

const HIDDEN = 128

/** A convolution over three steps, with ReLU behind it. What it reads has a step of zeros on both sides. */
interface Convolution {
  /** f32 [outputs, 3, inputs] */
  readonly weight: Float32Array
  /** f32 [outputs] */
  readonly bias: Float32Array
  readonly inputs: number
  readonly stride: number
  /** Steps that come out. */
  readonly steps: number
  /** f32 [steps + 2, outputs]: what comes out, for the next one to read */
  readonly out: Float32Array
}

const transform = fourierTransform(STFT_SIZE)

/**
 * Silero VAD, version 5, at 16 kHz, in plain TypeScript: a spectrum, four convolutions, one LSTM cell. ONNX Runtime ends
 * the whole process when a thread is ended in which it runs; this does not. It also gives the same on every machine, so
 * that a recording is cut alike everywhere. A second of sound takes some 14 million products.
 */
export class VoiceActivity {
  readonly #weights: VoiceWeights
  readonly #window: Float32Array
  readonly #convolutions: readonly Convolution[]
  readonly #input = new Float32Array(FRAME_END + CONTEXT_SAMPLES)
  readonly #spectrum = new Float32Array((STEPS + 2) * FREQUENCIES)
  readonly #real = new Float64Array(STFT_SIZE)
  readonly #imaginary = new Float64Array(STFT_SIZE)
  readonly #outReal = new Float64Array(STFT_SIZE)
  readonly #outImaginary = new Float64Array(STFT_SIZE)
  readonly #gates = new Float32Array(4 * HIDDEN)
  readonly #hidden = new Float32Array(HIDDEN)
  readonly #cell = new Float32Array(HIDDEN)

  /** @throws MeshError `model_invalid` where the package that carries the weights has others */
  constructor(weights: VoiceWeights = readVoiceWeights()) {
    this.#weights = weights
    // the basis is that of a Fourier transform times a window: its row of 0 Hz is the window
    this.#window = weights['stft.forward_basis_buffer'].subarray(0, STFT_SIZE)
    this.#convolutions = [
      convolution(weights, 0, { inputs: FREQUENCIES, stride: 1, steps: 4 }),
      convolution(weights, 1, { inputs: 128, stride: 2, steps: 2 }),
      convolution(weights, 2, { inputs: 64, stride: 2, steps: 1 }),
      convolution(weights, 3, { inputs: 64, stride: 1, steps: 1 })
    ]
  }

  /**
   * The next 32 ms.
   * @param samples f32 at 16 kHz, {@link VOICE_FRAME_SAMPLES} of them; fewer end in silence
   * @returns the probability of speech
   */
  hear(samples: Float32Array): number {
    const input = this.#input
    input.copyWithin(0, VOICE_FRAME_SAMPLES, FRAME_END)
    input.fill(0, CONTEXT_SAMPLES, FRAME_END)
    input.set(samples.subarray(0, VOICE_FRAME_SAMPLES), CONTEXT_SAMPLES)
    for (let at = 0; at < CONTEXT_SAMPLES; at++) input[FRAME_END + at] = input[FRAME_END - 2 - at] ?? 0
    for (let step = 0; step < STEPS; step += 2) this.#takeSpectrum(step)
    let heard: Float32Array = this.#spectrum
    for (const layer of this.#convolutions) heard = convolve(layer, heard)
    // one step is left, behind one of zeros
    this.#remember(heard.subarray(HIDDEN, 2 * HIDDEN))
    return this.#speech()
  }

  /** Forgets what was heard. */
  reset(): void {
    this.#input.fill(0)
    this.#hidden.fill(0)
    this.#cell.fill(0)
  }

  /** Magnitudes of two steps, one as the imaginary part of the other: both are real. */
  #takeSpectrum(step: number): void {
    const begin = step * STFT_HOP
    for (let at = 0; at < STFT_SIZE; at++) {
      const weight = this.#window[at] ?? 0
      this.#real[at] = (this.#input[begin + at] ?? 0) * weight
      this.#imaginary[at] = (this.#input[begin + STFT_HOP + at] ?? 0) * weight
    }
    transform.run(this.#real, this.#imaginary, this.#outReal, this.#outImaginary)
    const first = (step + 1) * FREQUENCIES
    for (let at = 0; at < FREQUENCIES; at++) {
      const mirror = (STFT_SIZE - at) % STFT_SIZE
      const r = this.#outReal[at] ?? 0
      const i = this.#outImaginary[at] ?? 0
      const mr = this.#outReal[mirror] ?? 0
      const mi = this.#outImaginary[mirror] ?? 0
      this.#spectrum[first + at] = Math.sqrt((r + mr) ** 2 + (i - mi) ** 2) / 2
      this.#spectrum[first + FREQUENCIES + at] = Math.sqrt((i + mi) ** 2 + (mr - r) ** 2) / 2
    }
  }

  /** One step of the LSTM, with torch's order of gates: input, forget, cell, output. */
  #remember(heard: Float32Array): void {
    const input = this.#weights['decoder.rnn.weight_ih']
    const recurrent = this.#weights['decoder.rnn.weight_hh']
    const inputBias = this.#weights['decoder.rnn.bias_ih']
    const recurrentBias = this.#weights['decoder.rnn.bias_hh']
    for (let gate = 0; gate < 4 * HIDDEN; gate++) {
      const row = gate * HIDDEN
      const bias = (inputBias[gate] ?? 0) + (recurrentBias[gate] ?? 0)
      this.#gates[gate] = bias + dot(input, row, heard, 0, HIDDEN) + dot(recurrent, row, this.#hidden, 0, HIDDEN)
    }
    for (let at = 0; at < HIDDEN; at++) {
      const gate = (index: number): number => this.#gates[index * HIDDEN + at] ?? 0
      const cell = sigmoid(gate(1)) * (this.#cell[at] ?? 0) + sigmoid(gate(0)) * Math.tanh(gate(2))
      this.#cell[at] = cell
      this.#hidden[at] = sigmoid(gate(3)) * Math.tanh(cell)
    }
  }

  #speech(): number {
    const weight = this.#weights['decoder.decoder.2.weight']
    let sum = this.#weights['decoder.decoder.2.bias'][0] ?? 0
    for (let at = 0; at < HIDDEN; at++) sum += (weight[at] ?? 0) * Math.max(0, this.#hidden[at] ?? 0)
    return sigmoid(sum)
  }
}

function convolution(
  weights: VoiceWeights,
  index: 0 | 1 | 2 | 3,
  shape: { readonly inputs: number; readonly stride: number; readonly steps: number }
): Convolution {
  const weight = weights[`encoder.${index}.reparam_conv.weight`]
  const bias = weights[`encoder.${index}.reparam_conv.bias`]
  const { inputs, steps } = shape
  const turned = new Float32Array(weight.length)
  // [outputs, inputs, 3] to [outputs, 3, inputs]: then a step is read in one go
  for (let at = 0; at < weight.length; at++) {
    const output = Math.floor(at / (3 * inputs))
    const rest = at % (3 * inputs)
    turned[output * 3 * inputs + (rest % 3) * inputs + Math.floor(rest / 3)] = weight[at] ?? 0
  }
  return { ...shape, weight: turned, bias, out: new Float32Array((steps + 2) * bias.length) }
}

/** @param heard f32 [steps + 2, inputs] */
function convolve({ weight, bias, inputs, stride, steps, out }: Convolution, heard: Float32Array): Float32Array {
  const outputs = bias.length
  const length = 3 * inputs
  for (let step = 0; step < steps; step++) {
    const from = step * stride * inputs
    const to = (step + 1) * outputs
    for (let output = 0; output < outputs; output++) {
      out[to + output] = Math.max(0, (bias[output] ?? 0) + dot(weight, output * length, heard, from, length))
    }
  }
  return out
}

/** Four sums at once: each waits only for its own last product. */
function dot(a: Float32Array, aAt: number, b: Float32Array, bAt: number, length: number): number {
  let first = 0
  let second = 0
  let third = 0
  let fourth = 0
  let at = 0
  for (; at + 3 < length; at += 4) {
    first += (a[aAt + at] ?? 0) * (b[bAt + at] ?? 0)
    second += (a[aAt + at + 1] ?? 0) * (b[bAt + at + 1] ?? 0)
    third += (a[aAt + at + 2] ?? 0) * (b[bAt + at + 2] ?? 0)
    fourth += (a[aAt + at + 3] ?? 0) * (b[bAt + at + 3] ?? 0)
  }
  for (; at < length; at++) first += (a[aAt + at] ?? 0) * (b[bAt + at] ?? 0)
  return first + second + third + fourth
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value))
}
