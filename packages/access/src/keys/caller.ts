import { MeshError } from '@resultity/interface'
import type { KeyLimits } from '../limits/key-limits.ts'

/**
 * What the holder of a key may do.
 *
 * - `inference`  ask models, and see its namespace's own requests, files and batches
 * - `read-usage` see its namespace's usage
 * - `read-mesh`  see nodes, placements and metrics
 * - `webhooks`   manage its namespace's webhooks
 * - `admin`      all of these, in every namespace, and manage keys
 */
export const scopes = ['inference', 'read-usage', 'read-mesh', 'webhooks', 'admin'] as const
export type Scope = (typeof scopes)[number]

/** Scopes of a key that is made without naming any. */
export const DEFAULT_SCOPES: readonly Scope[] = ['inference', 'read-usage']

/** Whose requests are whose when there are no keys. */
export const DEFAULT_NAMESPACE = 'default'

/** Who sent a request. */
export interface Caller {
  /** Callers of other namespaces do not see its data. */
  readonly namespace: string
  /** Null when it came without a key, where none is asked for. */
  readonly keyId: string | null
  readonly scopes: ReadonlySet<Scope>
  readonly limits: KeyLimits
  /** Subclouds that it may use and see; undefined: all. */
  readonly subclouds?: ReadonlySet<string> | undefined
}

export function may(caller: Caller, scope: Scope): boolean {
  return caller.scopes.has(scope) || caller.scopes.has('admin')
}

/** @throws MeshError `permission_denied` */
export function requireScope(caller: Caller, scope: Scope): void {
  if (may(caller, scope)) return
  throw new MeshError('permission_denied', `this key does not have the scope "${scope}"`, {
    hint: 'Use another key, or have an administrator give it the scope.',
    details: { scope }
  })
}

/**
 * The namespace that a request is about: the caller's own, or for an administrator the requested one; undefined when
 * the administrator names none.
 *
 * @throws MeshError `permission_denied` when the caller asks for another namespace
 */
export function namespaceFor(caller: Caller, asked: string | undefined): string | undefined {
  if (may(caller, 'admin')) return asked
  if (asked === undefined || asked === caller.namespace) return caller.namespace
  throw new MeshError('permission_denied', `this key is of the namespace "${caller.namespace}"`, {
    hint: 'Leave "namespace" out, or use an admin key.',
    details: { param: 'namespace' }
  })
}

/** A caller without a key, where no keys are required. */
export function anonymous(granted: readonly Scope[]): Caller {
  return { namespace: DEFAULT_NAMESPACE, keyId: null, scopes: new Set(granted), limits: {} }
}
