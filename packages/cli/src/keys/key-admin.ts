import { MeshError } from '@resultity/interface'
import type { ApiCreatedKey, ApiKeyView, NewKey } from '../api/answers.ts'
import { MeshApi } from '../api/mesh-api.ts'
import type { CommandRun } from '../command.ts'
import { lockDirectory } from '../daemon/directory-lock.ts'
import { variableOf } from '../settings/schema.ts'

/** Where keys are made and changed. */
export interface KeyAdmin extends AsyncDisposable {
  create(key: NewKey): Promise<ApiCreatedKey>
  list(): Promise<readonly ApiKeyView[]>
  revoke(id: string): Promise<ApiKeyView>
  rotate(id: string, graceSeconds: number): Promise<ApiCreatedKey>
}

/**
 * The coordinator's admin API when it runs, its data directory when it does not. Every user that may write there is an
 * administrator; that is how the first key is made.
 *
 * It counts as running when the user names its address or a key for it, or when it holds the directory.
 */
export async function openKeyAdmin({ settings, options, context }: CommandRun): Promise<KeyAdmin> {
  const named = options.url !== undefined || context.env[variableOf('url')] !== undefined
  if (named || settings.apiKey !== undefined) return remoteKeyAdmin(new MeshApi(settings.url, settings.apiKey))
  try {
    return await localKeyAdmin(settings.data, settings.store)
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== 'data_directory_locked') throw error
    return remoteKeyAdmin(new MeshApi(settings.url))
  }
}

/** Says what to do when a coordinator wants an admin key. */
export async function explainAdminKey<T>(
  api: MeshApi,
  work: Promise<T>,
  hint = `Set ${variableOf('apiKey')} or --api-key.`
): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (!(cause instanceof MeshError) || !['unauthenticated', 'permission_denied'].includes(cause.code)) throw cause
    throw new MeshError(cause.code, `${api.url} wants an admin key: ${cause.message}`, { hint, cause })
  }
}

function remoteKeyAdmin(api: MeshApi): KeyAdmin {
  const hint = `Set ${variableOf('apiKey')} or --api-key, or stop the coordinator and work on its data directory.`
  const explained = <T>(work: Promise<T>): Promise<T> => explainAdminKey(api, work, hint)
  return {
    create: key => explained(api.createKey(key)),
    list: () => explained(api.keys()),
    revoke: id => explained(api.revokeKey(id)),
    rotate: (id, graceSeconds) => explained(api.rotateKey(id, graceSeconds)),
    [Symbol.asyncDispose]: async () => {}
  }
}

async function localKeyAdmin(dataDir: string, store: string): Promise<KeyAdmin> {
  await using opening = new AsyncDisposableStack()
  opening.use(await lockDirectory(dataDir))
  // loaded only here: the other commands must start without the database
  const { openKeyService } = await import('@resultity/coordinator')
  const service = opening.use(await openKeyService({ dataDir, store }))
  const open = opening.move()
  return {
    create: key => service.create(key),
    list: () => service.list(),
    revoke: id => service.revoke(id),
    rotate: (id, graceSeconds) => service.rotate(id, graceSeconds * 1000),
    [Symbol.asyncDispose]: () => open.disposeAsync()
  }
}
