import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function gitBlob(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

/** How the fake hub misbehaves for a file. */
export interface HubFault {
  /** Bytes after which the connection breaks, in the order of the requests for the file's bytes. */
  readonly breakAfter?: number[]
  readonly ignoreRanges?: boolean
  /** Announces the hash of other bytes. */
  readonly wrongHash?: boolean
  /** Accepts the request and never answers. */
  readonly silent?: boolean
  /** Files of further repositories. */
  readonly others?: Readonly<Record<string, Readonly<Record<string, Uint8Array>>>>
  /** Answers the next requests for the list of files with these statuses. */
  readonly statuses?: number[]
  /** Which commit each revision is; may be changed while it runs. Default: `main` is {@link COMMIT}. */
  readonly revisions?: Record<string, string>
}

/** What the fake hub calls the state of its repository. */
export const COMMIT = 'c0'.repeat(20)

export interface FakeHub extends AsyncDisposable {
  readonly url: string
  /** Range headers of the requests for bytes, and `list` for lists of files; in order. */
  readonly requests: string[]
}

/** A server that speaks as much of the hub's HTTP interface as downloads use, for one repository. */
export async function startFakeHub(
  repo: string,
  files: Readonly<Record<string, Uint8Array>>,
  fault: HubFault = {}
): Promise<FakeHub> {
  const requests: string[] = []
  const breaks = [...(fault.breakAfter ?? [])]
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    if (fault.silent === true) return
    const { pathname } = new URL(request.url ?? '/', 'http://hub')
    const asked = Object.keys(fault.others ?? {}).find(other => pathname.includes(`/${other}/`)) ?? repo
    const served = fault.others?.[asked] ?? files
    const listing = `/api/models/${asked}/revision/`
    const revisions = fault.revisions ?? { main: COMMIT }
    if (pathname.startsWith(listing)) {
      requests.push('list')
      const status = fault.statuses?.shift()
      const named = decodeURIComponent(pathname.slice(listing.length))
      const sha = revisions[named] ?? Object.values(revisions).find(commit => commit === named)
      if (status !== undefined) response.writeHead(status, { 'retry-after': '0' }).end()
      else if (sha === undefined) response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end()
      else response.end(JSON.stringify({ sha, siblings: listFiles(served, fault) }))
      return
    }
    const [, commit = '', path = ''] = new RegExp(`^/${asked}/resolve/([0-9a-f]{40})/(.+)$`).exec(pathname) ?? []
    const bytes = Object.values(revisions).includes(commit) ? served[path] : undefined
    if (bytes === undefined) {
      response.writeHead(404, { 'x-error-code': 'RepoNotFound' }).end()
      return
    }
    const { range } = request.headers
    requests.push(range ?? 'all')
    sendBytes(response, bytes, fault.ignoreRanges === true ? undefined : range, () => breaks.shift())
  }
  const server = createServer(serve)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }
}

function listFiles(files: Readonly<Record<string, Uint8Array>>, fault: HubFault): object[] {
  return Object.entries(files).map(([rfilename, bytes]) => {
    const hashed = fault.wrongHash === true ? Uint8Array.of(0) : bytes
    const lfs = { sha256: sha256(hashed), size: bytes.length, pointerSize: 100 }
    return { rfilename, size: bytes.length, blobId: gitBlob(hashed), ...(bytes.length > 1000 ? { lfs } : {}) }
  })
}

function sendBytes(
  response: ServerResponse,
  bytes: Uint8Array,
  range: string | undefined,
  breakAfter: () => number | undefined
): void {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
  const part = from === undefined ? bytes : bytes.subarray(Number(from), Number(to) + 1)
  response.setHeader('etag', '"x"')
  response.setHeader('content-length', part.length)
  if (from !== undefined) response.setHeader('content-range', `bytes ${from}-${to}/${bytes.length}`)
  response.writeHead(from === undefined ? 200 : 206)
  const end = breakAfter()
  if (end === undefined) response.end(part)
  else response.write(part.subarray(0, end), () => response.destroy())
}

/** A zip archive, as wheels are: of stored entries, or of deflated ones. */
export function makeZip(files: Readonly<Record<string, Uint8Array>>, { deflate = false } = {}): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, bytes] of Object.entries(files)) {
    const stored = deflate ? deflateRawSync(bytes) : Buffer.from(bytes)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(deflate ? 8 : 0, 4)
    common.writeUInt32LE(0x21_0000, 6)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(stored.length, 14)
    common.writeUInt32LE(bytes.length, 18)
    common.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = [Buffer.from('PK\x03\x04'), common, Buffer.from(name), stored]
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(offset, 10)
    directory.push(Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), common, tail, Buffer.from(name))
    parts.push(...local)
    offset += local.reduce((sum, part) => sum + part.length, 0)
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(Object.keys(files).length, 4)
  end.writeUInt16LE(Object.keys(files).length, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...parts, central, Buffer.from('PK\x05\x06'), end])
}

/** A wheel that pip takes, with `files` beside its metadata. */
export function makeWheel(project: string, version: string, files: Readonly<Record<string, Uint8Array>>): Buffer {
  const info = `${project.replaceAll('-', '_')}-${version}.dist-info`
  return makeZip({
    ...files,
    [`${info}/METADATA`]: Buffer.from(`Metadata-Version: 2.1\nName: ${project}\nVersion: ${version}\n`),
    [`${info}/WHEEL`]: Buffer.from('Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n'),
    [`${info}/RECORD`]: Buffer.from('')
  })
}

/** What an archive of tar may have beside plain files. */
export interface TarOptions {
  /** Type of every entry. Default: a plain file. */
  readonly type?: string
  /** Without the blocks of zeros that end it. */
  readonly endless?: boolean
}

/** An archive of tar and gzip, as npm makes it. */
export function makeTarball(files: Readonly<Record<string, Uint8Array>>, options: TarOptions = {}): Buffer {
  const blocks = Object.entries(files).flatMap(([name, bytes]) => [
    tarHeader(name, bytes.length, options.type ?? '0'),
    bytes,
    Buffer.alloc((512 - (bytes.length % 512)) % 512)
  ])
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(options.endless === true ? 0 : 1024)]))
}

function tarHeader(name: string, bytes: number, type: string): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0, 100)
  header.write('000644 \0', 100)
  header.write(`${bytes.toString(8).padStart(11, '0')} `, 124)
  header.write(' '.repeat(8), 148)
  header.write(type, 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
