import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Invite, MeshError } from '@resultity/interface'
import { isInviteToken, openInvite, requireCurrent } from '@resultity/mesh'

const FILE = 'accepted-invites.json'

/** Most invites that a node remembers; it comes by a few in its life. */
const REMEMBERED_MAX = 64

/** An invite that this node shows to the coordinator that made it, and to no other. */
export interface HeldInvite {
  readonly token: string
  readonly id: string
}

/** Where a node is to join. */
export interface JoinTargets {
  /** Multiaddresses to dial. */
  readonly addresses: readonly string[]
  /** By the peer id of the coordinator that made it. */
  readonly invites: ReadonlyMap<string, HeldInvite>
}

/** Invites by which this node was taken in: its coordinator remembers the node, also when the invite has ended. */
export class AcceptedInvites {
  readonly #path: string
  readonly #ids: string[]
  /** One write after the other. */
  #writing: Promise<void> = Promise.resolve()

  private constructor(path: string, ids: string[]) {
    this.#path = path
    this.#ids = ids
  }

  static async load(dataDir: string): Promise<AcceptedInvites> {
    const path = join(dataDir, FILE)
    const remembered = parseJson(await readFile(path, 'utf8').catch(() => ''))
    const ids = Array.isArray(remembered) ? remembered.filter(id => typeof id === 'string') : []
    return new AcceptedInvites(path, ids)
  }

  has(id: string): boolean {
    return this.#ids.includes(id)
  }

  async add(id: string): Promise<void> {
    if (this.has(id)) return
    this.#ids.push(id)
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write())
    await this.#writing
  }

  /**
   * Replaces the list as a whole. A list that was cut off would be lost, and the node could not start again with an invite
   * that has ended.
   */
  async #write(): Promise<void> {
    await writeFile(`${this.#path}.new`, JSON.stringify(this.#ids.slice(-REMEMBERED_MAX)))
    await rename(`${this.#path}.new`, this.#path)
  }
}

/**
 * Takes multiaddresses and invites apart.
 *
 * @throws MeshError `invite_invalid`, `invite_foreign`, `invite_expired` for an invite by which nobody would be taken in
 */
export async function joinTargets(
  targets: readonly string[],
  accepted: AcceptedInvites,
  clock: Clock
): Promise<JoinTargets> {
  const addresses: string[] = []
  const invites = new Map<string, HeldInvite>()
  for (const target of targets) {
    if (!isInviteToken(target)) {
      addresses.push(target)
      continue
    }
    const invite = await openInvite(target)
    // who came by it is remembered there
    if (!accepted.has(invite.id)) requireCurrent(invite, clock.now())
    invites.set(invite.coordinator, { token: target, id: invite.id })
    addresses.push(...invite.multiaddrs.map(address => withPeer(address, invite)))
  }
  return { addresses, invites }
}

/** An invite is good for its coordinator only, whoever answers at its addresses. */
function withPeer(address: string, { coordinator }: Invite): string {
  const bare = address.replace(/\/p2p\/[^/]+$/, '')
  return `${bare}/p2p/${coordinator}`
}

/** Whether a coordinator refused the invite itself: to show it again is no use. */
export function refusesInvite({ code }: MeshError): boolean {
  return code.startsWith('invite_')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // none was accepted yet
    return undefined
  }
}
