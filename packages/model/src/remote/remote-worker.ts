import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { type HeldExtent, heldSource, MissingBytes, mergeExtents, type WeightFilePlan } from '@resultity/formats'
import { decoderArchitecture, MeshError, modelInvalid } from '@resultity/interface'
import { type TokenizerFiles, tokenizerFilesFromGguf } from '@resultity/tokenizer'
import { type GgufPlace, openGgufFiles } from '../import/gguf-files.ts'
import { openGguf } from '../import/gguf-source.ts'
import type { ModelSource } from '../import/model-source.ts'
import { openSafetensorsDirectory } from '../import/safetensors-source.ts'
import { planWeightFiles } from '../import/weight-file.ts'
import { isGguf } from './recipe.ts'
import type { Head, RemotePlan, RemoteReply, RemoteRequest, RemoteWorkerInit } from './remote-messages.ts'
import type { SpoolContent } from './spool.ts'

/** A model of which this thread reads headers from memory, and weights from what one file's conversion has spooled. */
class RemoteConversion {
  readonly #init: RemoteWorkerInit
  readonly #heads: HeldExtent[] = []
  #spooled: readonly HeldExtent[] = []
  #files: readonly WeightFilePlan[] = []

  constructor(init: RemoteWorkerInit) {
    this.#init = init
  }

  /**
   * @param heads more of them
   * @throws MissingBytes
   */
  plan(heads: readonly Head[]): RemotePlan {
    for (const head of heads) {
      this.#heads.push({ ...head, read: (at, length) => head.content.slice(at, at + length) })
    }
    // nothing of it is open: the files are elsewhere
    const source = this.#open()
    const { quantize } = this.#init
    const { embedding, layers, head } = planWeightFiles(source, { quantize })
    this.#files = [embedding, ...layers, head]
    const { config } = source
    return {
      description: { architecture: decoderArchitecture(config), config },
      layouts: this.#files.map(({ layout }) => layout),
      sources: this.#files.map(({ sources }) => mergeExtents(sources.flatMap(tensor => tensor.extent ?? [])))
    }
  }

  #open(): ModelSource {
    const { directory, weights } = this.#init
    const [first] = weights
    if (first !== undefined && isGguf(first)) return openGguf(first.path, this.#place)
    const elsewhere = { names: weights.map(({ path }) => path), open: this.#place.open }
    return openSafetensorsDirectory(directory, { elsewhere })
  }

  /** Reads what is in memory, and what was spooled. */
  readonly #place: GgufPlace = {
    exists: name => this.#init.weights.some(({ path }) => path === name),
    open: name => {
      const bytes = this.#init.weights.find(({ path }) => path === name)?.bytes ?? 0
      return heldSource(name, bytes, () => [...this.#spooled, ...this.#heads])
    }
  }

  /** What the header of a GGUF says of its tokenizer. */
  tokenizer(): TokenizerFiles {
    const [first] = this.#init.weights
    if (first === undefined || !isGguf(first)) throw new MeshError('internal', 'the model is no GGUF')
    return tokenizerFilesFromGguf(Object.fromEntries(openGgufFiles(first.path, this.#place).metadata))
  }

  *convert(index: number, spool: SpoolContent): Generator<Uint8Array<ArrayBuffer>> {
    const file = this.#files[index]
    if (file === undefined) throw new MeshError('internal', `the model has ${this.#files.length} files, not ${index}`)
    const descriptor = openSync(spool.path, 'r')
    try {
      let start = 0
      this.#spooled = spool.extents.map(extent => {
        const from = start
        start += extent.bytes
        return { ...extent, read: (at, length) => readFully(descriptor, spool.path, from + at, length) }
      })
      yield* file.chunks()
    } finally {
      this.#spooled = []
      closeSync(descriptor)
    }
  }
}

function readFully(descriptor: number, path: string, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  for (let done = 0; done < length; ) {
    const count = readSync(descriptor, bytes, done, length - done, offset + done)
    if (count === 0) throw modelInvalid(path, `became shorter while it was read, at byte ${offset + done}`)
    done += count
  }
  return bytes
}

const conversion = new RemoteConversion(workerData)
let chunks: Generator<Uint8Array<ArrayBuffer>> | undefined

function answer(request: RemoteRequest): RemoteReply {
  switch (request.kind) {
    case 'plan':
      return { kind: 'plan', ...conversion.plan(request.heads) }
    case 'tokenizer':
      return { kind: 'tokenizer', files: conversion.tokenizer() }
    case 'hash': {
      const hash = createHash('sha256')
      for (const chunk of conversion.convert(request.index, request.spool)) hash.update(chunk)
      return { kind: 'hashed', sha256: hash.digest('hex') }
    }
    case 'convert':
      chunks = conversion.convert(request.index, request.spool)
      return nextChunk()
    case 'next':
      return nextChunk()
  }
}

function nextChunk(): RemoteReply {
  const next = chunks?.next()
  return next === undefined || next.done === true ? { kind: 'file-end' } : { kind: 'chunk', chunk: next.value }
}

function answerOrFailure(request: RemoteRequest): RemoteReply {
  try {
    return answer(request)
  } catch (error) {
    if (error instanceof MissingBytes) return { kind: 'missing', extent: error.extent }
    const { code, message, hint } = MeshError.from(error)
    return { kind: 'failure', code, message, hint }
  }
}

parentPort?.on('message', (request: RemoteRequest) => {
  const reply = answerOrFailure(request)
  parentPort?.postMessage(reply, reply.kind === 'chunk' ? [reply.chunk.buffer] : [])
})
