import { MeshError } from '@resultity/interface'
import type { SeededRandom } from '@resultity/test-mesh'
import type { Target } from '../peers/attacker.ts'
import { CLOSED } from '../peers/conversation.ts'

/** What is attacked, and what the attackers know of it. It travels as JSON. */
export interface AttackGround {
  readonly coordinator: Target
  readonly nodes: readonly Target[]
  /** Of these, the one whose connections strangers take. Others leave it alone, for they would not get through. */
  readonly crowded: Target
  readonly apiUrl: string
  /** A placement of the general pool. */
  readonly placementId: string
  readonly manifestSha256: string
  /** A blob that every daemon here has. */
  readonly blobSha256: string
  /** Good for any number of nodes: attackers that are members came by it. */
  readonly invite: string
  /** Invites that are no good, and the codes that they are refused with. */
  readonly badInvites: readonly { readonly token: string; readonly code: string }[]
}

export interface AttackContext {
  readonly ground: AttackGround
  readonly random: SeededRandom
  /** An address of this machine that no other attack comes from. */
  nextIp(): string
}

/** An attack under way. */
export interface RunningAttack extends AsyncDisposable {
  /** Tries once. @returns what the attacker saw of each thing it tried */
  attempt(): Promise<readonly string[]>
}

/** One kind of attack. */
export interface Attack {
  readonly name: string
  /** What a refusal looks like to the attacker. Anything else that it sees is a hole. */
  readonly refusals: readonly string[]
  /** Of these, what has to be seen at least once: an attack that never got as far shows nothing. */
  readonly must: readonly string[]
  /** Between an attempt and the next, in milliseconds. */
  readonly pauseMs: number
  begin(context: AttackContext): Promise<RunningAttack>
}

/** What is undone in the reverse order, and an attempt. */
export function runningAttack(
  things: readonly AsyncDisposable[],
  attempt: () => Promise<readonly string[]>
): RunningAttack {
  const stack = new AsyncDisposableStack()
  for (const thing of things) stack.use(thing)
  return { attempt, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** Nodes that a stranger gets through to. */
export function reachable({ nodes, crowded }: AttackGround): Target[] {
  return nodes.filter(({ peerId }) => peerId !== crowded.peerId)
}

/** What an attempt saw, or the code that it was refused with before it began. */
export async function tried(attempt: () => Promise<string>): Promise<string> {
  try {
    return await attempt()
  } catch (error) {
    const { code, message } = MeshError.from(error)
    return code === 'internal' ? message : CLOSED
  }
}
