import { rm } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { MeshError, type Scheduler, systemScheduler } from '@resultity/interface'
import {
  BLOB_CHUNK_BYTES,
  BLOB_FRAME_BYTES_MAX,
  BLOB_PROTOCOL,
  type BlobResponse,
  blobRequestCodec,
  FrameStream
} from '@resultity/wire'
import t, { type Test } from 'tap'
import { Pace } from '../src/blob-server.ts'
import { fetchBlob, type MeshHost, serveBlobs } from '../src/index.ts'
import { serveBadly, sha256Of, someBytes, TestBlobStore } from './blob-fixtures.ts'
import { addressOf, settled, startHost, temporaryDir, until } from './hosts.ts'

/** A limit of time that is not what a test is about. */
const PATIENCE_MS = 600_000

const content = someBytes(3 * BLOB_CHUNK_BYTES + 1234)
const sha256 = sha256Of(content)
const wanted = { sha256, bytes: content.length }

async function store(t: Test, ...blobs: Uint8Array[]): Promise<TestBlobStore> {
  const created = new TestBlobStore(await temporaryDir(t))
  for (const blob of blobs) await created.put(blob)
  return created
}

/** A host that serves `content` as it should. */
async function goodServer(t: Test): Promise<MeshHost> {
  const host = await startHost(t)
  await serveBlobs(host, await store(t, content))
  return host
}

function bytesIn(answer: BlobResponse): number {
  return answer.type === 'chunk' ? answer.chunk.length : 0
}

function sources(...hosts: MeshHost[]) {
  return { ...wanted, sources: hosts.map(addressOf) }
}

t.test('a blob of any size arrives, with progress, and is then found at once', async t => {
  for (const size of [1, 1000, BLOB_CHUNK_BYTES, BLOB_CHUNK_BYTES + 1, 20 * BLOB_CHUNK_BYTES + 7]) {
    const blob = someBytes(size)
    const [server, client] = [await startHost(t), await startHost(t)]
    await serveBlobs(server, await store(t, blob))
    const into = await store(t)
    const progress: number[] = []
    const request = { sha256: sha256Of(blob), bytes: size, sources: [addressOf(server)] }
    const path = await fetchBlob(client, request, into, { onProgress: ({ bytesDone }) => progress.push(bytesDone) })
    t.ok(Buffer.from(await into.read(request.sha256)).equals(blob), `${size} bytes`)
    t.equal(progress.at(-1), size)
    t.same(
      progress,
      progress.toSorted((a, b) => a - b)
    )
    await server.close()
    t.equal(await fetchBlob(client, request, into), path, 'from the store, with no source alive')
  }
})

t.test('an earlier attempt is continued, also from its very end', async t => {
  for (const kept of [1, BLOB_CHUNK_BYTES, content.length - 1, content.length]) {
    const into = await store(t)
    into.partials.set(sha256, content.slice(0, kept))
    await fetchBlob(await startHost(t), sources(await goodServer(t)), into)
    t.equal(into.bytesWritten, content.length - kept, `${kept} bytes were there`)
  }
})

t.test('a server killed in the middle: the next source continues where it stopped', async t => {
  const dying = await startHost(t)
  await serveBadly(dying, async (frames, { offset }) => {
    await frames.send({ type: 'header', totalBytes: content.length })
    await frames.send({ type: 'chunk', chunk: content.slice(offset, offset + BLOB_CHUNK_BYTES) })
  })
  const into = await store(t)
  const client = await startHost(t)
  const fetching = fetchBlob(client, sources(dying, await goodServer(t)), into)
  await until(() => into.bytesWritten > 0)
  await dying.close()
  await fetching
  t.equal(into.bytesWritten, content.length, 'no byte was fetched twice')
})

t.test('with no source left what came is kept for the next attempt', async t => {
  const dying = await startHost(t)
  const requests = await serveBadly(dying, async (frames, { offset }) => {
    await frames.send({ type: 'header', totalBytes: content.length })
    await frames.send({ type: 'chunk', chunk: content.slice(offset, offset + 1000) })
    frames.abort(new MeshError('internal', 'power cut'))
  })
  const into = await store(t)
  const client = await startHost(t)
  await t.rejects(fetchBlob(client, sources(dying), into), {
    code: 'unavailable',
    hint: /kept/,
    details: { sources: [{ peerId: dying.peerId, code: 'peer_unreachable' }] }
  })
  const kept = into.partials.get(sha256)?.length ?? 0
  await t.rejects(fetchBlob(client, sources(dying), into), { code: 'unavailable' })
  t.equal(requests[1]?.offset, kept, 'the second asks for the rest')
})

