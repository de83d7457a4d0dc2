import { MeshError, type Route, type Scheduler, type StagePlacement, type Timer } from '@resultity/interface'
import { RingFall } from './ring-fall.ts'
import { isNeighbourLoss, linkLost, stageFault, stageLost } from './stage-control.ts'

export interface RouteFaultsInit {
  readonly route: Route
  readonly scheduler: Scheduler
  /** How long to wait for a sign of which node died, after a stage reported that it lost its neighbour. */
  readonly lossGraceMs: number
  /** Whether the coordinator's stream to this stage is open. */
  isThere(index: number): boolean
  /** Whether all hops stood. */
  wasOpen(): boolean
  /** @returns false when the placement cannot do without the node */
  suspect(peerId: string, why?: string): boolean
  /** @returns false when the placement cannot do without the link */
  suspectLink(from: string, to: string): boolean
  /** Ends the route. */
  fail(error: MeshError): void
}

/** Finds out from the reports of a route's stages which node or which link was lost, and ends the route with that error. */
export class RouteFaults implements Disposable {
  readonly #init: RouteFaultsInit
  readonly #stages: readonly StagePlacement[]
  readonly #fall = new RingFall()
  #grace: Timer | undefined

  constructor(init: RouteFaultsInit) {
    this.#init = init
    this.#stages = init.route.stages
  }

  /** Whether a stage has reported the loss of a neighbour: the route ends in a moment. */
  get begun(): boolean {
    return this.#fall.begun
  }

  /** Whether this stage has reported a fault. Then the end of its stream says nothing new. */
  has(index: number): boolean {
    return this.#fall.has(index)
  }

  /** @returns the index of the stage before or after it that is on this node */
  neighbour(index: number, peerId: string): number {
    const count = this.#stages.length
    const found = [index + 1, index + count - 1]
      .map(one => one % count)
      .find(one => this.#stages[one]?.peerId === peerId)
    if (found !== undefined && found !== index) return found
    throw new MeshError('protocol_violation', `a link to ${peerId} is reported, which is no neighbour`)
  }

  /** The stage `from` reports that its hop to or from `to` broke. */
  broke(from: number, to: number): void {
    this.#fall.broke(from, to)
  }

  /**
   * Takes in a fault of a stage. A stage that lost its neighbour may be the second or third in a row of falling stages. The
   * stage that died is the one whose stream ends without a fault: this waits a moment for that to show.
   */
  add(index: number, error: MeshError): void {
    const stage = this.#stages[index]
    if (stage === undefined) return
    const blamed = this.#blamed(index, error)
    if (blamed !== undefined) {
      this.#loseBlamed(blamed, error)
      return
    }
    const first = this.#fall.add(index, error)
    if (!isNeighbourLoss(error) && !this.#fall.isNeighbours(index)) {
      this.#init.fail(stageFault(stage, error, this.#facts))
    } else if (first) {
      this.#grace = this.#init.scheduler.setTimeout(() => this.#decide(), this.#init.lossGraceMs)
    }
  }

  /**
   * Takes in that a stage said what it may not, as is seen here. Where others can take its layers the answer goes on there, and
   * it gets none for a while.
   */
  violated(index: number, error: MeshError): void {
    const stage = this.#stages[index]
    if (stage === undefined) return
    const others = this.#init.suspect(stage.peerId, error.message)
    const facts = this.#facts
    this.#init.fail(
      others
        ? stageLost(stage, 'broke the protocol', error, { ...facts, faulty: true })
        : stageFault(stage, error, facts)
    )
  }

  /** A stage may blame only the stage before it, for what that stage sent. */
  #blamed(index: number, { details }: MeshError): StagePlacement | undefined {
    const previous = this.#stages[(index + this.#stages.length - 1) % this.#stages.length]
    return this.#stages.length > 1 && previous?.peerId === details.blamedPeer ? previous : undefined
  }

  /** Its results are of no use: other nodes get its layers, and the answer goes on there. */
  #loseBlamed(stage: StagePlacement, error: MeshError): void {
    this.#init.suspect(stage.peerId, error.message)
    this.#init.fail(stageLost(stage, 'sent what cannot be computed with', error, { ...this.#facts, faulty: true }))
  }

  /**
   * Takes in which nodes do not answer, though their streams are open.
   * @returns the index of the first one that its placement can do without
   */
  gone(indices: readonly number[], answerMs: number): number | undefined {
    for (const index of indices) {
      const stage = this.#stages[index]
      if (stage === undefined || !this.#init.suspect(stage.peerId)) continue
      this.#init.fail(stageLost(stage, `did not answer within ${answerMs} ms`, undefined, this.#facts))
      return index
    }
    return undefined
  }

  /** Nothing comes over a link, though both its nodes answer. @returns false when the route has to wait for it */
  linkSilent(from: number, to: number): boolean {
    return this.#loseLink(from, to, 'carries nothing')
  }

  [Symbol.dispose](): void {
    this.#init.scheduler.clear(this.#grace)
  }

  #decide(): void {
    const fall = this.#fall.verdict(index => this.#init.isThere(index))
    if (fall === undefined) return
    if (fall.type === 'stage') this.#loseStage(fall.index, fall.error)
    // a hop that stood may be made again at once; one that could not be made is avoided for a while
    else if (this.#init.wasOpen() || !this.#loseLink(fall.from, fall.to, 'cannot be made', fall.error)) {
      this.#failLink(fall.from, fall.to, 'broke', fall.error)
    }
  }

  #loseStage(index: number, error: MeshError): void {
    const stage = this.#stages[index]
    if (stage === undefined) return
    const said = this.has(index)
    // its neighbours say that it is gone, and it has no stream here that could end
    if (!said) this.#init.suspect(stage.peerId)
    this.#init.fail(said ? stageFault(stage, error, this.#facts) : stageLost(stage, 'was lost', error, this.#facts))
  }

  #loseLink(from: number, to: number, what: string, cause?: MeshError): boolean {
    const [one, other] = [this.#stages[from], this.#stages[to]]
    if (one === undefined || other === undefined) return false
    if (!this.#init.suspectLink(one.peerId, other.peerId)) return false
    this.#failLink(from, to, what, cause)
    return true
  }

  #failLink(from: number, to: number, what: string, cause?: MeshError): void {
    const [one, other] = [this.#stages[from], this.#stages[to]]
    if (one === undefined || other === undefined) return
    const again = what === 'broke' && this.#init.wasOpen()
    this.#init.fail(linkLost([one, other], what, cause, again ? { ...this.#facts, again } : this.#facts))
  }

  get #facts() {
    return { placementId: this.#init.route.placementId }
  }
}
