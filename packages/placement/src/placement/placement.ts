import {
  type FileContent,
  formatRange,
  isServedWhole,
  type LayerRange,
  MeshError,
  type Route
} from '@resultity/interface'
import type { PlacementPlan } from '@resultity/planner'
import type { NodePool } from './node-pool.ts'
import type { PlaceableModel } from './placeable-model.ts'

/**
 * - `loading`  some stage does not serve yet
 * - `ready`    every stage serves; sessions may open
 * - `draining` another placement takes its place, or a node of it is about to leave; its sessions may end, none may open
 * - `broken`   a node of it left or failed; its sessions are failing
 * - `released` its nodes were told to forget it
 */
export type PlacementState = 'loading' | 'ready' | 'draining' | 'broken' | 'released'

/** The states of `membership.proto`; `assigned` until the node first reports. */
export type StageState = 'assigned' | 'fetching' | 'building' | 'testing' | 'linking' | 'ready' | 'failed' | 'released'

/** `default` is kept for a model as long as nodes allow; `on-demand` was made for requests that wanted it so. */
export type PlacementPurpose = 'default' | 'on-demand'

/** A node's report on one stage. */
export interface StageReport {
  readonly state: StageState
  /** Bytes fetched so far of the weights. */
  readonly bytesDone: number
  readonly bytesTotal: number
  /** Measured by the node's self-test, with `ready`; 0 when it was not. */
  readonly decodeMsPerLayer: number
  readonly fixedDecodeMs: number
  /** Of the self-test's results, with `ready`: the same where two nodes compute the same layers alike. Else empty. */
  readonly selfTestSha256: string
  /** With `ready`: what the weight files hold that the node made or fetched, where their manifest does not say. */
  readonly contents?: readonly FileContent[]
  /** With `failed`, and with `unreachedPeer`. */
  readonly error?: MeshError
  /** With `linking`: the next stage's node, which this one does not reach. */
  readonly unreachedPeer?: string
}

export interface PlacedStage {
  readonly peerId: string
  readonly range: LayerRange
  /** Bytes that the plan counts for weights and slots. */
  readonly memoryBytes: number
  /** Class of the node's kernels, if it is known. */
  readonly kernels?: string
  readonly report: StageReport
}

const NOT_REPORTED: StageReport = {
  state: 'assigned',
  bytesDone: 0,
  bytesTotal: 0,
  decodeMsPerLayer: 0,
  fixedDecodeMs: 0,
  selfTestSha256: ''
}

/** Which state may follow which. */
const transitions: Readonly<Record<PlacementState, readonly PlacementState[]>> = {
  loading: ['ready', 'broken', 'released'],
  ready: ['draining', 'broken', 'released'],
  draining: ['broken', 'released'],
  broken: ['released'],
  released: []
}

export interface PlacementInit {
  readonly id: string
  readonly model: PlaceableModel
  /** The pool whose nodes have its stages. */
  readonly pool: NodePool
  readonly purpose: PlacementPurpose
  readonly plan: PlacementPlan
  readonly nowMs: number
}

/** One way to serve one model, from its assignment to its release. */
export class Placement {
  readonly id: string
  readonly model: PlaceableModel
  readonly pool: NodePool
  readonly purpose: PlacementPurpose
  readonly plan: PlacementPlan
  readonly createdAtMs: number
  #stages: readonly PlacedStage[]
  #state: PlacementState = 'loading'
  #error: MeshError | undefined
  #sessionsOpen = 0
  #lastUsedAtMs: number
  #lastReportMs: number

