import { MeshError } from '@resultity/interface'
import { createMeshHost, identityFromSeed, type MeshHost, type PrivateKey } from '@resultity/mesh'
import type { SeededRandom } from '@resultity/test-mesh'
import type { ByteStream } from '@resultity/wire'
import { answerTo, CLOSED, type Said, type Spoken } from './conversation.ts'
import { SourceAddress } from './source-address.ts'

/** A daemon under attack. */
export interface Target {
  readonly name: string
  readonly peerId: string
  readonly multiaddrs: readonly string[]
}

export interface AttackerInit {
  /** Address of this machine that it seems to come from. */
  readonly ip: string
  readonly random: SeededRandom
  /** What it calls itself. Default: a stranger. */
  readonly agent?: string
  /** Where it says that it listens. Default: nowhere. */
  readonly announce?: readonly string[]
  readonly listen?: readonly string[]
}

/** Codes of an attempt that did not get as far as a stream. */
const UNREACHED: ReadonlySet<string> = new Set(['peer_unreachable', 'deadline_exceeded', 'unavailable', 'canceled'])

/** A peer of its own, with an address of its own. It is no member unless it joins. */
export class Attacker implements AsyncDisposable {
  readonly host: MeshHost
  readonly privateKey: PrivateKey
  readonly #from: SourceAddress
  readonly #through = new Map<string, Promise<string>>()

  private constructor(host: MeshHost, privateKey: PrivateKey, from: SourceAddress) {
    this.host = host
    this.privateKey = privateKey
    this.#from = from
  }

  static async start({
    ip,
    random,
    agent = 'stranger/1',
    announce = [],
    listen = []
  }: AttackerInit): Promise<Attacker> {
    const privateKey = await identityFromSeed(random.bytes(32))
    // it opens more streams than anybody needs
    const limits = { streamsPerConnectionMax: 1024 }
    const host = await createMeshHost({ privateKey, listen, announce, agent, limits })
    return new Attacker(host, privateKey, new SourceAddress(ip))
  }

  get peerId(): string {
    return this.host.peerId
  }

  /** @throws MeshError as {@link MeshHost.open} */
  async open({ peerId, multiaddrs: [address] }: Target, protocol: string): Promise<ByteStream> {
    const known = this.#through.get(peerId) ?? this.#from.through(address ?? '')
    this.#through.set(peerId, known)
    return await this.host.open({ peerId, multiaddrs: [await known] }, protocol)
  }

  /** Says something on a new stream. @returns what came of it: see {@link answerTo}, or the code of what was not opened */
  async tell<Out, In>(target: Target, spoken: Spoken<Out, In>, said: Said<Out> = {}): Promise<string> {
    try {
      return await answerTo(await this.open(target, spoken.protocol), spoken, said)
    } catch (error) {
      const { code } = MeshError.from(error)
      return UNREACHED.has(code) ? CLOSED : code
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host.close()
    await this.#from[Symbol.asyncDispose]()
  }
}
