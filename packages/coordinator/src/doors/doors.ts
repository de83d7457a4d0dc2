import { type Clock, MeshError } from '@resultity/interface'
import { DatabaseKeyStore, type StoreDatabase } from '@resultity/store'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { DEFAULT_DOOR_LIMITS, type DoorLimits } from './door-limits.ts'
import { FrontDoor, guard } from './front-door.ts'
import { KeyDesk } from './keys/key-desk.ts'
import { KeyRing } from './keys/key-ring.ts'
import { addKeyRoutes } from './keys/key-routes.ts'
import { isLoopback } from './loopback.ts'

export interface DoorsComponents {
  readonly database: StoreDatabase
  readonly clock: Clock
  readonly logger: Logger
}

export interface DoorsInit {
  /** What the HTTP API listens on. */
  readonly host: string
  /** The operator's word that it may be used without keys. Default false. */
  readonly open?: boolean
  readonly limits?: Partial<DoorLimits>
}

/** Who may use the API, how much, and what is told of it: keys, limits, usage, webhooks. */
export interface Doors extends AsyncDisposable {
  /** Has every request of `server` checked. Before routes are added. */
  guard(server: FastifyInstance): void
  /** The doors' own routes. */
  addRoutes(server: FastifyInstance): void
}

/**
 * @throws MeshError `settings_invalid` when others than this machine could use the API and nothing would ask them for a
 * key
 */
export async function openDoors({ database, clock, logger }: DoorsComponents, init: DoorsInit): Promise<Doors> {
  const limits = { ...DEFAULT_DOOR_LIMITS, ...init.limits }
  const { host, open = false } = init
  const store = new DatabaseKeyStore(database)
  const loopback = isLoopback(host)
  if (!loopback && !open && (await store.count()) === 0) throw unguarded(host)
  const keys = new KeyRing({ store, clock, logger }, limits)
  const desk = new KeyDesk({ store, clock, onChange: id => keys.forget(id) })
  const door = new FrontDoor(keys, { loopback, open })
  return {
    guard: server => guard(server, door),
    addRoutes: server => addKeyRoutes(server, desk),
    [Symbol.asyncDispose]: () => keys[Symbol.asyncDispose]()
  }
}

function unguarded(host: string): MeshError {
  return new MeshError('settings_invalid', `other machines can reach ${host}, and there is no API key`, {
    hint:
      'Make one with "resultity keys create --admin" (and --data, if you use it here), then start again. ' +
      'Or let everybody in with --open.',
    details: { param: 'http' }
  })
}
