import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { FileBlobStore } from '@resultity/blobs'
import { drawPicture, type PictureRequest } from '@resultity/diffusion'
import { createEngine } from '@resultity/engine'
import { type DiffusionModel, requireDiffusion, weightFiles } from '@resultity/interface'
import { importModel, parseModelReference } from '@resultity/model'
import type { Drawn, PaintChildInit } from './painter.ts'

/** One process in which our engine draws alone. Started by `painter.ts`. */

async function serve(init: PaintChildInit): Promise<void> {
  const workDir = await mkdtemp(join(tmpdir(), 'resultity-bench-'))
  try {
    await using store = await FileBlobStore.open(init.dataDir)
    const reference = parseModelReference(`file:${init.model}`)
    const manifest = requireDiffusion((await importModel(reference, { dataDir: init.dataDir, store })).manifest)
    const paths = new Map<string, string>()
    for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
    const engine = await createEngine('capi', { tuning: true })
    await using model = await engine.loadDiffusion({
      manifest,
      threads: init.threads,
      // threads that spin between runs would take the cores from who is measured in turns with these
      spinning: 'run',
      weightPath: file => paths.get(file.sha256) ?? '',
      workDir
    })
    say({ name: 'engine' })
    for await (const _ of createInterface({ input: process.stdin })) say(await draw(model, init))
  } finally {
    await rm(workDir, { recursive: true, force: true })
  }
}

async function draw(model: DiffusionModel, { side, steps }: PaintChildInit): Promise<Drawn> {
  const spent = { text: 0, steps: 0, decoder: 0 }
  const begun = performance.now()
  const timed: DiffusionModel = {
    config: model.config,
    async encodeText(...args) {
      const from = performance.now()
      const states = await model.encodeText(...args)
      spent.text += performance.now() - from
      return states
    },
    denoise: (...args) => model.denoise(...args),
    async decode(...args) {
      const from = performance.now()
      const pixels = await model.decode(...args)
      spent.decoder += performance.now() - from
      return pixels
    },
    encode: (...args) => model.encode(...args),
    [Symbol.asyncDispose]: async () => {}
  }
  const prompt = (token: number): Uint32Array[][] =>
    model.config.textEncoders.map(({ length }) => [new Uint32Array(length).fill(token)])
  const request: PictureRequest = {
    prompt: prompt(5),
    negative: prompt(6),
    width: side,
    height: side,
    steps,
    scheduler: 'ddim',
    guidanceScale: 7.5,
    seed: 1n,
    picture: 0
  }
  await drawPicture(timed, request)
  // all that is neither text nor decoder: the runs of the denoiser, noise, guidance, the scheduler
  spent.steps = performance.now() - begun - spent.text - spent.decoder
  const peakBytes = await peak()
  return { text: spent.text / 1000, steps: spent.steps / 1000, decoder: spent.decoder / 1000, peakBytes }
}

/** The most that has been resident: `VmHWM` of Linux. */
async function peak(): Promise<number> {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile('/proc/self/status', 'utf8'))
  return 1024 * Number(found?.[1])
}

function say(message: Drawn | { readonly name: string }): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

await serve(JSON.parse(process.argv[2] ?? '{}'))
