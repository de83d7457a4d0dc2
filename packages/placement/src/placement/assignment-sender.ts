import { type AssignmentUpdate, type BlobSource, CONTENTS_MAX, type CoordinatorMessage } from '@resultity/wire'
import type { NodeRegistry } from '../membership/node-registry.ts'
import type { ContentLedger } from './content-ledger.ts'
import type { AssignmentPort } from './handover.ts'
import type { PlacedStage, Placement, StageReport } from './placement.ts'

/** Blob sources named in an assignment: the coordinator, and nodes that have some of the layers. */
const BLOB_SOURCES_MAX = 8

/** `membership.proto` takes no longer reason. */
const REASON_CHARACTERS_MAX = 256

export interface AssignmentSenderComponents {
  readonly registry: NodeRegistry
  /** What weight files hold that nodes make. Default: nothing is known of any. */
  readonly contents?: Pick<ContentLedger, 'known'>
  /** This coordinator, which has the manifests and tokenizers of all models, and the weight files that nodes do not make. */
  ownAddress(): BlobSource
  send(peerId: string, message: CoordinatorMessage): void
}

/** Puts the director's decisions into membership messages. */
export class AssignmentSender implements AssignmentPort {
  readonly #components: AssignmentSenderComponents

  constructor(components: AssignmentSenderComponents) {
    this.#components = components
  }

  assign(placement: Placement, stage: PlacedStage): void {
    const { model } = placement
    const next = placement.nextOf(stage.peerId)
    const previous = placement.previousOf(stage.peerId)
    const contents = this.#components.contents?.known(model, stage).slice(0, CONTENTS_MAX) ?? []
    this.#components.send(stage.peerId, {
      type: 'assign',
      placementId: placement.id,
      model: model.name,
      manifestSha256: model.manifestSha256,
      manifestBytes: model.manifestBytes,
      range: stage.range,
      contextLength: model.contextLength,
      sessionsMax: model.sessionsMax,
      sources: this.#sources(model.manifestSha256, stage.peerId),
      activationType: 'f32',
      ...(next === undefined ? {} : { next: this.#addressOf(next.peerId, stage.peerId) }),
      ...(previous === undefined ? {} : { previousPeer: previous.peerId }),
      ...(contents.length === 0 ? {} : { contents })
    })
  }

  release(peerId: string, placementId: string, reason: string): void {
    this.#components.send(peerId, { type: 'release', placementId, reason: reason.slice(0, REASON_CHARACTERS_MAX) })
  }

  #sources(manifestSha256: string, receiver: string): BlobSource[] {
    const { registry, ownAddress } = this.#components
    const holders = registry
      .list()
      .filter(({ peerId, advert }) => peerId !== receiver && advert.stages.some(one => one.manifest === manifestSha256))
      .map(({ peerId }) => this.#addressOf(peerId, receiver))
    return [ownAddress(), ...holders].slice(0, BLOB_SOURCES_MAX)
  }

  #addressOf(peerId: string, receiver: string): BlobSource {
    return { peerId, multiaddrs: this.#components.registry.addressesOf(peerId, receiver) }
  }
}

/** A node's report, as the placement states know it. */
export function toStageReport(update: AssignmentUpdate): StageReport {
  const { state, bytesDone, bytesTotal, decodeMsPerLayer, fixedDecodeMs, selfTestSha256 } = update
  const { contents, error, unreachedPeer } = update
  return {
    state,
    bytesDone,
    bytesTotal,
    decodeMsPerLayer,
    fixedDecodeMs,
    selfTestSha256,
    ...(contents === undefined ? {} : { contents }),
    ...(error === undefined ? {} : { error }),
    ...(unreachedPeer === undefined ? {} : { unreachedPeer })
  }
}
