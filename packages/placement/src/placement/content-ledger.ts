import {
  type FileContent,
  MeshError,
  type ModelManifest,
  recipeOf,
  requireDecoder,
  stageFiles,
  weightFiles
} from '@resultity/interface'
import { type ContentRecords, describeFile } from '@resultity/model'
import type { Logger } from 'pino'
import type { PlaceableModel } from './placeable-model.ts'
import type { PlacedStage, Placement, StageReport } from './placement.ts'

/** Makes one weight file of a model, by index in its manifest, and gives its hash. */
export type ContentJudge = (manifest: ModelManifest, index: number) => Promise<string>

export interface ContentLedgerComponents {
  readonly logger: Logger
  /** Where it is kept over a restart. Default: nowhere. */
  readonly records?: Pick<ContentRecords, 'find' | 'note'> | undefined
  /** Settles disputes. Default: who came first is right. */
  readonly judge?: ContentJudge | undefined
}

/** What is known of one file. */
interface Entry {
  sha256: string
  /** Settled by this coordinator's own making of it, or by that of two nodes. */
  settled: 'no' | 'made-twice' | 'judged'
  /** What nodes said, those that were refused too. */
  readonly said: Map<string, FileContent>
  judging: boolean
}

/** A node that reported other bytes than the checkpoint gives. */
export type WrongListener = (peerId: string, placementId: string, error: MeshError) => void

/** Nodes whose word is kept for a file; the earliest is forgotten first. */
const SAID_MAX = 64

/** Disputes at a time. More are not begun: each takes the download of a layer. */
const DISPUTES_MAX = 16

/**
 * What weight files hold that nodes make themselves, by the files' names. The first node that made one is believed until another
 * makes it too; where two differ, this coordinator makes that file itself, and who was wrong loses its stages.
 */
export class ContentLedger {
  readonly #components: ContentLedgerComponents
  readonly #entries = new Map<string, Entry>()
  readonly #placements: () => readonly Placement[]
  readonly #onWrong: WrongListener
  /** Disputes are settled one after the other. */
  #disputes = 0
  #tail: Promise<void> = Promise.resolve()

  /**
   * @param placements all that there are now
   * @param onWrong called when a node turns out to have been wrong that had been believed
   */
  constructor(components: ContentLedgerComponents, placements: () => readonly Placement[], onWrong: WrongListener) {
    this.#components = components
    this.#placements = placements
    this.#onWrong = onWrong
  }

  /** What is known of the files of a stage, to tell its node. */
  known({ manifest }: PlaceableModel, stage: Pick<PlacedStage, 'range'>): FileContent[] {
    if (recipeOf(manifest) === undefined) return []
    return stageFiles(requireDecoder(manifest), stage.range).flatMap(({ sha256: file }) => {
      const entry = this.#find(file)
      return entry === undefined ? [] : [{ file, sha256: entry.sha256, verified: entry.settled !== 'no' }]
    })
  }

  /** Takes in what a node says its files hold. @returns its report, or one of a failure where it is not believed */
  admit(peerId: string, placement: Placement | undefined, report: StageReport): StageReport {
    const stage = placement?.stageOn(peerId)
    const { contents = [] } = report
    if (placement === undefined || stage === undefined || contents.length === 0) return report
    const { manifest } = placement.model
    if (report.state !== 'ready' || recipeOf(manifest) === undefined) return report
    const own = new Set(stageFiles(requireDecoder(manifest), stage.range).map(({ sha256 }) => sha256))
    for (const content of contents) {
      if (!own.has(content.file)) continue
      const error = this.#take(peerId, manifest, content)
      if (error !== undefined) return { ...report, state: 'failed', error }
    }
    return report
  }

  /** Resolves once no dispute is open. */
  async idle(): Promise<void> {
    await this.#tail
  }

