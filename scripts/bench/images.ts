import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { median } from './contestant.ts'
import { drawOnMesh, type MeshPictureRow } from './images-mesh.ts'
import { type Drawn, diffusersProgram, Painter, type PainterInit } from './painter.ts'

/** Models that are measured: of the tests, and of Stable Diffusion 1.5's full width with random weights. */
export const imageModels = ['tiny', 'sd-1.5'] as const
export type ImageModel = (typeof imageModels)[number]

export interface ImagesBenchInit {
  readonly models: readonly ImageModel[]
  /** Models and imports are kept here between runs. */
  readonly cacheDir: string
  readonly threads: number
  readonly rounds: number
  /** A Python that has diffusers; without it nothing is compared, and there is no wide model unless one was made before. */
  readonly python: string | undefined
  /** Of the wide model's picture, in pixels. */
  readonly side: number
  /** Draws the wide model's picture over a mesh of one node and of two, too. */
  readonly nodes: boolean
  readonly log: (line: string) => void
}

/** Who draws what: medians of the rounds. */
export interface PainterRow {
  readonly model: ImageModel
  readonly side: number
  readonly name: string
  /** Each with guidance. */
  readonly stepsPerSecond: number
  readonly textMs: number
  readonly decoderMs: number
  readonly peakBytes: number
  /** Our steps a second over these: above 1 we are faster. Median of the rounds' ratios. */
  readonly ratio?: number
}

export interface ImagesReport {
  readonly threads: number
  readonly rounds: number
  readonly rows: PainterRow[]
  readonly nodes: MeshPictureRow[]
  readonly missed: string[]
}

const fixtures = join(import.meta.dirname, '../../../packages/diffusion-model/test/fixtures')
/** Steps of one picture: some tenths of a second of the tiny model. */
const STEPS: Readonly<Record<ImageModel, number>> = { tiny: 20, 'sd-1.5': 2 }
const TINY_SIDE = 64

/** Draws with our engine, and with diffusers on the same weights in turns. */
export async function benchImages(init: ImagesBenchInit): Promise<ImagesReport> {
  const { models, threads, rounds } = init
  await mkdir(init.cacheDir, { recursive: true })
  const rows: PainterRow[] = []
  for (const model of models) rows.push(...(await benchModel(init, model)))
  const nodes = init.nodes ? await benchNodes(init) : []
  const missed = nodes.filter(row => !row.samePicture).map(row => `${row.nodes} nodes draw another picture`)
  return { threads, rounds, rows, nodes, missed }
}

async function benchModel(init: ImagesBenchInit, name: ImageModel): Promise<PainterRow[]> {
  const { threads, python, cacheDir, rounds, log } = init
  const side = name === 'tiny' ? TINY_SIDE : init.side
  const model = name === 'tiny' ? join(fixtures, 'tiny-sd') : await wideModel(init)
  const asked: PainterInit = { model, side, steps: STEPS[name], threads }
  await using painters = new AsyncDisposableStack()
  const all = [painters.use(await Painter.ours({ ...asked, dataDir: cacheDir }))]
  if (python !== undefined) all.push(painters.use(await Painter.diffusers(python, asked)))
  const drawn = all.map((): Drawn[] => [])
  for (let round = 0; round <= rounds; round++) {
    for (const [index, painter] of all.entries()) {
      const picture = await painter.draw()
      log(`${name}, round ${round}: ${painter.name} ${(asked.steps / picture.steps).toFixed(2)} steps/s`)
      // the first does not count: code runs cold in it
      if (round > 0) drawn[index]?.push(picture)
    }
  }
  return all.map((painter, index) => rowOf(name, asked, painter.name, drawn[index] ?? [], drawn[0] ?? []))
}

async function benchNodes(init: ImagesBenchInit): Promise<MeshPictureRow[]> {
  const { side, rounds, log } = init
  const coordinatorData = join(init.cacheDir, 'coordinator')
  return await drawOnMesh({ model: await wideModel(init), side, rounds, coordinatorData, log })
}

function rowOf(
  model: ImageModel,
  { side, steps }: PainterInit,
  name: string,
  drawn: readonly Drawn[],
  ours: readonly Drawn[]
): PainterRow {
  const ratio = median(drawn.map((picture, round) => picture.steps / (ours[round]?.steps ?? Number.NaN)))
  return {
    model,
    side,
    name,
    stepsPerSecond: median(drawn.map(picture => steps / picture.steps)),
    textMs: median(drawn.map(picture => 1000 * picture.text)),
    decoderMs: median(drawn.map(picture => 1000 * picture.decoder)),
    peakBytes: Math.max(...drawn.map(picture => picture.peakBytes)),
    ...(drawn === ours ? {} : { ratio })
  }
}

/** A folder with random weights, which only diffusers writes. @throws MeshError `settings_invalid` */
async function wideModel({ cacheDir, python, log }: ImagesBenchInit): Promise<string> {
  const folder = join(cacheDir, 'random-sd-1.5')
  const whole = await access(join(folder, 'model_index.json')).then(
    () => true,
    () => false
  )
  if (whole) return folder
  if (python === undefined) {
    throw new MeshError('settings_invalid', 'a model of full width is made by diffusers', {
      hint: 'Give --python a program that has scripts/bench/diffusers.requirements.txt, or --models tiny.'
    })
  }
  log(`writing ${folder}, 2 GB`)
  await rm(folder, { recursive: true, force: true })
  const tokenizer = join(fixtures, 'tiny-sd', 'tokenizer')
  const child = spawn(python, [diffusersProgram, 'make', folder, tokenizer], { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new MeshError('internal', `${python} ended with ${code}; its words are above`)
  return folder
}

/** @throws MeshError `settings_invalid` for a name of none */
export function parseImageModels(text: string | undefined): readonly ImageModel[] {
  if (text === undefined) return imageModels
  if (text === '') return []
  return text.split(',').map(name => {
    const model = imageModels.find(known => known === name)
    if (model !== undefined) return model
    throw new MeshError('settings_invalid', `"${name}" is none of ${imageModels.join(', ')}`)
  })
}
