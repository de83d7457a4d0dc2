import { MeshError, type WhisperConfig, type WorkOptions } from '@resultity/interface'
import type { BatchGate } from './batch-gate.ts'
import { CallTurns } from './call-turns.ts'
import type { HeardWindow, SpeechInit, SpeechModel, SpeechSession } from './port.ts'
import type { SpeechGraphs } from './speech-graphs.ts'
import { TextSession } from './text-session.ts'
import type { TextSubject } from './text-state.ts'

/** Windows that one model may have open; each takes some hundred MB of a large one. */
const WINDOWS_MAX = 1024
/** Texts of one window: a search of this width, or as many samples. */
const SESSIONS_PER_WINDOW_MAX = 16

type Limits = Pick<SpeechInit, 'windowsMax' | 'sessionsPerWindow'>

/** @throws MeshError `invalid_request` for a limit that is none */
export function checkSpeechLimits({ windowsMax, sessionsPerWindow = 1 }: Limits): Required<Limits> {
  const limits = { windowsMax, sessionsPerWindow }
  const most = { windowsMax: WINDOWS_MAX, sessionsPerWindow: SESSIONS_PER_WINDOW_MAX }
  for (const field of ['windowsMax', 'sessionsPerWindow'] as const) {
    if (Number.isInteger(limits[field]) && limits[field] >= 1 && limits[field] <= most[field]) continue
    throw new MeshError('invalid_request', `${field} is ${limits[field]}, it must be from 1 to ${most[field]}`)
  }
  return limits
}

/** A whole speech model over the graphs of some runtime: limits, turns, and what is open. */
export class WholeSpeechModel implements SpeechModel {
  readonly config: WhisperConfig
  readonly windowsMax: number
  readonly #sessionsPerWindow: number
  readonly #graphs: SpeechGraphs
  readonly #turns: CallTurns
  readonly #windows = new Set<OpenWindow>()
  /** Windows that are being heard. */
  #hearing = 0

  /** @param init its limits were checked by {@link checkSpeechLimits} */
  constructor({ manifest, windowsMax, sessionsPerWindow = 1 }: SpeechInit, graphs: SpeechGraphs, gate: BatchGate) {
    this.config = manifest.config
    this.windowsMax = windowsMax
    this.#sessionsPerWindow = sessionsPerWindow
    this.#graphs = graphs
    this.#turns = new CallTurns(gate, 'the speech model')
  }

  get windowsOpen(): number {
    return this.#windows.size + this.#hearing
  }

  async hear(mel: Float32Array, options: WorkOptions = {}): Promise<HeardWindow> {
    options.signal?.throwIfAborted()
    this.#admit(mel)
    const signal = this.#turns.signalOf(options)
    signal.throwIfAborted()
    if (this.windowsOpen >= this.windowsMax) {
      throw new MeshError('resource_exhausted', `all ${this.windowsMax} windows of the speech model are open`)
    }
    this.#hearing++
    try {
      const run = (): Promise<TextSubject> => this.#graphs.hear(mel, { signal })
      const window: OpenWindow = new OpenWindow({
        config: this.config,
        turns: this.#turns,
        sessionsMax: this.#sessionsPerWindow,
        state: await this.#turns.take(run, signal, options.workClass),
        release: () => this.#windows.delete(window)
      })
      this.#windows.add(window)
      return window
    } finally {
      this.#hearing--
    }
  }

  /** Breaks calls off, waits until the runtime has left their memory, and frees it and the weights. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#turns.closed) return
    await this.#turns.close()
    for (const window of [...this.#windows]) window[Symbol.dispose]()
    await this.#graphs[Symbol.asyncDispose]()
  }

  #admit(mel: Float32Array): void {
    const { melBins, audioContext } = this.config
    const length = melBins * 2 * audioContext
    if (mel.length !== length) {
      const message = `a spectrogram of ${mel.length} numbers came, ${melBins} × ${2 * audioContext} are taken`
      throw new MeshError('invalid_request', message, { details: { param: 'mel' } })
    }
    if (!mel.every(Number.isFinite)) {
      throw new MeshError('invalid_request', 'the spectrogram holds what is no number', { details: { param: 'mel' } })
    }
  }
}

interface OpenWindowInit {
  readonly config: WhisperConfig
  readonly turns: CallTurns
  readonly sessionsMax: number
  readonly state: TextSubject
  /** Called once, when the window is disposed. */
  release(): void
}

class OpenWindow implements HeardWindow {
  readonly #init: OpenWindowInit
  readonly #sessions = new Set<TextSession>()
  #closed = false

  constructor(init: OpenWindowInit) {
    this.#init = init
  }

  open(): SpeechSession {
    const { config, turns, sessionsMax, state } = this.#init
    if (this.#closed || turns.closed) throw new MeshError('unavailable', 'the window is closed')
    if (this.#sessions.size >= sessionsMax) {
      throw new MeshError('resource_exhausted', `all ${sessionsMax} sessions of this window are open`)
    }
    const session: TextSession = new TextSession({
      config,
      turns,
      state: state.begin(),
      release: () => this.#sessions.delete(session)
    })
    this.#sessions.add(session)
    return session
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    for (const session of [...this.#sessions]) session[Symbol.dispose]()
    this.#init.state[Symbol.dispose]()
    this.#init.release()
  }
}