  constructor(init: PlacementInit) {
    this.id = init.id
    this.model = init.model
    this.pool = init.pool
    this.purpose = init.purpose
    this.plan = init.plan
    this.createdAtMs = init.nowMs
    this.#lastUsedAtMs = init.nowMs
    this.#lastReportMs = init.nowMs
    this.#stages = init.plan.stages.map(({ peerId, range, memoryBytes, kernels }) => ({
      peerId,
      range,
      memoryBytes,
      ...(kernels === undefined ? {} : { kernels }),
      report: NOT_REPORTED
    }))
  }

  get state(): PlacementState {
    return this.#state
  }

  get stages(): readonly PlacedStage[] {
    return this.#stages
  }

  /** Why it broke. */
  get error(): MeshError | undefined {
    return this.#error
  }

  get sessionsOpen(): number {
    return this.#sessionsOpen
  }

  get lastUsedAtMs(): number {
    return this.#lastUsedAtMs
  }

  /** When one of its nodes last reported; before that, when it was created. */
  get lastReportMs(): number {
    return this.#lastReportMs
  }

  /**
   * A stage that still loads, when no stage has reported since `sinceMs`: rather one that is not linking, because a linking
   * stage may only wait for another.
   */
  silentStage(sinceMs: number): PlacedStage | undefined {
    if (this.#state !== 'loading' || this.#lastReportMs > sinceMs) return undefined
    const unready = this.#stages.filter(({ report }) => report.state !== 'ready')
    return unready.find(({ report }) => report.state !== 'linking') ?? unready[0]
  }

  /** Loading or ready: it serves requests, or will. */
  get serving(): boolean {
    return this.#state === 'loading' || this.#state === 'ready'
  }

  /** Whether it was made on demand and has no user. */
  get idle(): boolean {
    return this.purpose === 'on-demand' && this.#state === 'ready' && this.#sessionsOpen === 0
  }

  get route(): Route {
    return { placementId: this.id, stages: this.#stages.map(({ peerId, range }) => ({ peerId, range })) }
  }

  /**
   * Whom the stage on this node sends to; undefined when there is no other stage, or none on it, and of models that take jobs: their
   * sections are asked one after the other.
   */
  nextOf(peerId: string): PlacedStage | undefined {
    if (isServedWhole(this.model.manifest)) return undefined
    const index = this.#stages.findIndex(stage => stage.peerId === peerId)
    return index < 0 || this.#stages.length < 2 ? undefined : this.#stages[(index + 1) % this.#stages.length]
  }

  /** Who sends to the stage on this node, as {@link nextOf}. */
  previousOf(peerId: string): PlacedStage | undefined {
    return this.#stages.find(stage => this.nextOf(stage.peerId)?.peerId === peerId)
  }

  stageOn(peerId: string): PlacedStage | undefined {
    return this.#stages.find(stage => stage.peerId === peerId)
  }

  /** Takes a node's report. It is ignored when the placement has ended or the node has no stage of it. */
  report(peerId: string, report: StageReport, nowMs: number): void {
    if (this.stageOn(peerId) === undefined || this.#state === 'released' || this.#state === 'broken') return
    this.#stages = this.#stages.map(stage => (stage.peerId === peerId ? { ...stage, report } : stage))
    this.#lastReportMs = nowMs
    if (report.state === 'failed' || report.state === 'released') {
      this.break(peerId, report.error ?? new MeshError('unavailable', `node ${peerId} gave its layers back`))
    } else if (this.#state === 'loading' && this.#stages.every(stage => stage.report.state === 'ready')) {
      this.#become('ready')
    }
  }

  /** A node of it left or failed. */
  break(peerId: string, cause: MeshError): void {
    const stage = this.stageOn(peerId)
    if (stage === undefined || this.#state === 'broken' || this.#state === 'released') return
    this.#become('broken')
    this.#error = new MeshError(
      cause.code,
      `node ${peerId} with layers ${formatRange(stage.range)} of ${this.model.name}: ${cause.message}`,
      { hint: cause.hint, cause }
    )
  }

  drain(): void {
    this.#become('draining')
  }

  release(): void {
    this.#become('released')
  }

  /** True when one more session may open. */
  get hasFreeSlot(): boolean {
    return this.#state === 'ready' && this.#sessionsOpen < this.model.sessionsMax
  }

  takeSlot(nowMs: number): void {
    if (!this.hasFreeSlot) throw new MeshError('internal', `placement ${this.id} has no free slot to take`)
    this.#sessionsOpen++
    this.#lastUsedAtMs = nowMs
  }

  freeSlot(nowMs: number): void {
    if (this.#sessionsOpen === 0) throw new MeshError('internal', `placement ${this.id} has no slot to free`)
    this.#sessionsOpen--
    this.#lastUsedAtMs = nowMs
  }

  #become(next: PlacementState): void {
    if (!transitions[this.#state].includes(next)) {
      throw new MeshError('internal', `placement ${this.id} cannot go from ${this.#state} to ${next}`)
    }
    this.#state = next
  }
}