t.test('liars', async t => {
  t.test('wrong bytes are thrown away, and an honest source is believed', async t => {
    const liar = await startHost(t)
    const wrong = someBytes(content.length, 7)
    await serveBadly(liar, async frames => {
      await frames.send({ type: 'header', totalBytes: wrong.length })
      for (let at = 0; at < wrong.length; at += BLOB_CHUNK_BYTES) {
        await frames.send({ type: 'chunk', chunk: wrong.subarray(at, at + BLOB_CHUNK_BYTES) })
      }
    })
    const client = await startHost(t)
    const alone = await store(t)
    await t.rejects(fetchBlob(client, sources(liar), alone), { code: 'unavailable', message: /hash_mismatch/ })
    t.equal(alone.partials.size, 0, 'nothing is left')
    const into = await store(t)
    await fetchBlob(client, sources(liar, await goodServer(t)), into)
    t.ok(Buffer.from(await into.read(sha256)).equals(content))
  })
  t.test('a wrong start of an earlier attempt costs one more try, not the source', async t => {
    const into = await store(t)
    into.partials.set(sha256, someBytes(5000, 9))
    await fetchBlob(await startHost(t), sources(await goodServer(t)), into)
    t.ok(Buffer.from(await into.read(sha256)).equals(content))
  })
  t.test('another size is refused before a byte is written', async t => {
    for (const totalBytes of [content.length - 1, content.length + 1, 2 ** 50]) {
      const liar = await startHost(t)
      await serveBadly(liar, frames => frames.send({ type: 'header', totalBytes }))
      const into = await store(t)
      await t.rejects(fetchBlob(await startHost(t), sources(liar), into), {
        message: new RegExp(`protocol_violation.*has ${totalBytes} bytes`)
      })
      t.equal(into.bytesWritten, 0)
    }
  })
  t.test('an endless stream is cut at the size of the blob', async t => {
    const liar = await startHost(t)
    await serveBadly(liar, async frames => {
      await frames.send({ type: 'header', totalBytes: content.length })
      while (!frames.closed) await frames.send({ type: 'chunk', chunk: someBytes(BLOB_CHUNK_BYTES) })
    })
    const into = await store(t)
    await t.rejects(fetchBlob(await startHost(t), sources(liar), into), { message: /sent more than the/ })
    t.ok(into.bytesWritten <= content.length)
  })
  t.test('frames out of order, silence, and an early end', async t => {
    const chunk = content.slice(0, 100)
    const cases: Record<
      string,
      { answer: Parameters<typeof serveBadly>[1]; message: RegExp; stallTimeoutMs?: number }
    > = {
      'a chunk first': { answer: frames => frames.send({ type: 'chunk', chunk }), message: /before the header/ },
      'two headers': {
        answer: async frames => {
          await frames.send({ type: 'header', totalBytes: content.length })
          await frames.send({ type: 'header', totalBytes: content.length })
        },
        message: /second header/
      },
      'an early end': {
        answer: async frames => {
          await frames.send({ type: 'header', totalBytes: content.length })
          await frames.close()
        },
        message: /ended after 0 of/
      },
      silence: { answer: () => {}, message: /deadline_exceeded.*sent nothing for 50 ms/, stallTimeoutMs: 50 }
    }
    for (const [name, { answer, message, stallTimeoutMs = PATIENCE_MS }] of Object.entries(cases)) {
      const liar = await startHost(t)
      await serveBadly(liar, answer)
      const fetching = fetchBlob(await startHost(t), sources(liar), await store(t), { stallTimeoutMs })
      await t.rejects(fetching, { code: 'unavailable', message }, name)
    }
  })
})

t.test('a slow disk is not a stalled source', async t => {
  const into = await store(t)
  const stallTimeoutMs = PATIENCE_MS
  let stall = (): void => void t.fail('nothing waits for the source')
  let stalls = 0
  const scheduler: Scheduler = {
    ...systemScheduler,
    setTimeout: (run, ms) => {
      if (ms === stallTimeoutMs) stall = run
      return systemScheduler.setTimeout(run, ms)
    }
  }
  // the time in which the source has to say something is up while the disk is at work
  into.beforeWrite = async () => {
    await setTimeout(1)
    stall()
    stalls += 1
  }
  t.ok(await fetchBlob(await startHost(t), sources(await goodServer(t)), into, { stallTimeoutMs, scheduler }))
  t.ok(stalls > 0)
})

