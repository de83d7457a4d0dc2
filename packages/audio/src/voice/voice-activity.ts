import { fourierTransform } from '../mel/fourier.ts'
import { Convolution } from './convolution.ts'
import { addProduct, type Matrix, matrixOf } from './matrix.ts'
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

const transform = fourierTransform(STFT_SIZE)

/**
 * Silero VAD, version 5, at 16 kHz, in plain TypeScript: a spectrum, four convolutions, one LSTM cell. ONNX Runtime ends
 * the whole process when a thread is ended in which it runs; this does not. It also gives the same on every machine, so
 * that a recording is cut alike everywhere. A second of sound takes some 12 million products.
 */
export class VoiceActivity {
  readonly #window: Float32Array
  readonly #convolutions: readonly Convolution[]
  /** [4 * HIDDEN, 2 * HIDDEN]: for what is heard, and for what was hidden */
  readonly #lstm: Matrix
  readonly #lstmBias: Float32Array
  readonly #speechWeight: Float32Array
  readonly #speechBias: number
  readonly #input = new Float32Array(FRAME_END + CONTEXT_SAMPLES)
  readonly #spectrum = new Float32Array((STEPS + 2) * FREQUENCIES)
  readonly #real = new Float64Array(STFT_SIZE)
  readonly #imaginary = new Float64Array(STFT_SIZE)
  readonly #outReal = new Float64Array(STFT_SIZE)
  readonly #outImaginary = new Float64Array(STFT_SIZE)
  readonly #gates = new Float32Array(4 * HIDDEN)
  /** What is heard, and behind it what was hidden. */
  readonly #state = new Float32Array(2 * HIDDEN)
  readonly #cell = new Float32Array(HIDDEN)

  /** @throws MeshError `model_invalid` where the package that carries the weights has others */
  constructor(weights: VoiceWeights = readVoiceWeights()) {
    // the basis is that of a Fourier transform times a window: its row of 0 Hz is the window
    this.#window = weights['stft.forward_basis_buffer'].subarray(0, STFT_SIZE)
    this.#convolutions = [
      convolution(weights, 0, { inputs: FREQUENCIES, stride: 1, stepsIn: STEPS }),
      convolution(weights, 1, { inputs: 128, stride: 2, stepsIn: STEPS }),
      convolution(weights, 2, { inputs: 64, stride: 2, stepsIn: 2 }),
      convolution(weights, 3, { inputs: 64, stride: 1, stepsIn: 1 })
    ]
    const input = weights['decoder.rnn.weight_ih']
    const recurrent = weights['decoder.rnn.weight_hh']
    this.#lstm = matrixOf(4 * HIDDEN, 2 * HIDDEN, (row, column) => {
      const part = column < HIDDEN ? input : recurrent
      return part[row * HIDDEN + (column % HIDDEN)] ?? 0
    })
    const recurrentBias = weights['decoder.rnn.bias_hh']
    this.#lstmBias = weights['decoder.rnn.bias_ih'].map((bias, gate) => bias + (recurrentBias[gate] ?? 0))
    this.#speechWeight = weights['decoder.decoder.2.weight']
    this.#speechBias = weights['decoder.decoder.2.bias'][0] ?? 0
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
    for (const layer of this.#convolutions) heard = layer.run(heard)
    // one step is left, behind one of zeros
    this.#remember(heard.subarray(HIDDEN, 2 * HIDDEN))
    return this.#speech()
  }

  /** Forgets what was heard. */
  reset(): void {
    this.#input.fill(0)
    this.#state.fill(0)
    this.#cell.fill(0)
  }

  /** Magnitudes of two steps, one as the imaginary part of the other: both are real. */
  #takeSpectrum(step: number): void {
    const begin = step * STFT_HOP
    const [window, input, spectrum] = [this.#window, this.#input, this.#spectrum]
    const [real, imaginary, outReal, outImaginary] = [this.#real, this.#imaginary, this.#outReal, this.#outImaginary]
    for (let at = 0; at < STFT_SIZE; at++) {
      const weight = window[at] ?? 0
      real[at] = (input[begin + at] ?? 0) * weight
      imaginary[at] = (input[begin + STFT_HOP + at] ?? 0) * weight
    }
    transform.run(real, imaginary, outReal, outImaginary)
    const first = (step + 1) * FREQUENCIES
    for (let at = 0; at < FREQUENCIES; at++) {
      const mirror = (STFT_SIZE - at) % STFT_SIZE
      const r = outReal[at] ?? 0
      const i = outImaginary[at] ?? 0
      const mr = outReal[mirror] ?? 0
      const mi = outImaginary[mirror] ?? 0
      spectrum[first + at] = Math.sqrt((r + mr) ** 2 + (i - mi) ** 2) / 2
      spectrum[first + FREQUENCIES + at] = Math.sqrt((i + mi) ** 2 + (mr - r) ** 2) / 2
    }
  }

  /** One step of the LSTM, with torch's order of gates: input, forget, cell, output. */
  #remember(heard: Float32Array): void {
    const [gates, state, cells] = [this.#gates, this.#state, this.#cell]
    state.set(heard)
    gates.set(this.#lstmBias)
    addProduct(this.#lstm, state, 0, gates, 0)
    for (let at = 0; at < HIDDEN; at++) {
      const input = sigmoid(gates[at] ?? 0)
      const forget = sigmoid(gates[HIDDEN + at] ?? 0)
      const output = sigmoid(gates[3 * HIDDEN + at] ?? 0)
      const cell = forget * (cells[at] ?? 0) + input * Math.tanh(gates[2 * HIDDEN + at] ?? 0)
      cells[at] = cell
      state[HIDDEN + at] = output * Math.tanh(cell)
    }
  }

  #speech(): number {
    let sum = this.#speechBias
    for (let at = 0; at < HIDDEN; at++) {
      sum += (this.#speechWeight[at] ?? 0) * Math.max(0, this.#state[HIDDEN + at] ?? 0)
    }
    return sigmoid(sum)
  }
}

/**
 * The probability of speech in each 32 ms of a recording.
 * @param samples f32 at 16 kHz
 */
export function voiceOf(voice: VoiceActivity, samples: Float32Array): Float32Array {
  voice.reset()
  const frames = Math.ceil(samples.length / VOICE_FRAME_SAMPLES)
  return Float32Array.from({ length: frames }, (_, frame) => {
    const begin = frame * VOICE_FRAME_SAMPLES
    return voice.hear(samples.subarray(begin, begin + VOICE_FRAME_SAMPLES))
  })
}

function convolution(
  weights: VoiceWeights,
  index: 0 | 1 | 2 | 3,
  shape: { readonly inputs: number; readonly stride: number; readonly stepsIn: number }
): Convolution {
  const weight = weights[`encoder.${index}.reparam_conv.weight`]
  return new Convolution({ ...shape, weight, bias: weights[`encoder.${index}.reparam_conv.bias`] })
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value))
}
