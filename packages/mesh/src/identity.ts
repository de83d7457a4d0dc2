import { randomUUID } from 'node:crypto'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  generateKeyPair,
  generateKeyPairFromSeed,
  privateKeyFromProtobuf,
  privateKeyToProtobuf
} from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { MeshError } from '@resultity/interface'

const FILE_NAME = 'identity.key'
/** A protobuf Ed25519 key has 68 bytes; a much longer file is not one. */
const FILE_BYTES_MAX = 1024
const OTHERS_MAY_READ = 0o077

/**
 * The Ed25519 key in `dataDir`, which is what makes a peer the same peer after a restart. Created, readable by the
 * owner only, when missing; two processes that create it at once end up with the same one.
 *
 * @throws MeshError `settings_invalid` when the file is corrupt, no plain file, or readable by others
 */
export async function loadIdentity(dataDir: string): Promise<PrivateKey> {
  const path = join(dataDir, FILE_NAME)
  const present = await read(path)
  if (present !== undefined) return present
  await create(dataDir, path)
  const created = await read(path)
  if (created !== undefined) return created
  throw new MeshError('settings_invalid', `${path} was removed while it was being created`, {
    hint: 'Make sure that nothing else cleans the data directory, and start again.'
  })
}

/** The Ed25519 key that a seed of 32 bytes gives: one that is to be the same again. Who knows the seed has the key. */
export function identityFromSeed(seed: Uint8Array): Promise<PrivateKey> {
  return generateKeyPairFromSeed('Ed25519', seed)
}

/** The peer id that belongs to a key. */
export function peerIdOf(privateKey: PrivateKey): string {
  return peerIdFromPrivateKey(privateKey).toString()
}

async function read(path: string): Promise<PrivateKey | undefined> {
  const file = await openExisting(path)
  if (file === undefined) return undefined
  try {
    const status = await file.stat()
    if (!status.isFile() || status.size > FILE_BYTES_MAX) throw corrupt(path)
    if (process.platform !== 'win32' && (status.mode & OTHERS_MAY_READ) !== 0) {
      throw new MeshError('settings_invalid', `the key in ${path} can be read or changed by other users`, {
        hint: `Run: chmod 600 ${path}. If somebody may have copied it, delete it instead; the peer then gets a new id.`,
        details: { mode: (status.mode & 0o777).toString(8) }
      })
    }
    return parse(await file.readFile(), path)
  } finally {
    await file.close()
  }
}

async function openExisting(path: string) {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw new MeshError('settings_invalid', `${path} cannot be read: ${reason(error)}`, {
      hint: 'Run the daemon as the user that owns the data directory.',
      cause: error
    })
  }
}

function parse(bytes: Uint8Array, path: string): PrivateKey {
  let key: PrivateKey
  try {
    key = privateKeyFromProtobuf(bytes)
  } catch (error) {
    throw corrupt(path, error)
  }
  if (key.type !== 'Ed25519') throw corrupt(path)
  return key
}

/** Writes a new key beside `path` and gives it that name, unless another process was first. */
async function create(dataDir: string, path: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`
  try {
    await mkdir(dataDir, { recursive: true })
    const key = await generateKeyPair('Ed25519')
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(privateKeyToProtobuf(key))
      await file.sync()
    } finally {
      await file.close()
    }
    await link(draft, path)
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return
    throw new MeshError('settings_invalid', `${path} cannot be created: ${reason(error)}`, {
      hint: 'Choose a data directory that the daemon may write to.',
      cause: error
    })
  } finally {
    await rm(draft, { force: true })
  }
}

function corrupt(path: string, cause?: unknown): MeshError {
  return new MeshError('settings_invalid', `${path} is not an Ed25519 key`, {
    hint: 'Restore it from a backup, or delete it; the peer then gets a new id.',
    cause
  })
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