t.test('nobody has it, nobody is asked, nobody answers', async t => {
  const [empty, client] = [await startHost(t), await startHost(t)]
  await serveBlobs(empty, await store(t))
  await t.rejects(fetchBlob(client, sources(empty, empty), await store(t)), {
    code: 'blob_not_found',
    details: { sources: { length: 2 } }
  })
  await t.rejects(fetchBlob(client, sources(), await store(t)), { code: 'blob_not_found', message: /no source/ })
  const gone = await startHost(t)
  const request = sources(empty, gone)
  await gone.close()
  await t.rejects(fetchBlob(client, request, await store(t)), {
    code: 'unavailable',
    message: /blob_not_found.*peer_unreachable.*ECONNREFUSED/
  })
})

t.test('cancelling ends the transfer, keeps what came and frees the server', async t => {
  const server = await goodServer(t)
  const client = await startHost(t)
  const into = await store(t)
  const cancel = new AbortController()
  const canceled = new MeshError('canceled', 'enough')
  const fetching = fetchBlob(client, sources(server), into, {
    signal: cancel.signal,
    onProgress: () => cancel.abort(canceled)
  })
  t.equal(await fetching.catch(error => error), canceled)
  t.ok(into.partials.has(sha256))
  await fetchBlob(client, sources(server), into)
  t.equal(into.bytesWritten, content.length)
})

t.test('what the store refuses is not blamed on sources', async t => {
  const into = await store(t)
  const held = await into.writer(sha256)
  await t.rejects(fetchBlob(await startHost(t), sources(await goodServer(t)), into), { code: 'resource_exhausted' })
  await held.release()
})