  #take(peerId: string, manifest: ModelManifest, content: FileContent): MeshError | undefined {
    const { file, sha256, verified } = content
    const present = this.#find(file)
    const noted = present?.sha256
    const entry = present ?? { sha256, settled: 'no', said: new Map(), judging: false }
    this.#entries.set(file, entry)
    entry.said.delete(peerId)
    // nobody else has said anything else: a node may correct itself
    if (entry.settled === 'no' && [...entry.said.values()].every(other => other.sha256 === sha256))
      entry.sha256 = sha256
    entry.said.set(peerId, content)
    for (const earliest of entry.said.keys()) if (entry.said.size > SAID_MAX) entry.said.delete(earliest)
    if (entry.sha256 !== sha256) {
      this.#dispute(manifest, file, entry)
      return differs(peerId, manifest, file, sha256, entry.sha256)
    }
    const makers = [...entry.said.values()].filter(said => said.verified && said.sha256 === sha256)
    const settles = entry.settled === 'no' && verified && makers.length > 1
    if (settles) entry.settled = 'made-twice'
    if (noted !== sha256 || settles) this.#note(file, entry)
    return undefined
  }

  #find(file: string): Entry | undefined {
    const present = this.#entries.get(file)
    if (present !== undefined) return present
    const noted = this.#components.records?.find(file)
    if (noted === undefined) return undefined
    const entry: Entry = {
      sha256: noted.sha256,
      settled: noted.verified ? 'made-twice' : 'no',
      said: new Map(),
      judging: false
    }
    this.#entries.set(file, entry)
    return entry
  }

  #note(file: string, { sha256, settled }: Entry): void {
    this.#components.records?.note([{ file, sha256, verified: settled !== 'no' }]).catch((error: unknown) => {
      this.#components.logger.warn({ err: error }, 'what a weight file holds could not be written down')
    })
  }

  #dispute(manifest: ModelManifest, file: string, entry: Entry): void {
    const { judge, logger } = this.#components
    if (judge === undefined || entry.settled === 'judged' || entry.judging || this.#disputes >= DISPUTES_MAX) return
    const index = weightFiles(manifest).findIndex(({ sha256 }) => sha256 === file)
    entry.judging = true
    this.#disputes += 1
    const facts = { model: manifest.name, file: nameOf(manifest, file) }
    logger.warn(facts, 'two nodes made different bytes of one layer: it is made here, to see who is right')
    this.#tail = this.#tail.then(async () => {
      try {
        this.#decide(manifest, file, entry, await judge(manifest, index))
      } catch (error) {
        logger.error({ ...facts, err: error }, 'a layer could not be made here: who came first is believed')
      } finally {
        entry.judging = false
        this.#disputes -= 1
      }
    })
  }

  #decide(manifest: ModelManifest, file: string, entry: Entry, sha256: string): void {
    entry.sha256 = sha256
    entry.settled = 'judged'
    this.#note(file, entry)
    for (const [peerId, said] of entry.said) {
      if (said.sha256 === sha256) continue
      const error = differs(peerId, manifest, file, said.sha256, sha256)
      this.#components.logger.error({ peerId, err: error }, 'a node serves other bytes than its checkpoint gives')
      entry.said.delete(peerId)
      for (const placement of this.#placements()) {
        const stage = placement.stageOn(peerId)
        if (stage === undefined || recipeOf(placement.model.manifest) === undefined) continue
        const files = stageFiles(requireDecoder(placement.model.manifest), stage.range)
        if (files.some(one => one.sha256 === file)) this.#onWrong(peerId, placement.id, error)
      }
    }
  }
}

function nameOf(manifest: ModelManifest, file: string): string {
  const files = weightFiles(manifest)
  return describeFile(
    files.findIndex(({ sha256 }) => sha256 === file),
    files.length
  )
}

function differs(peerId: string, manifest: ModelManifest, file: string, said: string, right: string): MeshError {
  const what = nameOf(manifest, file)
  return new MeshError(
    'hash_mismatch',
    `${what} of ${manifest.name} is ${said.slice(0, 16)}… on ${peerId}, and ${right.slice(0, 16)}… elsewhere`,
    {
      hint: 'This node is faulty, lies, or asks a hub that serves other bytes; it is given no layers of the model for a while.'
    }
  )
}