t.test('the server', async t => {
  /** Opens a blob stream and says nothing more than it is told to. */
  async function rawClient(client: MeshHost, server: MeshHost, onFrame: () => void | Promise<void> = () => {}) {
    const ended = Promise.withResolvers<MeshError | undefined>()
    const answers: BlobResponse[] = []
    const frames = new FrameStream(
      await client.open(addressOf(server), BLOB_PROTOCOL),
      blobRequestCodec,
      {
        onFrame(answer) {
          answers.push(answer)
          return onFrame()
        },
        onEnd: ended.resolve
      },
      { frameBytesMax: BLOB_FRAME_BYTES_MAX }
    )
    return { frames, answers, ended: ended.promise }
  }

  t.test('tells a peer that its limits are reached, and serves again afterwards', async t => {
    const [server, client, other] = [await startHost(t), await startHost(t), await startHost(t)]
    const big = someBytes(40 * BLOB_CHUNK_BYTES)
    await serveBlobs(server, await store(t, content, big), { transfersPerPeerMax: 1, transfersMax: 2 })
    const gate = Promise.withResolvers<void>()
    const slow = [
      await rawClient(client, server, () => gate.promise),
      await rawClient(other, server, () => gate.promise)
    ]
    for (const { frames, answers } of slow) {
      await frames.send({ sha256: sha256Of(big), offset: 0 })
      await until(() => answers.length > 0)
    }
    await t.rejects(fetchBlob(client, sources(server), await store(t)), {
      message: /resource_exhausted.*1 to one peer/
    })
    await t.rejects(fetchBlob(await startHost(t), sources(server), await store(t)), {
      message: /resource_exhausted.*: 2/
    })
    gate.resolve()
    for (const { ended } of slow) t.equal(await ended, undefined)
    t.ok(await fetchBlob(client, sources(server), await store(t)))
  })

  t.test('ends the last transfer of a peer that has many for one that has none', async t => {
    const [server, client, other] = [await startHost(t), await startHost(t), await startHost(t)]
    const big = someBytes(40 * BLOB_CHUNK_BYTES)
    await serveBlobs(server, await store(t, content, big), { transfersPerPeerMax: 3, transfersMax: 3 })
    const gate = Promise.withResolvers<void>()
    const slow = []
    for (let count = 0; count < 3; count++) slow.push(await rawClient(client, server, () => gate.promise))
    for (const { frames, answers } of slow) {
      await frames.send({ sha256: sha256Of(big), offset: 0 })
      await until(() => answers.length > 0)
    }
    t.ok(await fetchBlob(other, sources(server), await store(t)), 'it is served while the others wait')
    gate.resolve()
    await Promise.all(slow.map(({ ended }) => ended))
    // by what came: one that is cut off after all that was under way has arrived looks like one that ends
    const received = slow.map(({ answers }) => answers.reduce((sum, answer) => sum + bytesIn(answer), 0))
    t.same(
      received.map(bytes => bytes === big.length),
      [true, true, false]
    )
  })

  t.test('ends a peer that takes its blob too slowly, and not one whose own disk is slow', async t => {
    const limits = { bytesPerSecondMin: 1000, slowAfterMs: 2000 }
    const slow = new Pace(limits)
    slow.took(900, 1000)
    t.throws(() => slow.took(900, 1000), { code: 'deadline_exceeded', message: /900 bytes a second/ })
    const fast = new Pace(limits)
    for (let count = 0; count < 100; count++) fast.took(1001, 1000)
    const idle = new Pace(limits)
    for (let count = 0; count < 100; count++) idle.took(0, 10)
    const lately = new Pace(limits)
    lately.took(1_000_000, 2000)
    lately.took(0, 1000)
    t.throws(() => lately.took(0, 1000), { code: 'deadline_exceeded' }, 'what it took before does not count')
  })

  t.test('holds no more than a window for a peer that does not read, and gives it up', async t => {
    const [server, client] = [await startHost(t), await startHost(t)]
    const big = someBytes(80 * BLOB_CHUNK_BYTES)
    // so short a time is for the one that does not read
    let patient = false
    const scheduler: Scheduler = {
      ...systemScheduler,
      setTimeout: (run, ms) => systemScheduler.setTimeout(run, patient ? PATIENCE_MS : ms)
    }
    await serveBlobs(server, await store(t, big), { stallTimeoutMs: 1000, transfersMax: 1 }, scheduler)
    const stuck = await rawClient(client, server, () => new Promise(() => {}))
    await stuck.frames.send({ sha256: sha256Of(big), offset: 0 })
    t.match(await stuck.ended, { code: 'peer_unreachable' }, 'reset after the stall')
    t.equal(stuck.answers.length, 1)
    patient = true
    const request = { sha256: sha256Of(big), bytes: big.length, sources: [addressOf(server)] }
    t.ok(await fetchBlob(client, request, await store(t)), 'its slot is free again')
  })

  t.test('asks whether a peer may have a blob', async t => {
    const [server, client] = [await startHost(t), await startHost(t)]
    const asked: string[] = []
    await serveBlobs(server, await store(t, content), {
      allow: (peerId, hash) => {
        asked.push(`${peerId} ${hash}`)
        return false
      }
    })
    await t.rejects(fetchBlob(client, sources(server), await store(t)), { message: /peer_refused/ })
    t.same(asked, [`${client.peerId} ${sha256}`])
  })

  t.test('answers bad requests with an error, and a silent peer with its deadline', async t => {
    const [server, client] = [await startHost(t), await startHost(t)]
    await serveBlobs(server, await store(t, content), { requestTimeoutMs: PATIENCE_MS })
    const behind = await rawClient(client, server)
    await behind.frames.send({ sha256, offset: content.length + 1 })
    t.equal(await behind.ended, undefined)
    t.match(behind.answers, [{ type: 'error', error: { code: 'invalid_request' } }])
    const twice = await rawClient(client, server)
    void twice.frames.send({ sha256, offset: 0 })
    void twice.frames.send({ sha256, offset: 0 })
    await twice.ended
    t.match(twice.answers.at(-1), { type: 'error', error: { code: 'protocol_violation' } })
    const impatient = await startHost(t)
    await serveBlobs(impatient, await store(t, content), { requestTimeoutMs: 50 })
    const silent = await rawClient(client, impatient)
    await silent.ended
    t.match(silent.answers, [{ type: 'error', error: { code: 'deadline_exceeded' } }])
    t.ok(await fetchBlob(client, sources(server), await store(t)), 'and lives on')
  })

  t.test('keeps the paths of its files to itself', async t => {
    const [server, client] = [await startHost(t), await startHost(t)]
    const from = await store(t, content)
    await serveBlobs(server, from)
    const path = (await from.find(sha256)) ?? ''
    await rm(path)
    const error: MeshError = await fetchBlob(client, sources(server), await store(t)).then(t.fail, cause => cause)
    t.match(error.message, /unavailable.*could not be read/)
    t.notMatch(error.message, path)
  })
})

t.test('leaves nothing running', async t => {
  const [server, client] = [await goodServer(t), await startHost(t)]
  await fetchBlob(client, sources(server), await store(t))
  await Promise.all([server.close(), client.close()])
  await settled()
  t.notOk(process.getActiveResourcesInfo().includes('FSReqPromise'))
})
